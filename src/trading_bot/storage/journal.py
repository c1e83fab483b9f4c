"""The journal in a database: one append-only table that is memory and audit trail at once, and the inbox beside it.

Promises that what `append` returned from survives a crash of the machine, all or none, and that processes may append, post
and read side by side. Refuses another content under a known key, and time that goes backwards.
"""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar, cast

from pydantic import ValidationError
from sqlalchemy import Connection, bindparam, func, insert, select, true, update

from trading_bot.domain.errors import ClockError, HomeMismatchError, JournalDamagedError, StorageError
from trading_bot.domain.values import Journaled
from trading_bot.ports import InboxItem, WallClock
from trading_bot.storage.database import Database
from trading_bot.storage.schema import GENESIS, Row, conflict, inbox, journal, meta, stamp

R = TypeVar("R", bound=Journaled)

DESK_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
DESK_LENGTH = 6
FACT = "fact "
"""Begins the keys of what `bind` remembers, apart from the journal's own `head` and `clock`."""

_META = select(meta.c.value).where(meta.c.key == bindparam("name"))
_SET_META = update(meta).where(meta.c.key == bindparam("name")).values(value=bindparam("new"))
_ADD_META = insert(meta)
_BODY = select(journal.c.body).where(journal.c.kind == bindparam("kind_"), journal.c.key == bindparam("key_"))
_ADD_ROW = insert(journal)
_NEWER = (
    select(journal.c.seq, journal.c.body)
    .where(journal.c.kind == bindparam("kind_"), journal.c.seq > bindparam("after"))
    .order_by(journal.c.seq)
)
_SINCE = select(journal.c.body).where(journal.c.kind == bindparam("kind_"), journal.c.at >= bindparam("moment_")).order_by(journal.c.seq)
_COUNT = select(func.count()).where(journal.c.kind == bindparam("kind_"))
_ITEM = select(inbox.c.id).where(inbox.c.id == bindparam("id_"))
_ADD_ITEM = insert(inbox)
_PENDING = select(inbox.c.id, inbox.c.kind, inbox.c.body, inbox.c.posted_at).where(~inbox.c.consumed).order_by(inbox.c.arrival)
_CONSUME = update(inbox).where(inbox.c.id == bindparam("id_")).values(consumed=true())


def drawn_desk() -> str:
    """A new desk part of order ids, drawn from the system and not from the seed.

    Two homes that trade one account must never make the same order id, whatever their settings.
    """
    return "".join(secrets.choice(DESK_ALPHABET) for _ in range(DESK_LENGTH))


def checked_desk(desk: str) -> str:
    """Return `desk` if it can be part of an order id, else raise HomeMismatchError."""
    if len(desk) != DESK_LENGTH or not set(desk) <= set(DESK_ALPHABET):
        msg = f"the desk part of order ids is {DESK_LENGTH} characters of [a-z0-9], not {desk!r}"
        raise HomeMismatchError(msg)
    return desk


