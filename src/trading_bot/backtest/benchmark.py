"""Buy and hold of the same symbols, to hold a desk against.

Promises equal cash into each symbol at the opening price of its first session, in fractional shares and without costs;
splits followed, dividends kept as cash by who held before the ex-date, marked at the close of each session. What could not be
bought, came late or ended early is said in the notes. Refuses to invent prices: without any bar there is no benchmark.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from trading_bot.backtest.statistics import Curve, Floats, Performance, performance
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import SESSIONS_PER_YEAR
from trading_bot.domain.market import CorporateAction, Dividend, PriceBasis, Split
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar, MarketSource


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Buy and hold over one period."""

    returns: Mapping[Symbol, float]
    """Total return of each symbol that was bought, dividends included."""
    curve: Curve
    """Of all together, over the sessions of all their calendars."""
    performance: Performance
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Prices:
    """One symbol's sessions that have bars: day, opening time, opening and closing price as traded."""

    symbol: Symbol
    calendar: str
    basis: PriceBasis
    wanted: tuple[date, ...]
    """All sessions of the period, with bars or without."""
    days: tuple[date, ...]
    times: tuple[datetime, ...]
    opens: Floats
    closes: Floats

    def notes(self) -> Iterable[str]:
        """What a reader has to know, a sentence each."""
        if self.days[0] > self.wanted[0]:
            yield f"{self.symbol}: no bars before {self.days[0]}; bought then, held as cash until then"
        if self.days[-1] < self.wanted[-1]:
            yield f"{self.symbol}: no bars after {self.days[-1]}; kept at that close"
        if self.basis is PriceBasis.NOT_AS_TRADED:
            yield f"{self.symbol}: prices are not as traded"


def buy_and_hold(  # noqa: PLR0913, PLR0917 - the period and what it is reckoned from
    source: MarketSource,
    symbols: Sequence[Symbol],
    first: date,
    last: date,
    calendars: Callable[[str], Calendar],
    cash: Decimal,
) -> Benchmark:
    """Hold `symbols` from the first opening to the last close between `first` and `last`, both included.

    `calendars`: from a name, as in `Instrument.calendar`, to the calendar. `cash`: shared out equally among the symbols that can be bought.
    Raises NoDataError if none can.
    """
    bought = [p for s in symbols if (p := _prices(source, s, first, last, calendars)) is not None]
    if not bought:
        msg = f"no bars of {', '.join(symbols)} from {first} to {last}; ask for symbols and dates that the source has"
        raise NoDataError(msg)
    share = float(cash) / len(bought)
    held = {p.symbol: _hold(p, source.actions(p.symbol), share) for p in bought}
    sessions = sorted({day for p in bought for day in p.wanted})
    curve = _joint(list(held.values()), sessions, share)
    missing = [s for s in symbols if s not in held]
    return Benchmark(
        returns={s: float(h["worth"].iloc[-1]) / share - 1 for s, h in held.items()},
        curve=curve,
        performance=performance(curve, periods_per_year=_periods(bought)),
        notes=(*(f"{s}: no bars in the period; left out" for s in missing), *(note for p in bought for note in p.notes())),
    )


def _periods(bought: Iterable[_Prices]) -> int:
    return max(SESSIONS_PER_YEAR[p.calendar] for p in bought)


def _prices(source: MarketSource, symbol: Symbol, first: date, last: date, calendars: Callable[[str], Calendar]) -> _Prices | None:
    """The symbol's prices by session from its coarsest bars, or None if the source has none in the period."""
    try:
        name = source.instrument(symbol).calendar
        series = source.bars(symbol, source.timeframes(symbol)[-1])
    except NoDataError:
        return None
    calendar = calendars(name)
    wanted = calendar.sessions(first, last)
    hours = [calendar.hours(day) for day in wanted]
    index = pd.DatetimeIndex(series.frame.index)
    begins = index.searchsorted(pd.DatetimeIndex([opening for opening, _ in hours], tz="UTC"))
    ends = index.searchsorted(pd.DatetimeIndex([closing for _, closing in hours], tz="UTC"))
    has = np.flatnonzero(ends > begins)
    if not len(has):
        return None
    return _Prices(
        symbol=symbol,
        calendar=name,
        basis=series.basis,
        wanted=wanted,
        days=tuple(wanted[n] for n in has),
        times=tuple(hours[n][0] for n in has),
        opens=series.frame["open"].to_numpy()[begins[has]],
        closes=series.frame["close"].to_numpy()[ends[has] - 1],
    )


def _hold(prices: _Prices, actions: Iterable[CorporateAction], cash: float) -> pd.DataFrame:
    """Position with dividends (`worth`) and alone (`value`) at each close of `prices`; a split comes before a dividend of its day."""
    shares = np.full(len(prices.days), cash / prices.opens[0])
    dividends = np.zeros(len(prices.days))
    times = pd.DatetimeIndex(prices.times)
    after = (a for a in actions if prices.times[0] < a.ex <= prices.times[-1])
    for action in sorted(after, key=lambda a: (a.ex, isinstance(a, Dividend))):
        begin = int(times.searchsorted(pd.Timestamp(action.ex)))
        if isinstance(action, Split):
            shares[begin:] *= float(action.ratio)
        else:
            dividends[begin:] += float(action.amount) * shares[begin]
    value = shares * prices.closes
    return pd.DataFrame({"worth": value + dividends, "value": value}, index=list(prices.days))


def _joint(held: Sequence[pd.DataFrame], sessions: Sequence[date], share: float) -> Curve:
    """The sum of all: before its first session a symbol is its cash, after its last it stays at that close."""
    filled = [h.reindex(pd.Index(sessions), method="ffill").fillna({"worth": share, "value": 0.0}) for h in held]
    total = np.sum([f.to_numpy() for f in filled], axis=0)
    return Curve(tuple(sessions), total[:, 0], total[:, 1], share * len(held))
