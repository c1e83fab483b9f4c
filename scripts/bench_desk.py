"""A desk and an emulated venue for the figures: everything real but the market, which stands still.

The venue is a process of its own. Promises that nothing of the mandate is in an order's way, and that each execution's booking is timed.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.setting import Setting
from trading_bot.config import Config, load
from trading_bot.domain.events import BrokerEvent, OrderUpdate
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Mode
from trading_bot.domain.market import CorporateAction, Feed, Quote, Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Proposal, ProposalKind, Target
from trading_bot.domain.values import DecisionId, ProposalId, Symbol
from trading_bot.execution.approvals import Approvals
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.parts import Authority, Parts
from trading_bot.execution.session import Session
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.risk import mandate as mandates
from trading_bot.risk.halt import DeskSwitch
from trading_bot.sandbox.bybit.contracts import instrument_of
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

HERE = Path(__file__).parent
ENTRY, STOP, TARGET = Decimal(98), Decimal(60), Decimal(150)
"""The market stands at 100."""
KEYS = {"ALPACA_API_KEY": "PKBENCH", "ALPACA_SECRET_KEY": "bench-secret", "BYBIT_API_KEY": "BENCH", "BYBIT_API_SECRET": "bench-secret"}
_SECONDS = 20.0
_FREE = ("risk_per_trade", "approval_above", "sector", "open_risk", "gross_exposure", "leverage", "daily_loss", "drawdown")
_FREE_TOO = ("open_positions", "trades_per_day", "orders_per_minute", "price_collar", "max_spread", "quote_age_seconds")


@dataclass
class Venue:
    """An emulator in its own process."""

    name: str
    url: str
    symbols: tuple[Symbol, ...]
    process: "subprocess.Popen[str]"

    def move(self, symbol: Symbol, price: Decimal) -> None:
        """Set a quote by hand, a cent to each side."""
        told = {"do": "quote", "symbol": symbol, "bid": str(price - Decimal("0.01")), "ask": str(price + Decimal("0.01"))}
        requests.post(f"{self.url}/__control", json=told, timeout=5).raise_for_status()

    def told(self) -> dict[str, int]:
        """When each execution went out on the stream, in nanoseconds."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("a venue without pipes")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, int] = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def emulated(name: str, count: int) -> Iterator[Venue]:
    """A venue with `count` symbols."""
    command = [sys.executable, str(HERE / "bench_emulator.py"), name, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            ending = "USDT" if name == "bybit" else ""
            yield Venue(name, url, tuple(Symbol(f"S{n:03d}{ending}") for n in range(count)), process)
        finally:
            process.kill()


class Still:
    """A market that stands still: quotes have figures of their own. What the desk asks of a source, and no more."""

    name = "still"

    def __init__(self, venue: str) -> None:
        self._linear = venue == "bybit"

    def instrument(self, symbol: Symbol) -> Instrument:
        """As the emulator has it."""
        return instrument_of(symbol, "linear") if self._linear else Instrument(symbol=symbol)

    def timeframes(self, _: Symbol) -> tuple[Timeframe, ...]:
        """None."""
        return ()

    def actions(self, _: Symbol) -> tuple[CorporateAction, ...]:
        """None."""
        return ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote:
        """Of this moment."""
        size = Decimal(1000)
        sides = {"bid": Decimal("99.99"), "ask": Decimal("100.01"), "bid_size": size, "ask_size": size}
        return Quote(symbol=symbol, time=at, source=self.name, feed=Feed.SINGLE_VENUE, **sides)


def configured(venue: Venue) -> Config:
    """Nothing in the way of orders."""
    limits: dict[str, Any] = dict.fromkeys((f"risk.limits.{name}" for name in (*_FREE, *_FREE_TOO)), "none")
    where = {"broker.name": venue.name, "source.name": venue.name, f"{venue.name}.url": venue.url, "universe.symbols": list(venue.symbols)}
    rates = {"alpaca.requests_per_minute": 10_000, "bybit.requests_per_second": 100}
    return load(flags={**limits, "risk.limits.position": "0.001", **where, **rates})


@dataclass
class Desk:
    """The parts of one desk."""

    config: Config
    engine: Engine
    session: Session
    broker: Any
    clock: RealClock
    stop: threading.Event
    booked: dict[str, int] = field(default_factory=dict)
    """When each execution was in the books, its journal row durable."""
    number: int = 0

    # As an agenda of the loop: nothing is ever due.
    def next_due(self) -> datetime:
        """Much later."""
        return self.clock.now() + timedelta(hours=1)

    def run_due(self) -> None:
        """Nothing."""

    def wanted(self, symbol: Symbol, targets: int = 0) -> Proposal:
        """To buy below the price, with a stop and targets far away."""
        self.number += 1
        now, name = self.clock.now(), f"bench-{self.number}"
        return Proposal(
            at=now,
            id=ProposalId(name),
            decision_id=DecisionId(name),
            action=ProposalKind.OPEN,
            symbol=symbol,
            side=Side.BUY,
            strategy="bench",
            style=EntryStyle.PULLBACK,
            entry=ENTRY,
            stop_loss=STOP,
            targets=tuple(Target(price=TARGET + n, fraction=Decimal(1) / targets) for n in range(targets)),
            exposure=Decimal(1),
            confidence=0.5,
            horizon_days=1,
            thesis="a figure",
            analyst="bench",
            expires_at=now + timedelta(hours=1),
        )

    def open(self, wanted: Proposal) -> None:
        """Have an entry rest."""
        verdict = self.engine.handle(wanted)
        if verdict is None or not verdict.digests:
            raise RuntimeError(f"not approved: {verdict}")

    def wait(self, condition: Callable[[], bool]) -> None:
        """Listen to the venue until it holds."""
        until(lambda: condition() or (self.engine.pump() < 0))

    def note(self, events: Sequence[BrokerEvent]) -> None:
        """Events are durable and booked now."""
        now = time.time_ns()
        self.booked |= {e.fill.execution_id: now for e in events if isinstance(e, OrderUpdate) and e.fill is not None}


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the venue or the desk does."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the venue did not tell within its time")
        time.sleep(0.002)


