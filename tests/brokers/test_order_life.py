"""How orders hang together, shrink, expire, are replaced and refused."""

from datetime import date
from decimal import Decimal
from functools import partial

import pytest

from brokers.venue_kit import Desk, Market, Weekdays, approved, at, open_desk, settings, spec
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import MemoryVenueStore
from trading_bot.domain.errors import OrderNotFoundError, OrderRejectedError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import OrderState
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.execution.clock import SimulatedClock

D = Decimal
FLAT = (100, 100, 100, 100, 1_000)
B = Symbol("B")


def _calm(bars: int = 4) -> Market:
    return Market().minutes([FLAT] * bars)


def test_legs_wake_with_every_partial_fill_of_their_entry_and_grow_with_it() -> None:
    """100 of 150 at the first price, 50 at the second."""
    desk = open_desk(_calm(), participation="0.1")
    desk.send(spec("e", quantity=150, legs=(95, 105)))
    assert desk.resting() == {"e": D(50), "e-sl": D(100), "e-tp": D(100)}
    assert desk.go("14:35").resting() == {"e-sl": D(150), "e-tp": D(150)}


def test_a_leg_does_not_exist_before_its_entry_fills() -> None:
    """The entry rests at 90."""
    desk = open_desk(_calm())
    desk.send(spec("e", limit=90, legs=(85, 105)))
    assert desk.broker.find(ClientOrderId("e-sl")) is None
    assert desk.resting() == {"e": D(100)}


def test_a_partly_filled_target_shrinks_its_stop_by_as_much() -> None:
    """10 % of 400 shares at the target: 40 gone, 60 still protected."""
    desk = open_desk(Market().minutes([FLAT, (100, 106, 100, 106, 400)]), participation="0.1")
    desk.send(spec("e", legs=(95, 105)))
    desk.go("14:40")
    assert (desk.held, desk.resting()) == (D(60), {"e-sl": D(60), "e-tp": D(60)})


def test_a_leg_that_fills_ends_the_rest_of_its_entry() -> None:
    """Half of the entry is in when the stop is touched: the other half would have no legs."""
    desk = open_desk(Market().minutes([(100, 100, 94, 94, 1_000), FLAT]), participation="0.1")
    desk.send(spec("e", quantity=200, legs=(95, 105)))
    desk.go("14:40")
    assert ("e", "canceled", "an exit of its bracket filled") in desk.log
    assert (desk.held, desk.resting()) == (D(0), {})


def test_two_brackets_on_one_symbol_are_independent() -> None:
    """The nearer target takes its half; the other half keeps stop and target."""
    desk = open_desk(Market().minutes([FLAT, (100, 106, 100, 106, 1_000)]))
    desk.send(spec("a", quantity=50, legs=(95, 105)))
    desk.send(spec("b", quantity=50, legs=(95, 110)))
    desk.go("14:40")
    assert (desk.held, desk.resting()) == (D(50), {"b-sl": D(50), "b-tp": D(50)})


def test_a_pair_without_an_entry_cancels_each_other() -> None:
    """One cancels other: the stop is touched, the target goes."""
    desk = open_desk(Market().minutes([FLAT, (100, 100, 94, 94, 1_000)]))
    desk.send(spec("e"))
    desk.send(spec("o", "sell", limit=105, legs=(95,), role="take_profit"))
    assert desk.resting() == {"o": D(100), "o-sl": D(100)}
    assert desk.go("14:40").fills[1:] == [("o-sl", D(100), D("94.99"), at("14:40"))]
    assert desk.resting() == {}


def test_closing_a_position_cancels_its_exits() -> None:
    """A market exit leaves nothing to protect."""
    desk = open_desk(_calm())
    desk.send(spec("e", legs=(95, 105)))
    desk.send(spec("c", "sell", role="close"))
    assert desk.resting() == {}
    assert desk.log[-2:] == [("e-sl", "canceled", "position closed"), ("e-tp", "canceled", "position closed")]


def test_reducing_a_position_shrinks_each_exit_to_what_is_left_and_tells_it() -> None:
    """70 of 100 are sold."""
    desk = open_desk(_calm())
    desk.send(spec("e", legs=(95, 105)))
    desk.send(spec("c", "sell", quantity=70, role="close"))
    assert desk.resting() == {"e-sl": D(30), "e-tp": D(30)}
    assert [entry[0] for entry in desk.log[-2:]] == ["e-sl", "e-tp"]


def test_an_exit_larger_than_the_position_is_cut_down_to_it() -> None:
    """150 asked, 100 held."""
    desk = open_desk(_calm())
    desk.send(spec("e"))
    assert desk.send(spec("c", "sell", quantity=150, role="close")).quantity == 100
    assert desk.held == 0


def test_a_day_order_expires_at_the_close_and_a_lasting_one_rests() -> None:
    """The entry is for the day, its legs are not."""
    desk = open_desk(Market().days([FLAT, FLAT]))
    desk.send(spec("d", limit=90, tif="day"))
    desk.send(spec("g", limit=90))
    desk.go("21:00")
    assert desk.resting() == {"g": D(100)}
    assert desk.log[-1] == ("d", "expired", "the session closed")


def test_a_day_order_expires_early_on_a_half_day() -> None:
    """That Monday closes at 18:00."""
    calendars = partial(Weekdays, early=frozenset({date(2024, 3, 4)}))
    clock = SimulatedClock(at("14:30"))
    desk = Desk(PaperBroker(MemoryVenueStore(), Market().days([FLAT]), calendars, clock, settings()), clock)
    desk.send(spec("d", limit=90, tif="day"))
    assert desk.broker.next_event_time(at("23:00")) == at("18:00")


