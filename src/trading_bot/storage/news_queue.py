"""The embedded queue of articles: a database of its own in the home, for any number of processes of one machine.

Promises what the port does: what `put` returned from is durable, and given to somebody until it is done. What a holder did not end within
its lease is given out alone, so that an article which kills its reader takes nothing along. Every delivery counts as an attempt, whatever
became of it. Refuses more than its capacity, and keeps no more of the dead than that: the oldest of those are forgotten.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from trading_bot.domain.errors import HomeLockedError, QueueError, QueueFullError
from trading_bot.domain.news import RawArticle
from trading_bot.ports import WallClock
from trading_bot.ports.news import Delivery, QueueState
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.database import Database
from trading_bot.storage.schema import stamp

_LOOK = 0.02
"""Seconds between two looks of who waits for an article."""
_GIVEN_BACK = ""
"""In the place of a time, and earlier than any."""

_metadata = MetaData()
_undone = Table(
    "queue",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("raw", Text, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("holder", Text, nullable=False, default=""),
    Column("held_at", String(32)),
    Index("ix_queue_line", "held_at", "id"),
    sqlite_autoincrement=True,  # an id that is done is never another's
)
"""`held_at`: None while nobody has had it."""
_dead = Table(
    "dead",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("raw", Text, nullable=False),
    Column("why", Text, nullable=False),
    sqlite_autoincrement=True,
)


class EmbeddedQueue:
    """A queue in one file; open it with `EmbeddedQueue.open`. `sleep` waits between two looks."""

    def __init__(self, database: Database, settings: QueueSettings, wall: WallClock, sleep: Callable[[float], object]) -> None:
        self._database = database
        self._settings = settings
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._wall = wall
        self._sleep = sleep

    @classmethod
    def open(cls, path: Path, settings: QueueSettings, wall: WallClock, sleep: Callable[[float], object] = time.sleep) -> Self:
        """Open the queue at `path`, made anew if there is none. StorageError, HomeError or QueueError."""
        with _patiently():
            return cls(Database.open(path, _make_tables), settings, wall, sleep)

    def put(self, raws: Sequence[RawArticle]) -> None:
        """Add all, or none with QueueFullError."""
        rows = [{"raw": raw.model_dump_json()} for raw in raws]
        with self._writing() as connection:
            if _count(connection, _undone) + len(rows) > self._settings.capacity:
                raise full(len(rows), self._settings.capacity)
            if rows:
                connection.execute(insert(_undone), rows)

    def take(self, worker: str, most: int, patience: timedelta) -> Sequence[Delivery]:
        """Up to `most` that nobody has had, or one whose holder did not end in time; looks again until `patience` is over."""
        for _ in range(math.ceil(patience.total_seconds() / _LOOK)):
            if self._has_any() and (taken := self._take(worker, most)):
                return taken
            self._sleep(_LOOK)
        return self._take(worker, most) if self._has_any() else ()

    def done(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these; again changes nothing."""
        if deliveries:
            with self._writing() as connection:
                connection.execute(delete(_undone).where(_undone.c.id == bindparam("of")), [{"of": int(d.id)} for d in deliveries])

    def failed(self, delivery: Delivery, why: str) -> None:
        """Let it be given out again, or bury it; what was given to another meanwhile stays his."""
        with self._writing() as connection:
            this = (_undone.c.id == int(delivery.id)) & (_undone.c.attempt == delivery.attempt)
            if delivery.attempt < self._settings.attempts:
                connection.execute(update(_undone).where(this).values(held_at=_GIVEN_BACK))
            else:
                self._bury(connection, this, lambda _: why)

    def state(self) -> QueueState:
        """Its numbers now; the oldest is the first in line."""
        with _patiently(), self._database.snapshot() as connection:
            undone = _count(connection, _undone)
            first = connection.execute(select(_undone.c.raw).order_by(_undone.c.id).limit(1)).scalar()
            held = undone - _count(connection, _undone, or_(_undone.c.held_at.is_(None), self._late()))
            raw = None if first is None else readable(first)
            return QueueState(undone - held, held, _count(connection, _dead), None if raw is None else raw.received_at)

    def dead(self, most: int) -> Sequence[tuple[RawArticle, str]]:
        """The dead, newest first, with their reasons."""
        with _patiently(), self._database.reading() as connection:
            rows = connection.execute(select(_dead.c.raw, _dead.c.why).order_by(_dead.c.id.desc()).limit(most)).all()
        return [(raw, row.why) for row in rows if (raw := readable(row.raw)) is not None]

    def revive(self) -> int:
        """Put the dead back, oldest first, as many as there is room for; return how many."""
        with self._writing() as connection:
            room = max(self._settings.capacity - _count(connection, _undone), 0)
            rows = connection.execute(select(_dead.c.id, _dead.c.raw).order_by(_dead.c.id).limit(room)).all()
            if rows:
                connection.execute(insert(_undone), [{"raw": row.raw} for row in rows])
                connection.execute(delete(_dead).where(_dead.c.id <= rows[-1].id))
        return len(rows)

    def close(self) -> None:
        """Let go of the file; what it holds stays."""
        self._database.close()

    def _has_any(self) -> bool:
        """Whether somebody could take something. Only reads, so that those who wait do not lock out those who write."""
        query = select(_undone.c.id).where(or_(_undone.c.held_at.is_(None), self._late())).limit(1)
        with _patiently(), self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def _take(self, worker: str, most: int) -> Sequence[Delivery]:
        with self._writing() as connection:
            late = self._late()
            spent = late & (_undone.c.attempt >= self._settings.attempts)
            self._bury(connection, spent, lambda row: never_ended(self._settings, row.holder))
            query = select(_undone.c.id, _undone.c.raw, _undone.c.attempt).order_by(_undone.c.id)
            rows = connection.execute(query.where(late).limit(1)).all()
            rows = rows or connection.execute(query.where(_undone.c.held_at.is_(None)).limit(most)).all()
            held = {"attempt": _undone.c.attempt + 1, "holder": worker, "held_at": stamp(self._wall.now())}
            taking = update(_undone).where(_undone.c.id == bindparam("of")).values(held)
            if rows:
                connection.execute(taking, [{"of": row.id} for row in rows])
        return [Delivery(str(row.id), raw, row.attempt + 1) for row in rows if (raw := readable(row.raw)) is not None]

    def _late(self) -> ColumnElement[bool]:
        """Those whose holder did not end in time; so is one that is held since later than now, for the machine's clock was put back."""
        now = self._wall.now()
        return or_(_undone.c.held_at <= stamp(now - self._lease), _undone.c.held_at > stamp(now + self._lease))

    def _bury(self, connection: Connection, which: ColumnElement[bool], why: Callable[[Row[Any]], str]) -> None:
        rows = connection.execute(select(_undone).where(which).order_by(_undone.c.id)).all()
        if rows:
            connection.execute(insert(_dead), [{"raw": row.raw, "why": why(row)} for row in rows])
            connection.execute(delete(_undone).where(which))
            newest = select(func.max(_dead.c.id)).scalar_subquery()
            connection.execute(delete(_dead).where(_dead.c.id <= newest - self._settings.capacity))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _patiently(), self._database.writing() as connection:
            yield connection


def readable(text: str) -> RawArticle | None:
    """An article as it was put, None where another version of this program wrote it: whoever cannot read it leaves it to who can."""
    try:
        return RawArticle.model_validate_json(text)
    except ValidationError:
        return None


def never_ended(settings: QueueSettings, holder: str) -> str:
    """Why an article is dead that its readers did not survive."""
    return f"not done within {settings.lease_seconds:g} s, {settings.attempts} times; last held by {holder}"


def full(more: int, capacity: int) -> QueueFullError:
    """The error where there is no room."""
    return QueueFullError(
        f"the queue of articles has no room for {more} more (news.queue.capacity is {capacity}); nothing was added: "
        "start more workers (`news workers`), or wait until they have caught up"
    )


@contextmanager
def _patiently() -> Iterator[None]:
    """A file that others keep locked is one that can be used later."""
    try:
        yield
    except HomeLockedError as error:
        raise QueueError(str(error)) from error


def _make_tables(database: Database) -> None:
    with database.reading() as connection:
        if connection.dialect.has_table(connection, _dead.name):
            return
    with database.writing() as connection:
        _metadata.create_all(connection)


def _count(connection: Connection, table: Table, *which: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*which)).scalar_one())
