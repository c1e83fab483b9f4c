"""The guardian's plans for venues of different kinds: what goes first, and that nothing in them enlarges."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from builders import AAPL, CASH, NOW, position
from trading_bot.domain.books import Account
from trading_bot.domain.orders import Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.traits import PAPER, VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.execution.guardian_plan import Cancel, Close, Guard, cure, flatten
from trading_bot.execution.guardian_sight import Holdings, holdings

ACCOUNT = Account(account_id="paper-1", cash=CASH, equity=CASH, buying_power=CASH)
RESERVES = VenueTraits(exits_reserve=True, stop_beside_entry=False)


def order(identity: str, side: Side, kind: OrderType, quantity: int, symbol: Symbol = AAPL) -> Order:
    """A working order; its role is for the guardian to see."""
    prices = {
        OrderType.LIMIT: {"limit_price": "110"},
        OrderType.STOP: {"stop_price": "95"},
    }.get(kind, {})
    fields = {
        "client_order_id": ClientOrderId(identity),
        "venue_order_id": identity,
        "symbol": symbol,
        "side": side,
        "type": kind,
        "role": OrderRole.ENTRY,
        "quantity": Decimal(quantity),
        "time_in_force": TimeInForce.GTC,
        "state": OrderState.ACCEPTED,
        "filled_quantity": Decimal(0),
        "average_price": Decimal(0),
        "submitted_at": NOW,
        "updated_at": NOW,
        **prices,
    }
    return Order.model_validate(fields)


def seen(*orders: Order, quantity: str = "100") -> Holdings:
    """AAPL held, with these orders."""
    return holdings(ACCOUNT, (position(quantity=quantity),), orders)


def test_an_order_against_a_position_is_an_exit_whoever_placed_it() -> None:
    """Its kind says which; an order along the position is new risk."""
    found = seen(
        order("a", Side.SELL, OrderType.STOP, 1), order("b", Side.SELL, OrderType.LIMIT, 1), order("c", Side.BUY, OrderType.LIMIT, 1)
    )
    assert [o.role for o in found.orders] == [OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT, OrderRole.ENTRY]
    short = seen(order("a", Side.BUY, OrderType.STOP, 1), order("b", Side.SELL, OrderType.LIMIT, 1), quantity="-100")
    assert [o.role for o in short.orders] == [OrderRole.STOP_LOSS, OrderRole.ENTRY]


def test_where_no_stop_may_rest_beside_an_entry_the_entry_goes_first() -> None:
    """The stop follows in the next plan."""
    entry = order("entry", Side.BUY, OrderType.LIMIT, 50)
    found = seen(entry)
    assert cure(found, lambda _: PAPER, withdraw=False) == (Guard(AAPL, Decimal(100)),)
    (step,) = cure(found, lambda _: RESERVES, withdraw=False)
    assert isinstance(step, Cancel)
    assert step.order.client_order_id == "entry"


def test_a_target_that_sets_aside_what_is_naked_goes_before_its_stop_comes() -> None:
    """One that leaves enough stays."""
    whole, half = order("target", Side.SELL, OrderType.LIMIT, 100), order("target", Side.SELL, OrderType.LIMIT, 50)
    (step,) = cure(seen(whole), lambda _: RESERVES, withdraw=False)
    assert isinstance(step, Cancel)
    beside = seen(half, order("stop", Side.SELL, OrderType.STOP, 50))
    assert cure(beside, lambda _: RESERVES, withdraw=False) == (Guard(AAPL, Decimal(50)),)


def test_closing_leaves_the_stop_until_it_is_done_unless_the_stop_reserves_the_shares() -> None:
    """What waits for a market to open stays guarded."""
    stop = order("stop", Side.SELL, OrderType.STOP, 100)
    assert flatten(seen(stop), lambda _: PAPER) == (Close(AAPL),)
    (step,) = flatten(seen(stop), lambda _: RESERVES)
    assert isinstance(step, Cancel)
    assert flatten(seen(), lambda _: RESERVES) == (Close(AAPL),)
    assert flatten(seen(stop, order("close", Side.SELL, OrderType.MARKET, 100)), lambda _: PAPER) == ()


_ORDERS = st.lists(
    st.builds(
        order,
        st.uuids().map(str),
        st.sampled_from(Side),
        st.sampled_from([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP]),
        st.integers(1, 200),
        st.sampled_from([AAPL, Symbol("SPY")]),
    ),
    max_size=6,
)


@given(_ORDERS, st.sampled_from(["100", "-100"]), st.sampled_from([PAPER, RESERVES]))
def test_no_plan_guards_more_than_is_naked_or_closes_what_is_closing(orders: list[Order], quantity: str, traits: VenueTraits) -> None:
    """Whatever rests; and each order is canceled once."""
    found = seen(*orders, quantity=quantity)
    for steps in (cure(found, lambda _: traits, withdraw=True), flatten(found, lambda _: traits)):
        canceled = [s.order.client_order_id for s in steps if isinstance(s, Cancel)]
        assert len(canceled) == len(set(canceled))
        assert all(s.quantity == found.naked()[s.symbol] <= 100 for s in steps if isinstance(s, Guard))
        assert all(s.symbol in found.held for s in steps if isinstance(s, Close))
        assert len([s for s in steps if isinstance(s, Close)]) <= 1
