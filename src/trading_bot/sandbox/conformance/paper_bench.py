"""A bench on the paper venue: a market whose price is set by hand, minute after minute, round the clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

import numpy as np
import pandas as pd

from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import MemoryVenueStore
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries
from trading_bot.sandbox.conformance.bench import Bench, Trouble
from trading_bot.settings import BrokerSettings

MINUTE = timedelta(minutes=1)
START = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)
TRADED, LENT = Symbol("HAND"), Symbol("HELD")
_PLENTY = Decimal(1_000_000)
_SETTINGS = BrokerSettings(
    name="paper",
    account="paper-1",
    cash=Decimal(100_000),
    slippage_bps=Decimal(1),
    participation=Decimal(1),
    fees="us_equity",
    borrow_bps_per_year=Decimal(0),
)


class AlwaysOpen:
    """Every day is a session from midnight to midnight."""

    zone: tzinfo = UTC

    def __init__(self, name: str) -> None:
        self.name = name

    def is_session(self, day: date) -> bool:  # noqa: ARG002 - the port's signature
        """Always."""
        return True

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """All days."""
        return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """The whole day."""
        midnight = datetime.combine(session, time(), UTC)
        return midnight, midnight + timedelta(days=1)

    def session_at(self, moment: datetime) -> date | None:
        """That day."""
        return moment.date()

    def next_session(self, day: date) -> date:
        """The next day."""
        return day + timedelta(days=1)

    def previous_session(self, day: date) -> date:
        """The day before."""
        return day - timedelta(days=1)


@dataclass
class HandMarket:
    """A `MarketSource` and a clock in one: flat one-minute bars at the price that was set, of instruments that trade alike."""

    price: Decimal = Decimal(100)
    volume: Decimal = _PLENTY
    name: str = "by hand"
    simulated: bool = True
    _rows: list[tuple[datetime, Decimal, Decimal]] = field(default_factory=list)
    _series: dict[Symbol, BarSeries] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rows.append((START, self.price, self.volume))

    def now(self) -> datetime:
        """Start of the bar in progress."""
        return self._rows[-1][0]

    def sleep_until(self, moment: datetime) -> None:
        """Let minutes pass."""
        while self.now() < moment:
            self.step()

    def step(self) -> None:
        """Let one minute pass."""
        self._rows.append((self.now() + MINUTE, self.price, self.volume))
        self._series.clear()

    def move(self, price: Decimal) -> None:
        """From the next minute on, which begins now, this is the price."""
        self.price = price
        self.step()

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let minutes pass, one for each second of patience."""
        for _ in range(int(seconds) + 1):
            if condition():
                return True
            self.step()
        return condition()

    @contextmanager
    def thin(self, quantity: Decimal) -> Iterator[None]:
        """Let so much trade in this minute, and nothing in the next ones."""
        self.volume = quantity
        self.step()
        self.step()
        self.volume = Decimal(0)
        yield
        self.volume = _PLENTY
        self.step()
        self.step()

    def instrument(self, symbol: Symbol) -> Instrument:
        """A share on a cent, in hundredths, worth ten at least."""
        return Instrument(
            symbol=symbol, calendar="24/7", lot_size=Decimal("0.01"), minimum_notional=Decimal(10), shortable=symbol == TRADED
        )

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Minutes."""
        if symbol not in {TRADED, LENT}:
            raise NoDataError(f"{symbol} is not in the hand's market")
        return (Timeframe.MINUTE,)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All minutes so far, the one in progress included."""
        if symbol not in self._series:
            index = pd.DatetimeIndex([row[0] for row in self._rows]).as_unit("ns")
            price = [float(row[1]) for row in self._rows]
            columns = {"open": price, "high": price, "low": price, "close": price, "volume": [float(row[2]) for row in self._rows]}
            frame = pd.DataFrame(columns, index=index, dtype="float64")
            ends = (index + pd.Timedelta(MINUTE)).tz_localize(None).to_numpy(dtype="datetime64[ns]")
            self._series[symbol] = BarSeries(symbol, timeframe, frame, np.asarray(ends), Feed.CONSOLIDATED, PriceBasis.AS_TRADED, self.name)
        return self._series[symbol]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the port's signature
        """None."""
        return ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """The price that was set, a cent to each side."""
        row = next((row for row in reversed(self._rows) if row[0] <= at), None)
        if row is None:
            return None
        cent, size = Decimal("0.01"), Decimal(1_000)
        fields = {"bid_size": size, "ask_size": size, "source": self.name, "feed": Feed.CONSOLIDATED}
        return Quote.model_validate({"symbol": symbol, "bid": row[1] - cent, "ask": row[1] + cent, "time": row[0], **fields})

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


def paper_bench() -> Bench:
    """A fresh paper venue; its database lives as long as the bench."""
    market, store = HandMarket(), MemoryVenueStore()
    quantity = Decimal(2)

    def quote() -> Quote:
        found = market.quote(TRADED, market.now())
        if found is None:
            raise NoDataError("the hand's market has not begun")
        return found

    return Bench(
        name="paper",
        make=lambda: PaperBroker(store, market, AlwaysOpen, market, _SETTINGS),
        account=_SETTINGS.account,
        instrument=market.instrument(TRADED),
        quantity=quantity,
        quote=quote,
        now=market.now,
        wait=market.wait,
        patience=5,
        move=market.move,
        unshortable=market.instrument(LENT),
        troubles={Trouble.THIN: lambda: market.thin(quantity / 2)},
    )