class SqlJournal:
    """A `Journal` in SQLite or PostgreSQL; `open` makes one."""

    def __init__(self, database: Database, wall: WallClock | None, desk: str) -> None:
        self._database = database
        self._wall = wall
        self._parsed: dict[type[Journaled], tuple[int, list[Journaled]]] = {}
        self.desk = desk

    @classmethod
    def open(cls, address: str | Path, wall: WallClock | None = None, desk: str | None = None) -> "SqlJournal":
        """Open the journal at `address` (a file, or a URL of SQLAlchemy), made anew if there is none.

        `wall`: stamps rows with real time; None leaves the column empty. `desk`: desk part of client order ids, 6 of `[a-z0-9]`;
        None takes the remembered one, and for a new journal draws one. Raises StorageError or HomeError, HomeMismatchError
        if the journal remembers another desk.
        """
        with ExitStack() as undo:
            opened = cls.look(address, wall, desk)
            undo.callback(opened.close)
            if opened.fact("desk") != opened.desk:
                opened.name_desk(drawn=desk is None)
            undo.pop_all()
        return opened

    @classmethod
    def look(cls, address: str | Path, wall: WallClock | None = None, desk: str | None = None) -> "SqlJournal":
        """Open the journal like `open`, but remember nothing: whoever looks at a home before its owner must not name its desk."""
        with ExitStack() as undo:
            database = Database.open(address)
            undo.callback(database.close)
            with database.reading() as connection:
                remembered = _remembered(connection, FACT + "desk")
            opened = cls(database, wall, checked_desk(desk or remembered or drawn_desk()))
            undo.pop_all()
        return opened

    def relax(self) -> None:
        """Keep what is written from a process's death alone: for time that is simulated, where nothing is at stake."""
        self._database.relax()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; what was written stays."""
        self._database.close()

    def name_desk(self, *, drawn: bool) -> None:
        """Remember the desk part; where it was `drawn` and another process was quicker, take that one's."""
        try:
            self.bind({"desk": self.desk})
        except HomeMismatchError:
            if not drawn:
                raise
            self.desk = checked_desk(self.fact("desk") or self.desk)

    def own(self) -> None:
        """Be the one owner of a server's database until `close` or the end of this process. HomeLockedError if another process is."""
        self._database.own()

    def fact(self, name: str) -> str | None:
        """What `bind` remembered under this name, None if nothing."""
        with self._database.reading() as connection:
            return _remembered(connection, FACT + name)

    def remember(self, name: str, value: str) -> None:
        """Remember a fact that may change from start to start; `fact` gives it back."""
        with self._database.writing() as connection:
            _remember(connection, FACT + name, value)

    def bind(self, facts: Mapping[str, str]) -> None:
        """Remember what this home is (clock, seed, account); HomeMismatchError if it was remembered as something else."""
        with self._database.writing() as connection:
            for name, value in facts.items():
                known = _remembered(connection, FACT + name)
                if known not in {None, value}:
                    where = self._database.name
                    msg = f"{where} was made with {name} {known}, not {value}; keep that, or use another home (TRADING_BOT_HOME)"
                    raise HomeMismatchError(msg)
                if known is None:
                    connection.execute(_ADD_META, {"key": FACT + name, "value": value})

    def append(self, *records: Journaled) -> None:
        """Write all or none, durably. JournalConflictError if a key is known with another content."""
        rows = self._rows(records)
        with self._database.writing() as connection:
            _write(connection, rows)

    def get(self, record: type[R], key: str) -> R | None:
        """The record of this kind and key."""
        with self._database.reading() as connection:
            body = connection.execute(_BODY, {"kind_": record.kind, "key_": key}).scalar()
        return None if body is None else _parse(record, body)

    def all(self, record: type[R]) -> tuple[R, ...]:
        """All records of this kind in the order in which they were written."""
        # Rows never change, so only those written since the last call are read and parsed.
        last, known = self._parsed.get(record, (0, []))
        with self._database.reading() as connection:
            newer = connection.execute(_NEWER, {"kind_": record.kind, "after": last}).all()
        known.extend(_parse(record, body) for _, body in newer)
        self._parsed[record] = (newer[-1].seq if newer else last, known)
        return cast("tuple[R, ...]", tuple(known))

    def since(self, record: type[R], moment: datetime) -> tuple[R, ...]:
        """Records of this kind from `moment` on. Unlike those of `all` they are read anew each time: what runs for weeks keeps few."""
        with self._database.reading() as connection:
            found = connection.execute(_SINCE, {"kind_": record.kind, "moment_": stamp(moment)}).scalars().all()
        return tuple(_parse(record, body) for body in found)

    def count(self, record: type[Journaled]) -> int:
        """Number of records of this kind."""
        with self._database.reading() as connection:
            return connection.execute(_COUNT, {"kind_": record.kind}).scalar_one()

    def clock(self) -> datetime | None:
        """Trading time last marked, None in a new journal."""
        with self._database.reading() as connection:
            value = _remembered(connection, "clock")
        return None if value is None else datetime.fromisoformat(value)

    def mark_clock(self, moment: datetime) -> None:
        """Remember that trading time has reached `moment`, durably; ClockError if it is earlier than the last mark."""
        new = stamp(moment)
        with self._database.writing() as connection:
            known = _remembered(connection, "clock")
            refuse_earlier(new, known)
            if new != known:
                _remember(connection, "clock", new)

    def head(self) -> tuple[int, str]:
        """Number of rows and hash of the last, the anchor of the audit chain."""
        with self._database.reading() as connection:
            return _head(connection)

    def post(self, item: InboxItem) -> None:
        """Put something into the inbox; any process may. The same id again changes nothing."""
        with self._database.writing() as connection:
            if connection.execute(_ITEM, {"id_": item.id}).first() is None:
                connection.execute(_ADD_ITEM, {**asdict(item), "posted_at": stamp(item.posted_at)})

    def pending(self) -> tuple[InboxItem, ...]:
        """Inbox items that were not consumed, in order of arrival."""
        with self._database.reading() as connection:
            found = connection.execute(_PENDING).all()
        return tuple(InboxItem(i, kind, body, datetime.fromisoformat(posted)) for i, kind, body, posted in found)

    def consume(self, item_id: str, *records: Journaled) -> None:
        """Mark an item as done and append what came of it, in one transaction. StorageError if there is no such item."""
        rows = self._rows(records)
        with self._database.writing() as connection:
            if connection.execute(_CONSUME, {"id_": item_id}).rowcount == 0:
                raise unknown_item(item_id)
            _write(connection, rows)

    def _rows(self, records: Sequence[Journaled]) -> list[Row]:
        wall = None if self._wall is None else self._wall.now()
        return [Row.of(record, wall) for record in records]


