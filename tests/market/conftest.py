"""A shelf of bars as a market source, and seeded random bars, for tests of the market room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

import numpy as np
import pandas as pd
import pytest

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.market.snapshot import Snapshot
from trading_bot.ports import BarSeries, MarketSource

AAA = Symbol("AAA")


@dataclass
class Shelf:
    """Series and actions by symbol; `series` may be exchanged, as a live source does."""

    series: dict[tuple[Symbol, Timeframe], BarSeries]
    events: dict[Symbol, tuple[CorporateAction, ...]]
    calendar: str = "XNYS"
    name: str = "shelf"

    def instrument(self, symbol: Symbol) -> Instrument:
        """A share."""
        return Instrument.model_validate({"symbol": symbol, "calendar": self.calendar})

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Finest first."""
        return tuple(sorted((t for s, t in self.series if s == symbol), key=lambda t: t.duration))

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """The series on the shelf."""
        if (symbol, timeframe) not in self.series:
            msg = f"no {timeframe} bars of {symbol}"
            raise NoDataError(msg)
        return self.series[symbol, timeframe]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends."""
        return self.events.get(symbol, ())

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:  # noqa: ARG002 - the port asks
        """None: a shelf publishes no quotes."""
        return None

    def notes(self) -> tuple[str, ...]:
        """Nothing was repaired."""
        return ()


@pytest.fixture(scope="session")
def random_bars() -> Callable[..., BarSeries]:
    """Make `count` seeded daily bars of New York's sessions from 2022-01-03 on."""

    def make(count: int = 300, seed: int = 1, symbol: Symbol = AAA, volume: float = 2e6) -> BarSeries:
        draw = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(draw.normal(0.0005, 0.015, count)))
        opening = close * np.exp(draw.normal(0, 0.004, count))
        high = np.maximum(opening, close) * (1 + draw.uniform(0, 0.01, count))
        low = np.minimum(opening, close) * (1 - draw.uniform(0, 0.01, count))
        sizes = (volume * draw.uniform(0.5, 2, count)).round()
        calendar = open_calendar("XNYS")
        hours = [calendar.hours(day) for day in calendar.sessions(date(2022, 1, 3), date(2030, 1, 1))[:count]]
        frame = pd.DataFrame(
            {"open": opening, "high": high, "low": low, "close": close, "volume": sizes},
            index=pd.DatetimeIndex([start for start, _ in hours]).as_unit("ns"),
        )
        ends = np.array([end.replace(tzinfo=None) for _, end in hours], dtype="datetime64[ns]")
        return BarSeries(symbol, Timeframe.DAY, frame, ends, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "shelf")

    return make


@pytest.fixture(scope="session")
def intraday_bars() -> Callable[..., BarSeries]:
    """Make bars of one length from `(start, open, high, low, close, volume)` rows."""

    def make(timeframe: Timeframe, rows: Sequence[tuple[str, float, float, float, float, float]]) -> BarSeries:
        starts = pd.DatetimeIndex([row[0] for row in rows], tz="UTC").as_unit("ns")
        frame = pd.DataFrame([row[1:] for row in rows], index=starts, columns=["open", "high", "low", "close", "volume"], dtype=float)
        ends = (starts + timeframe.duration).tz_convert(None).to_numpy()
        return BarSeries(AAA, timeframe, frame, ends, Feed.SINGLE_VENUE, PriceBasis.AS_TRADED, "shelf")

    return make


@pytest.fixture(scope="session")
def shelve() -> Callable[..., MarketSource]:
    """Make a source of these series, with these actions."""

    def make(*series: BarSeries, actions: Sequence[CorporateAction] = (), calendar: str = "XNYS") -> MarketSource:
        events = {symbol: tuple(a for a in actions if a.symbol == symbol) for symbol in {s.symbol for s in series}}
        return Shelf({(s.symbol, s.timeframe): s for s in series}, events, calendar)

    return make


@pytest.fixture(scope="session")
def exchange_series() -> Callable[[MarketSource, BarSeries], None]:
    """Put another series in the place of the one on the shelf."""

    def exchange(source: MarketSource, series: BarSeries) -> None:
        assert isinstance(source, Shelf)
        source.series[series.symbol, series.timeframe] = series

    return exchange


@pytest.fixture(scope="session")
def announce() -> Callable[[MarketSource, CorporateAction], None]:
    """Let the source know of another action."""

    def tell(source: MarketSource, action: CorporateAction) -> None:
        assert isinstance(source, Shelf)
        source.events[action.symbol] = (*source.actions(action.symbol), action)

    return tell


@pytest.fixture(scope="session")
def cut() -> Callable[[BarSeries, datetime], BarSeries]:
    """The series as it was at a moment: bars that had closed."""

    def cut_at(series: BarSeries, moment: datetime) -> BarSeries:
        count = int(np.searchsorted(series.ends, np.datetime64(moment.replace(tzinfo=None), "ns"), side="right"))
        return replace(series, frame=series.frame.iloc[:count].copy(), ends=series.ends[:count].copy())

    return cut_at


INDICATORS = {
    "sma_20": 98.0,
    "sma_50": 95.0,
    "rsi_14": 60.0,
    "macd_histogram": 0.3,
    "atr_14": 1.0,
    "adx_14": 20.0,
    "volume_sma_5": 2e6,
    "volume_sma_20": 2e6,
    "dollar_volume_sma_20": 2e8,
}
BULLISH = Snapshot(
    symbol=AAA,
    time=datetime.combine(date(2024, 3, 5), time(11), UTC),
    bar=datetime.combine(date(2024, 3, 4), time(14, 30), UTC),
    price=100.0,
    volume=2e6,
    feed=Feed.CONSOLIDATED,
    indicators=INDICATORS,
    support=None,
    resistance=None,
)


@pytest.fixture(scope="session")
def snapshot() -> Callable[..., Snapshot]:
    """A bullish share at 100; keywords change fields, or indicators where they name one (None: unknown)."""

    def make(**changed: object) -> Snapshot:
        fields = {name: value for name, value in changed.items() if name in Snapshot.__dataclass_fields__}
        values = {**INDICATORS, **{name: value for name, value in changed.items() if name not in fields}}
        known = {name: value for name, value in values.items() if isinstance(value, float)}
        return replace(BULLISH, indicators=known, **fields)  # type: ignore[arg-type]  # fields of every type

    return make