def test_a_replacement_takes_the_place_and_the_links_of_a_resting_leg() -> None:
    """The stop moves from 95 to 98 while the entry still fills; it grows and pairs as the old one did."""
    desk = open_desk(Market().minutes([FLAT, FLAT, (100, 100, 97, 97, 10**6)]), participation="0.1")
    desk.send(spec("e", quantity=150, legs=(95, 105)))
    moved = desk.broker.replace(approved(spec("s2", "sell", stop=98, role="stop_loss"), replaces="e-sl"))
    assert (moved.parent_id, moved.quantity) == ("e", D(100))
    assert desk.go("14:35").resting() == {"s2": D(150), "e-tp": D(150)}
    assert desk.go("14:45").fills[-1] == ("s2", D(150), D("97.99"), at("14:45"))
    assert desk.resting() == {}


def test_what_rests_no_more_cannot_be_replaced() -> None:
    """Nothing is placed."""
    desk = open_desk(_calm())
    desk.send(spec("e"))
    with pytest.raises(OrderNotFoundError, match="rests no more"):
        desk.broker.replace(approved(spec("s2", "sell", stop=98, role="stop_loss"), replaces="e-sl"))
    assert desk.broker.find(ClientOrderId("s2")) is None


def test_canceling_ends_a_working_order_and_leaves_a_finished_one() -> None:
    """Twice is once; an unknown id is an error."""
    desk = open_desk(_calm())
    desk.send(spec("l", limit=90))
    desk.broker.cancel(ClientOrderId("l"))
    before = desk.broker.events(0)
    desk.broker.cancel(ClientOrderId("l"))
    assert desk.broker.events(0) == before
    with pytest.raises(OrderNotFoundError, match="nothing was canceled"):
        desk.broker.cancel(ClientOrderId("x"))


def test_an_id_that_the_venue_knows_is_never_placed_twice() -> None:
    """The second answer is the order as it is by then."""
    desk = open_desk(_calm())
    first = desk.send(spec("e", legs=(95, 105)))
    before = desk.broker.events(0)
    assert desk.send(spec("e", legs=(95, 105))) == first
    assert desk.send(spec("e-sl", "sell", stop=90, role="stop_loss")).stop_price == 95
    assert desk.broker.events(0) == before


REFUSED = {
    "off the tick": (spec("x", limit="99.995"), "not a multiple of the tick_size 0.01"),
    "off the lot": (spec("x", quantity="1.5"), "not a multiple of the lot_size 1"),
    "leg off the tick": (spec("x", legs=("95.001",)), "not a multiple of the tick_size 0.01"),
    "too small": (spec("x", limit="0.50", quantity=1), "below the least of 1 USD: send a larger quantity"),
    "unknown symbol": (spec("x", symbol="NIX"), "NIX is not traded here"),
    "nothing to reduce": (spec("x", "sell", role="close"), "compare positions first"),
    "beyond buying power": (spec("x", quantity=1_001, limit=100), "it needs 100100.00000000 USD, buying power is 100000"),
    "stop above target": (spec("x", legs=(106, 105)), "not on the losing side"),
    "not shortable": (spec("x", "sell", symbol="B"), "cannot be sold short"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_to_do_and_is_remembered(name: str) -> None:
    """The same id is refused the same way, whatever has changed since."""
    order, reason = REFUSED[name]
    market = _calm().minutes([FLAT] * 4, symbol=B)
    market.instruments[B] = Instrument(symbol=B, shortable=False)
    desk = open_desk(market)
    with pytest.raises(OrderRejectedError, match="nothing was placed") as first:
        desk.send(order)
    assert reason in str(first.value)
    with pytest.raises(OrderRejectedError) as second:
        desk.go("14:40").send(order)
    assert str(second.value) == str(first.value)
    assert (desk.resting(), len(desk.broker.events(0))) == ({}, 1)


def test_working_entries_reserve_buying_power() -> None:
    """600 at 100 leave 40,000: enough for 400, not for 401; a canceled one gives back."""
    desk = open_desk(_calm())
    desk.send(spec("a", quantity=600, limit=100, tif="day"))
    assert desk.broker.account().buying_power == 40_000
    with pytest.raises(OrderRejectedError):
        desk.send(spec("b", quantity=401, limit=100))
    desk.broker.cancel(ClientOrderId("a"))
    assert desk.send(spec("c", quantity=401, limit=100)).state is OrderState.ACCEPTED


def test_an_entry_that_the_opening_makes_too_dear_is_canceled() -> None:
    """990 at 100.01 were covered; at 120.01 they are not."""
    desk = open_desk(Market().days([FLAT, (120, 120, 120, 120, 1_000)]), start=at("22:00"))
    desk.send(spec("m", quantity=990))
    assert desk.go("14:30", 5).log[-1] == ("m", "canceled", "buying power no longer covers it")


def test_asking_when_something_happens_changes_nothing() -> None:
    """It tells the time of the next event and no more."""
    desk = open_desk(Market().minutes([FLAT, FLAT, (100, 100, 94, 94, 1_000)]))
    desk.send(spec("e", legs=(95, 105)))
    before = desk.broker.events(0)
    assert desk.broker.next_event_time(at("14:44")) is None
    assert desk.broker.next_event_time(at("21:00")) == at("14:45")
    assert desk.broker.events(0) == before


def test_venue_order_ids_are_running_numbers() -> None:
    """The same in every run."""
    desk = open_desk(_calm())
    desk.send(spec("e", legs=(95, 105)))
    assert [o.venue_order_id for o in desk.broker.open_orders()] == ["v00000002", "v00000003"]
