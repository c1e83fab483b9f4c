"""Sessions of the New York Stock Exchange and of markets that never close.

Promises that every time is aware and UTC, that a half day's close is its early close, and that a look-up costs O(log n).
Refuses to guess: a day outside the calendar, or none of its sessions where one is needed, raises NoDataError.
"""

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from trading_bot.domain.errors import ConfigError, NoDataError
from trading_bot.ports import Calendar

NEW_YORK = ZoneInfo("America/New_York")
FIRST_DAY = date(1986, 1, 1)
"""First day of `XNYS`: the exchange has opened at 9:30 and closed at 16:00 since 1985-09-30."""
LAST_DAY = date(2040, 12, 31)
"""Last day of `XNYS`. The rules for holidays reach further; closings by decree are known only once the library knows them."""
_DAY = timedelta(days=1)


class SessionCalendar:
    """A calendar whose sessions stand in a table: `days` rising, with the opening and the closing time of each."""

    def __init__(
        self, name: str, days: Sequence[date], opens: Sequence[datetime], closes: Sequence[datetime], zone: tzinfo = NEW_YORK
    ) -> None:
        self.name = name
        self.zone = zone
        self._days, self._opens, self._closes = list(days), list(opens), list(closes)
        self._hours = dict(zip(self._days, zip(self._opens, self._closes, strict=True), strict=True))

    def is_session(self, day: date) -> bool:
        """Whether the market opens on `day`; False for a day outside the calendar."""
        return day in self._hours

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """Sessions from `first` to `last`, both included; only those that the calendar knows."""
        return tuple(self._days[bisect_left(self._days, first) : bisect_right(self._days, last)])

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """Opening and closing time of a session. NoDataError if `session` is none or lies outside the calendar."""
        if session not in self._hours:
            msg = f"{session} is no session of {self.name}; ask for one between {self._days[0]} and {self._days[-1]}"
            raise NoDataError(msg)
        return self._hours[session]

    def session_at(self, moment: datetime) -> date | None:
        """The session that is open at `moment` (opening included, closing excluded)."""
        number = bisect_right(self._opens, moment) - 1
        return self._days[number] if number >= 0 and moment < self._closes[number] else None

    def next_session(self, day: date) -> date:
        """First session after `day`. NoDataError if the calendar ends before it."""
        return self._known(bisect_right(self._days, day), "after", day)

    def previous_session(self, day: date) -> date:
        """Last session before `day`. NoDataError if the calendar starts after it."""
        return self._known(bisect_left(self._days, day) - 1, "before", day)

    def _known(self, number: int, where: str, day: date) -> date:
        if not 0 <= number < len(self._days):
            msg = f"{self.name} knows no session {where} {day}; it reaches from {self._days[0]} to {self._days[-1]}"
            raise NoDataError(msg)
        return self._days[number]


class AlwaysOpen:
    """A market that never closes: a session is a UTC day, from midnight to midnight."""

    name = "24/7"
    zone: tzinfo = UTC

    def is_session(self, day: date) -> bool:  # noqa: ARG002 - the port asks; every day is one
        """Return True: every day is a session."""
        return True

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """All days from `first` to `last`, both included."""
        return tuple(first + n * _DAY for n in range((last - first).days + 1))

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """Midnight, and the midnight after it."""
        opening = datetime.combine(session, time(), UTC)
        return opening, opening + _DAY

    def session_at(self, moment: datetime) -> date | None:
        """The UTC day of `moment`."""
        return moment.astimezone(UTC).date()

    def next_session(self, day: date) -> date:
        """The day after `day`."""
        return day + _DAY

    def previous_session(self, day: date) -> date:
        """The day before `day`."""
        return day - _DAY


@cache
def open_calendar(name: str) -> Calendar:
    """Return the calendar called `name` (`XNYS` or `24/7`), built once per process. ConfigError for another name."""
    makers: dict[str, Callable[[], Calendar]] = {"XNYS": _new_york, "24/7": AlwaysOpen}
    if name not in makers:
        msg = f"there is no calendar called {name!r}; use one of {', '.join(makers)}"
        raise ConfigError(msg)
    return makers[name]()


def last_closed(calendar: Calendar, moment: datetime) -> date:
    """Return the newest session whose closing time is at or before `moment`."""
    today = moment.astimezone(UTC).date()
    if calendar.is_session(today) and calendar.hours(today)[1] <= moment:
        return today
    return calendar.previous_session(today)


def _new_york() -> SessionCalendar:
    import exchange_calendars  # noqa: PLC0415 - 365 ms that a 24/7 desk need not pay

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the library uses what pandas 3.1 deprecates
        table = exchange_calendars.get_calendar("XNYS", start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
    days = [day.date() for day in table.sessions]
    return SessionCalendar(
        "XNYS",
        days,
        [moment.astimezone(UTC) for moment in table.opens.dt.to_pydatetime()],
        [moment.astimezone(UTC) for moment in table.closes.dt.to_pydatetime()],
    )
