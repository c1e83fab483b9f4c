"""A look into a journal that may be locked, damaged or in the middle of a crash: read-only, at once or not at all.

Promises that it never writes, never migrates, and waits for a lock only a moment. Refuses to guess: what cannot be read raises
StorageError.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trading_bot.domain.errors import StorageError
from trading_bot.storage.journal import FACT

_PATIENCE_S = 0.2


@dataclass(frozen=True)
class Peeked:
    """What was seen: facts of the home, and the rows after the one that was asked for."""

    facts: dict[str, str]
    rows: tuple[tuple[int, str, str], ...]
    """Number, kind and body of each row, oldest first."""


def peek(path: Path, kinds: Sequence[str], after: int) -> Peeked:
    """Rows of these kinds with a number above `after`, and the facts. StorageError if that cannot be read right now."""
    marks = ",".join("?" * len(kinds))
    wanted = f"SELECT seq, kind, body FROM journal WHERE seq > ? AND kind IN ({marks}) ORDER BY seq"  # noqa: S608 - question marks alone
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_PATIENCE_S)) as database:
            facts = dict(database.execute("SELECT key, value FROM meta"))
            rows = tuple(database.execute(wanted, (after, *kinds)))
    except sqlite3.Error as error:
        raise StorageError(f"{path} cannot be read now: {error}") from error
    return Peeked({k.removeprefix(FACT): v for k, v in facts.items() if k.startswith(FACT)}, rows)
