"""Splits and dividends as a vendor announces them, kept for an hour.

Promises that they are read anew after each opening of a session, which is when they take effect, and that all symbols are read
together. A read that fails leaves the last answer in force for six hours, after which the failure is raised.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from trading_bot.domain.errors import SourceFailedError
from trading_bot.domain.market import CorporateAction
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar

_KEPT = timedelta(hours=1)
_AT_LONGEST = timedelta(hours=6)
_AGAIN = timedelta(minutes=1)
_BATCH = 100

Announcements = Mapping[Symbol, tuple[CorporateAction, ...]]
Read = Callable[[Sequence[Symbol], datetime], Announcements]
"""What is announced of some symbols, read at a moment."""


class Announced:
    """Actions of the symbols that are followed."""

    def __init__(self, calendar: Calendar, read: Read, now: Callable[[], datetime]) -> None:
        self._calendar = calendar
        self._read = read
        self._now = now
        self._followed: list[Symbol] = []
        self._known: dict[Symbol, tuple[CorporateAction, ...]] = {}
        self._read_at: datetime | None = None
        self._due: datetime | None = None

    def follow(self, symbols: Iterable[Symbol]) -> None:
        """Read of these symbols too."""
        new = [symbol for symbol in symbols if symbol not in self._followed]
        self._followed += new
        if new:
            self._due = None

    def of(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """By rising ex-date; the same object until something changes. SourceFailedError if they cannot be known."""
        self.follow([symbol])
        now = self._now()
        if self._due is None or now >= self._due:
            self._renew(now)
        return self._known.get(symbol, ())

    def _renew(self, now: datetime) -> None:
        try:
            told: dict[Symbol, tuple[CorporateAction, ...]] = {}
            for first in range(0, len(self._followed), _BATCH):
                told |= self._read(self._followed[first : first + _BATCH], now)
        except SourceFailedError:
            known = all(symbol in self._known for symbol in self._followed)
            if not known or self._read_at is None or now - self._read_at > _AT_LONGEST:
                raise
            self._due = now + _AGAIN
            return
        for symbol in self._followed:
            new = told.get(symbol, ())
            if self._known.get(symbol) != new:
                self._known[symbol] = new
        self._read_at = now
        self._due = min(now + _KEPT, self._next_opening(now))

    def _next_opening(self, now: datetime) -> datetime:
        """The opening that comes; a little later, since it is then that the vendor has said the last."""
        day = now.date()
        today = self._calendar.hours(day)[0] if self._calendar.is_session(day) else now
        return today if today > now else self._calendar.hours(self._calendar.next_session(day))[0]
