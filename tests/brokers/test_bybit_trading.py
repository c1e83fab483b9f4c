"""Trading an emulated Bybit over real sockets: what the desk books is what the venue has."""

from decimal import Decimal

import pytest

from brokers.bybit_floor import floor
from brokers.bybit_kit import BTC, KEYS, bracket, nobody_listening, spec, stop, until
from trading_bot.domain.errors import BrokerKeysError, BrokerUnavailableError, OrderNotFoundError, OrderRejectedError
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.orders import OrderRole, OrderState, OrderType, Side
from trading_bot.domain.values import ClientOrderId
from trading_bot.network.keys import Keys

ACCEPTED, CANCELED, FILLED, REJECTED = OrderState.ACCEPTED, OrderState.CANCELED, OrderState.FILLED, OrderState.REJECTED
CREATE, LEVERAGE = "/v5/order/create", "/v5/position/set-leverage"


def test_an_entry_with_its_stop_from_the_first_to_the_last_event() -> None:
    """Acknowledged, accepted, filled, guarded, stopped out: books and venue are one at rest, in the position and after it."""
    with floor() as venue:
        venue.agree()
        assert venue.send(bracket("a-1", "49000")).state is OrderState.SUBMITTED
        venue.becomes("a-1", FILLED)
        venue.becomes("a-1-stop", ACCEPTED)
        venue.agree()
        assert venue.look().stops[BTC] == 49_000
        venue.price(48_900)
        venue.becomes("a-1-stop", FILLED)
        venue.agree()
        stopped = venue.fills()[-1]
        assert (stopped.client_order_id, stopped.role, stopped.quantity) == ("a-1-stop", OrderRole.STOP_LOSS, Decimal("0.01"))
        assert [o.state for o in venue.told("a-1-stop")] == [ACCEPTED, FILLED]


def test_what_rests_is_found_once_and_canceled_once() -> None:
    """The same order again is not sent again; it is canceled under our id, and a second cancel changes nothing."""
    with floor() as venue:
        order = spec("a-1", limit_price=Decimal(49_000))
        placed = venue.send(order)
        assert venue.send(order).venue_order_id == placed.venue_order_id
        venue.becomes("a-1", ACCEPTED)
        assert [o.client_order_id for o in venue.broker.open_orders()] == ["a-1"]
        venue.broker.cancel(ClientOrderId("a-1"))
        venue.becomes("a-1", CANCELED)
        venue.broker.cancel(ClientOrderId("a-1"))
        assert venue.send(order).state is CANCELED
        venue.agree()
        with pytest.raises(OrderNotFoundError):
            venue.broker.cancel(ClientOrderId("a-2"))
        assert venue.broker.find(ClientOrderId("a-2")) is None


def test_a_moved_stop_keeps_guarding_and_the_old_one_ends() -> None:
    """One call at the venue; sent twice it stays one; the position is never without."""
    with floor() as venue:
        venue.send(bracket("a-1", "49000"))
        venue.becomes("a-1-stop", ACCEPTED)
        moved = venue.send(stop("b-1", "49500"), replaces="a-1-stop")
        assert (moved.state, moved.stop_price, moved.quantity) == (ACCEPTED, Decimal(49_500), Decimal("0.01"))
        assert venue.state("a-1-stop") is CANCELED
        venue.agree()
        assert venue.send(stop("b-1", "49500"), replaces="a-1-stop").client_order_id == "b-1"
        assert venue.sent("/v5/position/trading-stop") == 1
        with pytest.raises(OrderNotFoundError):
            venue.send(stop("b-2", "49600"), replaces="a-1-stop")
        assert venue.broker.find(ClientOrderId("b-1")) == moved


def test_a_stop_is_placed_taken_away_and_placed_again() -> None:
    """Alone, for a position that has none; a trailing one follows."""
    with floor() as venue:
        venue.send(spec("a-1"))
        venue.becomes("a-1", FILLED)
        venue.send(stop("b-1", "49000"))
        venue.agree()
        venue.broker.cancel(ClientOrderId("b-1"))
        assert venue.state("b-1") is CANCELED
        venue.agree()
        assert venue.held() == Decimal("0.01")
        trailing = stop("b-2", "1", type=OrderType.TRAILING_STOP, stop_price=None, trail=Decimal(500))
        assert venue.send(trailing).type is OrderType.TRAILING_STOP
        venue.agree()
        venue.price(49_400)
        venue.becomes("b-2", FILLED)
        venue.agree()


