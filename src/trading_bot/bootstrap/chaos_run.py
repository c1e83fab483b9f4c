"""Runs of chaos: an emulator with faults, a desk that is killed, stopped, filled up and lied to about the time, and then the audit.

Promises that what is done is the seed's alone (timing on a real machine is not), that each life of the desk is a process of its own which
really dies, and that the verdict comes from the venue's own log. Refuses any venue but an emulator that it has started itself.
"""

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from ctypes import c_double
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_bot.bootstrap.chaos_desk import Life, Spoil, Wires
from trading_bot.bootstrap.chaos_life import AT_REST, CLOCK_FAILED, STORAGE_FAILED, VENUE_AWAY, live
from trading_bot.bootstrap.chaos_venues import VENUES, Venue, flags_of
from trading_bot.config import Config, load
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.mandate import Mandate, Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.risk import mandate as mandates
from trading_bot.risk.halt import write_halt_file
from trading_bot.sandbox.chaos.audit import Trial, Violation, audit, without
from trading_bot.sandbox.chaos.script import Blow, Plan, Strike, plan
from trading_bot.sandbox.chaos.telling import FillNote, Span, read
from trading_bot.storage.audit import verify
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

_SECONDS = 8.0
_MOST_LIVES = 40
_HANGS_AFTER_S = 95.0
_GLANCE_S = 0.02
_HALT_BEFORE_S = 0.5
_HALT_EVERY = 4
"""Every so many seeds, one ends under HALT."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    plan: Plan
    violations: tuple[Violation, ...]
    lives: int
    orders: int
    fills: int
    seconds: float
    excused: float
    """Seconds in which a naked position was not held against the desk."""


@dataclass
class _Run:
    """One run on its way."""

    plan: Plan
    home: Home
    config: Config
    mandate: Mandate
    began: datetime
    wires: Wires
    spoil: Spoil | None
    lives: int = 0
    excused: list[Span] = field(default_factory=list)
    halts: list[Span] = field(default_factory=list)
    wrong: list[Violation] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    """Write points at which the next lives die, one each."""

    @property
    def trades_until(self) -> float:
        """When trading ends, in seconds of the clock; 0 if no desk was up yet."""
        return float(self.wires.until.value)


_WALL = SystemWallClock()
_WAIT = threading.Event()
_PAUSE_S = 0.3
"""Before a desk that could not come up is started again."""
_CONTEXT = multiprocessing.get_context("forkserver")


def run_all(wanted: Iterable[tuple[str, int, Spoil | None]], folder: Path, seconds: float = _SECONDS, jobs: int = 2) -> Iterator[Outcome]:
    """What comes of each venue and seed, when it is over; `jobs` run at once, each in a process of its own and in `folder`/VENUE-SEED.

    Threads would not do: multiprocessing polls all children whenever it starts one, and an exit code that two wait for may be lost.
    """
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), prepare) as pool:
        ends = [pool.submit(run, venue, seed, folder / f"{venue}-{seed}", seconds, spoil) for venue, seed, spoil in wanted]
        for end in as_completed(ends):
            yield end.result()


def prepare() -> None:
    """Have new lives begin with everything imported, and with keys that open nothing. Once in a process, before its first run."""
    os.environ.update(dict.fromkeys(("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "BYBIT_API_KEY", "BYBIT_API_SECRET"), "emulated"))
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each desk that dies while the emulator talks to it
    _CONTEXT.set_forkserver_preload(
        [
            "trading_bot.bootstrap.chaos_life",
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


def run(venue: str, seed: int, folder: Path, seconds: float = _SECONDS, spoil: Spoil | None = None) -> Outcome:
    """Run the chaos of one seed in `folder`, which has to be empty.

    `spoil`: called in each life before its desk is made. A test breaks the desk by it, to see that the audit finds that out.
    """
    there = VENUES[venue]
    drawn = plan(venue, seed, seconds, there.symbols)
    home = Home(folder)
    home.prepare()
    with there.made(drawn) as emulator:
        config = load(flags=flags_of(venue, emulator.url))
        mandate = mandates.propose(config, "chaos", Mode.PAPER, _WALL.now() - timedelta(days=1))
        timed = [s for s in drawn.strikes if s.blow is not Blow.KILL_AT_WRITE]
        deaths = [s.write for s in drawn.strikes if s.blow is Blow.KILL_AT_WRITE]
        # Without locks: one that a killed life held would never be free again.
        wires = Wires(*(_CONTEXT.RawValue(c_double, 0.0) for _ in range(3)))
        current = _Run(drawn, home, config, mandate, _WALL.now(), wires, spoil, strikes=timed, deaths=deaths)
        while _live_once(current):
            pass
        return _judge(current, emulator, there)


# -- lives -------------------------------------------------------------------------------------------------------------


def _live_once(run: _Run) -> bool:
    """One life, with the blows that are due; whether another has to follow."""
    die_at = run.deaths.pop(0) if run.deaths else 0
    life = Life(run.home.path, run.config, run.mandate, run.plan.seed, run.lives, run.plan.seconds, die_at, run.spoil)
    process = _CONTEXT.Process(target=live, args=(life, run.wires), daemon=True)
    process.start()
    run.lives += 1
    _await_trading(run, process)
    while process.is_alive() and run.strikes:
        strike = run.strikes[0]
        process.join(max((run.began + timedelta(seconds=strike.after) - _WALL.now()).total_seconds(), 0))
        if process.is_alive():
            run.strikes.pop(0)
            _BLOWS[strike.blow](run, process, strike)
        elif strike.blow in {Blow.STOP, Blow.KILL} and _WALL.now() > run.began + timedelta(seconds=strike.after):
            run.strikes.pop(0)
    process.join(max(run.trades_until - _WALL.now().timestamp() - _HALT_BEFORE_S, 0))
    _halt(run)
    process.join(_HANGS_AFTER_S)
    return _after(run, process)


def _await_trading(run: _Run, process: Any) -> None:  # noqa: ANN401 - a process of the fork server
    """A run begins when a desk trades for the first time: how long a machine takes to start one is not the seed's."""
    if run.trades_until:
        return
    while process.is_alive() and not run.trades_until:
        process.join(_GLANCE_S)
    run.began = _WALL.now()


