"""Verification finds whatever someone with a database shell does to the journal, and names the first bad row."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from postgres import shell, unguard
from trading_bot.domain.errors import HomeError, JournalDamagedError
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId
from trading_bot.storage.audit import verify
from trading_bot.storage.database import Address, url_of
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.schema import GENESIS, Row

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


@pytest.fixture
def path(place: Callable[[str], Address]) -> Address:
    """A journal of five rows, in a file and in a server's database."""
    return five_rows(place("journal"))


@pytest.fixture
def in_file(placing: Callable[[str], Callable[[str], Address]]) -> Address:
    """The same, in a file alone."""
    return five_rows(placing("file")("journal"))


def five_rows(address: Address) -> Address:
    """Write five rows."""
    journal = SqlJournal.open(address)
    for n in range(5):
        journal.append(Send(at=AT, client_order_id=ClientOrderId(f"o{n}"), outcome=SendOutcome.ACKNOWLEDGED))
    journal.close()
    return address


def tamper(path: Address, *statements: str) -> None:
    """Run statements with the triggers out of the way."""
    unguard(path)
    shell(path, *statements)


def rows(path: Address) -> list[tuple[int, str]]:
    """Number and hash of every row: what anchors could be."""
    return [(seq, digest) for seq, *_, digest in whole(path)]


def whole(path: Address) -> list[tuple[Any, ...]]:
    """Every row: number, kind, key, both times, body and both hashes."""
    engine = create_engine(url_of(path))
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT seq, kind, key, at, wall, body, previous, hash FROM journal ORDER BY seq").all()
    engine.dispose()
    return [tuple(row) for row in found]


def forge(path: Address, body: str) -> None:
    """Rewrite row 3 and every hash from there on, the remembered head included: a perfect chain with another past."""
    tamper(path, f"UPDATE journal SET body = '{body}' WHERE seq = 3")  # noqa: S608 - a test's own text
    previous = GENESIS
    for seq, kind, key, at, wall, text, *_ in whole(path):
        digest = Row(kind, key, at, wall, text).hash_after(previous, seq)
        shell(path, f"UPDATE journal SET previous = '{previous}', hash = '{digest}' WHERE seq = {seq}")  # noqa: S608 - the same
        previous = digest
    shell(path, f"UPDATE meta SET value = '5:{previous}' WHERE key = 'head'")  # noqa: S608 - the same


def test_an_untouched_journal_verifies_with_all_its_anchors(path: Address) -> None:
    """Every head that it ever had is still in it."""
    result = verify(path, rows(path))
    assert (result.intact, result.rows, result.head, result.problem) == (True, 5, rows(path)[-1][1], "")


def test_a_new_journal_verifies(place: Callable[[str], Address]) -> None:
    """No rows, nothing wrong."""
    SqlJournal.open(place("journal")).close()
    assert verify(place("journal")).intact


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
def test_a_changed_or_missing_row_is_named(statement: str, first_bad: int, problem: str, path: Address) -> None:
    """Whichever column it is in."""
    tamper(path, statement)
    result = verify(path)
    assert (result.intact, result.rows, result.first_bad, result.problem) == (False, first_bad - 1, first_bad, problem)


def test_rows_that_changed_places_are_found(path: Address) -> None:
    """Numbers exchanged, contents and hashes left as they were."""
    swaps = (
        "UPDATE journal SET seq = 99 WHERE seq = 2",
        "UPDATE journal SET seq = 2 WHERE seq = 3",
        "UPDATE journal SET seq = 3 WHERE seq = 99",
    )
    tamper(path, *swaps)
    assert verify(path).problem == "row 2: it (send o2) does not follow the row before it: rows were replaced or moved"


def test_a_cut_off_end_is_found_by_the_remembered_head(path: Address) -> None:
    """The rows that are left verify among themselves."""
    tamper(path, "DELETE FROM journal WHERE seq > 3")
    result = verify(path)
    assert (result.rows, result.first_bad) == (3, 4)
    assert "remembers 5 rows" in result.problem


def test_a_cut_off_end_with_a_forged_head_is_found_by_an_anchor(path: Address) -> None:
    """A daily report wrote the head down."""
    anchor = rows(path)[4]
    third = rows(path)[2][1]
    tamper(path, "DELETE FROM journal WHERE seq > 3", f"UPDATE meta SET value = '3:{third}' WHERE key = 'head'")  # noqa: S608 - a test's own text
    assert verify(path).intact
    result = verify(path, [anchor])
    assert (result.first_bad, result.problem) == (
        4,
        "row 4: it is missing; an anchor outside the journal knows 5 rows: the end was cut off",
    )


def test_a_row_added_by_hand_is_found(path: Address) -> None:
    """A well-formed sixth row, of which the head knows nothing."""
    columns = "kind, 'x', at, wall, body"
    last = rows(path)[4][1]
    tamper(path, f"INSERT INTO journal SELECT 6, {columns}, '{last}', 'x' FROM journal WHERE seq = 5")  # noqa: S608 - a test's own text
    assert verify(path).first_bad == 6


def test_a_wholly_rewritten_chain_is_found_by_an_anchor(path: Address) -> None:
    """Without an anchor it verifies: that is what anchors are for."""
    anchors = rows(path)
    forge(path, "{}")
    assert verify(path, anchors[:2]).intact
    result = verify(path, anchors[4:])
    assert (result.first_bad, "anchored outside" in result.problem) == (5, True)


@pytest.mark.parametrize("statement", ["DELETE FROM meta WHERE key = 'head'", "UPDATE meta SET value = 'x' WHERE key = 'head'"])
def test_a_removed_or_scribbled_head_is_found_and_nothing_is_appended_after_it(statement: str, path: Address) -> None:
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
def test_any_change_of_any_column_is_found_at_its_row(seq: int, column: str, text: str, in_file: Address) -> None:
    """The row that was changed is the first bad one."""
    unguard(in_file)
    engine = create_engine(url_of(in_file), isolation_level="AUTOCOMMIT")
    row = dict(zip(("seq", "kind", "key", "at", "wall", "body", "previous", "hash"), whole(in_file)[seq - 1], strict=True))
    before = row[column] or ""
    changed = f"{text}{before}"[: max(len(before), len(text))]  # columns of a server have their width
    assume(changed != before)
    update = sa.text(f"UPDATE journal SET {column} = :value WHERE seq = :seq")  # noqa: S608 - a test's own text
    with engine.connect() as connection:
        connection.execute(update, {"value": changed, "seq": seq})
        assert verify(in_file).first_bad == seq
        connection.execute(update, {"value": row[column], "seq": seq})
    engine.dispose()
    assert verify(in_file).intact
