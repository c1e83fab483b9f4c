"""Verify the journal's chain: find any row that was changed, added, lost, moved or cut off, and name the first.

Promises that a journal which verifies holds exactly the rows that were written, as far back as its anchors reach. An anchor is
a head (number of rows, hash of the last) that was written down elsewhere, such as in a daily report: it alone betrays
someone who rewrote the whole chain and the head that the journal itself remembers. Refuses to repair anything.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, select

from trading_bot.domain.errors import HomeError
from trading_bot.domain.values import Record
from trading_bot.storage.database import Database, url_of
from trading_bot.storage.schema import GENESIS, Columns, Row, journal, meta

Anchor = tuple[int, str]

_ROWS = select(journal).order_by(journal.c.seq).execution_options(yield_per=1000)
_HEAD = select(meta.c.value).where(meta.c.key == "head")


class AuditResult(Record):
    """What verification found."""

    rows: int
    """Rows that verified, from the first without a gap."""
    head: str
    """Hash of the last of them."""
    first_bad: int | None = None
    """Number of the first row that is not as it was written; None if all are."""
    problem: str = ""
    """What is wrong with it, in words."""

    @property
    def intact(self) -> bool:
        """Whether the journal is what was written."""
        return self.first_bad is None


def verify(address: str | Path, anchors: Iterable[Anchor] = ()) -> AuditResult:
    """Read the whole journal at `address` and compare it with its hashes, its head and `anchors` (number of rows, hash).

    Raises JournalDamagedError if the file cannot be read as a database, HomeError if there is none or it cannot be opened.
    """
    url = url_of(address)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        msg = f"there is no journal at {address}; if there was one, restore it from a backup"
        raise HomeError(msg)
    wanted: dict[int, list[str]] = {}
    for seq, digest in anchors:
        wanted.setdefault(seq, []).append(digest)
    database = Database.open(address)
    try:
        with database.snapshot() as connection:
            return _audit(connection, wanted)
    finally:
        database.close()


def _audit(connection: Connection, anchors: dict[int, list[str]]) -> AuditResult:
    head = str(connection.execute(_HEAD).scalar() or f"0:{GENESIS}")
    with connection.execute(_ROWS) as found:  # on a server the first bad row leaves the rest unread
        return _followed((cast("Columns", row) for row in found.mappings()), head, anchors)


def _followed(rows: Iterable[Columns], head: str, anchors: dict[int, list[str]]) -> AuditResult:
    seq, digest = 0, GENESIS
    for columns in rows:
        problem = _problem(columns, seq + 1, digest)
        if not problem and any(anchor != columns["hash"] for anchor in anchors.get(seq + 1, ())):
            problem = "its hash is not the one that was anchored outside the journal: the chain was rewritten up to here"
        if problem:
            return AuditResult(rows=seq, head=digest, first_bad=seq + 1, problem=f"row {seq + 1}: {problem}")
        seq, digest = seq + 1, columns["hash"]
    problem = _ending(seq, digest, head, max(anchors, default=0))
    return AuditResult(rows=seq, head=digest, first_bad=seq + 1 if problem else None, problem=problem)


def _problem(columns: Columns, seq: int, digest: str) -> str:
    """What is wrong with the row that should be number `seq` after the row with hash `digest`; empty if nothing is."""
    name = f"it ({columns['kind']} {columns['key']})"
    if columns["seq"] != seq:
        return f"it is missing; the next row is number {columns['seq']}"
    if columns["previous"] != digest:
        return f"{name} does not follow the row before it: rows were replaced or moved"
    row = Row(columns["kind"], columns["key"], columns["at"], columns["wall"], columns["body"])
    if row.hash_after(digest, seq) != columns["hash"]:
        return f"{name} was changed after it was written"
    return ""


def _ending(seq: int, digest: str, head: str, farthest: int) -> str:
    if farthest > seq:
        return f"row {seq + 1}: it is missing; an anchor outside the journal knows {farthest} rows: the end was cut off"
    if head != f"{seq}:{digest}":
        known = head.partition(":")[0]
        return f"row {seq + 1}: the journal remembers {known} rows and their hash, but holds {seq}: rows were cut off or added"
    return ""
