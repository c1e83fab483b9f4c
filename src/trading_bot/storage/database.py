"""Open the journal's database: settings that make a commit durable, migrations, and errors that say what to do.

Promises that a returned commit survives a crash of the machine, that an up-to-date database opens without loading
Alembic, and that every database error comes out as a DeskError. Refuses a newer schema, and a file that is no journal.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import RLock

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from trading_bot.domain.errors import (
    DeskError,
    DiskFullError,
    HomeError,
    HomeLockedError,
    JournalDamagedError,
    SchemaTooNewError,
    StorageError,
)
from trading_bot.storage.schema import VERSIONS

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)

_WRITE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}
_SNAPSHOT = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ"}

_ERRORS: dict[str, tuple[type[DeskError], str]] = {
    "SQLITE_FULL": (DiskFullError, "the disk is full, so nothing more is journaled or sent; free some space and start again"),
    "SQLITE_IOERR": (StorageError, "the disk did not take or give it: look at free space, quotas, limits and the disk, then start again"),
    "SQLITE_READONLY": (HomeError, "it is read-only; make file and folder writable for this user"),
    "SQLITE_CANTOPEN": (HomeError, "it cannot be opened; its folder must exist and be writable for this user"),
    "SQLITE_PERM": (HomeError, "this user may not use it; change its owner"),
    "SQLITE_AUTH": (HomeError, "this user may not use it; change its owner"),
    "SQLITE_NOTADB": (JournalDamagedError, "it is not a database; restore it from a backup, or move it away to begin anew"),
    "SQLITE_CORRUPT": (JournalDamagedError, "it is damaged; restore it from a backup, or move it away to begin anew"),
    "SQLITE_CONSTRAINT": (JournalDamagedError, "its rows contradict each other; run `audit verify`"),
    "SQLITE_BUSY": (HomeLockedError, "another process has kept it locked for 10 s; nothing was written, try again"),
    "SQLITE_LOCKED": (HomeLockedError, "another connection keeps it locked; nothing was written, try again"),
}
"""By SQLite's primary result code; an extended code (`SQLITE_READONLY_DBMOVED`) begins with it."""


def url_of(address: str | Path) -> URL:
    """SQLAlchemy's URL of `address`: a URL as it is, anything else is a file of SQLite."""
    if isinstance(address, str) and "://" in address:
        return make_url(address)
    return URL.create("sqlite", database=str(address))


class Database:
    """One connection to one database, for one thread at a time; open it with `Database.open`."""

    def __init__(self, engine: Engine, connection: Connection, name: str) -> None:
        self._engine = engine
        self._connection = connection
        self._lock = RLock()
        self.name = name

    @classmethod
    def open(cls, address: str | Path) -> "Database":
        """Connect and bring the schema up to date. Raises StorageError or HomeError."""
        url = url_of(address)
        name = url.render_as_string(hide_password=True) if url.host else str(url.database)
        # Transactions are begun and ended by hand: the driver would begin them too late to keep two writers apart.
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=_connect_args(url))
        event.listen(engine, "connect", _apply_pragmas)
        with _translated(name):
            database = cls(engine, engine.connect(), name)
        with ExitStack() as undo:
            undo.callback(database.close)
            database._bring_up_to_date()
            undo.pop_all()
        return database

    def close(self) -> None:
        """Give the connection back; what was committed stays."""
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for single reads, each of which sees the newest commit."""
        with self._lock, _translated(self.name):
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose reads all see one moment, while others go on writing."""
        with self._transaction(_SNAPSHOT[self._engine.dialect.name]) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that no other writer interrupts: committed and durable at the end of the block, or gone without a trace."""
        with self._transaction(_WRITE[self._engine.dialect.name]) as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._lock, _translated(self.name):
            self._connection.exec_driver_sql(begin)
            try:
                yield self._connection
                self._connection.exec_driver_sql("COMMIT")
            finally:
                self._roll_back()

    def _roll_back(self) -> None:
        """Undo what was not committed, if anything; SQLite has already done so after a full disk or an I/O error."""
        driver = self._connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection) or driver.in_transaction:  # PostgreSQL only warns if there is none
            self._connection.exec_driver_sql("ROLLBACK")

    def _bring_up_to_date(self) -> None:
        with self.reading() as connection:
            version = _version(connection, self.name)
        if version == VERSIONS[-1]:
            return
        with self.writing() as connection:
            if _version(connection, self.name) != VERSIONS[-1]:
                _migrate(connection)


def _connect_args(url: URL) -> dict[str, object]:
    return {"check_same_thread": False} if url.get_backend_name() == "sqlite" else {}


def _apply_pragmas(driver: object, _record: object) -> None:
    if isinstance(driver, sqlite3.Connection):
        for pragma in _PRAGMAS:
            driver.execute(pragma)


def _version(connection: Connection, name: str) -> str | None:
    """Schema of the database, None if it is empty."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables or "journal" not in tables:
        msg = f"{name} is a database, but not a journal; give the address of another file"
        raise JournalDamagedError(msg)
    version = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if version not in VERSIONS:
        msg = f"{name} has schema {version}, this program knows up to {VERSIONS[-1]}; update the program"
        raise SchemaTooNewError(msg)
    return version


def _migrate(connection: Connection) -> None:
    from alembic.command import upgrade  # noqa: PLC0415 - an up-to-date journal opens without loading it
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    upgrade(config, "head")


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise _desk_error(name, getattr(error, "orig", error)) from error
    except sqlite3.Error as error:
        raise _desk_error(name, error) from error


def _desk_error(name: str, error: BaseException | None) -> DeskError:
    code = getattr(error, "sqlite_errorname", "")
    for primary, (kind, advice) in _ERRORS.items():
        if code.startswith(primary):
            return kind(f"{name}: {advice} ({error})")
    return StorageError(f"{name}: the database refused; nothing of this write is kept ({error})")
