"""Histories of bars that grow as bars close.

Promises that only closed bars are in a series, that a bar once shown never changes while the desk runs, and that the same object
is returned until a bar was added (views know by it that nothing changed). A series is extended when its next bar must have
closed, together with those of the other symbols, in as few calls as the vendor allows. Refuses a bar that breaks the rules of
bars, and a day that is no session. A read that fails raises: bars do not show that newer ones are missing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.market import Feed, PriceBasis, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries, Calendar
from trading_bot.sources.sessions import SECOND, SessionTable, nanoseconds

_COLUMNS = ["open", "high", "low", "close", "volume"]
REACH = {Timeframe.DAY: timedelta(days=800), Timeframe.MINUTE_15: timedelta(days=30)}
"""How far back a new series begins: more than the 250 bars that indicators need to settle."""
_SETTLING = timedelta(seconds=5)
"""How long after its close a bar shorter than a day is still changed by late prints."""
_AGAIN = timedelta(minutes=1)
"""A bar that should be there and is not (a halt, a delay) is asked for again after so long."""

ROUND_THE_CLOCK = "24/7"
"""Name of the calendar without sessions."""

RawBar = tuple[int, float, float, float, float, float]
"""Start (nanoseconds since 1970), open, high, low, close, volume."""
Fetch = Callable[[Sequence[Symbol], Timeframe, datetime], Mapping[str, Iterable[RawBar]]]
"""Bars of several symbols from a start on, the one that has not closed yet included or not."""


@dataclass(eq=False)
class _Known:
    """A series and when it is worth asking for more."""

    series: BarSeries
    due: datetime


@dataclass(frozen=True)
class Manner:
    """How one market's bars are read and marked."""

    calendar: Calendar
    feed: Feed
    source: str
    batch: int
    """Symbols in one call."""
    day_feed: Feed | None = None
    """Whose trades the bars of days hold, where that is not `feed`."""
    day_settles: timedelta = timedelta(minutes=2)
    """How long after its close a day is still changed, or not to be had."""

    def feed_of(self, timeframe: Timeframe) -> Feed:
        """Whose trades the bars of a timeframe hold."""
        return self.day_feed or self.feed if timeframe is Timeframe.DAY else self.feed

    def settling(self, timeframe: Timeframe) -> timedelta:
        """How long after its close a bar is not shown yet."""
        return self.day_settles if timeframe is Timeframe.DAY else _SETTLING


