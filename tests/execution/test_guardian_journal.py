"""What the guardian takes from a desk's journal, and that it never needs one: absent, locked, damaged, it acts on its own copy."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.venue_kit import approved, spec
from builders import AAPL, NOW
from guarding import Watched, watched
from trading_bot.domain.errors import JournalDamagedError
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import ClientOrderId
from trading_bot.execution.guardian_intents import Canceling, GuardianLog
from trading_bot.storage.journal import SqlJournal


@pytest.fixture
def booked(tmp_path: Path) -> Watched:
    """A desk that bought ten with a stop at 96, booked that, and died; then its stop was canceled by hand."""
    world = watched(tmp_path)
    world.hold(10, "96")
    with SqlJournal.open(world.home.journal, desk="desk01") as journal:
        journal.append(OrderIntent(at=NOW, order=approved(spec("bought", quantity=10, symbol=AAPL))))
        journal.append(*(BookedEvent(at=e.at, event=e) for e in world.broker.events(0)))
    world.beat()
    return world


def _lose_stop(world: Watched) -> None:
    world.broker.cancel(ClientOrderId("stopped"))
    world.passes(40)


def test_the_stop_is_the_one_of_the_desks_books(booked: Watched) -> None:
    """And its orders bear the desk's name with a mark of their own."""
    guardian = booked.guardian()
    guardian.look()
    _lose_stop(booked)
    guardian.look()
    assert [o.stop_price for o in booked.resting] == [Decimal(96)]
    assert booked.resting[0].client_order_id.startswith("desk01g-")


def test_a_damaged_journal_hinders_nothing(booked: Watched) -> None:
    """What was read before it broke is remembered over a restart of the guardian."""
    booked.guardian().look()
    booked.home.journal.write_bytes(b"not a database" * 1000)
    for rest in booked.home.path.glob("journal.db-*"):
        rest.unlink()
    _lose_stop(booked)
    booked.guardian().look()
    assert [o.stop_price for o in booked.resting] == [Decimal(96)]


def test_a_locked_journal_hinders_nothing(booked: Watched) -> None:
    """Neither its reading nor its acting waits for it."""
    booked.guardian().look()
    with closing(sqlite3.connect(booked.home.journal, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE meta SET value = value")
        _lose_stop(booked)
        booked.guardian().look()
        assert [o.stop_price for o in booked.resting] == [Decimal(96)]


def test_looking_writes_nothing_into_the_journal(booked: Watched) -> None:
    """Its bytes stay what they were."""
    before = booked.home.journal.read_bytes()
    booked.guardian().look()
    assert booked.home.journal.read_bytes() == before


def test_books_that_differ_from_the_broker_while_the_desk_lives_are_told_and_not_traded(booked: Watched) -> None:
    """Only after a while: an event may be on its way."""
    booked.broker.submit(approved(spec("by-hand", "sell", 4, symbol=AAPL, role="close")))
    guardian = booked.guardian()
    for _ in range(2):
        booked.beat()
        guardian.look()
        booked.passes(11)
    booked.beat()
    guardian.look()
    assert booked.told.titles == ["Books and broker differ"]
    assert booked.placed() == ["bought", "stopped", "by-hand"]


def test_a_changed_line_of_its_own_file_is_refused(tmp_path: Path) -> None:
    """The hash of each line covers the one before."""
    log = GuardianLog(tmp_path / "guardian.jsonl")
    for name in ("a-1", "a-2"):
        log.append(Canceling(at=NOW, client_order_id=ClientOrderId(name)))
    path = tmp_path / "guardian.jsonl"
    path.write_text(path.read_text().replace("a-1", "a-3"))
    with pytest.raises(JournalDamagedError, match="line 1"):
        log.entries()


def test_a_damaged_file_of_its_own_is_set_aside_and_told(booked: Watched) -> None:
    """It must not keep a position naked; what was in it stays for a person to read."""
    booked.home.guardian_log.write_text("something else\n")
    _lose_stop(booked)
    booked.guardian().look()
    assert [o.quantity for o in booked.resting] == [10]
    assert booked.told.titles[0] == "The guardian's own file was damaged"
    assert len(list(booked.home.path.glob("guardian.damaged-*"))) == 1
