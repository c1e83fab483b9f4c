"""The journal in memory, for backtests: the same promises but durability, until `save` writes all of it to a file.

Promises the same rows, hashes and answers as `SqlJournal` without a wall clock. Refuses to save over an existing file.
"""

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import insert

from trading_bot.domain.errors import HomeError
from trading_bot.domain.values import Journaled
from trading_bot.ports import InboxItem
from trading_bot.storage.database import Database
from trading_bot.storage.journal import FACT, checked_desk, refuse_earlier, unknown_item
from trading_bot.storage.schema import GENESIS, Columns, Row, conflict, inbox, journal, meta, stamp

R = TypeVar("R", bound=Journaled)
_Place = tuple[str, str]


class MemoryJournal:
    """A `Journal` of one process's life."""

    def __init__(self, desk: str) -> None:
        self.desk = checked_desk(desk)
        self._records: dict[_Place, Journaled] = {}
        self._by_kind: dict[str, list[Journaled]] = defaultdict(list)
        self._chained: list[Columns] = []
        self._clock: str | None = None
        self._items: dict[str, InboxItem] = {}
        self._consumed: set[str] = set()

    def append(self, *records: Journaled) -> None:
        """Keep all or none. JournalConflictError if a key is known with another content."""
        fresh: dict[_Place, Journaled] = {}
        for record in records:
            place = (record.kind, record.key)
            known = self._records.get(place) or fresh.setdefault(place, record)
            if known is not record and known != record:
                raise conflict(Row.of(record, None), Row.of(known, None).body)
        for place, record in fresh.items():
            self._records[place] = record
            self._by_kind[record.kind].append(record)

    def get(self, record: type[R], key: str) -> R | None:
        """The record of this kind and key."""
        return cast("R | None", self._records.get((record.kind, key)))

    def all(self, record: type[R]) -> tuple[R, ...]:
        """All records of this kind in the order in which they were written."""
        return cast("tuple[R, ...]", tuple(self._by_kind.get(record.kind, ())))

    def since(self, record: type[R], moment: datetime) -> tuple[R, ...]:
        """Records of this kind from `moment` on."""
        return tuple(found for found in self.all(record) if found.at >= moment)

    def count(self, record: type[Journaled]) -> int:
        """Number of records of this kind."""
        return len(self._by_kind.get(record.kind, ()))

    def clock(self) -> datetime | None:
        """Trading time last marked, None in a new journal."""
        return None if self._clock is None else datetime.fromisoformat(self._clock)

    def mark_clock(self, moment: datetime) -> None:
        """Remember that trading time has reached `moment`; ClockError if it is earlier than the last mark."""
        new = stamp(moment)
        refuse_earlier(new, self._clock)
        self._clock = new

    def head(self) -> tuple[int, str]:
        """Number of rows and hash of the last, the anchor of the audit chain."""
        chained = self._chain()
        return len(chained), chained[-1]["hash"] if chained else GENESIS

    def post(self, item: InboxItem) -> None:
        """Put something into the inbox. The same id again changes nothing."""
        self._items.setdefault(item.id, item)

    def pending(self) -> tuple[InboxItem, ...]:
        """Inbox items that were not consumed, in order of arrival."""
        return tuple(item for item in self._items.values() if item.id not in self._consumed)

    def consume(self, item_id: str, *records: Journaled) -> None:
        """Mark an item as done and append what came of it, both or neither. StorageError if there is no such item."""
        if item_id not in self._items:
            raise unknown_item(item_id)
        self.append(*records)
        self._consumed.add(item_id)

    def save(self, path: Path) -> None:
        """Write everything to a new file that `SqlJournal.open` reads. HomeError if something is there already."""
        if path.exists():
            msg = f"{path} exists already and is kept; move it away, or save the journal elsewhere"
            raise HomeError(msg)
        chained = self._chain()
        seq, digest = self.head()
        facts = {f"{FACT}desk": self.desk, "head": f"{seq}:{digest}", "clock": self._clock}
        items = [{**asdict(i), "posted_at": stamp(i.posted_at), "consumed": i.id in self._consumed} for i in self._items.values()]
        database = Database.open(path)
        try:
            with database.writing() as connection:
                connection.execute(insert(meta), [{"key": key, "value": value} for key, value in facts.items() if value is not None])
                if chained:
                    connection.execute(insert(journal), list(chained))
                if items:
                    connection.execute(insert(inbox), items)
        finally:
            database.close()

    def _chain(self) -> list[Columns]:
        """Rows with their hashes, which are reckoned when first asked for."""
        previous = self._chained[-1]["hash"] if self._chained else GENESIS
        for record in list(self._records.values())[len(self._chained) :]:
            self._chained.append(Row.of(record, None).columns(previous, len(self._chained) + 1))
            previous = self._chained[-1]["hash"]
        return self._chained