def refuse_earlier(new: str, known: str | None) -> None:
    """Raise ClockError if `new` lies before `known`, the clock's last mark (both as `stamp` writes them)."""
    if known is not None and new < known:
        msg = f"trading time went back from {known} to {new}; nothing was written. Correct the system's clock, or use another home"
        raise ClockError(msg)


def unknown_item(item_id: str) -> StorageError:
    """The error of consuming what was never posted."""
    return StorageError(f"the inbox has no item {item_id}; nothing was written")


def _write(connection: Connection, rows: Sequence[Row]) -> None:
    # Read inside the transaction: another process may have appended since.
    first, previous = seq, _ = _head(connection)
    for row in rows:
        known = connection.execute(_BODY, {"kind_": row.kind, "key_": row.key}).scalar()
        if known is None:
            seq += 1
            columns = row.columns(previous, seq)
            connection.execute(_ADD_ROW, columns)
            previous = columns["hash"]
        elif known != row.body:
            raise conflict(row, known)
    if seq > first:
        _remember(connection, "head", f"{seq}:{previous}")


def _head(connection: Connection) -> tuple[int, str]:
    seq, _, digest = (_remembered(connection, "head") or f"0:{GENESIS}").partition(":")
    if not seq.isdecimal():
        raise JournalDamagedError("what the journal remembers of its end was changed; run `audit verify`")
    return int(seq), digest


def _remembered(connection: Connection, name: str) -> str | None:
    return connection.execute(_META, {"name": name}).scalar()


def _remember(connection: Connection, name: str, value: str) -> None:
    if connection.execute(_SET_META, {"name": name, "new": value}).rowcount == 0:
        connection.execute(_ADD_META, {"key": name, "value": value})


def _parse(record: type[R], body: str) -> R:
    try:
        return record.model_validate_json(body)
    except ValidationError as error:
        msg = f"a {record.kind} in the journal cannot be read; run `audit verify`, or update the program: {error}"
        raise JournalDamagedError(msg) from error
