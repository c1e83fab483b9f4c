"""Verification finds whatever someone with a database shell does to the journal, and names the first bad row."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_bot.domain.errors import HomeError, JournalDamagedError
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId
from trading_bot.storage.audit import verify
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.schema import GENESIS, Row

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
DROP = ("DROP TRIGGER journal_refuses_update", "DROP TRIGGER journal_refuses_delete")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of five rows."""
    journal = SqlJournal.open(tmp_path / "journal.db")
    for n in range(5):
        journal.append(Send(at=AT, client_order_id=ClientOrderId(f"o{n}"), outcome=SendOutcome.ACKNOWLEDGED))
    journal.close()
    return tmp_path / "journal.db"


def tamper(path: Path, *statements: str) -> None:
    """Run statements with the triggers out of the way."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def rows(path: Path) -> list[tuple[int, str]]:
    """Number and hash of every row: what anchors could be."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT seq, hash FROM journal ORDER BY seq").fetchall()
    connection.close()
    return found


def forge(path: Path, body: str) -> None:
    """Rewrite row 3 and every hash from there on, the remembered head included: a perfect chain with another past."""
    connection = sqlite3.connect(path)
    for statement in (*DROP, f"UPDATE journal SET body = '{body}' WHERE seq = 3"):  # noqa: S608 - a test's own text
        connection.execute(statement)
    previous = GENESIS
    for seq, kind, key, at, wall, text in connection.execute("SELECT seq, kind, key, at, wall, body FROM journal ORDER BY seq").fetchall():
        digest = Row(kind, key, at, wall, text).hash_after(previous, seq)
        connection.execute("UPDATE journal SET previous = ?, hash = ? WHERE seq = ?", (previous, digest, seq))
        previous = digest
    connection.execute("UPDATE meta SET value = ? WHERE key = 'head'", (f"5:{previous}",))
    connection.commit()
    connection.close()


def test_an_untouched_journal_verifies_with_all_its_anchors(path: Path) -> None:
    """Every head that it ever had is still in it."""
    result = verify(path, rows(path))
    assert (result.intact, result.rows, result.head, result.problem) == (True, 5, rows(path)[-1][1], "")


def test_a_new_journal_verifies(tmp_path: Path) -> None:
    """No rows, nothing wrong."""
    SqlJournal.open(tmp_path / "journal.db").close()
    assert verify(tmp_path / "journal.db").intact


@pytest.mark.parametrize(
    ("statement", "first_bad", "problem"),
    [
        ("UPDATE journal SET body = '{}' WHERE seq = 2", 2, "row 2: it (send o1) was changed after it was written"),
        ("UPDATE journal SET wall = 'x' WHERE seq = 4", 4, "row 4: it (send o3) was changed after it was written"),
        ("UPDATE journal SET at = 'x' WHERE seq = 1", 1, "row 1: it (send o0) was changed after it was written"),
        ("UPDATE journal SET key = 'x' WHERE seq = 5", 5, "row 5: it (send x) was changed after it was written"),
        ("DELETE FROM journal WHERE seq = 1", 1, "row 1: it is missing; the next row is number 2"),
        ("DELETE FROM journal WHERE seq IN (3, 4)", 3, "row 3: it is missing; the next row is number 5"),
        ("UPDATE journal SET hash = 'x' WHERE seq = 3", 3, "row 3: it (send o2) was changed after it was written"),
        (
            "UPDATE journal SET previous = 'x' WHERE seq = 3",
            3,
            "row 3: it (send o2) does not follow the row before it: rows were replaced or moved",
        ),
    ],
)
def test_a_changed_or_missing_row_is_named(statement: str, first_bad: int, problem: str, path: Path) -> None:
    """Whichever column it is in."""
    tamper(path, *DROP, statement)
    result = verify(path)
    assert (result.intact, result.rows, result.first_bad, result.problem) == (False, first_bad - 1, first_bad, problem)


