"""Open the journal's database: settings that make a commit durable, migrations, and errors that say what to do.

Promises that a returned commit survives a crash of the machine that keeps the database, that an up-to-date database opens without
loading Alembic, and that every database error comes out as a DeskError. Refuses a newer schema, a database that is no journal, and to
go on after a connection broke: who holds it has to start again. SQLite keeps a file; a URL of PostgreSQL names a server's database.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.pool import NullPool

from trading_bot.domain.errors import DatabaseAwayError, HomeError, JournalDamagedError, SchemaTooNewError
from trading_bot.settings import without_password
from trading_bot.storage.refusals import UNREACHABLE, translated
from trading_bot.storage.schema import VERSIONS

Address = str | Path
"""A file of SQLite, or a URL of SQLAlchemy."""

_PATIENCE_S = 10
_LOOK_S = 0.01
_PRIMARY = 0xFF
"""Of an error's code, the part without its kind."""
_PRAGMAS = (
    "PRAGMA busy_timeout = 0",  # two that turn one new file into a WAL would wait for each other
    "PRAGMA journal_mode = WAL",
    f"PRAGMA busy_timeout = {_PATIENCE_S * 1000}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)

_SERVER_OPTIONS = "-c synchronous_commit=on -c lock_timeout=10000"
"""What the pragmas say, for PostgreSQL; who needs more (`remote_apply`) says so in the URL's own options, which come after."""
_SERVER_CONNECTION = {
    "application_name": "trading-bot",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20000,
}
"""A server that went away without a word is an error after some 20 s, not a desk that hangs for hours."""

_KEY = "hashtext('trading_bot {purpose} ' || coalesce(current_schema(), ''))"
"""Advisory locks are the database's; desks that share one have a schema each."""
_WRITE = {
    "sqlite": "BEGIN IMMEDIATE",
    # A plain BEGIN would let two writers read the same head.
    "postgresql": f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({_KEY})",
}
_SNAPSHOT = {"sqlite": "BEGIN", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


def url_of(address: Address) -> URL:
    """SQLAlchemy's URL of `address`: a URL as it is, anything else is a file of SQLite."""
    if isinstance(address, str) and "://" in address:
        return make_url(address)
    return URL.create("sqlite", database=str(address))


def named(address: Address) -> str:
    """`address` for people: without its password."""
    return without_password(address) if isinstance(address, str) else str(address)


class Database:
    """One connection to one database, for one thread at a time; open it with `Database.open`."""

    def __init__(self, engine: Engine, connection: Connection, name: str) -> None:
        self._engine = engine
        self._connection = connection
        self._lock = RLock()
        self.name = name

    @classmethod
    def open(cls, address: Address, ready: "Callable[[Database], None] | None" = None) -> "Database":
        """Connect and bring the journal's schema up to date, or do what `ready` does in its place. Raises StorageError or HomeError."""
        url, name = url_of(address), named(address)
        with translated(name):
            # Transactions are begun and ended by hand: the driver would begin them too late to keep two writers apart.
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=_connect_args(url))
            event.listen(engine, "connect", partial(_prepare, name), insert=True)
            database = cls(engine, engine.connect(), name)
        with ExitStack() as undo:
            undo.callback(database.close)
            (ready or Database.bring_up_to_date)(database)
            undo.pop_all()
        return database

    def relax(self) -> None:
        """Let a commit survive the death of a process, and no longer that of the machine, where that costs time: in a file."""
        if self._engine.dialect.name == "sqlite":
            with self.reading() as connection:
                connection.exec_driver_sql("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Give the connection back; what was committed stays."""
        self._connection.close()
        self._engine.dispose()

    @property
    def driver(self) -> Any:  # noqa: ANN401 - sqlite3's or psycopg's connection; only who knows which one asks
        """The driver's own connection, for what SQLAlchemy does not have."""
        return self._connection.connection.driver_connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for single reads, each of which sees the newest commit."""
        with self._lock, translated(self.name):
            yield self._unbroken()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose reads all see one moment, while others go on writing."""
        with self._transaction(_SNAPSHOT[self._engine.dialect.name]) as connection:
            yield connection

    @contextmanager
    def writing(self, purpose: str = "journal") -> Iterator[Connection]:
        """One transaction that no other writer interrupts: committed and durable at the end of the block, or gone without a trace.

        On PostgreSQL, who writes for another `purpose` does not wait.
        """
        with self._transaction(_WRITE[self._engine.dialect.name].format(purpose=purpose)) as connection:
            yield connection

    def own(self) -> None:
        """Be a server's one owner while the connection lasts; HomeLockedError if another process is. A file has a locked home."""
        if self._engine.dialect.name == "postgresql":
            with self.reading() as connection:
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({_KEY.format(purpose='owner')})")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with self._lock, translated(self.name):
            connection = self._unbroken()
            try:
                connection.exec_driver_sql(begin)
                yield connection
                connection.exec_driver_sql("COMMIT")
            finally:
                self._roll_back()

    def _unbroken(self) -> Connection:
        """The connection. A new one would not hold what the broken one held, and nobody would have looked at what it left."""
        if self._connection.invalidated:
            raise DatabaseAwayError(f"{self.name}: {UNREACHABLE}")
        return self._connection

    def _roll_back(self) -> None:
        """Undo what was not committed, if anything; SQLite has already done so after a full disk, a server after a lost connection."""
        if self._connection.invalidated:
            return
        driver = self.driver
        if driver.in_transaction if isinstance(driver, sqlite3.Connection) else driver.info.transaction_status:
            self._connection.exec_driver_sql("ROLLBACK")

    def bring_up_to_date(self) -> None:
        """Make the journal's tables, or change those of an older version."""
        with self.reading() as connection:
            version = _version(connection, self.name)
        if version == VERSIONS[-1]:
            return
        with self.writing() as connection:
            if _version(connection, self.name) != VERSIONS[-1]:
                _migrate(connection)


def _connect_args(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"check_same_thread": False}
    own = {key: value for key, value in _SERVER_CONNECTION.items() if key not in url.query}
    return {**own, "options": f"{_SERVER_OPTIONS} {url.query.get('options', '')}"}


def _prepare(name: str, driver: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's or psycopg's connection
    """Make a new connection's commits durable, and refuse a server's database that cannot hold every character."""
    if isinstance(driver, sqlite3.Connection):
        for pragma in _PRAGMAS:
            _insist(driver, pragma)
    elif driver.info.parameter_status("server_encoding") != "UTF8":
        driver.close()
        raise HomeError(f"{name}: cannot hold every character; make a database with ENCODING 'UTF8' and name that")


def _insist(driver: sqlite3.Connection, pragma: str) -> None:
    """Set it, however many others do so at once."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            driver.execute(pragma)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def _version(connection: Connection, name: str) -> str | None:
    """Schema of the database, None if it is empty."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables or "journal" not in tables:
        msg = f"{name} is a database, but not a journal; give the address of another file, database or schema"
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
