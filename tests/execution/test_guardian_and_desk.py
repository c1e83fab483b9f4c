"""The desk after its guardian: what that did comes into the books once, and nothing is done twice."""

from decimal import Decimal
from pathlib import Path

from builders import AAPL, proposal
from desks import ScriptedSource, small_desk
from guarding import FLAT, watched
from trading_bot import config
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import ClientOrderId
from trading_bot.execution.guardian_intents import import_intents
from trading_bot.storage.journal import SqlJournal


def test_a_desk_that_comes_up_after_its_guardian_finds_books_and_broker_equal(tmp_path: Path) -> None:
    """The desk died with a position, its stops were canceled by hand, the guardian placed one: the new desk adds none."""
    world = watched(tmp_path)
    source = ScriptedSource(FLAT)
    assert source.quote(AAPL, world.clock.now()) is not None
    with SqlJournal.open(world.home.journal, desk="desk01") as journal:
        desk = small_desk(FLAT, broker=world.venue(), clock=world.clock, journal=journal)
        desk.engine.handle(proposal())
        assert desk.engine.ledger.books.positions[AAPL].quantity > 0
    world.beat()
    guardian = world.guardian()
    guardian.look()
    for order in world.broker.open_orders():
        world.broker.cancel(ClientOrderId(order.client_order_id))
    world.passes(config.load().guardian.heartbeat_seconds + 1)
    guardian.look()
    stops = world.resting
    assert [(o.stop_price, o.quantity) for o in stops] == [(Decimal(97), world.held["AAPL"])]
    with SqlJournal.open(world.home.journal) as journal:
        assert import_intents(world.home.guardian_log, journal) == 1
        desk = small_desk(FLAT, broker=world.venue(), clock=world.clock, journal=journal)
        assert desk.engine.reconcile() == ()
        assert not desk.engine.ledger.pending
        assert journal.get(OrderIntent, stops[0].client_order_id) is not None
    assert world.resting == stops
