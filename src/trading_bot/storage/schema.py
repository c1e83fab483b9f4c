"""Tables of the journal, in what SQLite and PostgreSQL both have, and the hash that chains its rows.

Promises that a row's hash covers all of the row and the hash before it, so that no row can be changed, dropped, added or
moved without every later hash telling. The journal is its own audit trail: one append-only table, nothing beside it to disagree.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Index, Integer, MetaData, String, Table, Text, UniqueConstraint, false

from trading_bot.domain.errors import JournalConflictError
from trading_bot.domain.values import Journaled, canonical_json

VERSIONS = ("0001", "0002", "0003", "0004")
"""Every schema that this program knows, oldest first; the last is the current one."""

GENESIS = "0" * 64
"""Stands for the hash before the first row."""

metadata = MetaData()

_BigKey = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in an INTEGER."""

journal = Table(
    "journal",
    metadata,
    Column("seq", _BigKey, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("wall", String(32)),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("kind", "key", name="uq_journal_kind_key"),
    Index("ix_journal_kind_seq", "kind", "seq"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("arrival", _BigKey, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("posted_at", String(32), nullable=False),
    Column("consumed", Boolean(), nullable=False, server_default=false()),
)

spending = Table(
    "spending",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False, index=True),
    Column("workflow", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("reserved_at", String(32), nullable=False, index=True),
    Column("day", String(10), nullable=False, index=True),
    Column("reserved_usd", Text, nullable=False),
    Column("settled_at", String(32), index=True),
    Column("outcome", String(32)),
    Column("cost_usd", Text),
    Column("input", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("cache_read", BigInteger, nullable=False),
    Column("cache_write", BigInteger, nullable=False),
    Column("turns", BigInteger, nullable=False),
    Column("resets_at", String(32), index=True),
    Column("trade", Text, nullable=False, server_default="", index=True),
)
"""Calls of models, by wall time; outside the journal's chain."""

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)


on_a_server = MetaData()
"""Tables that only a server has; where the journal is a file, bars are files too."""

bars = Table(
    "bars",
    on_a_server,
    Column("symbol", Text, primary_key=True),
    Column("timeframe", Text, primary_key=True),
    Column("start", DateTime(timezone=True), primary_key=True),
    Column("end", DateTime(timezone=True), nullable=False),
    *(Column(name, Double, nullable=False) for name in ("open", "high", "low", "close", "volume")),
    Column("feed", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("source", Text, nullable=False),
)
"""Feed, basis and source are the same in all rows of a symbol and timeframe."""

actions = Table(
    "actions",
    on_a_server,
    Column("symbol", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
"""Splits and dividends of a symbol, as JSON."""


class Columns(TypedDict):
    """One row of the journal as it is stored."""

    seq: int
    kind: str
    key: str
    at: str
    wall: str | None
    body: str
    previous: str
    hash: str


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds, always as long, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def conflict(row: "Row", known: str) -> JournalConflictError:
    """The error that `row` meets where `known` was journaled under its key before."""
    then, now = known[:200], row.body[:200]
    msg = f"{row.kind} {row.key} is journaled already with another content; nothing was written (then: {then}; now: {now})"
    return JournalConflictError(msg)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the journal before it is chained; times as `stamp` writes them."""

    kind: str
    key: str
    at: str
    wall: str | None
    body: str

    @classmethod
    def of(cls, record: Journaled, wall: datetime | None) -> "Row":
        """The row that keeps `record`, written at wall time `wall`."""
        return cls(record.kind, record.key, stamp(record.at), None if wall is None else stamp(wall), record.canonical())

    def hash_after(self, previous: str, seq: int) -> str:
        """SHA-256 over the previous hash and all of the row, as 64 hex digits."""
        content = canonical_json([previous, seq, self.kind, self.key, self.at, self.wall, self.body])
        return hashlib.sha256(content.encode()).hexdigest()

    def columns(self, previous: str, seq: int) -> "Columns":
        """The row as it is stored as number `seq` after the row with hash `previous`."""
        return {
            "seq": seq,
            "kind": self.kind,
            "key": self.key,
            "at": self.at,
            "wall": self.wall,
            "body": self.body,
            "previous": previous,
            "hash": self.hash_after(previous, seq),
        }