def test_rows_that_changed_places_are_found(path: Path) -> None:
    """Numbers exchanged, contents and hashes left as they were."""
    swaps = (
        "UPDATE journal SET seq = 99 WHERE seq = 2",
        "UPDATE journal SET seq = 2 WHERE seq = 3",
        "UPDATE journal SET seq = 3 WHERE seq = 99",
    )
    tamper(path, *DROP, *swaps)
    assert verify(path).problem == "row 2: it (send o2) does not follow the row before it: rows were replaced or moved"


def test_a_cut_off_end_is_found_by_the_remembered_head(path: Path) -> None:
    """The rows that are left verify among themselves."""
    tamper(path, *DROP, "DELETE FROM journal WHERE seq > 3")
    result = verify(path)
    assert (result.rows, result.first_bad) == (3, 4)
    assert "remembers 5 rows" in result.problem


def test_a_cut_off_end_with_a_forged_head_is_found_by_an_anchor(path: Path) -> None:
    """A daily report wrote the head down."""
    anchor = rows(path)[4]
    third = rows(path)[2][1]
    tamper(path, *DROP, "DELETE FROM journal WHERE seq > 3", f"UPDATE meta SET value = '3:{third}' WHERE key = 'head'")  # noqa: S608 - a test's own text
    assert verify(path).intact
    result = verify(path, [anchor])
    assert (result.first_bad, result.problem) == (
        4,
        "row 4: it is missing; an anchor outside the journal knows 5 rows: the end was cut off",
    )


def test_a_row_added_by_hand_is_found(path: Path) -> None:
    """A well-formed sixth row, of which the head knows nothing."""
    columns = "kind, 'x', at, wall, body"
    last = rows(path)[4][1]
    tamper(path, f"INSERT INTO journal SELECT 6, {columns}, '{last}', 'x' FROM journal WHERE seq = 5")  # noqa: S608 - a test's own text
    assert verify(path).first_bad == 6


def test_a_wholly_rewritten_chain_is_found_by_an_anchor(path: Path) -> None:
    """Without an anchor it verifies: that is what anchors are for."""
    anchors = rows(path)
    forge(path, "{}")
    assert verify(path, anchors[:2]).intact
    result = verify(path, anchors[4:])
    assert (result.first_bad, "anchored outside" in result.problem) == (5, True)


@pytest.mark.parametrize("statement", ["DELETE FROM meta WHERE key = 'head'", "UPDATE meta SET value = 'x' WHERE key = 'head'"])
def test_a_removed_or_scribbled_head_is_found_and_nothing_is_appended_after_it(statement: str, path: Path) -> None:
    """The journal always remembers how far it got."""
    tamper(path, statement)
    assert verify(path).first_bad == 6
    with SqlJournal.open(path) as journal, pytest.raises(JournalDamagedError, match="audit verify"):
        journal.append(Send(at=AT, client_order_id=ClientOrderId("new"), outcome=SendOutcome.REJECTED))


def test_a_file_that_cannot_be_read_raises(tmp_path: Path) -> None:
    """There are no rows to speak of."""
    (tmp_path / "journal.db").write_bytes(b"x" * 5000)
    with pytest.raises(JournalDamagedError, match="restore it from a backup"):
        verify(tmp_path / "journal.db")


def test_a_journal_that_is_gone_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """Verifying makes no file."""
    with pytest.raises(HomeError, match="there is no journal"):
        verify(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seq=st.integers(1, 5),
    column=st.sampled_from(["kind", "key", "at", "wall", "body", "previous", "hash"]),
    text=st.text("abc{}0", min_size=1, max_size=5),
)
def test_any_change_of_any_column_is_found_at_its_row(seq: int, column: str, text: str, path: Path) -> None:
    """The row that was changed is the first bad one."""
    connection = sqlite3.connect(path)
    for name in ("update", "delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS journal_refuses_{name}")
    select, update = (
        f"SELECT {column} FROM journal WHERE seq = ?",  # noqa: S608 - a test's own text
        f"UPDATE journal SET {column} = ? WHERE seq = ?",  # noqa: S608 - a test's own text
    )
    before = connection.execute(select, (seq,)).fetchone()[0]
    connection.execute(update, (f"{before}{text}", seq))
    connection.commit()
    assert verify(path).first_bad == seq
    connection.execute(update, (before, seq))
    connection.commit()
    connection.close()
    assert verify(path).intact