@contextmanager
def desk_at(venue: Venue, folder: Path) -> Iterator[Desk]:
    """A desk that has caught up with its venue."""
    config, wall, stop = configured(venue), SystemWallClock(), threading.Event()
    home, clock = Home(folder), RealClock(stop)
    home.prepare()
    always = open_calendar("24/7")
    calendars = {"XNYS": always, "24/7": always}
    journal = SqlJournal.open(home.journal, wall)
    source: Any = Still(venue.name)
    broker = build_broker(config, Setting(Mode.PAPER, simulated=False, home=home, operator=folder), source, calendars, clock)
    authority = Authority(mandates.propose(config, config.broker.account, Mode.PAPER, wall.now() - timedelta(days=1)), wall)
    switch, sectors = DeskSwitch(home.halt_file, journal), dict.fromkeys(venue.symbols, "all")
    breathe = lambda: time.sleep(0.02)  # noqa: E731 - one line
    engine = Engine(Parts(journal, broker, AsOfView(source, clock.now), clock, switch, authority, calendars, sectors, breathe))
    approvals = Approvals(journal, engine, clock, lambda _word, _proposal: None)
    inbox = Inbox(journal, engine, switch, clock, lambda _proof, _number: None, approvals)
    session = Session(clock=clock, journal=journal, broker=broker, engine=engine, inbox=inbox, stop=stop, bell=clock.bell)
    desk = Desk(config, engine, session, broker, clock, stop)
    _tell(engine.ledger, desk.note)
    try:
        session.begin()
        yield desk
    finally:
        broker.close()


def _tell(ledger: Any, listener: Callable[[Sequence[BrokerEvent]], None]) -> None:  # noqa: ANN401 - one of its calls is exchanged
    note = ledger.note_events

    def noted(events: Sequence[BrokerEvent]) -> None:
        note(events)
        listener(events)

    ledger.note_events = noted
