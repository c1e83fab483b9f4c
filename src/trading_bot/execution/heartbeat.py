"""The desk's heartbeat: a small file that its loop writes anew each time it has looked at the venue, and that the guardian reads.

Promises that a reader sees a whole beat or none, and that writing costs no fsync. Refuses to stop the desk: a beat that cannot be
written is a beat that is missing, which is what the guardian looks for.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from trading_bot.domain.values import Record, UtcTime
from trading_bot.execution.plain_files import read_plain, replace_plain

_MOST_BYTES = 4096
_MOST_BUSY = timedelta(hours=1)
"""No question to a model takes longer; a beat that says more is not believed."""


class Beat(Record):
    """That the desk lived at `at` (wall time), and until when it may be busy with one thing, such as a question to a model."""

    at: UtcTime
    until: UtcTime

    def silence(self, now: datetime) -> float:
        """Seconds for which nothing was heard that should have been; 0 while the desk may be busy."""
        return max((now - max(self.at, min(self.until, self.at + _MOST_BUSY))).total_seconds(), 0.0)

    def seen(self, when: datetime) -> "Beat":
        """The beat as who saw it first at `when` takes it: one from later than that, by a clock that was set back, counts from then."""
        ahead = max(self.at - when, timedelta(0))
        return Beat(at=self.at - ahead, until=self.until - ahead)


class Heartbeat:
    """Writes beats to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def beat(self, now: datetime, until: datetime | None = None) -> None:
        """The desk lives at `now`; `until`: it will be busy for so long at most (wall times)."""
        with suppress(OSError):
            replace_plain(self._path, Beat(at=now, until=until or now).canonical().encode(), durable=False)


def read(path: Path) -> Beat | None:
    """The newest beat in `path`, None if there never was one or it cannot be read."""
    try:
        return Beat.model_validate_json(read_plain(path, _MOST_BYTES))
    except (OSError, ValidationError):
        return None
