"""Market data as of a clock: nothing that was not public at `now()` can be seen through it.

Promises that a bar is seen from its close on, that history is adjusted by the splits and dividends whose ex-date has come
and by no other, and that whatever a source adds or changes later alters no earlier answer. Everything is computed once
per series and cut, since every column depends on earlier rows alone; of a series that grows, the newest alone is kept.
Refuses to adjust prices that are not as traded.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter

import numpy as np
import pandas as pd

from trading_bot.domain.errors import ClockError, NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Contract, CorporateAction, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.perpetual import is_leveraged
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.market.adjust import adjusted, carried, daily_from
from trading_bot.market.calendar import AlwaysOpen, open_calendar
from trading_bot.market.coarse import coarser
from trading_bot.market.indicators import compute
from trading_bot.ports import BarSeries, Contracted, Funded, MarketSource

_FUNDING_HOURS = 8
"""Perpetuals are funded at 0, 8 and 16 o'clock UTC, unless their venue says otherwise."""


@dataclass(eq=False)
class _Known:
    """What was computed of one series, for the number of actions that had come when it was last looked at."""

    raw: BarSeries
    """The object that the source gave; another one renews everything."""
    series: BarSeries
    actions: tuple[CorporateAction, ...]
    exes: np.ndarray
    come: int = -1
    bars: pd.DataFrame | None = None
    indicators: pd.DataFrame | None = None

    def at(self, moment: np.datetime64) -> tuple[pd.DataFrame, int]:
        """Adjusted bars of the whole series, and how many of them have closed."""
        come = int(np.searchsorted(self.exes, moment, side="right"))
        if self.bars is None or come != self.come:
            self.come, self.bars, self.indicators = come, adjusted(self.series, self.actions[:come]), None
        return self.bars, int(np.searchsorted(self.series.ends, moment, side="right"))


