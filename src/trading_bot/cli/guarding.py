"""What has to hold before a desk comes up, and how it is asked to stop.

Promises that a home is never traded by another kind of desk than made it, that a desk on the real clock has a mandate that
holds, that real money needs words typed by a person, and that Ctrl-C and SIGTERM end a run between two steps.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading_bot.bootstrap.desk import Assembly
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.config import Config
    from trading_bot.storage.home import Home, Owner

_LIVE_WORD = "TRADE REAL MONEY"
_DESK = "orchestrator"
_PAUSE_S = 0.2


def demand_all(config: "Config", setting: "Setting") -> None:
    """Raise the DeskError of the first thing that does not hold for this desk."""
    from trading_bot.bootstrap.brokers import demand_mode
    from trading_bot.bootstrap.setting import load_mandate
    from trading_bot.cli.terminal import ask_words
    from trading_bot.domain.errors import ConfigError
    from trading_bot.domain.mandate import Mode
    from trading_bot.execution.clock import SystemWallClock

    demand_fit(config, setting)
    if config.analyst == "claude":
        demand_claude(config)
    if setting.simulated:
        return
    demand_mode(config, setting.mode)
    demand_true_prices(config)
    load_mandate(config, setting, SystemWallClock())
    if setting.mode is not Mode.LIVE:
        return
    ask_words(f"This desk will trade real money. Type {_LIVE_WORD} to go on: ", _LIVE_WORD)
    if config.broker.name == "paper":
        raise ConfigError(
            "live needs a broker with real money, and broker.name is paper; for paper money leave out --orchestrator-mode live (or --live)"
        )


def demand_true_prices(config: "Config") -> None:
    """Raise ConfigError for a vendor's venue that would be traded on invented prices."""
    from trading_bot.domain.errors import ConfigError

    if config.broker.name != "paper" and config.source.name == "synthetic":
        name = config.broker.name
        raise ConfigError(f"broker {name} is a market of its own, and source synthetic invents prices: set `source: {name}`")


def demand_account(assembly: "Assembly") -> None:
    """Raise BrokerKeysError if the keys open nothing, or another account than they should. A venue that is away may come back."""
    from trading_bot.domain.errors import BrokerKeysError, BrokerUnavailableError

    try:
        assembly.broker.account()
    except BrokerUnavailableError:
        return
    except BrokerKeysError:
        assembly.close()
        raise


def demand_claude(config: "Config") -> None:
    """Raise ClaudeMissingError if nobody could answer or pay: a desk without its analyst would only look alive."""
    from trading_bot.cli.diagnosing_claude import binary, login
    from trading_bot.domain.errors import ClaudeMissingError

    for found in (binary(config.claude.binary), login(config.claude.billing)):
        if not found.passed:
            raise ClaudeMissingError(f"{found.name}: {found.seen}; {found.fix}")


def demand_fit(config: "Config", setting: "Setting") -> None:
    """Raise HomeMismatchError if the home belongs to a desk of another kind, or with another clock or seed."""
    from trading_bot.domain.errors import HomeMismatchError
    from trading_bot.storage.journal import SqlJournal

    home = setting.home
    if not home.has_journal:
        return
    with SqlJournal.look(home.database) as journal:
        clock, seed, kind = journal.fact("clock kind"), journal.fact("seed"), _kind_in(journal.fact("config"))
    wanted = "simulated" if setting.simulated else "real"
    other = "name another home with --home or TRADING_BOT_HOME"
    if kind not in {None, config.desk}:
        raise HomeMismatchError(f"{home.path} holds a desk of {kind}, and this is one of {config.desk}: {other}")
    if clock not in {None, wanted}:
        fast = "with `simulate`" if config.desk == "coins" else "with --fast"
        hint = f"go on with it {fast.replace('with', 'without', 1) if setting.simulated else fast}"
        msg = f"{home.path} holds a desk on a {clock} clock: {hint}, or {other}"
        raise HomeMismatchError(msg)
    if setting.simulated and seed not in {None, str(config.seed)}:
        msg = f"{home.path} holds a simulated desk with seed {seed}, not {config.seed}: go on with --seed {seed}, or {other}"
        raise HomeMismatchError(msg)


def _kind_in(remembered: str | None) -> str | None:
    """The kind of desk whose settings a journal remembers; the first versions knew of stocks alone."""
    return None if remembered is None else str(json.loads(remembered).get("desk", "stocks"))


@contextmanager
def owned_as_desk(setting: "Setting") -> Iterator[None]:
    """Own the home for as long as a desk runs."""
    with _owned(setting.home, _DESK, 0.0):
        yield


@contextmanager
def owned_for(setting: "Setting", purpose: str, patience_s: float) -> Iterator[None]:
    """Own the home for one command; wait up to `patience_s` for another command, but not for a desk."""
    with _owned(setting.home, purpose, patience_s):
        yield


def desk_in(home: "Home") -> "Owner | None":
    """Who runs a whole desk in this home, if anybody."""
    from trading_bot.storage.home import Owner

    owner = home.lock_owner()
    return owner if isinstance(owner, Owner) and owner.purpose == _DESK else None


@contextmanager
def _owned(home: "Home", purpose: str, patience_s: float) -> Iterator[None]:
    from trading_bot.domain.errors import HomeLockedError
    from trading_bot.execution.clock import SystemWallClock

    home.prepare()
    deadline = time.monotonic() + patience_s
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(home.lock(purpose, SystemWallClock().now()))
                break
            except HomeLockedError:
                if time.monotonic() >= deadline or desk_in(home) is not None:
                    raise
                time.sleep(_PAUSE_S)
        yield


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into a clean stop; the second one ends at once, which is safe too."""
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
