"""What Alpaca tells, put together: whose an order is, when a leg is awake, and what has to be asked."""

from decimal import Decimal

import pytest

from brokers.alpaca_words import approved, bracket, family, message, pair, raw, raw_stop, raw_target, roster, spec, stop
from trading_bot.brokers.alpaca.story import Story
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import OrderRole, OrderState, Side
from trading_bot.domain.values import ClientOrderId

ENTRY, STOP, TARGET = ClientOrderId("desk-entry"), ClientOrderId("desk-stop"), ClientOrderId("desk-target")


def states(story: Story) -> dict[str, OrderState]:
    """Every order that was told, as the last event says."""
    return {e.order.client_order_id: e.order.state for e in story.chronicle.after(0) if isinstance(e, OrderUpdate)}


def filled_bracket() -> Story:
    """A bracket whose entry has filled; Alpaca holds the stop back while the target works."""
    story = Story(roster(approved(bracket())))
    story.see(family("new"))
    story.hear(message("fill", raw("v-entry", "desk-entry", "filled"), "x-1"))
    story.see(family("filled", "held", "new"))
    return story


def test_legs_exist_once_their_entry_is_completely_filled() -> None:
    """Before that, a leg is neither an order of ours nor told of."""
    story = Story(roster(approved(bracket())))
    story.see(family("new"))
    partly = raw("v-entry", "desk-entry", "partially_filled", filled_qty="4", filled_avg_price="100")
    story.hear(message("partial_fill", partly, "x-1", qty="4"))
    assert states(story) == {ENTRY: OrderState.PARTIALLY_FILLED}
    assert story.order(STOP) is None
    story.hear(message("fill", raw("v-entry", "desk-entry", "filled"), "x-2", qty="6"))
    assert "v-entry" in story.to_ask
    story.see(family("filled", "held", "new"))
    assert states(story) == {ENTRY: OrderState.FILLED, STOP: OrderState.ACCEPTED, TARGET: OrderState.ACCEPTED}
    found = story.order(STOP)
    assert found is not None
    assert (found.role, found.parent_id, found.stop_price) == (OrderRole.STOP_LOSS, ENTRY, Decimal(90))


def test_legs_of_a_canceled_entry_never_were() -> None:
    """They die asleep."""
    story = Story(roster(approved(bracket())))
    story.see(family("new"))
    story.see(family("canceled", "canceled", "canceled"))
    assert states(story) == {ENTRY: OrderState.CANCELED}


def test_the_held_stop_of_a_working_pair_is_not_missing_from_a_listing() -> None:
    """Alpaca leaves it out for as long as its target works; once that is gone, it has to be asked for."""
    story = filled_bracket()
    assert {o.client_order_id for o in story.working()} == {STOP, TARGET}
    assert story.missing_from(["v-target"]) == ()
    assert set(story.missing_from([])) == {"v-stop", "v-target"}


def test_the_stream_s_silence_about_the_stop_of_a_filled_target_is_made_good() -> None:
    """The fill of one leg makes us ask for the other."""
    story = filled_bracket()
    story.to_ask.clear()
    story.hear(message("fill", raw_target("filled"), "x-2"))
    assert list(story.to_ask) == ["v-entry"]
    story.see(family("filled", "canceled", "filled"))
    assert states(story)[STOP] is OrderState.CANCELED
    assert story.books().positions == {}


def test_both_orders_of_a_pair_rest_at_once() -> None:
    """The stop is held by the venue, but it guards."""
    story = Story(roster(approved(pair())))
    story.see(raw_target("new", "v-target", "desk-target", order_class="oco", legs=[raw_stop()]))
    assert states(story) == {TARGET: OrderState.ACCEPTED, STOP: OrderState.ACCEPTED}


def test_a_replaced_leg_keeps_its_parent_under_its_new_id() -> None:
    """The old leg ends, the new one is the same parent's."""
    story = filled_bracket()
    moved = approved(stop("desk-stop-2"), "desk-stop")
    story.roster.add(moved)
    story.see(raw_stop("held", "v-stop-2", "desk-stop-2", replaces="v-stop"))
    story.see(raw_stop("replaced", replaced_by="v-stop-2"))
    assert states(story)[STOP] is OrderState.CANCELED
    found = story.order(ClientOrderId("desk-stop-2"))
    assert found is not None
    assert (found.parent_id, found.state) == (ENTRY, OrderState.ACCEPTED)


