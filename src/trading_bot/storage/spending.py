"""What calls of models may cost and did cost: one row a call, in the journal's database, kept by wall time.

Promises that a reservation is durable before it counts, that whoever writes sees every other process's rows, and that a settled call
never changes. Refuses a second reservation or another settlement under one id. Knows no limit: the budget does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError
from sqlalchemy import Connection, Select, func, insert, select, update

from trading_bot.domain.errors import JournalConflictError, JournalDamagedError, StorageError
from trading_bot.domain.values import ZERO, Amount, NonNegative, Record, UtcTime, amount_text
from trading_bot.storage.database import Database
from trading_bot.storage.schema import spending, stamp

_ROWS = select(spending)
_BY_TIME = (spending.c.reserved_at, spending.c.call_id)
_SETTLEMENT = ("settled_at", "outcome", "cost_usd", "input", "output", "cache_read", "cache_write", "turns", "resets_at")


class Settlement(Record):
    """How a call ended and what it used, as it was reported or, for a killed call, as it was reserved."""

    settled_at: UtcTime
    outcome: str
    cost_usd: NonNegative
    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cache_read: int = Field(ge=0)
    cache_write: int = Field(ge=0)
    turns: int = Field(ge=0)
    resets_at: UtcTime | None = None
    """When the vendor's usage limit ends, if the call met it."""


class Spending(Record):
    """One call: reserved, and settled if it has ended."""

    call_id: str
    decision_id: str
    workflow: str
    tier: str
    """Whose money pays for it."""
    model: str
    reserved_at: UtcTime
    day: date
    """UTC day that pays for it, however long it runs."""
    reserved_usd: NonNegative
    settlement: Settlement | None = None
    trade: str = ""
    """The decision that opened the trade which it is about; empty: it is about none."""

    @property
    def counted(self) -> Amount:
        """USD that the day has to answer for: the cost, or the reservation while nobody knows the cost."""
        return self.reserved_usd if self.settlement is None else self.settlement.cost_usd


