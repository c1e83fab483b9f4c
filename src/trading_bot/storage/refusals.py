"""What a database refused, as an error of the desk that says what to do.

Promises that every error of SQLite, PostgreSQL and SQLAlchemy comes out as a DeskError. Refuses to say that a write is lost when its
connection broke: nobody knows before the server can be asked again.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from trading_bot.domain.errors import (
    DatabaseAwayError,
    DeskError,
    DiskFullError,
    HomeError,
    HomeLockedError,
    JournalDamagedError,
    StorageError,
)

_Advice = Mapping[str, tuple[type[DeskError], str]]

_LOCKED = "another process has kept it locked for 10 s; nothing was written, try again"
_FULL = "the disk is full, so nothing more is journaled or sent; free some space and start again"
_CONTRADICTION = "its rows contradict each other; run `audit verify`"
_THEN = "whether the last write was kept is seen then"
_DAMAGED = "it is damaged; restore it from a backup, or move it away to begin anew"

_SQLITE: _Advice = {
    "SQLITE_FULL": (DiskFullError, _FULL),
    "SQLITE_IOERR": (DatabaseAwayError, "the disk did not take or give it; look at it, free space, quotas and limits, then start again"),
    "SQLITE_READONLY": (HomeError, "it is read-only; make file and folder writable for this user"),
    "SQLITE_CANTOPEN": (HomeError, "it cannot be opened; its folder must exist and be writable for this user"),
    "SQLITE_PERM": (HomeError, "this user may not use it; change its owner"),
    "SQLITE_AUTH": (HomeError, "this user may not use it; change its owner"),
    "SQLITE_NOTADB": (JournalDamagedError, "it is not a database; restore it from a backup, or move it away to begin anew"),
    "SQLITE_CORRUPT": (JournalDamagedError, _DAMAGED),
    "SQLITE_CONSTRAINT": (JournalDamagedError, _CONTRADICTION),
    "SQLITE_BUSY": (HomeLockedError, _LOCKED),
    "SQLITE_LOCKED": (HomeLockedError, "another connection keeps it locked; nothing was written, try again"),
}
"""By SQLite's primary result code; an extended code (`SQLITE_READONLY_DBMOVED`) begins with it."""

_POSTGRESQL: _Advice = {
    "08": (DatabaseAwayError, f"the connection broke; start again when the server can be reached: {_THEN}"),
    "23": (JournalDamagedError, _CONTRADICTION),
    "25006": (HomeError, "it is read-only (a standby, or a setting of the role); name the server that takes writes"),
    "28": (HomeError, "it does not let this user in; look at user and password in storage.url, PGPASSWORD or ~/.pgpass"),
    "3D000": (HomeError, "there is no such database; make it (createdb), or correct storage.url"),
    "3F000": (HomeError, "its schema is missing; make it (CREATE SCHEMA), or correct search_path in storage.url"),
    "40P01": (HomeLockedError, _LOCKED),
    "42501": (HomeError, "this user lacks a right there; make it the owner of the database or schema"),
    "53100": (DiskFullError, _FULL),
    "53300": (DatabaseAwayError, "the server has no connection left; raise max_connections or end some, then start again"),
    "55P03": (HomeLockedError, _LOCKED),
    "57P": (DatabaseAwayError, f"the server is going down or coming up; start again when it runs: {_THEN}"),
    "58030": (DatabaseAwayError, "the server's disk did not take or give it; look at that disk, then start again"),
    "XX001": (JournalDamagedError, _DAMAGED),
    "XX002": (JournalDamagedError, _DAMAGED),
}
"""By how an SQLSTATE begins."""

UNREACHABLE = (
    "cannot be reached, does not let us in, or the connection broke; look at the server, at storage.url and at the password "
    "(there, in PGPASSWORD or ~/.pgpass), then start again: what was kept is seen then"
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Let errors of the database `name` out as DeskErrors."""
    try:
        yield
    except SQLAlchemyError as error:
        raise desk_error(
            name, getattr(error, "orig", None) or error, lost=isinstance(error, DBAPIError) and error.connection_invalidated
        ) from error
    except sqlite3.Error as error:
        raise desk_error(name, error) from error
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise HomeError(f"{name}: the driver of PostgreSQL is not installed: pip install 'trading-bot[postgres]'") from error


def desk_error(name: str, error: BaseException, *, lost: bool = False) -> DeskError:
    """The error of the desk that `error` of the database `name` is. `lost`: the connection is known to be gone."""
    sqlite, state = getattr(error, "sqlite_errorname", ""), getattr(error, "sqlstate", None) or ""
    said = " ".join(str(error).split())
    for code, table in ((sqlite, _SQLITE), (state, _POSTGRESQL)):
        for beginning, (kind, advice) in table.items():
            if code.startswith(beginning):
                return kind(f"{name}: {advice} ({said})")
    if lost or (not sqlite and not state and type(error).__name__ == "OperationalError"):
        return DatabaseAwayError(f"{name}: {UNREACHABLE} ({said})")
    return StorageError(f"{name}: the database refused; nothing of this write is kept ({said})")
