"""The spending ledger: beside the journal, outside its chain, and never changed once a call is settled."""

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from postgres import shell, unguard
from trading_bot.domain.errors import JournalConflictError, JournalDamagedError, StorageError
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId
from trading_bot.storage.audit import verify
from trading_bot.storage.database import Address
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.spending import Settlement, Spending, SpendingLedger

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALL = Spending(
    call_id="c1",
    decision_id="d1",
    workflow="screen",
    tier="claude",
    model="claude-haiku-4-5",
    reserved_at=AT,
    day=AT.date(),
    reserved_usd=Decimal("0.35"),
)
ENDED = Settlement(
    settled_at=AT + timedelta(seconds=9),
    outcome="answered",
    cost_usd=Decimal("0.0123456789"),
    input=4_000_000_000,
    output=20,
    cache_read=30,
    cache_write=40,
    turns=3,
    resets_at=AT + timedelta(hours=1),
)


@pytest.fixture
def path(place: Callable[[str], Address]) -> Address:
    """A ledger with one settled call, in a file and in a server's database."""
    path = place("journal")
    with SpendingLedger.open(path) as ledger, ledger.writing() as page:
        page.reserve(CALL)
        page.settle("c1", ENDED)
    return path


def test_what_was_written_is_read_back_by_another_connection(path: Address) -> None:
    """Every column, exactly."""
    whole = CALL.model_copy(update={"settlement": ENDED})
    with SpendingLedger.open(path) as ledger, ledger.reading() as page:
        assert page.get("c1") == whole
        assert page.of_days(AT.date(), AT.date()) == page.of_decision("d1") == page.last_settled(5) == (whole,)
        assert page.since(AT - timedelta(seconds=1)) == (whole,)
        assert (page.since(AT), page.of_days(date(2026, 11, 22), date(2026, 11, 30)), page.of_decision("d2")) == ((), (), ())
        assert (page.newest(), page.resets_at()) == (ENDED.settled_at, ENDED.resets_at)


def test_an_empty_ledger_knows_nothing(place: Callable[[str], Address]) -> None:
    """No time, no call, no limit."""
    with SpendingLedger.open(place("journal")) as ledger, ledger.reading() as page:
        assert (page.newest(), page.resets_at(), page.last_settled(3)) == (None, None, ())


def test_a_block_that_fails_leaves_nothing(path: Address) -> None:
    """All or none."""
    other = CALL.model_copy(update={"call_id": "c2"})
    with SpendingLedger.open(path) as ledger:
        with contextlib.suppress(StorageError), ledger.writing() as page:
            page.reserve(other)
            page.get("unknown")
        with ledger.reading() as page:
            assert [c.call_id for c in page.since(AT - timedelta(days=1))] == ["c1"]


def test_a_settlement_may_be_repeated_and_never_replaced(path: Address) -> None:
    """The time of the repetition is no difference; a cent is."""
    with SpendingLedger.open(path) as ledger:
        with ledger.writing() as page:
            page.settle("c1", ENDED.model_copy(update={"settled_at": AT + timedelta(days=1)}))
        with pytest.raises(JournalConflictError, match="the call c1 is settled already as answered"), ledger.writing() as page:
            page.settle("c1", ENDED.model_copy(update={"cost_usd": Decimal("0.02")}))
        with ledger.reading() as page:
            assert page.get("c1").settlement == ENDED


def test_what_was_never_reserved_cannot_be_settled_nor_reserved_twice(path: Address) -> None:
    """A settlement without its reservation would be money that nobody allowed."""
    with SpendingLedger.open(path) as ledger:
        with pytest.raises(StorageError, match="the call c2 was never reserved"), ledger.writing() as page:
            page.settle("c2", ENDED)
        with pytest.raises(JournalConflictError, match="the call c1 was reserved before"), ledger.writing() as page:
            page.reserve(CALL)


@pytest.mark.parametrize("statement", ["UPDATE spending SET cost_usd = '0'", "DELETE FROM spending"])
def test_the_database_itself_refuses_to_forget_what_was_spent(path: Address, statement: str) -> None:
    """Even to a database shell, unless the trigger is dropped first."""
    with pytest.raises(IntegrityError, match="what was spent stays"):
        shell(path, statement)


def test_an_amount_that_cannot_be_read_is_an_error_and_not_zero(path: Address) -> None:
    """Fail closed: no sum without it."""
    unguard(path)
    shell(path, "UPDATE spending SET cost_usd = 'free'")
    with (
        SpendingLedger.open(path) as ledger,
        ledger.reading() as page,
        pytest.raises(JournalDamagedError, match="restore it from a backup"),
    ):
        page.of_days(AT.date(), AT.date())


def test_the_journals_chain_does_not_know_the_ledger(path: Address) -> None:
    """One file and one backup, two books: spending changes no hash, and journaling no cost."""
    with SqlJournal.open(path, desk="desk01") as journal:
        journal.append(Send(at=AT, client_order_id=ClientOrderId("o1"), outcome=SendOutcome.ACKNOWLEDGED))
        head = journal.head()
        with SpendingLedger.open(path) as ledger, ledger.writing() as page:
            page.reserve(CALL.model_copy(update={"call_id": "c2"}))
        assert journal.head() == head
    assert verify(path).intact


def test_calls_of_a_home_that_knew_no_trades_belong_to_none(path: Address) -> None:
    """They stay as they were; what comes after is found by its trade."""
    shell(path, "DROP INDEX ix_spending_trade", "ALTER TABLE spending DROP COLUMN trade", "UPDATE alembic_version SET version_num = '0003'")
    later = CALL.model_copy(update={"call_id": "c2", "trade": "t1"})
    with SpendingLedger.open(path) as ledger:
        with ledger.writing() as page:
            page.reserve(later)
        with ledger.reading() as page:
            assert page.of_decision(CALL.decision_id) == (CALL.model_copy(update={"settlement": ENDED}), later)
            assert page.of_trade("t1") == (later,)


def test_a_home_of_the_version_before_gets_its_ledger_when_it_is_opened(path: Address) -> None:
    """Its journal stays as it was."""
    with SqlJournal.open(path, desk="desk01") as journal:
        journal.append(Send(at=AT, client_order_id=ClientOrderId("o1"), outcome=SendOutcome.ACKNOWLEDGED))
    later = () if isinstance(path, Path) else ("DROP FUNCTION desk_refuses CASCADE", "DROP TABLE bars", "DROP TABLE actions")
    shell(path, "DROP TABLE spending", *later, "UPDATE alembic_version SET version_num = '0001'")
    with SpendingLedger.open(path) as ledger, ledger.writing() as page:
        page.reserve(CALL)
    with SqlJournal.open(path) as journal:
        assert (journal.desk, journal.count(Send)) == ("desk01", 1)
