"""What the venue sees of the market: bars as integer arrays, quotes in ticks, corporate actions by time.

Promises that each moment is seen through the finest bars that cover its day, and that the search for the next bar which can
touch a resting price is a scan of arrays, not a loop. Refuses a symbol without data (NoDataError of the source).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from trading_bot.brokers.matching import TickBar, TickQuote, split_price
from trading_bot.brokers.units import SECOND, Units, moment, stamp
from trading_bot.brokers.venue import ratio_of
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Funding, Split
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries, Calendar, Funded, MarketSource

Happening = CorporateAction | Funding
_NEVER = np.int64(2**62)
_FIRST_CHUNK = 256
_GROWTH = 4
_DAY = "datetime64[D]"
_NO_DAY = np.datetime64("1677-09-21", "D")
"""Before every time in nanoseconds."""
_LONGEST_BREAK = timedelta(days=14)
FRESH = 60 * SECOND
"""A quote older than this is no price to trade at."""


@dataclass(frozen=True)
class Band:
    """Prices between which nothing happens: a bar matters if it goes down to `low` or up to `high`."""

    low: int
    high: int


class Tape:
    """Bars of one symbol: `starts` and `ends` in ns, `opens` to `closes` in ticks, `volumes` in lots; `actions` by time (ns)."""

    def __init__(
        self, series: tuple[BarSeries, ...], units: Units, actions: tuple[CorporateAction, ...], fundings: tuple[Funding, ...] = ()
    ) -> None:
        self.series = series
        parts = [_columns(one, rows, units) for one, rows in _uncovered(series)]
        joined = np.concatenate([part for part in parts if part.size] or parts[:1], axis=1)
        if (joined[0, 1:] < joined[0, :-1]).any():
            joined = joined[:, np.argsort(joined[0], kind="stable")]
        self.starts, self.ends, self.opens, self.highs, self.lows, self.closes, self.volumes = joined
        # A bar without volume has no trade: it reaches nothing.
        self._reach_low = np.where(self.volumes > 0, self.lows, _NEVER)
        self._reach_high = np.where(self.volumes > 0, self.highs, -_NEVER)
        happens: list[tuple[int, Happening]] = [*((stamp(a.ex), a) for a in actions), *((stamp(f.at), f) for f in fundings)]
        self.actions = tuple(sorted(happens, key=lambda pair: (pair[0], not isinstance(pair[1], Split))))
        self.splits = tuple((at, action) for at, action in self.actions if isinstance(action, Split))
        self._action_times = [at for at, _ in self.actions]

    def told(self) -> tuple[np.ndarray, np.ndarray]:
        """Opens and closes of all bars as the source tells them (float64): what it makes its quotes of."""
        parts = [
            (one.frame[["open", "close"]].to_numpy()[rows], pd.DatetimeIndex(one.frame.index)[rows])
            for one, rows in _uncovered(self.series)
        ]
        order = np.argsort(np.concatenate([times.as_unit("ns").asi8 for _, times in parts]), kind="stable")
        opens, closes = np.concatenate([prices for prices, _ in parts])[order].T
        return opens, closes

    def bar(self, number: int) -> TickBar:
        """The bar with this number."""
        columns = (self.starts, self.ends, self.opens, self.highs, self.lows, self.closes, self.volumes)
        return TickBar(*(int(column[number]) for column in columns))

    def begun(self, at: int) -> int:
        """Number of the last bar that began at or before `at`, -1 if none did."""
        return int(self.starts.searchsorted(at, side="right")) - 1

    def next_moment(self, after: int, until: int, band: Band) -> int | None:
        """First start or end, after `after` and up to `until`, of a bar that leaves `band`."""
        first = int(self.ends.searchsorted(after, side="right"))
        last = int(self.starts.searchsorted(until, side="right"))
        size = _FIRST_CHUNK
        while first < last:
            stop = min(first + size, last)
            hits = (self._reach_low[first:stop] <= band.low) | (self._reach_high[first:stop] >= band.high)
            number = int(hits.argmax())
            if hits[number]:
                start, end = int(self.starts[first + number]), int(self.ends[first + number])
                found = start if start > after else end
                return found if found <= until else None
            first, size = stop, size * _GROWTH
        return None

    def action_after(self, after: int) -> int | None:
        """Time of the first corporate action or funding after `after`."""
        number = bisect_right(self._action_times, after)
        return self._action_times[number] if number < len(self._action_times) else None

    def actions_at(self, at: int) -> tuple[Happening, ...]:
        """Corporate actions and fundings at `at`, splits first."""
        first, last = bisect_left(self._action_times, at), bisect_right(self._action_times, at)
        return tuple(action for _, action in self.actions[first:last])


def _uncovered(series: tuple[BarSeries, ...]) -> list[tuple[BarSeries, np.ndarray]]:
    """Each series, finest first, with a mask of its bars on days that no finer one covers."""
    found, covered = [], np.array([], dtype=_DAY)
    for one in series:
        # A bar that ends at midnight belongs to the day before.
        days = (one.ends - np.timedelta64(1, "ns")).astype(_DAY)
        found.append((one, ~np.isin(days, covered)))
        # They rise, so that a bar's day is a new one where it differs from the day before it.
        covered = np.union1d(covered, days[np.flatnonzero(np.diff(days, prepend=_NO_DAY))])
    return found


def _columns(series: BarSeries, rows: np.ndarray, units: Units) -> np.ndarray:
    frame, kept = series.frame, slice(None) if rows.all() else rows
    starts = pd.DatetimeIndex(frame.index).as_unit("ns").asi8[kept]
    ends = series.ends.astype("datetime64[ns]").astype(np.int64)[kept]
    prices = [np.rint(frame[name].to_numpy()[kept] / float(units.tick)).astype(np.int64) for name in ("open", "high", "low", "close")]
    # Half a millionth of a lot forgives the float of a whole number, and nothing else.
    volume = np.floor(frame["volume"].to_numpy()[kept] / float(units.lot) + 5e-7).astype(np.int64)
    return np.stack([starts, ends, *prices, volume])


class Prices:
    """The source in the venue's integers. What was read is kept until the source has new bars."""

    def __init__(self, source: MarketSource, calendars: Callable[[str], Calendar]) -> None:
        self._source = source
        self._calendars = calendars
        self._tapes: dict[Symbol, Tape] = {}
        self._instruments: dict[Symbol, Instrument] = {}
        self._units: dict[Symbol, Units] = {}
        self._quotes: dict[Symbol, tuple[int, TickQuote | None]] = {}

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""
        return self._instruments.get(symbol) or self._source.instrument(symbol)

    def units(self, symbol: Symbol) -> Units:
        """Its integers. ValueError if the instrument's grid is finer than cash."""
        if symbol not in self._units:
            instrument = self._source.instrument(symbol)
            self._units[symbol] = Units(instrument.tick_size, instrument.lot_size)
        return self._units[symbol]

    def tape(self, symbol: Symbol) -> Tape:
        """Its bars and corporate actions, read again if the source has other bars than before."""
        series = tuple([self._source.bars(symbol, timeframe) for timeframe in self._source.timeframes(symbol)])
        known = self._tapes.get(symbol)
        if known is None or known.series != series:  # a series is equal to itself alone
            fundings = self._source.fundings(symbol) if isinstance(self._source, Funded) else ()
            self._instruments[symbol] = self._source.instrument(symbol)
            known = self._tapes[symbol] = Tape(series, self.units(symbol), self._source.actions(symbol), fundings)
        return known

    def quote(self, symbol: Symbol, at: int) -> TickQuote | None:
        """Newest quote at `at` (ns), off-grid prices rounded against the trader; None before the first.

        One from before a split is told in new shares.
        """
        known = self._quotes.get(symbol)
        if known is None or known[0] != at:
            quote, units = self._source.quote(symbol, moment(at)), self.units(symbol)
            found = None if quote is None else TickQuote(units.ticks_down(quote.bid), units.ticks_up(quote.ask), stamp(quote.time))
            known = self._quotes[symbol] = (at, None if found is None else self._carried(symbol, found, at))
        return known[1]

    def _carried(self, symbol: Symbol, quote: TickQuote, at: int) -> TickQuote:
        """`quote` in the shares of `at`."""
        if quote.time >= at:
            return quote
        for time, split in self.tape(symbol).splits:
            if quote.time < time <= at:
                ratio = ratio_of(split)
                quote = TickQuote(split_price(quote.bid, ratio), split_price(quote.ask, ratio), quote.time)
        return quote

    def fresh(self, symbol: Symbol, at: int) -> TickQuote | None:
        """Newest quote at `at` if it is at most 60 s old."""
        quote = self.quote(symbol, at)
        return quote if quote is not None and at - quote.time <= FRESH else None

    def session(self, symbol: Symbol, at: int) -> tuple[int, int]:
        """Opening and closing (ns) of the session that is open at `at`, or of the next one."""
        calendar, now = self._calendars(self._source.instrument(symbol).calendar), moment(at)
        for day in calendar.sessions(now.date() - timedelta(days=1), now.date() + _LONGEST_BREAK):
            opening, closing = calendar.hours(day)
            if closing > now:
                return stamp(opening), stamp(closing)
        msg = f"{symbol}: no session within {_LONGEST_BREAK.days} days of {now.isoformat()}; the calendar ends before"
        raise NoDataError(msg)