class AsOfView:
    """`ports.View` over a source; `now` gives trading time, aware."""

    def __init__(self, source: MarketSource, now: Callable[[], datetime]) -> None:
        self._source = source
        self._now = now
        self._contracted = source if isinstance(source, Contracted) else None
        self._funded = source if isinstance(source, Funded) else None
        self._known: dict[tuple[Symbol, Timeframe], _Known] = {}
        self._lock = threading.RLock()
        """An analyst may look from a thread of its own while the desk goes on."""

    def now(self) -> datetime:
        """Time at which it looks, UTC."""
        return self._now().astimezone(UTC)

    def frozen(self, moment: datetime) -> "AsOfView":
        """The same market, standing still at `moment` whatever the clock does; what was computed is shared.

        ClockError for a moment that has not come.
        """
        if moment > self.now():
            msg = f"a view cannot stand at {moment.isoformat()}, which has not come; it is {self.now().isoformat()}"
            raise ClockError(msg)
        still = AsOfView(self._source, lambda: moment)
        still._known, still._lock = self._known, self._lock
        return still

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`. NoDataError if the source does not have it."""
        return self._source.instrument(symbol)

    def quote(self, symbol: Symbol) -> Quote | None:
        """Newest quote, however old, None before the first; one from before a split that has come is told in new shares."""
        now = self.now()
        quote, actions = self._source.quote(symbol, now), self._source.actions(symbol)
        return quote if quote is None or not actions else carried(quote, actions, self._source.instrument(symbol), now)

    def bars(self, symbol: Symbol, timeframe: Timeframe, count: int) -> pd.DataFrame:
        """Last `count` closed bars, fewer if there are fewer, adjusted so that the newest is as traded.

        Days that the source lacks are put together from its intraday bars, session by session, and what lies between from finer
        ones where the market never closes. NoDataError if the source has neither. ValueError for a negative `count`.
        """
        if count < 0:
            msg = f"count is {count}; ask for 0 bars or more"
            raise ValueError(msg)
        with self._lock:
            bars, closed = self._look(symbol, timeframe).at(self._moment())
        return bars.iloc[max(0, closed - count) : closed]

    def indicators(self, symbol: Symbol, timeframe: Timeframe) -> pd.DataFrame:
        """`indicators.COLUMNS` up to the last closed bar, on the same prices as `bars`; NaN where it cannot be known."""
        with self._lock:
            known = self._look(symbol, timeframe)
            bars, closed = known.at(self._moment())
            if known.indicators is None:
                known.indicators = compute(bars)
            return known.indicators.iloc[:closed]

    def feed(self, symbol: Symbol, timeframe: Timeframe) -> Feed:
        """Whose trades the bars hold."""
        with self._lock:
            return self._look(symbol, timeframe).series.feed

    def contract(self, symbol: Symbol) -> Contract | None:
        """The word of the source, if its venue tells; else the middle of the newest quote and the last funding, 0 before the first.

        The next funding then is at the next 8-hour mark. None for what is no perpetual, or before the first quote.
        """
        if not is_leveraged(self._source.instrument(symbol)):
            return None
        if self._contracted is not None:
            return self._contracted.contract(symbol, self.now())
        now, quote = self.now(), self.quote(symbol)
        if quote is None:
            return None
        rate, following = self._last_rate(symbol, now), _next_funding(now)
        return Contract(symbol=symbol, mark=quote.mid, funding_rate=rate, next_funding_at=following, time=quote.time)

    def _last_rate(self, symbol: Symbol, now: datetime) -> Decimal:
        """Rate of the last funding by `now`."""
        fundings = () if self._funded is None else self._funded.fundings(symbol)
        known = bisect_right(fundings, now, key=attrgetter("at"))
        return fundings[known - 1].rate if known else ZERO

    def _moment(self) -> np.datetime64:
        return np.datetime64(self.now().replace(tzinfo=None), "ns")

    def _look(self, symbol: Symbol, timeframe: Timeframe) -> _Known:
        known = self._known.get((symbol, timeframe))
        raw = self._bars_for(symbol, timeframe, known)
        actions = self._source.actions(symbol) if raw.basis is PriceBasis.AS_TRADED else ()
        if known is None or known.raw is not raw or known.actions != actions:
            series = raw if raw.timeframe is timeframe else self._brought(raw, timeframe)
            exes = np.array([action.ex.replace(tzinfo=None) for action in actions], dtype="datetime64[ns]")
            known = self._known[symbol, timeframe] = _Known(raw, series, actions, exes)
        return known

    def _bars_for(self, symbol: Symbol, timeframe: Timeframe, known: _Known | None) -> BarSeries:
        """The series itself or, for bars that the source lacks, the finer one that reaches back furthest; looked for once."""
        if known is not None:
            return self._source.bars(symbol, known.raw.timeframe)
        has = self._source.timeframes(symbol)
        if timeframe in has or not self._can_be_made(symbol, timeframe):
            return self._source.bars(symbol, timeframe)
        finer = (self._source.bars(symbol, one) for one in has if one.duration < timeframe.duration)
        found = [series for series in finer if len(series.ends)]
        if not found:
            msg = f"{self._source.name} has no bars of {symbol} that make {timeframe}; check the symbol or add a file for it"
            raise NoDataError(msg)
        return min(found, key=lambda series: series.ends[0])

    def _can_be_made(self, symbol: Symbol, timeframe: Timeframe) -> bool:
        """Whether finer bars fill it: sessions that open at half past fill no hours of the clock."""
        return timeframe is Timeframe.DAY or self._source.instrument(symbol).calendar == AlwaysOpen.name

    def _brought(self, raw: BarSeries, timeframe: Timeframe) -> BarSeries:
        if timeframe is Timeframe.DAY:
            return daily_from(raw, open_calendar(self._source.instrument(raw.symbol).calendar))
        return coarser(raw, timeframe)


def _next_funding(now: datetime) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(hours=now.hour // _FUNDING_HOURS * _FUNDING_HOURS + _FUNDING_HOURS)
