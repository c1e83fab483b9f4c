"""The desk's heartbeat: a small file that its loop writes anew each time it has looked at the venue, and that the guardian reads.

Promises that a reader sees a whole beat or none, and that writing costs no fsync. Refuses to stop the desk: a beat that cannot be
written is a beat that is missing, which is what the guardian looks for.
"""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from trading_bot.domain.values import Record, UtcTime


class Beat(Record):
    """That the desk lived at `at` (wall time), and until when it may be busy with one thing, such as a question to a model."""

    at: UtcTime
    until: UtcTime

    def silence(self, now: datetime) -> float:
        """Seconds for which nothing was heard that should have been; 0 while the desk may be busy."""
        return max((now - max(self.at, self.until)).total_seconds(), 0.0)


class Heartbeat:
    """Writes beats to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh = path.with_name(f".{path.name}")

    def beat(self, now: datetime, until: datetime | None = None) -> None:
        """The desk lives at `now`; `until`: it will be busy for so long at most (wall times)."""
        with suppress(OSError):
            self._fresh.write_text(Beat(at=now, until=until or now).canonical(), "utf-8")
            os.replace(self._fresh, self._path)  # noqa: PTH105 - a third of the time of pathlib's, several times a second


def read(path: Path) -> Beat | None:
    """The newest beat in `path`, None if there never was one or it cannot be read."""
    try:
        return Beat.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