class History:
    """Bars of one market; `fetch` reads, `now` gives trading time."""

    def __init__(self, manner: Manner, fetch: Fetch, now: Callable[[], datetime], note: Callable[[str], None]) -> None:
        self._manner = manner
        self._fetch = fetch
        self._now = now
        self._note = note
        self._sessions = SessionTable(manner.calendar)
        self._known: dict[tuple[Symbol, Timeframe], _Known] = {}
        self._followed: list[Symbol] = []

    def follow(self, symbols: Iterable[Symbol]) -> None:
        """Read the bars of these symbols together."""
        self._followed = list(dict.fromkeys([*self._followed, *symbols]))

    def series(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars that have closed. NoDataError if there is none."""
        known = self._known.get((symbol, timeframe))
        now = self._now()
        if known is None or now >= known.due:
            self._extend(self._group(symbol, timeframe, now), timeframe, now)
            known = self._known[symbol, timeframe]
        if not len(known.series.ends):
            msg = f"{symbol}: {self._manner.source} has no {timeframe} bars"
            raise NoDataError(msg)
        return known.series

    def _group(self, symbol: Symbol, timeframe: Timeframe, now: datetime) -> list[Symbol]:
        """`symbol` and others that are due too and begin at the same place: new ones with new ones, old ones with old ones."""
        new = (symbol, timeframe) not in self._known

        def alike(other: Symbol) -> bool:
            known = self._known.get((other, timeframe))
            return other != symbol and (known is None if new else known is not None and now >= known.due)

        return [symbol, *(other for other in self._followed if alike(other))][: self._manner.batch]

    def _extend(self, symbols: Sequence[Symbol], timeframe: Timeframe, now: datetime) -> None:
        olds = {symbol: self._known[symbol, timeframe].series for symbol in symbols if (symbol, timeframe) in self._known}
        start = min((_end(old) for old in olds.values() if len(old.ends)), default=now - REACH[timeframe])
        told = self._fetch(symbols, timeframe, start)
        for symbol in symbols:
            old = olds.get(symbol) or self._empty(symbol, timeframe)
            series = self._joined(old, self._closed(symbol, timeframe, told.get(symbol, ()), now))
            self._known[symbol, timeframe] = _Known(series, self._due(series, now))

    def _due(self, series: BarSeries, now: datetime) -> datetime:
        """When the next bar must have closed and settled; a little later than now if it should have already."""
        if not len(series.ends):
            return now + _AGAIN
        expected = self._next_end(series) + self._manner.settling(series.timeframe)
        return expected if expected > now else now + _AGAIN

    def _next_end(self, series: BarSeries) -> datetime:
        calendar, last, length = self._manner.calendar, _end(series), series.timeframe.duration
        if calendar.name == ROUND_THE_CLOCK:
            return last + length
        session = calendar.session_at(last)
        if session is None:
            session = calendar.next_session((last - timedelta(microseconds=1)).date())
        opening, closing = calendar.hours(session)
        return closing if series.timeframe is Timeframe.DAY else min(max(opening, last) + length, closing)

    def _empty(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        index = pd.DatetimeIndex(np.array([], dtype="datetime64[ns]"), tz="UTC")
        frame = pd.DataFrame(np.empty((0, 5)), index=index, columns=_COLUMNS)
        ends = np.array([], dtype="datetime64[ns]")
        return BarSeries(symbol, timeframe, frame, ends, self._manner.feed_of(timeframe), PriceBasis.AS_TRADED, self._manner.source)

    def _joined(self, old: BarSeries, new: "_Table") -> BarSeries:
        """`old` itself if `new` adds nothing."""
        later = new.ends > (old.ends[-1].astype(np.int64) if len(old.ends) else 0)
        if not later.any():
            return old
        index = pd.DatetimeIndex(new.starts[later].astype("datetime64[ns]"), tz="UTC")
        added = pd.DataFrame(new.cells[later], index=index, columns=_COLUMNS)
        frame = pd.concat([old.frame, added]) if len(old.ends) else added
        return replace(old, frame=frame, ends=np.concatenate([old.ends, new.ends[later].astype("datetime64[ns]")]))

    def _closed(self, symbol: Symbol, timeframe: Timeframe, bars: Iterable[RawBar], now: datetime) -> "_Table":
        """Bars that are sound, belong to a session and have settled, by time."""
        rows = sorted({bar[0]: bar for bar in bars}.values())
        starts = np.array([row[0] for row in rows], dtype=np.int64)
        values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), 5)
        sound = _sound(values)
        if not sound.all():
            self._note(
                f"{symbol}: {int((~sound).sum())} {timeframe} bars of {self._manner.source} break the rules of bars and were left out"
            )
        table = self._placed(_Table(starts[sound], starts[sound], values[sound]), timeframe)
        return table.where(table.ends <= nanoseconds(now - self._manner.settling(timeframe)))

    def _placed(self, table: "_Table", timeframe: Timeframe) -> "_Table":
        """With the starts and ends that sessions give: a day is its session, a shorter bar ends with it at the latest.

        Where the market never closes a day begins when the vendor says so, which need not be midnight.
        """
        if not len(table.starts):
            return table
        length = int(timeframe.duration.total_seconds()) * SECOND
        if self._manner.calendar.name == ROUND_THE_CLOCK:
            return _Table(table.starts, table.starts + length, table.cells)
        days = [_day(nanos) for nanos in (table.starts[0], table.starts[-1])]
        sessions = self._sessions.between(days[0] - timedelta(days=1), days[1] + timedelta(days=1))
        if timeframe is Timeframe.DAY:
            # A day is stamped with its midnight in New York, which lies on the session's date in UTC.
            dates = table.starts.astype("datetime64[ns]").astype("datetime64[D]")
            number = np.minimum(np.searchsorted(sessions.days, dates), len(sessions.days) - 1)
            found = sessions.days[number] == dates
            return _Table(sessions.opens[number], sessions.closes[number], table.cells).where(found)
        number = sessions.number_at(table.starts)
        return _Table(table.starts, np.minimum(table.starts + length, sessions.closes[number]), table.cells).where(number >= 0)


@dataclass(frozen=True, eq=False)
class _Table:
    """Starts and ends (int64 ns) of bars, and their prices and volumes."""

    starts: np.ndarray
    ends: np.ndarray
    cells: np.ndarray

    def where(self, mask: np.ndarray) -> "_Table":
        return _Table(self.starts[mask], self.ends[mask], self.cells[mask])


def _sound(values: np.ndarray) -> np.ndarray:
    """Which rows are finite, above 0, with a high and a low that hold the others, and a volume that is none or more."""
    opens, highs, lows, closes, volumes = values.T
    whole = np.isfinite(values).all(axis=1) & (lows > 0) & (volumes >= 0)
    return np.asarray(whole & (highs >= np.maximum(opens, closes)) & (lows <= np.minimum(opens, closes)))


def _end(series: BarSeries) -> datetime:
    """Close of the newest bar."""
    return datetime.fromtimestamp(int(series.ends[-1].astype("datetime64[s]").astype(np.int64)), UTC)


def _day(nanos: np.int64) -> date:
    return datetime.fromtimestamp(int(nanos) // SECOND, UTC).date()
