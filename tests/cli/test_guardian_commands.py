"""`guardian`, `flatten`, `protect`, `reconcile` and the broker's part of `doctor`, on real processes and the paper venue."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.venue_kit import approved, spec
from cli.command_line import Desk
from trading_bot import config
from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import CALENDARS, build_source
from trading_bot.domain.mandate import Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import RealClock
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import Broker
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

COIN = Symbol("BTCUSDT")
_SETTINGS = {
    "UNIVERSE__SYMBOLS": "[BTCUSDT]",
    "BROKER__FEES": "none",
    "GUARDIAN__INTERVAL_SECONDS": "0.1",
    "GUARDIAN__HEARTBEAT_SECONDS": "5",
    "GUARDIAN__NAKED_SECONDS": "2",
}


@pytest.fixture
def coins(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A home on the real clock that trades a coin round the clock, with a signed mandate."""
    recently = (datetime.now(UTC) - timedelta(days=10)).date().isoformat()  # a short past is quickly invented
    for name, value in {**_SETTINGS, "SOURCE__SYNTHETIC__START": recently}.items():
        monkeypatch.setenv(f"TRADING_BOT__{name}", value)
    desk.sign_mandate(universe__symbols=[COIN], broker__fees="none")
    desk.home.mkdir(exist_ok=True)
    return desk


def venue(desk: Desk) -> Broker:
    """The test's own door to the venue."""
    settings, home = config.load(environment=os.environ), Home(desk.home)
    calendars, clock = {name: open_calendar(name) for name in CALENDARS}, RealClock(threading.Event())
    source = build_source(settings, calendars, clock.now, home)
    return build_broker(settings, Setting(Mode.PAPER, simulated=False, home=home, operator=desk.operator), source, calendars, clock)


def buy(desk: Desk, quantity: str = "0.5") -> None:
    """Hold a coin behind the desk's back."""
    venue(desk).submit(approved(spec("bought", quantity=quantity, symbol=COIN)))


def buy_for(desk: Desk, quantity: str = "0.5") -> None:
    """Hold a coin as a desk does that hung when it had sent its order: it meant to, and did not book it."""
    with SqlJournal.open(desk.home / "journal.db") as journal:
        journal.append(OrderIntent(at=datetime.now(UTC), order=approved(spec("bought", quantity=quantity, symbol=COIN))))
    buy(desk, quantity)


