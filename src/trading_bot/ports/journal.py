"""The desk's memory, and the inbox of its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from trading_bot.domain.values import Journaled

R = TypeVar("R", bound="Journaled")


class Journal(Protocol):
    """Append-only memory of the desk. What `append` returned from is durable.

    Idempotent: the same record again changes nothing; another content under the same key raises JournalConflictError.
    """

    desk: str
    """Desk part of client order ids."""

    def append(self, *records: Journaled) -> None:
        """Write all or none."""

    def get(self, record: type[R], key: str) -> R | None:
        """The record of this kind and key."""

    def all(self, record: type[R]) -> tuple[R, ...]:
        """All records of this kind in the order in which they were written."""

    def since(self, record: type[R], moment: datetime) -> tuple[R, ...]:
        """Records of this kind that happened at `moment` or later, in the order in which they were written; nothing of them is kept."""

    def count(self, record: type[Journaled]) -> int:
        """Number of records of this kind."""

    def clock(self) -> datetime | None:
        """Trading time last marked, None in a new journal."""

    def mark_clock(self, moment: datetime) -> None:
        """Remember that trading time has reached `moment`, durably; earlier than the last mark raises ClockError."""

    def head(self) -> tuple[int, str]:
        """Number of rows and hash of the last, the anchor of the audit chain."""

    def post(self, item: InboxItem) -> None:
        """Put something into the inbox; any process may. The same id again changes nothing."""

    def pending(self) -> tuple[InboxItem, ...]:
        """Inbox items that were not consumed, in order of arrival."""

    def consume(self, item_id: str, *records: Journaled) -> None:
        """Mark an item as done and append what came of it, in one transaction."""


@dataclass(frozen=True)
class InboxItem:
    """A message to the owner of the home."""

    id: str
    kind: str
    """`command`, `proposal` or `approval`."""
    body: str
    """Canonical JSON."""
    posted_at: datetime
    """Wall time."""
