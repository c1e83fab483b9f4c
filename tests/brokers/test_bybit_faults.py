"""Faults of network and venue, over real sockets: no order twice, no fill lost, no stop forgotten, whatever goes wrong."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from brokers.bybit_floor import Floor, floor
from brokers.bybit_kit import BTC, approved, bracket, spec, stop, until
from trading_bot.domain.errors import BrokerUnavailableError, OutcomeUnknownError, RateLimitedError
from trading_bot.domain.orders import OrderRole, OrderSpec, OrderState, Side
from trading_bot.domain.values import ClientOrderId

ACCEPTED, CANCELED, FILLED = OrderState.ACCEPTED, OrderState.CANCELED, OrderState.FILLED
CREATE, STOP = "/v5/order/create", "/v5/position/trading-stop"
A = ClientOrderId("a-1")


@pytest.fixture
def venue() -> Iterator[Floor]:
    """An emulated Bybit and an opened adapter, whose leverage is set already and whose stream is on."""
    with floor() as made:
        made.broker._ready.ensure(BTC)
        until(made.broker._is_live)
        yield made


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "lost_answer", "on": "order"},
        {"fault": "server_error", "on": "order", "status": 504, "accepted": True},
        {"fault": "cut_body", "on": "order", "accepted": True},
    ],
    ids=lambda rule: rule["fault"],
)
def test_an_order_whose_answer_is_lost_is_found_and_is_one(venue: Floor, rule: dict[str, Any]) -> None:
    """Unknown at first; the venue has it under our id; sent again under that id it is the same one."""
    venue.fault(**rule)
    with pytest.raises(OutcomeUnknownError):
        venue.send(bracket("a-1", "49000"))
    until(lambda: venue.broker.find(A) is not None)
    venue.becomes("a-1-stop", ACCEPTED)
    assert venue.broker.submit(venue.intents[0].order).state is FILLED
    venue.agree()
    assert sum(f.quantity for f in venue.fills()) == Decimal("0.01")
    assert venue.sent(CREATE, "a-1") == 1


def test_an_order_that_never_arrived_is_absent_for_good_and_can_be_sent_under_its_id(venue: Floor) -> None:
    """A server error before it was taken: unknown, absent from both lists, and then placed once."""
    venue.fault(fault="server_error", on="order", accepted=False)
    with pytest.raises(OutcomeUnknownError):
        venue.send(spec("a-1"))
    assert venue.broker.find(A) is None
    venue.broker.submit(venue.intents[0].order)
    venue.becomes("a-1", FILLED)
    venue.agree()


def test_a_rate_limit_sends_nothing_and_ends(venue: Floor) -> None:
    """Believed until its reset; the order goes out once."""
    venue.fault(fault="rate_limited", on="order", reset=True, seconds=1)
    with pytest.raises(RateLimitedError, match="wait"):
        venue.send(spec("a-1"))

    def sent() -> bool:
        try:
            venue.broker.submit(venue.intents[0].order)
        except RateLimitedError:
            return False
        return True

    until(sent)
    venue.becomes("a-1", FILLED)
    assert sum(f.quantity for f in venue.fills()) == Decimal("0.01")


def test_a_stop_whose_answer_is_lost_is_found_on_the_position(venue: Floor) -> None:
    """The position shows it; sent again it is not sent again."""
    venue.send(spec("a-1"))
    venue.becomes("a-1", FILLED)
    venue.fault(fault="lost_answer", on="replace")
    venue.fault(fault="lost_answer", on="order")
    with pytest.raises(OutcomeUnknownError):
        venue.send(stop("b-1", "49000"))
    found = venue.broker.find(ClientOrderId("b-1"))
    assert found is not None
    assert found.state is ACCEPTED
    assert venue.broker.submit(venue.intents[-1].order).client_order_id == "b-1"
    assert venue.sent(STOP) == 1
    venue.agree()


def test_a_cancel_whose_answer_is_lost_has_happened(venue: Floor) -> None:
    """Unknown; the next one finds it at its end."""
    venue.send(spec("a-1", limit_price=Decimal(49_000)))
    venue.becomes("a-1", ACCEPTED)
    venue.fault(fault="lost_answer", on="cancel")
    with pytest.raises(OutcomeUnknownError):
        venue.broker.cancel(A)
    venue.broker.cancel(A)
    venue.becomes("a-1", CANCELED)
    venue.agree()


def test_a_fill_that_overtakes_a_cancel_is_booked(venue: Floor) -> None:
    """The order is filled, whatever the cancel says."""
    venue.send(spec("a-1", limit_price=Decimal(49_000)))
    venue.becomes("a-1", ACCEPTED)
    venue.fault(fault="late_fill_after_cancel")
    venue.broker.cancel(A)
    venue.agree()
    assert venue.held() == Decimal("0.01")


@pytest.mark.parametrize(
    "rules",
    [
        [{"fault": "duplicate_event", "every": 1}],
        [{"fault": "out_of_order", "every": 1}],
        [{"fault": "duplicate_event", "every": 2}, {"fault": "out_of_order", "every": 3}],
        [{"fault": "fill_before_acceptance"}],
        [{"fault": "drop_stream", "after": 0.1, "every": 1}],
    ],
    ids=["doubled", "shuffled", "both", "fill first", "dropped"],
)
def test_a_stream_that_lies_in_order_and_number_changes_no_books(venue: Floor, rules: list[dict[str, Any]]) -> None:
    """Entry, partial exit, stop: each execution once, each stop with its size."""
    for rule in rules:
        venue.fault(**rule)
    venue.send(bracket("a-1", "49000"))
    venue.becomes("a-1-stop", ACCEPTED)
    venue.send(spec("c-1", Side.SELL, "0.004", role=OrderRole.CLOSE))
    venue.becomes("c-1", FILLED)
    venue.agree()
    venue.price(48_900)
    until(lambda: venue.held() == 0)
    venue.agree()
    assert [f.quantity for f in venue.fills()] == [Decimal("0.01"), Decimal("0.004"), Decimal("0.006")]
    assert venue.told("a-1-stop")[-1].state is FILLED


def test_a_mute_stream_is_found_out_by_reading(venue: Floor) -> None:
    """Connected, and nothing comes: what happened is read within seconds."""
    venue.fault(fault="mute_stream", seconds=60)
    venue.send(bracket("a-1", "49000"))
    venue.becomes("a-1-stop", ACCEPTED)
    venue.price(48_900)
    venue.becomes("a-1-stop", FILLED)
    venue.agree()


def test_a_stream_that_was_cut_comes_back_and_nothing_is_missed(venue: Floor) -> None:
    """It connects again by itself; what happened in between is read at once."""
    first = venue.broker._stream
    assert first is not None
    connections = first.connections
    venue.send(spec("a-1", limit_price=Decimal(49_000)))
    venue.becomes("a-1", ACCEPTED)
    venue.api.control(do="drop")
    venue.price(48_900)
    venue.becomes("a-1", FILLED)
    until(lambda: first.connections > connections and first.live)
    venue.agree()


def test_a_partial_fill_is_guarded_as_it_comes(venue: Floor) -> None:
    """The stop follows the part that is filled; a cancel of the rest keeps it."""
    venue.fault(fault="partial_fill", fraction="0.4", seconds=60)
    venue.send(bracket("a-1", "49000", limit_price=Decimal(50_100)))
    venue.becomes("a-1", OrderState.PARTIALLY_FILLED)
    until(lambda: venue.look().orders.get(ClientOrderId("a-1-stop")) is not None)
    venue.agree()
    assert venue.look().orders[ClientOrderId("a-1-stop")].quantity == Decimal("0.004")
    venue.broker.cancel(A)
    venue.becomes("a-1", CANCELED)
    venue.agree()


@pytest.mark.parametrize("fault", ["unreachable", "maintenance"])
def test_a_venue_that_is_away_for_a_while_is_waited_for(venue: Floor, fault: str) -> None:
    """Nothing is taken for empty; when it is back, the books are what it has."""
    venue.send(bracket("a-1", "49000"))
    venue.becomes("a-1-stop", ACCEPTED)
    venue.fault(fault=fault, seconds=1.5, after=0)
    lost = 0

    def back() -> bool:
        nonlocal lost
        try:
            venue.broker.positions()
        except BrokerUnavailableError:
            lost += 1
            return False
        return lost > 0

    until(back)
    venue.price(48_900)
    until(lambda: _held(venue) == 0)
    until(lambda: _agrees(venue))


def test_a_clock_that_is_wrong_is_said_so(venue: Floor) -> None:
    """The message says what to do; nothing was placed."""
    venue.fault(fault="clock_skew", on="any", seconds=120)
    with pytest.raises(BrokerUnavailableError, match="NTP"):
        venue.send(spec("a-1"))


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_desk_that_died_between_two_bookings_comes_to_the_same_books(venue: Floor, kept: int) -> None:
    """Whichever event was the last, if any was: nothing is lost, nothing comes twice."""
    venue.send(bracket("a-1", "49000"))
    venue.becomes("a-1-stop", ACCEPTED)
    venue.agree()
    cash = venue.look().cash
    venue.restart(kept)
    venue.agree()
    assert venue.look().cash == cash
    assert [f.quantity for f in venue.fills()] == [Decimal("0.01")]
    count = len(venue.booked)
    venue.restart()
    venue.agree()
    assert len(venue.booked) == count


def test_what_happened_while_no_desk_ran_is_told_to_the_next(venue: Floor) -> None:
    """A resting entry is filled, guarded and stopped out in between."""
    venue.send(bracket("a-1", "48000", limit_price=Decimal(49_000)))
    venue.becomes("a-1", ACCEPTED)
    venue.broker.close()
    venue.price(48_900)
    until(lambda: bool(venue.api.service.state()["positions"]))
    venue.price(47_900)
    until(lambda: not venue.api.service.state()["positions"])
    venue.start()
    venue.becomes("a-1", FILLED)
    venue.becomes("a-1-stop", FILLED)
    venue.agree()


def test_an_intent_that_was_never_sent_is_not_found(venue: Floor) -> None:
    """Meant, written down, and then the desk died: neither the entry nor its leg exists."""
    order: OrderSpec = bracket("a-1", "49000")
    venue.restart()
    venue.broker._roster.add(approved(order))
    assert venue.broker.find(A) is None
    assert venue.broker.find(ClientOrderId("a-1-stop")) is None


def _held(venue: Floor) -> Decimal:
    try:
        return venue.held()
    except BrokerUnavailableError:
        return Decimal(-1)


def _agrees(venue: Floor) -> bool:
    try:
        return venue._agrees()
    except BrokerUnavailableError:
        return False