@contextmanager
def process(*arguments: str, until: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, up as soon as it printed `until`."""
    command = [sys.executable, "-m", "trading_bot", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:  # noqa: S603 - our own command
        try:
            wait_for_line(started, until)
            yield started
        finally:
            started.kill()


def wait_for_line(started: subprocess.Popen[str], words: str) -> None:
    """Read until a line begins with these words."""
    for line in started.stdout or ():
        if line.startswith(words):
            return
    pytest.fail(f"ended without {words!r}")


def test_a_hanging_desk_with_a_locked_journal_is_killed_and_what_is_naked_is_closed(coins: Desk) -> None:
    """The whole of it in real processes: the guardian needs neither desk nor journal."""
    with process("orchestrator", until="Ctrl-C stops") as desk, process("guardian", until="Guarding") as guardian:
        desk.send_signal(signal.SIGSTOP)
        buy_for(coins)
        with closing(sqlite3.connect(coins.home / "journal.db", isolation_level=None)) as journal:
            journal.execute("PRAGMA busy_timeout = 20000")
            journal.execute("BEGIN EXCLUSIVE")
            wait_for_line(guardian, "The guardian acted (cure): done")
        assert desk.wait(10) == -signal.SIGKILL
        assert venue(coins).positions() == ()
        assert guardian.poll() is None
        guardian.terminate()
        assert guardian.wait(10) == 0


def test_a_living_desk_is_not_touched_by_the_guardian(coins: Desk) -> None:
    """It beats, and that is enough."""
    with process("orchestrator", until="Ctrl-C stops") as desk:
        ended = coins.run("guardian", "--once")
        assert (ended.code, ended.out) == (0, "All is well.\n")
        assert desk.poll() is None


def test_flatten_without_a_desk_closes_everything_and_verifies_it(coins: Desk) -> None:
    """No journal is needed for it; HALT stays."""
    buy(coins)
    ended = coins.run("flatten")
    assert ended.code == 0, ended
    assert "Flat: nothing is held and nothing rests at the broker." in ended.out
    assert venue(coins).positions() == ()
    assert (coins.home / "HALT").exists()


def test_flatten_with_a_damaged_journal_closes_everything(coins: Desk) -> None:
    """The journal is a matter for later."""
    buy(coins)
    (coins.home / "journal.db").write_bytes(b"no database" * 500)
    ended = coins.run("flatten")
    assert ended.code == 0, ended
    assert venue(coins).positions() == ()


def test_flatten_kills_a_desk_that_does_not_answer_only_when_told(coins: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that hangs is a person's decision here."""
    monkeypatch.setattr("trading_bot.cli.commanding._PATIENCE_S", 0.2)
    monkeypatch.setattr("trading_bot.cli.guarding_positions._FLAT_PATIENCE_S", 0.2)
    with process("orchestrator", until="Ctrl-C stops") as desk:
        desk.send_signal(signal.SIGSTOP)
        buy_for(coins)
        ended = coins.run("flatten")
        assert (ended.code, desk.poll()) == (1, None)
        assert "`flatten --kill` ends it" in ended.out
        assert "NOT FLAT: 0.5 BTCUSDT" in ended.out
        ended = coins.run("flatten", "--kill")
        assert ended.code == 0, ended
        assert desk.wait(10) == -signal.SIGKILL
    assert venue(coins).positions() == ()


def test_flatten_has_a_running_desk_do_it(coins: Desk) -> None:
    """Nobody is killed, and one thing is said."""
    with process("orchestrator", until="Ctrl-C stops") as desk:
        for more in ((), ("--kill",)):
            ended = coins.run("flatten", *more)
            assert (ended.code, ended.out) == (0, "Flat: nothing is held and nothing rests at the broker.\n")
        assert desk.poll() is None


_STUCK = """
import os, signal, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from trading_bot.storage.home import Home
home = Home(Path(sys.argv[1]))
with home.lock("orchestrator", datetime.now(UTC)):
    journal = sqlite3.connect(home.journal, isolation_level=None)
    journal.execute("PRAGMA locking_mode = EXCLUSIVE")
    journal.execute("BEGIN EXCLUSIVE")
    journal.execute("UPDATE meta SET value = value")
    print("up", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_flatten_ends_a_desk_that_was_stopped_while_it_held_the_journal(coins: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can read or write it until then; nothing waits for long."""
    monkeypatch.setattr("trading_bot.cli.guarding_positions._FLAT_PATIENCE_S", 0.2)
    with SqlJournal.open(coins.home / "journal.db", desk="desk01"):
        pass
    buy(coins)
    command = [sys.executable, "-c", _STUCK, str(coins.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stuck:  # noqa: S603 - our own code
        try:
            wait_for_line(stuck, "up")
            ended = coins.run("flatten")
            assert (ended.code, stuck.poll()) == (1, None)
            assert ended.out.splitlines()[-1] == "If the desk does not do it: `flatten --kill` ends it, and closes without it."
            ended = coins.run("flatten", "--kill")
            assert (ended.code, stuck.wait(10)) == (0, -signal.SIGKILL), ended
        finally:
            stuck.kill()
    assert venue(coins).positions() == ()


def test_protect_shows_what_guards_each_position_and_what_is_naked(coins: Desk) -> None:
    """From the broker alone."""
    buy(coins)
    venue(coins).submit(approved(spec("stopped", "sell", "0.3", symbol=COIN, stop="50", role="stop_loss")))
    (row,) = json.loads(coins.run("protect", "--json").out)["positions"]
    assert (row["symbol"], row["quantity"], Decimal(row["naked"])) == ("BTCUSDT", "0.5", Decimal("0.2"))
    assert [(g["id"], g["role"], g["remaining"], g["at"]) for g in row["guards"]] == [("stopped", "stop_loss", "0.3", "50")]
    assert "NAKED: 0.2" in coins.run("protect").out


def test_reconcile_shows_both_sides(traded: Desk) -> None:
    """After a simulated day nothing differs."""
    assert "Nothing differs." in traded.run("reconcile").out
    found = json.loads(traded.run("reconcile", "--json").out)
    assert found["differences"] == []
    assert found["books"]["cash"] == found["broker"]["cash"]


def test_reconcile_tells_of_a_position_that_the_desk_never_traded(coins: Desk) -> None:
    """With its kind, what the desk does about it, and the usual reason."""
    with process("orchestrator", until="Ctrl-C stops") as desk:
        desk.send_signal(signal.SIGSTOP)
        buy(coins)
        found = json.loads(coins.run("reconcile", "--json").out)["differences"]
    row = next(r for r in found if r["subject"] == "position BTCUSDT")
    assert (row["books"], row["broker"], row["kind"], row["reaction"]) == ("0", "0.5", "foreign_position", "reduce_only")
    assert "somebody else trades on this account" in row["why"]
    assert any(r["kind"] == "missing_protection" for r in found)


def test_a_simulated_home_has_nobody_to_guard(traded: Desk) -> None:
    """Its market stands still while no process runs."""
    ended = traded.run("guardian", "--once")
    assert (ended.code, "there is nothing to guard" in ended.err) == (78, True)


def test_without_a_mandate_the_guardian_cures_and_says_that_it_may_no_more(coins: Desk) -> None:
    """One edited digit is as good as none."""
    mandate = coins.home / "mandate.yaml"
    mandate.write_text(mandate.read_text().replace("daily_loss: flatten", "daily_loss: cure"))
    ended = coins.run("guardian", "--once")
    assert ended.code == 1
    assert "No mandate holds" in ended.out


def test_doctor_names_the_variables_of_missing_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a wish to trade live money with a paper mandate."""
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRADING_BOT__BROKER__NAME", "alpaca")
    monkeypatch.setenv("TRADING_BOT__ALPACA__ENVIRONMENT", "live")
    desk.sign_mandate(broker__name="alpaca")
    findings = {f["name"]: f for f in json.loads(desk.run("doctor", "--json").out)}
    assert not findings["broker"]["passed"]
    assert "ALPACA_API_KEY and ALPACA_SECRET_KEY" in findings["broker"]["fix"]
    assert not findings["mode"]["passed"]
    assert findings["mode"]["seen"] == "broker live, mandate paper"


def test_the_guardian_keeps_its_keys_to_itself(coins: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it prints and writes holds no key."""
    monkeypatch.setenv("ALPACA_SECRET_KEY", "a-very-secret-word")
    buy(coins)
    ended = coins.run("guardian", "--once")
    written = "".join(path.read_text("utf-8") for path in Path(coins.home).glob("guardian*"))
    assert "a-very-secret-word" not in ended.out + ended.err + written
