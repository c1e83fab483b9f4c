"""What the desk never meant to open is somebody else's: the guardian tells of it, and neither cures nor closes it, nor kills for it."""

from decimal import Decimal
from pathlib import Path

import pytest

from brokers.venue_kit import approved, spec
from builders import AAPL, NOW
from desks import Bar
from guarding import FLAT, SPY, Watched, watched
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.mandate import Cure
from trading_bot.domain.orders import OrderIntent
from trading_bot.execution.guardian_memory import MemoryFile
from trading_bot.storage.journal import SqlJournal


def _traded(path: Path, bars: tuple[Bar, ...] = FLAT, quantity: int = 10, **more: object) -> Watched:
    """A desk that meant to buy AAPL, did so with a stop, and booked it; then somebody bought SPY by hand."""
    world = watched(path, bars=bars, **more)
    world.hold(quantity, "80")
    with SqlJournal.open(world.home.journal, desk="desk01") as journal:
        journal.append(OrderIntent(at=NOW, order=approved(spec("bought", quantity=quantity, symbol=AAPL))))
        journal.append(*(BookedEvent(at=e.at, event=e) for e in world.broker.events(0)))
    world.broker.submit(approved(spec("by-hand", quantity=5, symbol=SPY)))
    world.broker.submit(approved(spec("by-hand-too", quantity=5, symbol=SPY, limit="50")))
    return world


def test_a_position_opened_by_hand_is_told_and_left_to_who_opened_it(tmp_path: Path) -> None:
    """The desk lives on, nothing is sent, and it is said once, under its own name, not as books that differ."""
    world = _traded(tmp_path)
    guardian, before = world.guardian(), world.placed()
    with world.desk() as desk:
        for _ in range(5):
            world.beat()
            found = guardian.look()
            world.passes(11)
        assert desk.poll() is None
    assert world.told.titles == ["SPY is not the desk's"]
    assert "5 held, 1 order at work" in found[0].body
    assert world.placed() == before


def test_a_dead_desk_is_flattened_but_for_what_is_not_its_own(tmp_path: Path) -> None:
    """Also where the mandate says that everything is to be closed."""
    world = _traded(tmp_path, dead_desk=Cure.FLATTEN)
    world.beat()
    world.passes(40)
    world.guardian().look()
    assert world.held == {"SPY": 5}
    assert [o.client_order_id for o in world.resting] == ["by-hand-too"]
    assert "The guardian acted (flatten): done" in world.told.titles


def test_the_days_loss_closes_what_is_the_desks(tmp_path: Path) -> None:
    """The loss is the account's, what is closed is not."""
    world = watched(tmp_path, bars=(*FLAT[:1], *((95, 96, 94, 95),) * 60))
    world.guardian().look()
    memory = world.home.guardian_memory
    memory.write_text(memory.read_text().replace('"at":"2024-03-05', '"at":"2024-03-04'))
    world.hold(900, "80")
    world.broker.submit(approved(spec("by-hand", quantity=5, symbol=SPY)))
    world.passes(300)
    guardian = world.guardian()
    for _ in range(2):
        world.beat()
        guardian.look()
        world.passes(1)
    assert world.held == {"SPY": 5}


def test_a_person_who_flattens_closes_what_is_not_the_desks_too(tmp_path: Path) -> None:
    """Everything on the account."""
    world = _traded(tmp_path)
    assert world.guardian().flatten("op: test")
    assert (world.held, world.resting) == ({}, [])


def test_what_was_meant_is_remembered_when_the_position_is_long_gone(tmp_path: Path) -> None:
    """A desk may come back to it at any moment."""
    world = _traded(tmp_path)
    world.guardian().look()
    assert MemoryFile(world.home.guardian_memory).read().meant == (AAPL,)


@pytest.mark.parametrize("remembers", [True, False])
def test_without_a_journal_all_that_the_mandate_lets_the_desk_open_is_the_desks(tmp_path: Path, *, remembers: bool) -> None:
    """What is remembered may be older than what the desk did since."""
    world = _traded(tmp_path, universe=(SPY,))
    if remembers:
        world.guardian().look()
    world.home.journal.write_bytes(b"not a database" * 1000)
    for rest in world.home.path.glob("journal.db-*"):
        rest.unlink()
    world.beat()
    world.passes(40)
    world.guardian().look()
    assert world.held == {"AAPL": Decimal(10)}, "SPY was naked, and no stop of it is known"
