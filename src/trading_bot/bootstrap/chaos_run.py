"""Runs of chaos: an emulator with faults, a desk that is killed, stopped, filled up and lied to about the time, and then the audit.

Promises that what is done is the seed's alone (timing on a real machine is not), that each life of the desk is a process of its own which
really dies, and that the verdict comes from the venue's own log. Refuses any venue but an emulator that it has started itself.
"""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_bot.bootstrap.chaos_desk import AT_REST, CLOCK_FAILED, STORAGE_FAILED, VENUE_AWAY, Life, live
from trading_bot.config import Config, load
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.risk import mandate as mandates
from trading_bot.risk.halt import write_halt_file
from trading_bot.sandbox.bybit.contracts import instrument_of, start_price
from trading_bot.sandbox.chaos.audit import Trial, Violation, audit
from trading_bot.sandbox.chaos.script import Blow, Plan, Strike, plan
from trading_bot.sandbox.chaos.telling import Span, read
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import RandomWalk
from trading_bot.storage.audit import verify
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

TICK_NS = 50_000_000
_VOLATILITY_BPS = 12.0
_SECONDS = 5.0
_MOST_LIVES = 40
_HANGS_AFTER_S = 95.0
_HALT_EVERY = 4
"""Every so many seeds, one ends under HALT."""
_GENEROUS = {
    "alpaca.requests_per_minute": 10_000,
    "bybit.requests_per_second": 100,
    "risk.limits.risk_per_trade": "none",
    "risk.limits.position": "0.1",
    "risk.limits.approval_above": "none",
    "risk.limits.sector": "none",
    "risk.limits.open_risk": "none",
    "risk.limits.gross_exposure": "none",
    "risk.limits.leverage": "none",
    "risk.limits.daily_loss": "none",
    "risk.limits.drawdown": "none",
    "risk.limits.open_positions": "none",
    "risk.limits.trades_per_day": "none",
    "risk.limits.orders_per_minute": "none",
    "risk.limits.price_collar": "none",
    "risk.limits.max_spread": "none",
    "risk.limits.quote_age_seconds": "none",
    "risk.limits.short_selling": True,
    "risk.discipline.cooldown_losses": "none",
    "risk.discipline.reentry_minutes": "none",
    "risk.discipline.streak_losses": "none",
    "risk.discipline.suspend_losses": "none",
}


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    plan: Plan
    violations: tuple[Violation, ...]
    lives: int
    orders: int
    fills: int


@dataclass
class _Run:
    """One run on its way."""

    plan: Plan
    home: Home
    config: Config
    mandate: Mandate
    began: datetime
    offset: Any
    lives: int = 0
    excused: list[Span] = field(default_factory=list)
    halts: list[Span] = field(default_factory=list)
    wrong: list[Violation] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    """Write points at which the next lives die, one each."""


_WALL = SystemWallClock()
_WAIT = threading.Event()
_PAUSE_S = 0.3
"""Before a desk that could not come up is started again."""
_CONTEXT = multiprocessing.get_context("forkserver")


def prepare() -> None:
    """Have new lives begin with everything imported. Once, before the first run."""
    _CONTEXT.set_forkserver_preload(
        [
            "trading_bot.bootstrap.chaos_desk",
            "trading_bot.brokers.alpaca.broker",
            "trading_bot.brokers.bybit.broker",
            "trading_bot.sources.alpaca",
            "trading_bot.sources.bybit",
            "alembic.context",
            "alembic.command",
            "trading_bot.storage.migrations.versions",
        ]
    )
    first = _CONTEXT.Process(target=_nothing)
    first.start()
    first.join()


def _nothing() -> None:
    """What the first process does, so that the server of the others is up."""


def run(venue: str, seed: int, folder: Path, seconds: float = _SECONDS) -> Outcome:
    """Run the chaos of one seed in `folder`, which has to be empty."""
    made, symbols = _VENUES[venue]
    drawn = plan(venue, seed, seconds, symbols)
    home = Home(folder)
    home.prepare()
    with made(drawn) as emulator:
        config = load(flags={**_GENEROUS, **_flags(venue, emulator.url, symbols)})
        mandate = mandates.propose(config, "chaos", Mode.PAPER, _WALL.now() - timedelta(days=1))
        timed = [s for s in drawn.strikes if s.blow is not Blow.KILL_AT_WRITE]
        deaths = [s.write for s in drawn.strikes if s.blow is Blow.KILL_AT_WRITE]
        current = _Run(drawn, home, config, mandate, _WALL.now(), _CONTEXT.Value("d", 0.0), strikes=timed, deaths=deaths)
        while _live_once(current):
            pass
        return _judge(current, emulator)


