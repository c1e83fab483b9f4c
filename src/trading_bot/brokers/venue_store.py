"""Where the venue keeps its state: a SQLite file, or memory for backtests, behind one interface.

Promises that a turn is exclusive among threads and processes, that it is written whole or not at all and survives a crash of the
machine, and that a turn reads only what is open. The tables are meant to be read: times in ISO 8601, prices and quantities as
decimals. Refuses the file of another account (HomeMismatchError) and a file of a newer schema (SchemaTooNewError).
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from pydantic import TypeAdapter

from trading_bot.brokers import venue_rows as rows
from trading_bot.brokers.state import State, VenueOrder
from trading_bot.brokers.units import moment
from trading_bot.domain.errors import BrokerUnavailableError, DiskFullError, HomeMismatchError, SchemaTooNewError, StorageError
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.values import ClientOrderId

SCHEMA = 2
_PATIENCE = 30.0
"""Seconds to wait for another process's turn."""
_EVENT: TypeAdapter[BrokerEvent] = TypeAdapter(BrokerEvent)


@dataclass(frozen=True)
class Changes:
    """What one turn changed."""

    account: str
    state: State
    orders: tuple[VenueOrder, ...]
    events: tuple[BrokerEvent, ...]


class Ledger(Protocol):
    """The store during one turn."""

    def load(self, account: str) -> State | None:
        """The state, to be changed at will; None if the venue is new. HomeMismatchError if it is another account's."""

    def save(self, changes: Changes) -> None:
        """Write what the turn changed."""

    def find(self, client_order_id: ClientOrderId) -> VenueOrder | None:
        """An order as last saved, open or closed."""

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Saved events with a sequence above `after`."""

    def refusal(self, client_order_id: ClientOrderId) -> str | None:
        """Why an order with this id was refused."""

    def refuse(self, client_order_id: ClientOrderId, reason: str, at: int) -> None:
        """Remember a refusal."""


class VenueStore(Protocol):
    """Gives out turns."""

    def exclusive(self) -> AbstractContextManager[Ledger]:
        """One turn: written when it ends, forgotten if it raises."""


@dataclass
class _Memory:
    """All that a venue in memory has."""

    state: State | None = None
    orders: dict[ClientOrderId, VenueOrder] = field(default_factory=dict)
    told: list[BrokerEvent] = field(default_factory=list)
    refused: dict[ClientOrderId, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self.lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def load(self, account: str) -> State | None:  # noqa: ARG002 - memory lives as long as its account
        return None if self.state is None else self.state.copy()

    def save(self, changes: Changes) -> None:
        self.state = changes.state
        self.orders.update((order.client_order_id, order) for order in changes.orders)
        self.told.extend(changes.events)

    def find(self, client_order_id: ClientOrderId) -> VenueOrder | None:
        return self.orders.get(client_order_id)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        return tuple(self.told[after:])

    def refusal(self, client_order_id: ClientOrderId) -> str | None:
        return self.refused.get(client_order_id)

    def refuse(self, client_order_id: ClientOrderId, reason: str, at: int) -> None:  # noqa: ARG002 - nobody reads the time of it
        self.refused[client_order_id] = reason


class MemoryVenueStore:
    """A `VenueStore` that lasts as long as the process."""

    def __init__(self) -> None:
        self._memory = _Memory()

    def exclusive(self) -> AbstractContextManager[Ledger]:
        """One turn. What a turn saves it saves last, so that one which raises leaves nothing."""
        return self._memory


class SqliteVenueStore:
    """A `VenueStore` in one file, made if it is missing. StorageError if it cannot be used; `close` lets go of it.

    `relaxed`: turns survive the death of a process, and no longer that of the machine.
    """

    def __init__(self, path: Path, *, relaxed: bool = False) -> None:
        self._path = path
        self._relaxed = relaxed
        self._lock = threading.Lock()
        self._last: State | None = None
        """What was last committed or read here: it is the file's state as long as the version is the same."""
        with _translated(path):
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:  # edge: undone, then raised again
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def exclusive(self) -> Iterator[Ledger]:
        """One turn, in one exclusive transaction."""
        with self._lock, _translated(self._path):
            self._connection.execute("BEGIN EXCLUSIVE")
            ledger = _SqliteLedger(self._connection, self._path, self._last)
            try:
                yield ledger
                self._connection.execute("COMMIT")
                self._last = ledger.last
            except BaseException:  # edge: undone, then raised again
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _prepare(self) -> None:
        with _translated(self._path):
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(f"PRAGMA synchronous={'NORMAL' if self._relaxed else 'FULL'}")
            self._connection.execute("BEGIN EXCLUSIVE")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA:
                self._connection.execute("ROLLBACK")
                msg = f"{self._path} has schema {version}, this program knows {SCHEMA}: start the version that wrote it"
                raise SchemaTooNewError(msg)
            for statement in rows.TABLES if version == 0 else [rows.UPGRADES[n] for n in range(version, SCHEMA)]:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={SCHEMA}")
            self._connection.execute("COMMIT")