def test_an_order_that_the_venue_replaced_by_itself_keeps_our_id() -> None:
    """At a corporate action; its executions count for the same order."""
    story = Story(roster(approved(stop())))
    story.see(raw_stop("new", "v-1", "desk-stop", order_class="simple"))
    story.see(raw_stop("replaced", "v-1", "desk-stop", order_class="simple", replaced_by="v-2"))
    assert list(story.to_ask) == ["v-2"]
    assert states(story) == {STOP: OrderState.ACCEPTED}
    story.see(raw_stop("new", "v-2", "theirs-9", order_class="simple", replaces="v-1", qty="20"))
    assert story.venue_id(STOP) == "v-2"
    story.hear(message("fill", raw_stop("filled", "v-2", "theirs-9", qty="20", filled_qty="20"), "x-1", qty="20"))
    assert states(story) == {STOP: OrderState.FILLED}


def test_a_message_told_twice_or_too_late_changes_nothing() -> None:
    """Each execution has its id; an order never goes back."""
    story = Story(roster(approved(spec("desk-entry"))))
    fill = message("fill", raw("v-entry", "desk-entry", "filled"), "x-1")
    story.hear(fill)
    story.hear(message("new", raw("v-entry", "desk-entry", "new")))
    story.hear(fill)
    assert [e.order.state for e in story.chronicle.after(0) if isinstance(e, OrderUpdate)] == [OrderState.FILLED]
    assert story.held(spec("desk-entry").symbol) == 10


def test_an_execution_greater_than_its_order_s_is_not_believed() -> None:
    """Somebody changed the message on its way."""
    story = Story(roster(approved(spec("desk-entry"))))
    with pytest.raises(ValueError, match="greater"):
        story.hear(message("fill", raw("v-entry", "desk-entry", "filled"), "x-1", qty="1000"))
    assert story.books().positions == {}
    assert story.chronicle.incomplete() == (ENTRY,)


def test_orders_of_others_are_in_no_event() -> None:
    """They are theirs."""
    story = Story(roster())
    story.hear(message("fill", raw("v-9", "somebody", "filled"), "x-1"))
    assert story.chronicle.after(0) == ()


def test_after_a_restart_legs_that_woke_meanwhile_are_asked_for() -> None:
    """The journal has the entry's fill, and not the legs."""
    before = Story(roster(approved(bracket())))
    before.see(family("new"))
    before.hear(message("fill", raw("v-entry", "desk-entry", "filled"), "x-1"))
    after = Story(roster(approved(bracket())), before.chronicle.after(0))
    assert list(after.to_ask) == ["v-entry"]
    after.see(family("filled", "held", "new"))
    assert states(after) == {STOP: OrderState.ACCEPTED, TARGET: OrderState.ACCEPTED}


def test_after_a_restart_nobody_asks_for_the_legs_of_entries_that_ended_unfilled() -> None:
    """They never woke. A desk that asked for them all would use up its requests at every start, and never come up."""
    before = Story(roster(approved(bracket())))
    before.see(family("new"))
    before.see(family("canceled", "canceled", "canceled"))
    assert list(Story(roster(approved(bracket())), before.chronicle.after(0)).to_ask) == []


def test_bought_coins_whose_position_holds_something_else_wait_for_a_read() -> None:
    """An execution before it was not told yet: what is missing cannot be told apart from it."""
    bought = {"symbol": "BTC/USD", "asset_class": "crypto", "qty": "2", "order_class": ""}
    story = Story(roster(approved(spec("desk-entry", symbol="BTC/USD", quantity=Decimal(2)))))
    done = raw("v-entry", "desk-entry", "filled", **{**bought, "filled_qty": "2"})
    story.hear(message("fill", done, "x-1", qty="2", position_qty="3.99"))
    assert story.books().positions == {}
    assert story.chronicle.incomplete() == (ENTRY,)


def test_the_fee_of_bought_coins_is_what_the_position_lacks() -> None:
    """Alpaca's message has no fee, but it has the position."""
    bought = {"symbol": "BTC/USD", "asset_class": "crypto", "qty": "2", "order_class": ""}
    story = Story(roster(approved(spec("desk-entry", symbol="BTC/USD", quantity=Decimal(2)))))
    done = raw("v-entry", "desk-entry", "filled", **{**bought, "filled_qty": "2"})
    story.hear(message("fill", done, "x-1", qty="2", position_qty="1.995"))
    update = story.chronicle.after(0)[-1]
    assert isinstance(update, OrderUpdate)
    assert update.fill is not None
    assert (update.fill.fee_quantity, update.fill.side) == (Decimal("0.005"), Side.BUY)
    assert story.held(update.fill.symbol) == Decimal("1.995")
