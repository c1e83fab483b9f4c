"""A look into a journal that may be locked, damaged, unreachable or in the middle of a crash: read-only, at once or not at all.

Promises that it never writes, never migrates, and waits only a moment for a lock, and seconds for a server that does not answer.
Refuses to guess: what cannot be read raises StorageError.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trading_bot.domain.errors import StorageError
from trading_bot.settings import without_password
from trading_bot.storage.journal import FACT

_PATIENCE_S = 0.2
_SERVER_PATIENCE_S = 5
"""For connecting and reading together: a guardian that hangs on a server guards nothing."""
_SERVER_OPTIONS = "-c default_transaction_read_only=on -c lock_timeout=200"

_FACTS = "SELECT key, value FROM meta"
_ROWS = "SELECT seq, kind, body FROM journal WHERE seq > {mark} AND kind IN ({marks}) ORDER BY seq"

_Seen = tuple[list[Any], list[Any]]


@dataclass(frozen=True)
class Peeked:
    """What was seen: facts of the home, and the rows after the one that was asked for."""

    facts: dict[str, str]
    rows: tuple[tuple[int, str, str], ...]
    """Number, kind and body of each row, oldest first."""


def peek(address: str | Path, kinds: Sequence[str], after: int) -> Peeked:
    """Rows of these kinds with a number above `after`, and the facts. StorageError if that cannot be read right now."""
    arguments = (after, *(kinds or ("",)))
    facts, rows = _in_file(address, arguments) if isinstance(address, Path) else _on_server(address, arguments)
    return Peeked({k.removeprefix(FACT): v for k, v in facts if k.startswith(FACT)}, tuple(rows))


def _in_file(path: Path, arguments: Sequence[object]) -> _Seen:
    if not path.is_file():  # a pipe would hold up who opens it
        raise StorageError(f"{path} is not there, or is no file")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE_S)) as database:
            return list(database.execute(_FACTS)), list(database.execute(_wanted("?", arguments), arguments))
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be read now: {error}") from error


def _on_server(url: str, arguments: Sequence[object]) -> _Seen:
    try:
        import psycopg  # noqa: PLC0415 - the driver is an extra
    except ModuleNotFoundError as error:
        raise StorageError("the driver of PostgreSQL is not installed: pip install 'trading-bot[postgres]'") from error
    try:
        return asyncio.run(_read(url, arguments))
    except TimeoutError as error:
        raise StorageError(f"{without_password(url)} has not answered for {_SERVER_PATIENCE_S} s") from error
    except psycopg.Error as error:
        raise StorageError(f"{without_password(url)} cannot be read now: {error}") from error


async def _read(url: str, arguments: Sequence[object]) -> _Seen:
    """Asynchronous for its one deadline: a connection can hang at every step."""
    from psycopg import AsyncConnection  # noqa: PLC0415 - the driver is an extra
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 - the same

    given = conninfo_to_dict(url.replace("+psycopg", "", 1))
    ours = {"connect_timeout": _SERVER_PATIENCE_S, **given, "options": f"{_SERVER_OPTIONS} {given.get('options', '')}"}
    async with asyncio.timeout(_SERVER_PATIENCE_S):
        connection = await AsyncConnection.connect(make_conninfo("", **ours))
        async with connection:
            facts = await (await connection.execute(_FACTS)).fetchall()
            rows = await (await connection.execute(_wanted("%s", arguments).encode(), arguments)).fetchall()
            return facts, rows


def _wanted(mark: str, arguments: Sequence[object]) -> str:
    return _ROWS.format(mark=mark, marks=",".join([mark] * (len(arguments) - 1)))
