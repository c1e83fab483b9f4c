"""Sessions of a calendar as arrays, for work on many bars at once.

Promises that a span is asked of the calendar once; refuses nothing: a day outside the calendar raises the calendar's own error.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

import numpy as np
import pandas as pd

from trading_bot.ports import Calendar

ZONES = {"XNYS": "America/New_York", "24/7": "UTC"}
"""Local zone of each calendar, for times that a file gives by the exchange's clock."""
MILLI = 10**6
"""Nanoseconds of a millisecond."""
SECOND = 10**9
MINUTE = 60 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds of an aware time since 1970, exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def moment_of(nanos: int) -> datetime:
    """The aware UTC time of `nanos` nanoseconds since 1970, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=int(nanos) // 1000)


def stamps(times: pd.Series | pd.Index) -> np.ndarray:
    """Nanoseconds since 1970 of a column or index of times (int64, by UTC for aware ones)."""
    return np.asarray(pd.DatetimeIndex(times).as_unit("ns").asi8)


@dataclass(frozen=True, eq=False)
class Sessions:
    """Sessions, oldest first: `days` (datetime64[D]), `opens` and `closes` (int64 ns, UTC)."""

    days: np.ndarray
    opens: np.ndarray
    closes: np.ndarray

    def cut(self, first: date, last: date) -> Self:
        """The sessions from `first` to `last`, both included."""
        low = int(np.searchsorted(self.days, np.datetime64(first, "D")))
        high = int(np.searchsorted(self.days, np.datetime64(last, "D"), side="right"))
        return type(self)(self.days[low:high], self.opens[low:high], self.closes[low:high])

    def number_at(self, nanos: np.ndarray) -> np.ndarray:
        """Number of the session that is open at each time, -1 where none is."""
        number = np.searchsorted(self.opens, nanos, side="right") - 1
        inside = (number >= 0) & (nanos < self.closes[np.maximum(number, 0)]) if len(self.opens) else number >= 0
        return np.where(inside, number, -1)


class SessionTable:
    """The sessions of one calendar, remembered; the span that is known grows as it is asked."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._span: tuple[date, date] | None = None
        self._known: Sessions | None = None

    def between(self, first: date, last: date) -> Sessions:
        """Sessions from `first` to `last`, both included."""
        if self._known is None or self._span is None or first < self._span[0] or last > self._span[1]:
            low, high = self._span or (first, last)
            self._span = (min(first, low), max(last, high))
            self._known = self._read(*self._span)
        return self._known.cut(first, last)

    def _read(self, first: date, last: date) -> Sessions:
        days = self._calendar.sessions(first, last)
        hours = [self._calendar.hours(day) for day in days]
        return Sessions(
            np.array(days, dtype="datetime64[D]"),
            np.array([nanoseconds(opening) for opening, _ in hours], dtype=np.int64),
            np.array([nanoseconds(closing) for _, closing in hours], dtype=np.int64),
        )
