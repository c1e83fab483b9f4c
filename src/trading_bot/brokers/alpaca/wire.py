"""Between our records and Alpaca's JSON: pure maps, both ways.

Promises that amounts go out and come in as exact text, and that a status, type or symbol that the maps lack raises KeyError or
ValueError rather than being guessed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading_bot.brokers.roster import Card
from trading_bot.domain.books import Account
from trading_bot.domain.orders import (
    Fill,
    Order,
    OrderClass,
    OrderRole,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol, amount_text, divided

Raw = Mapping[str, Any]

STATES: Mapping[str, OrderState] = {
    # Alpaca holds the order from its answer on; whether an exchange has it already makes no difference to us.
    "new": OrderState.ACCEPTED,
    "accepted": OrderState.ACCEPTED,
    "pending_new": OrderState.ACCEPTED,
    "accepted_for_bidding": OrderState.ACCEPTED,
    "pending_review": OrderState.ACCEPTED,
    "held": OrderState.ACCEPTED,
    "stopped": OrderState.ACCEPTED,
    "suspended": OrderState.ACCEPTED,
    "pending_cancel": OrderState.ACCEPTED,
    "pending_replace": OrderState.ACCEPTED,
    "done_for_day": OrderState.ACCEPTED,
    "calculated": OrderState.ACCEPTED,
    "partially_filled": OrderState.PARTIALLY_FILLED,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "replaced": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
EVENTS: Mapping[str, bool] = {
    "new": False,
    "accepted": False,
    "pending_new": False,
    "pending_cancel": False,
    "pending_replace": False,
    "restated": False,
    "replaced": False,
    "canceled": False,
    "expired": False,
    "rejected": False,
    "fill": True,
    "partial_fill": True,
}
"""What `trade_updates` tells, and whether it is an execution; the order that comes with it says the rest."""
ENDED = frozenset(status for status, state in STATES.items() if state.is_final)
ASLEEP = "held"
REPLACED = "replaced"
STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})
_QUOTED = ("USDT", "USDC", "USD", "BTC")
"""Currencies in which coins are quoted, longer names first."""


def amount(raw: Raw, key: str) -> Decimal:
    """The exact amount under `key`, 0 where there is none."""
    return _optional(raw, key) or ZERO


def moment(text: str) -> datetime:
    """A time, UTC; a date means its beginning."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def symbol_of(raw: Raw) -> Symbol:
    """Our symbol: coins are written BTC/USD, though some answers and all positions say BTCUSD."""
    text = str(raw["symbol"])
    if "/" in text or raw.get("asset_class") != "crypto":
        return Symbol(text)
    quoted = next((q for q in _QUOTED if text.endswith(q) and text != q), "")
    return Symbol(f"{text.removesuffix(quoted)}/{quoted}" if quoted else text)


def is_coin(symbol: str) -> bool:
    """Whether a symbol of ours is a pair of coins."""
    return "/" in symbol


def order_body(spec: OrderSpec) -> dict[str, object]:
    """What is posted for `spec`."""
    body: dict[str, object] = {
        "symbol": spec.symbol,
        "qty": amount_text(spec.quantity),
        "side": spec.side.value,
        "type": spec.type.value,
        "time_in_force": _lasting(spec),
        "client_order_id": spec.client_order_id,
    }
    prices = {"limit_price": spec.limit_price, "stop_price": spec.stop_price, "trail_price": spec.trail}
    if spec.order_class is OrderClass.OCO:
        body["take_profit"] = {"limit_price": amount_text(prices.pop("limit_price") or ZERO)}
    body |= {name: amount_text(price) for name, price in prices.items() if price is not None}
    if spec.extended_hours:
        body["extended_hours"] = True
    if spec.stop_loss is not None:
        body["order_class"] = _class_of(spec)
        body["stop_loss"] = {"stop_price": amount_text(spec.stop_loss.price)}
    if spec.take_profit is not None:
        body["take_profit"] = {"limit_price": amount_text(spec.take_profit.price)}
    if not is_coin(spec.symbol) and spec.reduce_only and spec.order_class is OrderClass.SIMPLE:
        # Alpaca has no reduce-only; but it refuses an order whose intent is not what it would do.
        body["position_intent"] = f"{spec.side.value}_to_close"
    return body


