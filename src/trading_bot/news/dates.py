"""When an article was published, by what its feed wrote and when it was received.

Promises an aware UTC time and what is wrong with it, by these rules: RFC 822 (with or without weekday and seconds), ISO 8601 and dates as
Americans write them are read; a zone is an offset or a name that means one place; no zone, or a name that means several (IST), is UTC and
ASSUMED_ZONE; what cannot be read is UNDATED, and later than `AHEAD` after receipt is FUTURE: the time of receipt stands for both; before
`LONG` before receipt is ANCIENT and keeps its date. Refuses to read a bare number: nobody knows what it counts from.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from trading_bot.domain.news import Mark

AHEAD = timedelta(minutes=5)
LONG = timedelta(days=30)
_MOST = 80
_HOURS = dict.fromkeys(("gmt", "ut", "utc", "z", "wet"), 0) | {
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "akst": -9,
    "akdt": -8,
    "hst": -10,
    "bst": 1,
    "cet": 1,
    "cest": 2,
    "eet": 2,
    "eest": 3,
    "west": 1,
    "msk": 3,
    "hkt": 8,
    "sgt": 8,
    "jst": 9,
    "kst": 9,
    "aest": 10,
    "aedt": 11,
}
_CLOCKS = {
    "et": ZoneInfo("America/New_York"),
    "ct": ZoneInfo("America/Chicago"),
    "mt": ZoneInfo("America/Denver"),
    "pt": ZoneInfo("America/Los_Angeles"),
}
"""Names without a season: the wall clock decides."""
_MONTHS = {
    name: number
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)
}
_ZONE = r"\s*(?P<zone>[+-]\d{1,2}:?\d{2}|(?:gmt|utc)[+-]\d{1,2}(?::?\d{2})?|[a-z]{1,5})?\.?(?:\s*\([^()]*\))?"
_TIME = rf"(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}})(?:[.,]\d+)?)?\s*(?P<half>[ap]\.?m\b\.?)?{_ZONE}"
_RFC = re.compile(
    rf"(?:[a-z]{{2,9}}(?:\.?,\s*|\.?\s+))?(?P<day>\d{{1,2}})[\s-]+(?P<month>[a-z]{{3,9}})\.?,?[\s-]+(?P<year>\d{{4}}|\d{{2}})(?:,?\s+(?:at\s+)?{_TIME})?",
    re.ASCII,
)
_AMERICAN = re.compile(
    rf"(?:[a-z]{{2,9}}\.?,?\s+)?(?P<month>[a-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?:,?\s+(?:at\s+)?{_TIME})?",
    re.ASCII,
)
_ISO = re.compile(
    rf"(?P<year>\d{{4}})(?P<dash>[-/.]?)(?P<month>\d{{2}})(?P=dash)(?P<day>\d{{2}})"
    rf"(?:[t\s]+(?P<hour>\d{{2}}):?(?P<minute>\d{{2}})(?::?(?P<second>\d{{2}})(?:[.,]\d+)?)?{_ZONE})?",
    re.ASCII,
)
_OFFSET = re.compile(r"(?:gmt|utc)?(?P<sign>[+-])(?P<hours>\d{1,2}?):?(?P<minutes>\d{2})?\Z", re.ASCII)
_CENTURY = 50
"""RFC 2822: two digits below it are of this century."""
_NOON = 12
_LEAP = 60


def read(published: str, received_at: datetime) -> tuple[datetime, tuple[Mark, ...]]:
    """Return when the article was published, and what is wrong with what its feed says."""
    at, marks = _read(published)
    if at is None:
        return received_at, (Mark.UNDATED,)
    if at > received_at + AHEAD:
        return received_at, (Mark.FUTURE, *marks)
    return at, (Mark.ANCIENT, *marks) if at < received_at - LONG else marks


def _read(published: str) -> tuple[datetime | None, tuple[Mark, ...]]:
    text = " ".join(published[:_MOST].split()).lower()
    found = _ISO.fullmatch(text) or _RFC.fullmatch(text) or _AMERICAN.fullmatch(text)
    if found is None:
        return None, ()
    zone = _zone(found["zone"] or "")
    try:
        return _moment(found.groupdict()).replace(tzinfo=zone or UTC).astimezone(UTC), () if zone else (Mark.ASSUMED_ZONE,)
    except (ValueError, OverflowError):
        return None, ()


def _moment(parts: dict[str, str | None]) -> datetime:
    """The wall clock's time; ValueError where there is no such day or hour."""
    year, month = int(parts["year"] or 0), parts["month"] or ""
    if len(parts["year"] or "") == 2:  # noqa: PLR2004 - digits
        year += 2000 if year < _CENTURY else 1900
    hour, second = int(parts["hour"] or 0), int(parts["second"] or 0)
    half = (parts.get("half") or "")[:1]
    if half and not 1 <= hour <= _NOON:
        raise ValueError("no such hour")
    hour = hour % _NOON + (_NOON if half == "p" else 0) if half else hour
    number = int(month) if month.isdecimal() else _MONTHS.get(month[:3], 0)
    return datetime(year, number, int(parts["day"] or 0), hour, int(parts["minute"] or 0), 59 if second == _LEAP else second)  # noqa: DTZ001 - its zone is put on by who asks


def _zone(text: str) -> tzinfo | None:
    """The zone of a name or an offset, None where it says none that is known."""
    if text in _CLOCKS:
        return _CLOCKS[text]
    if text in _HOURS:
        return timezone(timedelta(hours=_HOURS[text]))
    offset = _OFFSET.match(text)
    if offset is None:
        return None
    size = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"] or 0))
    return timezone(size if offset["sign"] == "+" else -size) if size < timedelta(hours=24) else None