def _flags(venue: str, url: str, symbols: tuple[Symbol, ...]) -> dict[str, Any]:
    return {"broker.name": venue, "source.name": venue, f"{venue}.url": url, "universe.symbols": list(symbols), "broker.account": "paper-1"}


# -- lives -------------------------------------------------------------------------------------------------------------


def _live_once(run: _Run) -> bool:
    """One life, with the blows that are due; whether another has to follow."""
    until = run.began + timedelta(seconds=run.plan.seconds)
    die_at = run.deaths.pop(0) if run.deaths else 0
    life = Life(run.home.path, run.config, run.mandate, run.plan.seed, run.lives, until, die_at)
    process = _CONTEXT.Process(target=live, args=(life, run.offset), daemon=True)
    process.start()
    run.lives += 1
    while process.is_alive() and run.strikes:
        strike = run.strikes[0]
        process.join(max((run.began + timedelta(seconds=strike.after) - _WALL.now()).total_seconds(), 0))
        if process.is_alive():
            run.strikes.pop(0)
            _BLOWS[strike.blow](run, process, strike)
        elif strike.blow in {Blow.STOP, Blow.KILL} and _WALL.now() > run.began + timedelta(seconds=strike.after):
            run.strikes.pop(0)
    _halt(run, until)
    process.join(_HANGS_AFTER_S)
    return _after(run, process)


def _halt(run: _Run, until: datetime) -> None:
    """Towards the end of some runs HALT is put in place."""
    if run.plan.seed % _HALT_EVERY == 0 and not run.halts:
        run.halts.append(Span(max(_WALL.now(), until - timedelta(seconds=0.5))))
        write_halt_file(run.home.halt_file, "chaos", "a run that ends under HALT", _WALL.now())


def _after(run: _Run, process: Any) -> bool:  # noqa: ANN401 - a process of the fork server
    """What a life's end means; whether another has to follow."""
    if process.is_alive():
        process.kill()
        process.join()
        run.wrong.append(Violation("hangs", f"life {run.lives}", f"it did not end within {_HANGS_AFTER_S} s; {_last_words(run)}"))
        return False
    code = process.exitcode
    if code == AT_REST:
        return False
    if run.lives >= _MOST_LIVES:
        run.wrong.append(Violation("no_rest", f"life {run.lives}", "the desk never came to rest"))
        return False
    if code == VENUE_AWAY:
        _WAIT.wait(_PAUSE_S)
    if code in {STORAGE_FAILED, CLOCK_FAILED, VENUE_AWAY, -signal.SIGKILL, -signal.SIGUSR1}:
        run.offset.value = 0.0
        return True
    run.wrong.append(Violation("ended", f"life {run.lives}", f"it ended with {code}; {_last_words(run)}"))
    return False


def _last_words(run: _Run) -> str:
    log = run.home.path / f"life-{run.lives - 1:03d}.log"
    return log.read_text("utf-8", errors="replace")[-1500:] if log.exists() else "it left no log"


# -- blows -------------------------------------------------------------------------------------------------------------


def _kill(_run: _Run, process: Any, _strike: Strike) -> None:  # noqa: ANN401 - as above
    process.kill()
    process.join()


def _stop(run: _Run, process: Any, strike: Strike) -> None:  # noqa: ANN401 - as above
    os.kill(process.pid, signal.SIGSTOP)
    start = _WALL.now()
    process.join(strike.seconds)
    os.kill(process.pid, signal.SIGCONT)
    run.excused.append(Span(start, _WALL.now() + timedelta(seconds=1)))


def _fill_disk(run: _Run, process: Any, strike: Strike) -> None:  # noqa: ANN401 - as above
    os.kill(process.pid, signal.SIGUSR1)
    start = _WALL.now()
    process.join(strike.seconds)
    process.kill()
    process.join()
    run.excused.append(Span(start, _WALL.now() + timedelta(seconds=1)))