def replace_body(spec: OrderSpec, old: Order) -> dict[str, object]:
    """What is patched so that what remains of `old` becomes `spec`.

    Alpaca counts what is filled already into the quantity. An equal one is left out: that of a fractional order may not be named.
    """
    changed = {
        "qty": None if spec.quantity == old.remaining else spec.quantity + old.filled_quantity,
        "limit_price": spec.limit_price,
        "stop_price": spec.stop_price,
        "trail": spec.trail,
    }
    body: dict[str, object] = {name: amount_text(value) for name, value in changed.items() if value is not None}
    return body | {"time_in_force": _lasting(spec), "client_order_id": spec.client_order_id}


def order_of(raw: Raw, identity: ClientOrderId, card: Card | None) -> Order:
    """The order as Alpaca tells it, under our id. `card`: what it is for; an order of others counts as an entry."""
    filled = amount(raw, "filled_qty")
    state = STATES[raw["status"]]
    if state is OrderState.ACCEPTED and filled:
        state = OrderState.PARTIALLY_FILLED
    return Order(
        client_order_id=identity,
        venue_order_id=raw["id"],
        parent_id=None if card is None else card.parent_id,
        symbol=symbol_of(raw),
        side=Side(raw["side"]),
        type=OrderType(raw["type"]),
        role=OrderRole.ENTRY if card is None else card.role,
        # One that was ordered by its value has no quantity until it is filled.
        quantity=_optional(raw, "qty") or filled or amount(raw, "notional"),
        limit_price=_optional(raw, "limit_price"),
        stop_price=_optional(raw, "stop_price"),
        time_in_force=TimeInForce.GTC if raw["time_in_force"] == "gtc" else TimeInForce.DAY,
        state=state,
        filled_quantity=filled,
        average_price=divided(amount(raw, "filled_avg_price"), Decimal(1)) if filled else ZERO,
        submitted_at=moment(raw.get("submitted_at") or raw["created_at"]),
        updated_at=moment(raw.get("updated_at") or raw["created_at"]),
        reason=_reason(raw),
    )


def fill_of(execution_id: str, raw: Raw, order: Order, at: str, fee_quantity: Decimal = ZERO) -> Fill:
    """One execution of `order`; `raw` is an event of the stream or a FILL activity. Stocks cost no commission, other fees come as cash."""
    return Fill(
        execution_id=execution_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        role=order.role,
        quantity=amount(raw, "qty"),
        price=amount(raw, "price"),
        fee=ZERO,
        fee_quantity=fee_quantity,
        at=moment(at),
    )


def account_of(raw: Raw) -> Account:
    """The account; without the fields of the pattern-day-trader rule, which Alpaca has dropped."""
    return Account(
        account_id=raw["account_number"],
        currency=raw.get("currency") or "USD",
        cash=amount(raw, "cash"),
        equity=amount(raw, "equity"),
        buying_power=amount(raw, "buying_power"),
        maintenance_margin=amount(raw, "maintenance_margin"),
    )


def quantity_of(raw: Raw) -> Decimal:
    """Signed quantity of a position."""
    quantity = abs(amount(raw, "qty"))
    return -quantity if raw["side"] == "short" else quantity


def price_of(raw: Raw) -> Decimal:
    """Average entry price of a position."""
    return divided(amount(raw, "avg_entry_price"), Decimal(1))


def _lasting(spec: OrderSpec) -> str:
    """Coins have no day that could end."""
    return TimeInForce.GTC.value if is_coin(spec.symbol) else spec.time_in_force.value


def _class_of(spec: OrderSpec) -> str:
    if spec.order_class is OrderClass.OCO:
        return "oco"
    return "oto" if spec.take_profit is None else "bracket"


def _reason(raw: Raw) -> str:
    if raw["status"] == REPLACED:
        return f"replaced by {raw.get('replaced_by')}"
    return raw["status"] if raw["status"] in ENDED and raw["status"] != "filled" else ""


def _optional(raw: Raw, key: str) -> Decimal | None:
    value = raw.get(key)
    return None if value in {None, ""} else Decimal(str(value))