class SpendingPage:
    """The ledger within one transaction; all reads see one moment."""

    def __init__(self, connection: Connection, name: str, rows: Select[Any] = _ROWS) -> None:
        self._connection = connection
        self._name = name
        self._rows = rows

    def only(self, tier: str) -> "SpendingPage":
        """The same page, but lists of calls and the usage limit are those of one tier."""
        return SpendingPage(self._connection, self._name, self._rows.where(spending.c.tier == tier))

    def newest(self) -> datetime | None:
        """Latest time that stands in the ledger, whatever tier's, None if nothing does."""
        columns = (spending.c.reserved_at, spending.c.settled_at)
        found = [self._connection.execute(select(func.max(column))).scalar() for column in columns]
        return max((datetime.fromisoformat(text) for text in found if text is not None), default=None)

    def of_days(self, first: date, last: date) -> tuple[Spending, ...]:
        """Calls that these days pay for, both included, in order of reservation."""
        return self._read(self._rows.where(spending.c.day.between(first.isoformat(), last.isoformat())).order_by(*_BY_TIME))

    def of_decision(self, decision_id: str) -> tuple[Spending, ...]:
        """Calls that were made for one decision, failures included, in order."""
        return self._read(self._rows.where(spending.c.decision_id == decision_id).order_by(*_BY_TIME))

    def of_trade(self, trade: str) -> tuple[Spending, ...]:
        """Calls about one trade, whatever decision they were made for, in order."""
        return self._read(self._rows.where(spending.c.trade == trade).order_by(*_BY_TIME))

    def cost_of(self, decision_id: str) -> Decimal:
        """USD that these calls cost, or may have cost."""
        return sum((call.counted for call in self.of_decision(decision_id)), ZERO)

    def since(self, moment: datetime) -> tuple[Spending, ...]:
        """Calls reserved after `moment`, in order."""
        return self._read(self._rows.where(spending.c.reserved_at > stamp(moment)).order_by(*_BY_TIME))

    def last_settled(self, count: int) -> tuple[Spending, ...]:
        """The calls that were settled last, newest first."""
        newest_first = (column.desc() for column in (spending.c.settled_at, *_BY_TIME))
        return self._read(self._rows.where(spending.c.settled_at.is_not(None)).order_by(*newest_first).limit(count))

    def resets_at(self) -> datetime | None:
        """The latest time at which a usage limit of the vendor was said to end."""
        found = self._connection.execute(self._rows.with_only_columns(func.max(spending.c.resets_at))).scalar()
        return None if found is None else datetime.fromisoformat(found)

    def get(self, call_id: str) -> Spending:
        """One call. StorageError if it was never reserved."""
        found = self._read(_ROWS.where(spending.c.call_id == call_id))
        if not found:
            msg = f"{self._name}: the call {call_id} was never reserved; nothing was settled"
            raise StorageError(msg)
        return found[0]

    def reserve(self, call: Spending) -> None:
        """Write a reservation. JournalConflictError if there is one under its id."""
        if self._read(_ROWS.where(spending.c.call_id == call.call_id)):
            msg = f"{self._name}: the call {call.call_id} was reserved before; nothing was written"
            raise JournalConflictError(msg)
        row = {**call.model_dump(exclude={"settlement"}), "reserved_at": stamp(call.reserved_at), "day": call.day.isoformat()}
        tokens = dict.fromkeys(("input", "output", "cache_read", "cache_write", "turns"), 0)
        self._connection.execute(insert(spending), {**row, **tokens, "reserved_usd": amount_text(call.reserved_usd)})

    def settle(self, call_id: str, settlement: Settlement) -> None:
        """Write how a call ended; again changes nothing. JournalConflictError if it ended otherwise, StorageError for an unknown call."""
        known = self.get(call_id).settlement
        if known is None:
            self._connection.execute(update(spending).where(spending.c.call_id == call_id).values(_columns(settlement)))
        elif known != settlement.model_copy(update={"settled_at": known.settled_at}):
            msg = f"{self._name}: the call {call_id} is settled already as {known.outcome} at {known.cost_usd} USD; that stays"
            raise JournalConflictError(msg)

    def _read(self, query: Select[Any]) -> tuple[Spending, ...]:
        try:
            return tuple(_spending(dict(row)) for row in self._connection.execute(query).mappings())
        except ValidationError as error:
            msg = f"{self._name}: a row of the spending ledger cannot be read; restore it from a backup: {error}"
            raise JournalDamagedError(msg) from error


class SpendingLedger:
    """The ledger of one home; open it with `SpendingLedger.open`. Any process may, beside the desk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, address: str | Path) -> Self:
        """Open the ledger in the journal's database at `address`, made anew if there is none. StorageError or HomeError."""
        return cls(Database.open(address))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; what was written stays."""
        self._database.close()

    @contextmanager
    def reading(self) -> Iterator[SpendingPage]:
        """The ledger at one moment."""
        with self._database.snapshot() as connection:
            yield SpendingPage(connection, self._database.name)

    @contextmanager
    def writing(self) -> Iterator[SpendingPage]:
        """The ledger while no other process writes: what is read still holds when the block ends, and what is written is durable then."""
        with self._database.writing() as connection:
            yield SpendingPage(connection, self._database.name)


def _columns(settlement: Settlement) -> dict[str, object]:
    resets = settlement.resets_at
    return {
        **settlement.model_dump(),
        "settled_at": stamp(settlement.settled_at),
        "cost_usd": amount_text(settlement.cost_usd),
        "resets_at": None if resets is None else stamp(resets),
    }


def _spending(row: dict[str, Any]) -> Spending:
    ended = {name: row.pop(name) for name in _SETTLEMENT}
    return Spending(**row, settlement=None if ended["settled_at"] is None else Settlement(**ended))
