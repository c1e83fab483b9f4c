"""Alpaca's words, typed in by hand: orders, messages and activities as its API spells them; and orders of ours to match."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trading_bot.brokers.roster import Roster
from trading_bot.domain.orders import ApprovedOrder, Leg, OrderClass, OrderRole, OrderSpec, OrderType, Side, TimeInForce
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, VerdictId

AT = "2026-03-02T15:00:00Z"


def spec(identity: str, **changed: Any) -> OrderSpec:  # noqa: ANN401 - fields
    """A market entry of ten shares."""
    plain = {
        "client_order_id": identity,
        "symbol": "AAPL",
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(10),
        "time_in_force": TimeInForce.GTC,
        "role": OrderRole.ENTRY,
    }
    return OrderSpec.model_validate({**plain, **changed})


def leg(identity: str, price: str) -> Leg:
    """A leg at a price."""
    return Leg(client_order_id=ClientOrderId(identity), price=Decimal(price))


def bracket() -> OrderSpec:
    """An entry with both legs."""
    legs = {"stop_loss": leg("desk-stop", "90"), "take_profit": leg("desk-target", "120")}
    return spec("desk-entry", order_class=OrderClass.BRACKET, **legs)


def pair() -> OrderSpec:
    """A target and a stop that cancel each other."""
    target = {"type": OrderType.LIMIT, "limit_price": "120", "side": Side.SELL, "role": OrderRole.TAKE_PROFIT}
    return spec("desk-target", order_class=OrderClass.OCO, stop_loss=leg("desk-stop", "90"), **target)


def stop(identity: str = "desk-stop") -> OrderSpec:
    """A stop of its own."""
    return spec(identity, type=OrderType.STOP, stop_price="90", side=Side.SELL, role=OrderRole.STOP_LOSS)


def approved(wanted: OrderSpec, replaces: str | None = None) -> ApprovedOrder:
    """As the gate would approve it."""
    replaced = None if replaces is None else ClientOrderId(replaces)
    return ApprovedOrder(
        spec=wanted,
        digest=ApprovedOrder.digest_of(wanted, replaced),
        verdict_id=VerdictId("verdict"),
        proposal_id=ProposalId("proposal"),
        decision_id=DecisionId("decision"),
        replaces=replaced,
    )


def roster(*orders: ApprovedOrder) -> Roster:
    """What the desk meant to send."""
    found = Roster()
    for order in orders:
        found.add(order)
    return found


def raw(venue_id: str, client_id: str, status: str = "new", **changed: object) -> dict[str, Any]:
    """An order in Alpaca's JSON."""
    plain: dict[str, Any] = {
        "id": venue_id,
        "client_order_id": client_id,
        "created_at": AT,
        "updated_at": AT,
        "submitted_at": AT,
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "qty": "10",
        "filled_qty": "10" if status == "filled" else "0",
        "filled_avg_price": "100" if status == "filled" else None,
        "order_class": "bracket",
        "type": "market",
        "side": "buy",
        "time_in_force": "gtc",
        "limit_price": None,
        "stop_price": None,
        "status": status,
        "legs": None,
    }
    return {**plain, **changed}


def raw_stop(status: str = "held", venue_id: str = "v-stop", client_id: str = "theirs-1", **changed: object) -> dict[str, Any]:
    """The stop of a pair, under a client id of Alpaca's own."""
    return raw(venue_id, client_id, status, side="sell", type="stop", stop_price="90", **changed)


def raw_target(status: str = "held", venue_id: str = "v-target", client_id: str = "theirs-2", **changed: object) -> dict[str, Any]:
    """The target of a pair."""
    return raw(venue_id, client_id, status, side="sell", type="limit", limit_price="120", **changed)


def family(entry: str, stop_status: str = "held", target_status: str = "held") -> dict[str, Any]:
    """A bracket with its legs, nested."""
    return raw("v-entry", "desk-entry", entry, legs=[raw_target(target_status), raw_stop(stop_status)])


def message(event: str, order: Mapping[str, Any], execution: str = "", **changed: object) -> dict[str, Any]:
    """A message of the stream; an execution of all ten shares at 100 if it is one."""
    told: dict[str, Any] = {"event": event, "order": dict(order), "timestamp": AT}
    if execution:
        told |= {"execution_id": execution, "qty": "10", "price": "100", "position_qty": "10"}
    return told | changed
