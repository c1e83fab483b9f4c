"""Times as a person reads them: by the clock of the desk's market."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def clock_name(zone: tzinfo) -> str:
    """What the market's clock is called."""
    return "UTC" if zone is UTC else "ET"


def told(moment: datetime, zone: tzinfo) -> str:
    """Day and time of `moment` on that clock."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M} {clock_name(zone)}"


def eastern(moment: datetime) -> str:
    """A moment on the exchange's clock."""
    return told(moment, NEW_YORK)