def _halt(run: _Run) -> None:
    """Towards the end of some runs HALT is put in place."""
    near = run.trades_until and _WALL.now().timestamp() >= run.trades_until - _HALT_BEFORE_S
    if near and run.plan.seed % _HALT_EVERY == 0 and not run.halts:
        run.halts.append(Span(_WALL.now()))
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
        run.wires.offset.value = 0.0
        return True
    run.wrong.append(Violation("ended", f"life {run.lives}", f"it ended with {code}; {_last_words(run)}"))
    return False


def _last_words(run: _Run) -> str:
    log = run.home.path / f"life-{run.lives - 1:03d}.log"
    return log.read_text("utf-8", errors="replace")[-1500:] if log.exists() else "it left no log"


# -- blows -------------------------------------------------------------------------------------------------------------


def _signal(process: Any, number: int) -> None:  # noqa: ANN401 - as above
    """Signal a life that may end at this very moment."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _kill(_run: _Run, process: Any, _strike: Strike) -> None:  # noqa: ANN401 - as above
    process.kill()
    process.join()


def _stop(run: _Run, process: Any, strike: Strike) -> None:  # noqa: ANN401 - as above
    _signal(process, signal.SIGSTOP)
    start = _WALL.now()
    process.join(strike.seconds)
    _signal(process, signal.SIGCONT)
    run.excused.append(Span(start, _WALL.now() + timedelta(seconds=1)))


def _fill_disk(run: _Run, process: Any, strike: Strike) -> None:  # noqa: ANN401 - as above
    _signal(process, signal.SIGUSR1)
    start = _WALL.now()
    process.join(strike.seconds)
    process.kill()
    process.join()
    run.excused.append(Span(start, _WALL.now() + timedelta(seconds=1)))


def _jump(run: _Run, process: Any, strike: Strike) -> None:  # noqa: ANN401 - as above
    start = _WALL.now()
    run.wires.offset.value = strike.seconds
    process.join(10)
    run.wires.offset.value = 0.0
    run.excused.append(Span(start, _WALL.now() + timedelta(seconds=1)))


_BLOWS: Mapping[Blow, Callable[[_Run, Any, Strike], None]] = {
    Blow.KILL: _kill,
    Blow.STOP: _stop,
    Blow.DISK_FULL: _fill_disk,
    Blow.CLOCK_JUMP: _jump,
}


# -- the verdict -------------------------------------------------------------------------------------------------------


def _judge(run: _Run, emulator: Any, venue: Venue) -> Outcome:  # noqa: ANN401 - one of the emulators
    told = read(emulator.evidence.after(0))
    with SqlJournal.look(run.home.database) as journal:
        intents, booked = journal.all(OrderIntent), tuple(row.event for row in journal.all(BookedEvent))
    trial = Trial(
        told=told,
        intents=intents,
        booked=booked,
        ended=_WALL.now(),
        chain_verifies=verify(run.home.database).intact,
        halts=tuple(run.halts),
        excused=tuple(run.excused),
        cash=venue.cash(emulator),
        cash_tolerance=venue.cash_tolerance,
        dust=_dust(told.of(FillNote), venue.least),
    )
    found = (*run.wrong, *audit(trial))
    if found:
        (run.home.path / "evidence.json").write_text(json.dumps(emulator.evidence.after(0)), "utf-8")
    whole = Span(run.began, trial.ended)
    length = _length((whole,))
    excused = length - _length(without(whole, (*told.cut_off, *trial.excused)))
    return Outcome(run.plan, found, run.lives, len(intents), len(trial.fills), length, excused)


def _dust(fills: Iterable[FillNote], least: Decimal) -> dict[Symbol, Decimal]:
    """What of each symbol was, at its highest price, worth less than the venue trades: it can be neither guarded nor closed."""
    highest: dict[Symbol, Decimal] = {}
    for fill in fills:
        highest[fill.symbol] = max(highest.get(fill.symbol, fill.price), fill.price)
    return {symbol: least / price for symbol, price in highest.items()}


def _length(spans: Iterable[Span]) -> float:
    return sum((span.end - span.start).total_seconds() for span in spans if span.end is not None)