class _SqliteLedger:
    """The file during one turn."""

    def __init__(self, connection: sqlite3.Connection, path: Path, last: State | None) -> None:
        self._connection = connection
        self._path = path
        self.last = last

    def load(self, account: str) -> State | None:
        row = self._connection.execute(rows.READ_ACCOUNT).fetchone()
        if row is None:
            return None
        owner, state = rows.state(row)
        if owner != account:
            raise HomeMismatchError(f"{self._path} is the paper account {owner}, not {account}: set broker.account, or use another home")
        if self.last is None or self.last.version != state.version:
            held = (rows.holding(row) for row in self._connection.execute(rows.READ_HOLDINGS))
            state.holdings = {holding.symbol: holding for holding in held}
            working = (rows.order(row) for row in self._connection.execute(rows.READ_WORKING))
            state.orders = {order.number: order for order in working}
            self.last = state
        return self.last.copy()

    def save(self, changes: Changes) -> None:
        connection, state = self._connection, changes.state
        self.last = state
        connection.execute(rows.WRITE_ACCOUNT, rows.account_row(changes.account, state))
        connection.execute(rows.CLEAR_HOLDINGS)
        connection.executemany(rows.WRITE_HOLDING, [rows.holding_row(h) for h in state.holdings.values()])
        connection.executemany(rows.WRITE_ORDER, [rows.order_row(o) for o in changes.orders])
        told = [(e.sequence, e.at.isoformat(), e.type, e.model_dump_json()) for e in changes.events]
        connection.executemany(rows.WRITE_EVENT, told)

    def find(self, client_order_id: ClientOrderId) -> VenueOrder | None:
        row = self._connection.execute(rows.FIND_ORDER, (client_order_id,)).fetchone()
        return None if row is None else rows.order(row)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        return tuple(_EVENT.validate_json(body) for (body,) in self._connection.execute(rows.READ_EVENTS, (after,)))

    def refusal(self, client_order_id: ClientOrderId) -> str | None:
        row = self._connection.execute(rows.FIND_REFUSAL, (client_order_id,)).fetchone()
        return None if row is None else str(row[0])

    def refuse(self, client_order_id: ClientOrderId, reason: str, at: int) -> None:
        self._connection.execute(rows.WRITE_REFUSAL, (client_order_id, reason, moment(at).isoformat()))


_ERRORS: tuple[tuple[int, type[Exception], str], ...] = (
    (sqlite3.SQLITE_BUSY, BrokerUnavailableError, "is held by another process; nothing was sent, try again"),
    (sqlite3.SQLITE_FULL, DiskFullError, "cannot grow, the disk is full; nothing was written, make room and start again"),
    (sqlite3.SQLITE_IOERR, StorageError, "met a disk that did not take or give it; nothing was written, look at free space and limits"),
    (sqlite3.SQLITE_READONLY, StorageError, "cannot be written; nothing was, make the home writable"),
    (sqlite3.SQLITE_CANTOPEN, StorageError, "cannot be opened; look at its folder and permissions"),
)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Raise the desk's errors for SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        for code, kind, what in _ERRORS:
            if code == primary:
                raise kind(f"the paper venue's file {path} {what}") from error
        raise StorageError(
            f"the paper venue's file {path} cannot be used ({error}): restore it from a copy, or use another home"
        ) from error
