"""What an order may be, which moves it may make, and what its approval covers."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trading_bot.domain.errors import IllegalTransitionError
from trading_bot.domain.orders import (
    TRANSITIONS,
    ApprovedOrder,
    Leg,
    OrderClass,
    OrderRole,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    move,
)
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol, VerdictId

STOP = Leg(client_order_id=ClientOrderId("desk-stop"), price=Decimal(90))
TARGET = Leg(client_order_id=ClientOrderId("desk-target"), price=Decimal(110))


def spec(**changed: Any) -> OrderSpec:  # noqa: ANN401 - fields
    """A market entry with its stop."""
    fields = {
        "client_order_id": ClientOrderId("desk-entry"),
        "symbol": Symbol("AAPL"),
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "order_class": OrderClass.BRACKET,
        "quantity": Decimal(10),
        "role": OrderRole.ENTRY,
        "stop_loss": STOP,
    }
    return OrderSpec.model_validate({**fields, **changed})


@given(before=st.sampled_from(OrderState), after=st.sampled_from(OrderState))
def test_a_move_that_is_not_in_the_table_raises(before: OrderState, after: OrderState) -> None:
    """Every pair of states: either the table has it, or it is an error that names both."""
    if after in TRANSITIONS[before]:
        assert move(before, after) is after
    else:
        with pytest.raises(IllegalTransitionError, match=f"from {before} to {after}"):
            move(before, after)


def test_nothing_leaves_an_end_and_every_other_state_can_reach_one() -> None:
    """The four ends are final; no order can get stuck; nothing goes back to being a mere intention."""
    ends = {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED}
    assert {state for state in OrderState if state.is_final} == ends
    assert all(TRANSITIONS[state] & ends for state in set(OrderState) - ends)
    assert not any(OrderState.INTENDED in after for after in TRANSITIONS.values())


@pytest.mark.parametrize("kind", OrderType)
@pytest.mark.parametrize("limit", [None, Decimal(100)])
@pytest.mark.parametrize("stop", [None, Decimal(100)])
@pytest.mark.parametrize("trail", [None, Decimal(2)])
def test_an_order_has_exactly_the_prices_of_its_type(
    kind: OrderType, limit: Decimal | None, stop: Decimal | None, trail: Decimal | None
) -> None:
    """A limit without a price, or a market order with one, is no order."""
    wanted = {
        OrderType.MARKET: (0, 0, 0),
        OrderType.LIMIT: (1, 0, 0),
        OrderType.STOP: (0, 1, 0),
        OrderType.STOP_LIMIT: (1, 1, 0),
        OrderType.TRAILING_STOP: (0, 0, 1),
    }[kind]
    if (int(limit is not None), int(stop is not None), int(trail is not None)) == wanted:
        assert spec(type=kind, limit_price=limit, stop_price=stop, trail=trail).type is kind
    else:
        with pytest.raises(ValidationError):
            spec(type=kind, limit_price=limit, stop_price=stop, trail=trail)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop_loss": None, "take_profit": TARGET},
        {"order_class": OrderClass.SIMPLE},
        {"role": OrderRole.CLOSE},
        {"order_class": OrderClass.OCO},
        {
            "order_class": OrderClass.OCO,
            "role": OrderRole.TAKE_PROFIT,
            "type": OrderType.LIMIT,
            "limit_price": Decimal(110),
            "stop_loss": None,
        },
    ],
)
def test_an_order_has_exactly_the_legs_of_its_class(wrong: dict[str, Any]) -> None:
    """A bracket without stop, a simple order with legs, an exit with a bracket, a pair with an entry or without a stop."""
    with pytest.raises(ValidationError):
        spec(**wrong)


@pytest.mark.parametrize("wrong", ["", "x" * 37, "Desk-1", "desk_1", "desk 1"])
def test_an_id_that_a_venue_might_refuse_is_refused_here(wrong: str) -> None:
    """At most 36 characters of [a-z0-9-]."""
    with pytest.raises(ValidationError):
        spec(client_order_id=ClientOrderId(wrong))


@pytest.mark.parametrize(
    "changed", [{"quantity": Decimal(11)}, {"side": Side.SELL}, {"stop_loss": TARGET}, {"take_profit": TARGET}, {"symbol": Symbol("SPY")}]
)
def test_an_approval_covers_exactly_what_was_approved(changed: dict[str, Any]) -> None:
    """One field changed, or another order replaced, and the approval is not intact; the spelling of an amount is no change."""
    approved = ApprovedOrder(
        spec=spec(),
        digest=ApprovedOrder.digest_of(spec(), None),
        verdict_id=VerdictId("v"),
        proposal_id=ProposalId("p"),
        decision_id=DecisionId("d"),
    )
    assert approved.is_intact
    assert approved.model_copy(update={"spec": spec(quantity=Decimal("10.00"))}).is_intact
    assert not approved.model_copy(update={"spec": spec(**changed)}).is_intact
    assert not approved.model_copy(update={"replaces": ClientOrderId("desk-other")}).is_intact