def test_a_stop_without_a_position_to_guard_is_refused() -> None:
    """Neither for nothing, nor for a position on its own side."""
    with floor() as venue:
        with pytest.raises(OrderRejectedError, match="nothing was placed"):
            venue.send(stop("b-1", "49000"))
        venue.send(spec("a-1", Side.SELL))
        venue.becomes("a-1", FILLED)
        with pytest.raises(OrderRejectedError, match="nothing was placed"):
            venue.send(stop("b-2", "49000"))
        assert venue.broker.find(ClientOrderId("b-2")) is None
        assert venue.sent("/v5/position/trading-stop") == 0


def test_the_stop_follows_a_partial_exit_and_ends_with_the_last_one() -> None:
    """Closing orders only reduce; what is left is guarded; a close for more than is held turns nothing round."""
    with floor() as venue:
        venue.send(bracket("a-1", "49000"))
        venue.becomes("a-1-stop", ACCEPTED)
        venue.send(spec("c-1", Side.SELL, "0.004", role=OrderRole.CLOSE))
        venue.becomes("c-1", FILLED)
        until(lambda: venue.look().orders[ClientOrderId("a-1-stop")].remaining == Decimal("0.006"))
        venue.agree()
        venue.send(spec("c-2", Side.SELL, "0.02", role=OrderRole.CLOSE))
        venue.becomes("a-1-stop", CANCELED)
        venue.agree()
        assert venue.held() == 0


def test_a_short_is_guarded_and_bought_back() -> None:
    """The stop of a short buys."""
    with floor() as venue:
        venue.send(bracket("a-1", "51000", side=Side.SELL))
        venue.becomes("a-1-stop", ACCEPTED)
        assert venue.held() == Decimal("-0.01")
        venue.agree()
        venue.price(51_100)
        venue.becomes("a-1-stop", FILLED)
        venue.agree()


def test_leverage_is_set_and_read_back_before_the_first_order_alone() -> None:
    """Once for a symbol; exits do not wait for it."""
    with floor(leverage="3") as venue:
        venue.send(spec("a-1"))
        assert venue.sent(LEVERAGE) == 1
        venue.becomes("a-1", FILLED)
        venue.send(spec("a-2"))
        assert venue.sent(LEVERAGE) == 1
        row = venue.broker._reader.positions(BTC)[0]
        assert Decimal(row["leverage"]) == 3


def test_targets_rest_beside_the_stop_and_are_replaced_by_guarding_first() -> None:
    """A reduce-only limit; another takes its place, and the first ends."""
    with floor() as venue:
        venue.send(bracket("a-1", "49000"))
        venue.becomes("a-1-stop", ACCEPTED)
        venue.send(spec("t-1", Side.SELL, limit_price=Decimal(51_000), role=OrderRole.TAKE_PROFIT))
        venue.becomes("t-1", ACCEPTED)
        venue.send(spec("t-2", Side.SELL, limit_price=Decimal(51_500), role=OrderRole.TAKE_PROFIT), replaces="t-1")
        venue.becomes("t-2", ACCEPTED)
        venue.becomes("t-1", CANCELED)
        venue.agree()
        venue.price(51_600)
        venue.becomes("t-2", FILLED)
        venue.becomes("a-1-stop", CANCELED)
        venue.agree()


def test_an_order_that_is_refused_after_its_acknowledgement_ends_in_the_books() -> None:
    """The acknowledgement was no acceptance."""
    with floor() as venue:
        venue.fault(fault="reject", reason="EC_Others")
        assert venue.send(spec("a-1")).state is OrderState.SUBMITTED
        venue.becomes("a-1", REJECTED)
        venue.agree()


@pytest.mark.parametrize(
    "wrong",
    [
        spec("a-1", quantity="0.0001"),
        spec("a-1", limit_price=Decimal("49000.05")),
        spec("a-1", quantity="90"),
        spec("a-1").model_copy(update={"symbol": "NONEUSDT"}),
    ],
    ids=["below the least quantity", "off tick", "more than the margin", "unknown symbol"],
)
def test_what_the_venue_refuses_was_not_placed(wrong: object) -> None:
    """The refusal says so, and nothing rests."""
    with floor() as venue:
        assert isinstance(wrong, type(spec("a-0")))
        with pytest.raises((OrderRejectedError, BrokerUnavailableError)):
            venue.send(wrong)
        assert venue.broker.open_orders() == ()
        assert venue.broker.find(ClientOrderId("a-1")) is None


