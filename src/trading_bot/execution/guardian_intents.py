"""The guardian's own file: what it is about to do, durable before it does it, and how that ended. The desk imports it at its next start.

One canonical JSON line for each entry, each with the hash of the line before it. Promises that an entry is on the disk when `append`
returns, that processes may append side by side, and that a last line which was torn by a crash counts as never written: what it
announced was not sent either. Refuses a file that was damaged before its last line.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from trading_bot.domain.errors import DiskFullError, JournalDamagedError, StorageError
from trading_bot.domain.mandate import Cure
from trading_bot.domain.orders import ApprovedOrder, OrderIntent, OrderRole
from trading_bot.domain.proposals import Verdict
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId, Digest, Record, UtcTime, derive_digest
from trading_bot.execution.plain_files import read_plain
from trading_bot.ports import Journal

_GENESIS = Digest("0" * 64)
_MODE = 0o600
_MOST_BYTES = 256 * 2**20
_LOCK_TRIES, _LOCK_PAUSE_S = 300, 0.01
_FULL = frozenset({28, 122})
"""ENOSPC and EDQUOT."""


class Began(Record):
    """It is about to act; whom it is about to kill for that."""

    type: Literal["began"] = "began"
    at: UtcTime
    what: Cure
    cause: str
    kills: str = ""


class Meant(Record):
    """An order that it is about to send."""

    type: Literal["meant"] = "meant"
    at: UtcTime
    verdict: Verdict
    order: ApprovedOrder

    @property
    def client_order_id(self) -> ClientOrderId:
        """The order's id."""
        return self.order.spec.client_order_id


class Canceling(Record):
    """An order that it is about to cancel."""

    type: Literal["canceling"] = "canceling"
    at: UtcTime
    client_order_id: ClientOrderId


class Sent(Record):
    """The one definite end of sending one order."""

    type: Literal["sent"] = "sent"
    at: UtcTime
    client_order_id: ClientOrderId
    outcome: SendOutcome
    reason: str = ""


class Ended(Record):
    """It has acted; what came of it."""

    type: Literal["ended"] = "ended"
    at: UtcTime
    what: Cure
    note: str


Entry = Annotated[Began | Meant | Canceling | Sent | Ended, Field(discriminator="type")]


class Line(Record):
    """An entry in its place in the chain."""

    entry: Entry
    previous: Digest
    hash: Digest


_LINE: TypeAdapter[Line] = TypeAdapter(Line)


class GuardianLog:
    """The file at `path`, made when something is first written. StorageError if it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> tuple[Entry, ...]:
        """Everything that was written, oldest first. JournalDamagedError if a line before the last is no more what it was."""
        try:
            return tuple(line.entry for line in _parsed(read_plain(self._path, _MOST_BYTES), self._path)[0])
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error

    def set_aside(self, now: datetime) -> str:
        """Move away what is no more what was written, whatever it is; what happened, in words, empty if nothing had to."""
        try:
            self.entries()
        except StorageError as error:
            aside = self._path.with_suffix(f".damaged-{now:%Y%m%dT%H%M%S}")
            try:
                self._path.rename(aside)
            except OSError as stuck:
                return f"{error}. It cannot be moved away: {stuck}"
            return f"{error}. It lies in {aside.name} now, and a new one was begun."
        return ""

    def append(self, entry: Entry) -> None:
        """Make an entry durable, in the place of a torn last line if there is one."""
        try:
            with self._alone() as descriptor:
                lines, whole = _parsed(os.pread(descriptor, os.fstat(descriptor).st_size, 0), self._path)
                previous = lines[-1].hash if lines else _GENESIS
                line = Line(entry=entry, previous=previous, hash=derive_digest(previous, entry.canonical()))
                os.ftruncate(descriptor, whole)
                os.pwrite(descriptor, line.canonical().encode() + b"\n", whole)
                os.fsync(descriptor)
        except OSError as error:
            kind = DiskFullError if error.errno in _FULL else StorageError
            raise kind(
                f"{self._path} could not be written: {error}; nothing was sent. Free some space, or close positions by hand"
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[int]:
        known = self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _MODE)
        try:
            _lock(descriptor)
            yield descriptor
            if not known:
                _sync_folder(self._path.parent)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Wait for others who append, but not for one that was stopped while it did. OSError then."""
    for _ in range(_LOCK_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_LOCK_PAUSE_S)
    raise OSError(errno.EAGAIN, "another process holds it")


def unsettled(entries: Iterable[Entry]) -> tuple[Meant, ...]:
    """Orders whose sending has no definite end yet, oldest first."""
    meant: dict[ClientOrderId, Meant] = {}
    for entry in entries:
        if isinstance(entry, Meant):
            meant[entry.client_order_id] = entry
        elif isinstance(entry, Sent):
            meant.pop(entry.client_order_id, None)
    return tuple(meant.values())


def import_intents(path: Path, journal: Journal) -> int:
    """Take what the guardian sent over into the desk's journal, before its ledger is built; return how many orders were new.

    Idempotent. What has no definite end comes in as an intent without one, which the desk resolves like its own. What it closed for a
    person and was never the desk's stays out of the books, as the position did.
    """
    traded = {i.order.spec.symbol for i in journal.all(OrderIntent) if i.order.spec.role is OrderRole.ENTRY}
    new, imported = 0, set[ClientOrderId]()
    for entry in GuardianLog(path).entries():
        if isinstance(entry, Meant) and entry.order.spec.symbol in traded:
            imported.add(entry.client_order_id)
            if journal.get(OrderIntent, entry.client_order_id) is None:
                journal.append(entry.verdict, OrderIntent(at=entry.at, order=entry.order))
                new += 1
        elif isinstance(entry, Sent) and entry.client_order_id in imported and journal.get(Send, entry.client_order_id) is None:
            journal.append(Send(at=entry.at, client_order_id=entry.client_order_id, outcome=entry.outcome, reason=entry.reason))
    return new


def _parsed(raw: bytes, path: Path) -> tuple[list[Line], int]:
    """Whole lines, and the number of bytes that they take; what follows the last line end was torn."""
    whole = raw.rfind(b"\n") + 1
    lines: list[Line] = []
    previous = _GENESIS
    for number, text in enumerate(raw[:whole].splitlines(), start=1):
        try:
            line = _LINE.validate_json(text)
        except ValidationError as error:
            raise _damaged(path, number) from error
        if line.previous != previous or line.hash != derive_digest(previous, line.entry.canonical()):
            raise _damaged(path, number)
        lines.append(line)
        previous = line.hash
    return lines, whole


def _damaged(path: Path, number: int) -> JournalDamagedError:
    return JournalDamagedError(
        f"{path}, line {number}: it was changed after it was written; compare with the venue's orders, then move the file away"
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
