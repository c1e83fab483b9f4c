"""The promises of the journal's port, kept by a file, by a server's database and by memory alike."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from trading_bot.domain.errors import ClockError, HomeMismatchError, JournalConflictError, StorageError
from trading_bot.domain.records import DeskState, DeskStateChange, Send, SendOutcome, Transition
from trading_bot.domain.values import ClientOrderId, TaskRunId
from trading_bot.ports import InboxItem, Journal
from trading_bot.storage.database import Address
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.memory import MemoryJournal

OPENING = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
Place = Callable[[str], Address]
KINDS = ("file", "server", "memory")
Making = Callable[[str], Journal]


@pytest.fixture
def making(placing: Callable[[str], Place]) -> Iterator[Making]:
    """An empty journal of a kind."""
    opened = ExitStack()

    def of(kind: str) -> Journal:
        if kind == "memory":
            return MemoryJournal("desk01")
        return opened.enter_context(SqlJournal.open(placing(kind)("journal"), desk="desk01"))

    with opened:
        yield of


@pytest.fixture(params=KINDS)
def journal(request: pytest.FixtureRequest, making: Making) -> Journal:
    """An empty journal of each kind."""
    return making(request.param)


def send(name: str, outcome: SendOutcome = SendOutcome.ACKNOWLEDGED, at: datetime = OPENING) -> Send:
    """The end of sending one order."""
    return Send(at=at, client_order_id=ClientOrderId(name), outcome=outcome)


def item(name: str, body: str = "{}") -> InboxItem:
    """A command in the inbox."""
    return InboxItem(name, "command", body, OPENING)


def test_a_new_journal_is_empty(journal: Journal) -> None:
    """Nothing in it, no time marked, and a head that stands for no rows."""
    assert (journal.desk, journal.clock(), journal.head(), journal.pending()) == ("desk01", None, (0, "0" * 64), ())
    assert (journal.all(Send), journal.count(Send), journal.get(Send, "a")) == ((), 0, None)


def test_records_come_back_equal_and_in_the_order_of_writing(journal: Journal) -> None:
    """Whole records, per kind, by order of writing and not of time or key."""
    late, early = send("b", at=OPENING + timedelta(hours=1)), send("a")
    step = Transition(at=OPENING, task_run=TaskRunId("t"), number=1, before="IDLE", event="due", after="ERROR", context={"ü": "→"})
    journal.append(late, step)
    journal.append(early)
    assert journal.all(Send) == (late, early)
    assert journal.all(Transition) == (step,)
    assert (journal.get(Send, "a"), journal.get(Transition, "t:001"), journal.count(Send)) == (early, step, 2)


def test_later_records_are_seen_after_an_earlier_reading(journal: Journal) -> None:
    """A reading never hides what is written after it."""
    journal.append(send("a"))
    assert journal.all(Send) == (send("a"),)
    journal.append(send("b"), send("c"))
    assert journal.all(Send) == (send("a"), send("b"), send("c"))


def test_the_same_record_again_changes_nothing(journal: Journal) -> None:
    """Also within one call, and if its time was given in another zone."""
    journal.append(send("a"), send("a"))
    head = journal.head()
    eastern = OPENING.astimezone(timezone(timedelta(hours=-5)))
    journal.append(send("a", at=eastern))
    assert (journal.head(), journal.count(Send)) == (head, 1)


def test_another_content_under_a_known_key_is_refused(journal: Journal) -> None:
    """The error names kind and key."""
    journal.append(send("a"))
    with pytest.raises(JournalConflictError, match="send a is journaled already with another content"):
        journal.append(send("a", SendOutcome.REJECTED))
    assert journal.all(Send) == (send("a"),)


def test_an_append_writes_all_or_none(journal: Journal) -> None:
    """A conflict in the last record, or among the records themselves, keeps the first ones out too."""
    journal.append(send("a"))
    head = journal.head()
    with pytest.raises(JournalConflictError):
        journal.append(send("b"), send("c"), send("a", SendOutcome.REJECTED))
    with pytest.raises(JournalConflictError):
        journal.append(send("d"), send("d", SendOutcome.REJECTED))
    assert (journal.all(Send), journal.head()) == ((send("a"),), head)


def test_nothing_appended_is_nothing_written(journal: Journal) -> None:
    """An empty append leaves the head as it is."""
    journal.append()
    assert journal.head() == (0, "0" * 64)


def test_the_head_counts_rows_and_changes_with_each(journal: Journal) -> None:
    """Two rows, two different hashes."""
    journal.append(send("a"))
    first = journal.head()
    journal.append(send("b"))
    second = journal.head()
    assert (first[0], second[0]) == (1, 2)
    assert first[1] != second[1]


def test_the_clock_is_remembered_and_never_goes_back(journal: Journal) -> None:
    """The same moment again is fine; a microsecond before it is not."""
    journal.mark_clock(OPENING)
    journal.mark_clock(OPENING)
    with pytest.raises(ClockError, match="trading time went back"):
        journal.mark_clock(OPENING - timedelta(microseconds=1))
    assert journal.clock() == OPENING
    journal.mark_clock(OPENING + timedelta(microseconds=1))
    assert journal.clock() == OPENING + timedelta(microseconds=1)


def test_inbox_items_wait_in_order_of_arrival_until_they_are_consumed(journal: Journal) -> None:
    """What came of an item is appended with its consumption."""
    for name in ("z", "a", "m"):
        journal.post(item(name))
    journal.consume("a", send("x"))
    assert journal.pending() == (item("z"), item("m"))
    assert journal.all(Send) == (send("x"),)


def test_an_item_posted_twice_is_one_even_after_it_was_consumed(journal: Journal) -> None:
    """The first body counts, and what is done is not done again."""
    journal.post(item("a", '"first"'))
    journal.post(item("a", '"second"'))
    assert journal.pending() == (item("a", '"first"'),)
    journal.consume("a")
    journal.post(item("a"))
    assert journal.pending() == ()


def test_an_item_stays_pending_if_what_came_of_it_conflicts(journal: Journal) -> None:
    """Consuming is one transaction."""
    journal.append(send("a"))
    journal.post(item("i"))
    with pytest.raises(JournalConflictError):
        journal.consume("i", send("b"), send("a", SendOutcome.REJECTED))
    assert (journal.pending(), journal.count(Send)) == ((item("i"),), 1)


def test_consuming_an_item_again_changes_nothing(journal: Journal) -> None:
    """The same records are known already."""
    journal.post(item("i"))
    journal.consume("i", send("a"))
    head = journal.head()
    journal.consume("i", send("a"))
    assert journal.head() == head


def test_an_item_that_was_never_posted_cannot_be_consumed(journal: Journal) -> None:
    """And nothing is written."""
    with pytest.raises(StorageError, match="no item nothing"):
        journal.consume("nothing", send("a"))
    assert journal.count(Send) == 0


@pytest.mark.parametrize("desk", ["short", "toolong", "UPPER1", "a-b-c-", "desk0é"])
def test_a_desk_part_that_order_ids_cannot_carry_is_refused(desk: str, tmp_path: Path) -> None:
    """Six characters of [a-z0-9], nothing else."""
    with pytest.raises(HomeMismatchError, match="6 characters"):
        MemoryJournal(desk)
    with pytest.raises(HomeMismatchError, match="6 characters"):
        SqlJournal.open(tmp_path / "journal.db", desk=desk)


def test_the_same_records_give_the_same_head_in_all_kinds(making: Making) -> None:
    """A backtest's journal chains as a desk's does, wherever that is kept."""
    heads = set()
    for made in map(making, KINDS):
        made.append(send("a"), send("b"))
        made.append(DeskStateChange(at=OPENING, state=DeskState.HALTED, by="x", reason="y", number=1))
        heads.add(made.head())
    assert len(heads) == 1


def test_a_saved_journal_reads_as_it_was(tmp_path: Path) -> None:
    """Rows, head, clock, desk and inbox, the consumed items still consumed."""
    memory = MemoryJournal("desk01")
    memory.append(send("a"), send("b"))
    memory.mark_clock(OPENING)
    memory.post(item("done"))
    memory.post(item("open"))
    memory.consume("done")
    memory.save(tmp_path / "saved.db")
    saved = SqlJournal.open(tmp_path / "saved.db")
    assert (saved.desk, saved.all(Send), saved.head(), saved.clock()) == (memory.desk, memory.all(Send), memory.head(), memory.clock())
    assert saved.pending() == (item("open"),)
    saved.append(send("c"))
    assert saved.head()[0] == 3
    saved.close()


def test_an_empty_journal_can_be_saved(tmp_path: Path) -> None:
    """A backtest in which nothing happened leaves a journal too."""
    MemoryJournal("desk01").save(tmp_path / "saved.db")
    saved = SqlJournal.open(tmp_path / "saved.db")
    assert (saved.desk, saved.head()) == ("desk01", (0, "0" * 64))
    saved.close()