def test_a_liquidation_is_booked_as_the_venues_own_close() -> None:
    """It carries no id of ours; the stop ends with the position."""
    with floor() as venue:
        venue.send(bracket("a-1", "49000"))
        venue.becomes("a-1-stop", ACCEPTED)
        venue.fault(fault="liquidation", symbol=BTC, after=0)
        until(lambda: venue.held() == 0)
        assert venue.fills()[-1].client_order_id.startswith("venue-")
        venue.becomes("a-1-stop", CANCELED)
        venue.agree()


def test_what_a_hand_does_is_seen_and_not_booked() -> None:
    """A foreign order is among the working ones, a foreign position among the positions; neither is an event."""
    with floor() as venue:
        venue.agree()
        venue.api.control(do="order_by_hand", symbol=BTC, side="buy", quantity="0.01", limit="48000")
        until(lambda: len(venue.broker.open_orders()) == 1)
        foreign = venue.broker.open_orders()[0]
        assert (foreign.client_order_id[:6], foreign.role) == ("venue-", OrderRole.ENTRY)
        venue.api.control(do="position_by_hand", symbol=BTC, quantity="0.02")
        until(lambda: [p.quantity for p in venue.broker.positions()] == [Decimal("0.02")])
        venue.look()
        assert len(venue.booked) == 1
        venue.broker.cancel(foreign.client_order_id)
        until(lambda: venue.broker.open_orders() == ())


def test_funding_is_cash_of_its_own() -> None:
    """Every eight hours; the log tells it once, however often it is read."""
    with floor() as venue:
        venue.send(spec("a-1"))
        venue.becomes("a-1", FILLED)
        venue.api.control(do="advance", seconds=8 * 3600)
        until(lambda: any(isinstance(e, CashUpdate) and e.reason is CashReason.FUNDING for e in venue.look() and venue.booked))
        venue.agree()
        assert len([e for e in venue.booked if isinstance(e, CashUpdate)]) == 2


def test_keys_that_are_wrong_or_of_another_account_trade_nothing() -> None:
    """The message says what to look at, and shows no key."""
    with floor() as venue:
        for changed in ({"keys": Keys(KEYS.key, "WRONG-SECRET")}, {"keys": Keys("WRONG-KEY", KEYS.secret)}, {"account": "12345"}):
            stranger = venue.adapter(**changed)
            with pytest.raises(BrokerKeysError) as caught:
                stranger.account()
            assert not any(word in str(caught.value) for word in (KEYS.key, KEYS.secret, "WRONG"))
            stranger.close()
        ours = venue.adapter(account="53888001")
        assert ours.account().account_id == "53888001"
        ours.close()


def test_a_venue_that_cannot_be_reached_says_so() -> None:
    """Before anything was sent."""
    with floor() as venue, nobody_listening() as url:
        lost = venue.adapter(url=url)
        with pytest.raises(BrokerUnavailableError):
            lost.account()
        lost.close()


def test_the_doctors_facts_are_in_words() -> None:
    """Read only: account, world, money, what the keys may do and from where."""
    with floor() as venue:
        facts = venue.broker.describe()
        assert list(facts)[:6] == ["account", "environment", "equity", "available", "permissions", "keys may"]
        assert (facts["account"], facts["environment"], facts["equity"]) == ("53888001", "demo", "10000.00 USDT")
        assert venue.sent(CREATE) == 0
        assert not any(word in str(facts) for word in (KEYS.key, KEYS.secret))


def test_spot_is_guarded_by_conditional_orders() -> None:
    """The fee of a buy is taken from the coin; the stop is an order of its own, moved by placing first; it sells what is held."""
    with floor(category="spot") as venue:
        venue.agree()
        venue.send(spec("a-1"))
        venue.becomes("a-1", FILLED)
        held = venue.held()
        assert Decimal("0.0099") < held < Decimal("0.01")
        lots = str(held.quantize(Decimal("0.0001"), rounding="ROUND_DOWN"))
        venue.send(stop("b-1", "49000", quantity=lots))
        venue.becomes("b-1", ACCEPTED)
        venue.agree()
        venue.send(stop("b-2", "49500", quantity=lots), replaces="b-1")
        venue.becomes("b-2", ACCEPTED)
        venue.becomes("b-1", CANCELED)
        venue.agree()
        venue.price(49_400)
        venue.becomes("b-2", FILLED)
        venue.agree()
