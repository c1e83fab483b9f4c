"""A small real desk for tests: real gate, engine, journal and paper broker on a market that the test writes down, bar by bar."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from builders import AAPL, NOW, instrument, mandate
from trading_bot import config
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import MemoryVenueStore
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.execution.approvals import Approvals, Authenticate
from trading_bot.execution.clock import SimulatedClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.parts import Authority, Parts
from trading_bot.execution.session import Session
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries, Broker, Journal, MarketSource
from trading_bot.risk.halt import DeskSwitch
from trading_bot.sources.bar_quotes import BarQuotes
from trading_bot.storage.memory import MemoryJournal

Bar = tuple[float, float, float, float]
FIVE = timedelta(minutes=5)


class ScriptedSource:
    """A `MarketSource` of five-minute bars from `start` on (open, high, low, close; volume a million each)."""

    name = "scripted"

    def __init__(self, bars: Sequence[Bar], start: datetime = NOW, actions: Sequence[CorporateAction] = (), symbol: Symbol = AAPL) -> None:
        index = pd.DatetimeIndex([start + n * FIVE for n in range(len(bars))])
        frame = pd.DataFrame(bars, columns=["open", "high", "low", "close"], index=index, dtype="float64")
        frame["volume"] = 1_000_000.0
        ends = (index + pd.Timedelta(FIVE)).tz_localize(None).to_numpy(dtype="datetime64[ns]")
        self._symbol = symbol
        self._series = BarSeries(symbol, Timeframe.MINUTE_5, frame, np.asarray(ends), Feed.CONSOLIDATED, PriceBasis.AS_TRADED, self.name)
        self._quotes = BarQuotes([self._series], instrument(symbol), Decimal(2))
        self._actions = tuple(actions)

    def instrument(self, symbol: Symbol) -> Instrument:
        """A US stock."""
        return instrument(symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Five minutes alone."""
        if symbol != self._symbol:
            msg = f"{symbol} is not in the script"
            raise NoDataError(msg)
        return (Timeframe.MINUTE_5,)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """The script."""
        if symbol != self._symbol or timeframe is not Timeframe.MINUTE_5:
            msg = f"{symbol} {timeframe} is not in the script"
            raise NoDataError(msg)
        return self._series

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """What the test gave."""
        return self._actions if symbol == self._symbol else ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Opens and closes of the bars."""
        return self._quotes.at(at) if symbol == self._symbol else None

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass
class SmallDesk:
    """The parts of a desk that tests look at."""

    journal: Journal
    broker: Any
    """The paper broker; untyped, so that a test can exchange one of its calls."""
    clock: SimulatedClock
    engine: Engine
    switch: DeskSwitch
    inbox: Inbox
    session: Session
    stop: threading.Event

    def go_to(self, moment: datetime) -> None:
        """Let trading time pass."""
        self.session.wait(moment)


def small_desk(  # noqa: PLR0913 - parts that tests exchange
    bars: Sequence[Bar],
    *,
    actions: Sequence[CorporateAction] = (),
    under: Mandate | None = None,
    halt_file: Path | None = None,
    journal: Journal | None = None,
    broker: Broker | None = None,
    clock: SimulatedClock | None = None,
    authority: Authority | None = None,
    source: MarketSource | None = None,
    authenticate: Authenticate = lambda _word, _proposal: None,
) -> SmallDesk:
    """Return a started desk at the opening of 2024-03-05; parts that are given are used instead of new ones."""
    clock = clock or SimulatedClock(NOW)
    journal = journal or MemoryJournal("desk01")
    source = source or ScriptedSource(bars, actions=actions)
    settings = config.load(flags={"broker.fees": "none", "broker.slippage_bps": "0"}).broker
    broker = broker or PaperBroker(MemoryVenueStore(), source, open_calendar, clock, settings)
    switch = DeskSwitch(halt_file, journal)
    authority = authority or Authority(under or mandate(), SimulatedClock(NOW))
    calendars = {name: open_calendar(name) for name in ("XNYS", "24/7")}
    engine = Engine(Parts(journal, broker, AsOfView(source, clock.now), clock, switch, authority, calendars, {AAPL: "technology"}))
    approvals = Approvals(journal, engine, clock, authenticate)
    inbox = Inbox(journal, engine, switch, clock, lambda _proof, _number: None, approvals)
    stop = threading.Event()
    session = Session(clock=clock, journal=journal, broker=broker, engine=engine, inbox=inbox, stop=stop)
    session.begin()
    return SmallDesk(journal, broker, clock, engine, switch, inbox, session, stop)