def _jump(run: _Run, process: Any, strike: Strike) -> None:  # noqa: ANN401 - as above
    start = _WALL.now()
    run.offset.value = strike.seconds
    process.join(10)
    run.offset.value = 0.0
    run.excused.append(Span(start, _WALL.now() + timedelta(seconds=1)))


_BLOWS: Mapping[Blow, Callable[[_Run, Any, Strike], None]] = {
    Blow.KILL: _kill,
    Blow.STOP: _stop,
    Blow.DISK_FULL: _fill_disk,
    Blow.CLOCK_JUMP: _jump,
}


# -- the verdict -------------------------------------------------------------------------------------------------------


def _judge(run: _Run, emulator: Any) -> Outcome:  # noqa: ANN401 - one of the emulators
    told = read(emulator.evidence.after(0))
    with SqlJournal.look(run.home.journal) as journal:
        intents, booked = journal.all(OrderIntent), tuple(row.event for row in journal.all(BookedEvent))
    trial = Trial(
        told=told,
        intents=intents,
        booked=booked,
        ended=_WALL.now(),
        chain_verifies=verify(run.home.journal).intact,
        halts=tuple(run.halts),
        excused=tuple(run.excused),
    )
    found = (*run.wrong, *audit(trial))
    if found:
        (run.home.path / "evidence.json").write_text(json.dumps(emulator.evidence.after(0)), "utf-8")
    return Outcome(run.plan, found, run.lives, len(intents), len(trial.fills))


# -- venues ------------------------------------------------------------------------------------------------------------


def _market(seed: int, instruments: Mapping[Symbol, Instrument], prices: Mapping[Symbol, Decimal], size: Decimal) -> EmulatedMarket:
    path = RandomWalk(seed, instruments, prices, tick_ns=TICK_NS, volatility_bps=_VOLATILITY_BPS, size=size)
    return EmulatedMarket(path, open_calendar, always_open=True, tick_ns=TICK_NS)


def _bybit(drawn: Plan) -> AbstractContextManager[Any]:
    from trading_bot.sandbox.bybit.api import BybitApi  # noqa: PLC0415 - a server that other venues do not need
    from trading_bot.sandbox.bybit.service import Setup  # noqa: PLC0415 - the same

    instruments = {s: instrument_of(s, "linear") for s in _COINS}
    market = _market(drawn.seed, instruments, {s: start_price(s) for s in _COINS}, Decimal(1))
    clock = EmulatedClock.running(_WALL)
    return BybitApi(Setup(markets={"linear": market}, clock=clock, wall=_WALL, faults=drawn.faults, cash=Decimal(100_000), seed=drawn.seed))


def _alpaca(drawn: Plan) -> AbstractContextManager[Any]:
    from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator  # noqa: PLC0415 - a server that other venues do not need
    from trading_bot.sandbox.alpaca.setup import Setup  # noqa: PLC0415 - the same

    instruments = {s: _alpaca_instrument(s) for s in _STOCKS}
    market = _market(drawn.seed, instruments, dict.fromkeys(_STOCKS, Decimal(150)), Decimal(40))
    setup = Setup(seed=drawn.seed, requests_per_minute=100_000)
    return AlpacaEmulator(market, EmulatedClock.running(_WALL), setup, drawn.faults)


def _alpaca_instrument(symbol: Symbol) -> Instrument:
    if "/" not in symbol:
        return Instrument(symbol=symbol, sector="all")
    return Instrument(
        symbol=symbol,
        asset_class=AssetClass.CRYPTO_SPOT,
        venue="crypto",
        lot_size=Decimal("0.000001"),
        calendar="24/7",
        shortable=False,
        sector="all",
    )


_STOCKS = (Symbol("AAPL"), Symbol("MSFT"), Symbol("BTC/USD"))
_COINS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT"))
_VENUES: Mapping[str, tuple[Callable[[Plan], AbstractContextManager[Any]], tuple[Symbol, ...]]] = {
    "alpaca": (_alpaca, _STOCKS),
    "bybit": (_bybit, _COINS),
}
VENUES = tuple(_VENUES)
