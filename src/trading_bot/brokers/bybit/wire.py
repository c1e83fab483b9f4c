"""Bybit's JSON and our records, each made from the other. Pure.

Promises that a status or a kind of execution which this version does not know raises, and is not taken for something else.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot.brokers.roster import Card
from trading_bot.domain.errors import BrokerUnavailableError, OrderRejectedError
from trading_bot.domain.orders import Fill, Order, OrderClass, OrderRole, OrderSpec, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol, amount_text, divided

Row = dict[str, Any]
SETTLE_COIN = "USDT"
"""The money of the desk at Bybit."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_S, _T = OrderState, OrderType
STATES: dict[str, OrderState] = {
    "Created": _S.SUBMITTED,
    "New": _S.ACCEPTED,
    "Active": _S.ACCEPTED,
    "Untriggered": _S.ACCEPTED,
    "Triggered": _S.ACCEPTED,
    "PartiallyFilled": _S.PARTIALLY_FILLED,
    "Filled": _S.FILLED,
    "Cancelled": _S.CANCELED,
    "PartiallyFilledCanceled": _S.CANCELED,
    "Deactivated": _S.CANCELED,
    "Rejected": _S.REJECTED,
}
"""By orderStatus. An untriggered conditional order works: it rests at the venue and can fill."""
POSITION_STOPS = frozenset({"StopLoss", "TrailingStop"})
"""stopOrderType of what the venue keeps for a whole position."""
VENUE_CLOSES = frozenset({"BustTrade", "AdlTrade", "Delivery", "Settle"})
"""execType of what the venue does to a position by itself: liquidation, auto-deleveraging, the end of a contract."""
TRADES = frozenset({"Trade", "BlockTrade", "MovePosition"}) | VENUE_CLOSES
"""execType of executions that change a position."""
NO_TRADES = frozenset({"Funding", "FutureSpread", "UNKNOWN"})
_SAYS_NOTHING = frozenset({"", "EC_NoError", "UNKNOWN", "None"})
_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
_CONDITIONAL = frozenset({_T.STOP, _T.STOP_LIMIT})


def amount(value: object) -> Decimal:
    """A number as Bybit writes it; an empty text is 0."""
    return Decimal(str(value)) if value not in {None, ""} else ZERO


def moment(milliseconds: object) -> datetime:
    """A time as Bybit writes it."""
    return _EPOCH + timedelta(milliseconds=int(str(milliseconds)))


def stamp(at: datetime) -> int:
    """A time as Bybit reads it."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def side_of(word: str) -> Side:
    """Buy or Sell."""
    return _SIDES[word]


def identity_of(row: Row) -> ClientOrderId:
    """Client id of an order or execution; what carries none is called after the venue's own id."""
    return ClientOrderId(row.get("orderLinkId") or f"venue-{row['orderId']}")


def is_position_stop(row: Row) -> bool:
    """Whether an order is what the venue keeps for a position."""
    return row.get("stopOrderType") in POSITION_STOPS and not row.get("orderLinkId")


def order_of(row: Row, card: Card | None) -> Order:
    """An order of the order stream, of realtime, or of the history."""
    filled, kind = amount(row.get("cumExecQty")), _type(row)
    return Order(
        client_order_id=identity_of(row),
        venue_order_id=row["orderId"],
        parent_id=None if card is None else card.parent_id,
        symbol=Symbol(row["symbol"]),
        side=side_of(row["side"]),
        type=kind,
        role=OrderRole.ENTRY if card is None else card.role,
        quantity=amount(row["qty"]),
        limit_price=amount(row.get("price")) if kind in {_T.LIMIT, _T.STOP_LIMIT} else None,
        stop_price=(amount(row.get("triggerPrice")) or None) if kind not in {_T.LIMIT, _T.MARKET} else None,
        time_in_force=_time_in_force(row) if card is None else card.spec.time_in_force,
        state=_state(row, filled),
        filled_quantity=filled,
        average_price=divided(amount(row.get("cumExecValue")), filled) if filled else ZERO,
        submitted_at=moment(row["createdTime"]),
        updated_at=moment(row["updatedTime"]),
        reason=", ".join(w for w in (row.get("rejectReason") or "", row.get("cancelType") or "") if w not in _SAYS_NOTHING),
    )


def acknowledged(spec: OrderSpec, venue_order_id: str, at: datetime) -> Order:
    """An order that Bybit has taken in and not yet accepted."""
    return Order(
        client_order_id=spec.client_order_id,
        venue_order_id=venue_order_id,
        symbol=spec.symbol,
        side=spec.side,
        type=spec.type,
        role=spec.role,
        quantity=spec.quantity,
        limit_price=spec.limit_price,
        stop_price=spec.stop_price,
        time_in_force=spec.time_in_force,
        state=OrderState.SUBMITTED,
        filled_quantity=ZERO,
        average_price=ZERO,
        submitted_at=at,
        updated_at=at,
    )


def fill_of(row: Row, identity: ClientOrderId, role: OrderRole) -> Fill:
    """One execution. Spot charges a buy in the coin that was bought."""
    symbol, fee, coin = row["symbol"], amount(row.get("execFee")), row.get("feeCurrency") or ""
    price, in_kind = amount(row["execPrice"]), bool(coin) and symbol.startswith(coin) and not symbol.endswith(coin)
    in_kind = in_kind or (not coin and row.get("category") == "spot" and row["side"] == "Buy")
    kept = fee if in_kind and fee > 0 and row["side"] == "Buy" else ZERO
    return Fill(
        execution_id=row["execId"],
        client_order_id=identity,
        symbol=Symbol(symbol),
        side=side_of(row["side"]),
        role=role,
        quantity=amount(row["execQty"]),
        price=price,
        fee=ZERO if kept else (fee * price if in_kind else fee),
        fee_quantity=kept,
        at=moment(row["execTime"]),
    )


def is_trade(row: Row) -> bool:
    """Whether an execution changed a position. BrokerUnavailableError for a kind that this version does not know."""
    kind = row.get("execType") or "Trade"
    if kind not in TRADES | NO_TRADES:
        raise BrokerUnavailableError(f"Bybit tells of an execution of kind {kind}, which this version does not know: look at the account")
    return kind in TRADES


def request(spec: OrderSpec, category: str) -> Row:
    """What order/create is sent. OrderRejectedError for what Bybit has not."""
    _refuse_what_it_lacks(spec, category)
    limited = spec.limit_price is not None
    wanted: Row = {
        "category": category,
        "symbol": spec.symbol,
        "side": "Buy" if spec.side is Side.BUY else "Sell",
        "orderType": "Limit" if limited else "Market",
        "qty": amount_text(spec.quantity),
        "orderLinkId": spec.client_order_id,
    }
    if spec.limit_price is not None:
        wanted |= {"price": amount_text(spec.limit_price), "timeInForce": "GTC"}
    if spec.stop_price is not None:
        wanted["triggerPrice"] = amount_text(spec.stop_price)
    return wanted | (_linear(spec) if category == "linear" else _spot(spec))


def _linear(spec: OrderSpec) -> Row:
    more: Row = {"positionIdx": 0, "reduceOnly": spec.reduce_only}
    if spec.type in _CONDITIONAL:
        more |= {"triggerDirection": 1 if spec.side is Side.BUY else 2, "triggerBy": "LastPrice"}
    if spec.stop_loss is not None:
        more |= {"stopLoss": amount_text(spec.stop_loss.price), "tpslMode": "Full", "slOrderType": "Market"}
    return more


def _spot(spec: OrderSpec) -> Row:
    more: Row = {"orderFilter": "StopOrder" if spec.type in _CONDITIONAL else "Order"}
    return more | ({} if spec.limit_price is not None else {"marketUnit": "baseCoin"})


def _refuse_what_it_lacks(spec: OrderSpec, category: str) -> None:
    lacks = {
        "pairs that cancel each other": spec.order_class is OrderClass.OCO or spec.take_profit is not None,
        "stops attached to a spot entry": category == "spot" and spec.stop_loss is not None,
        "trailing stops other than on a position": spec.type is OrderType.TRAILING_STOP,
    }
    for what, asked in lacks.items():
        if asked:
            raise OrderRejectedError(f"{spec.client_order_id}: this desk uses no {what} at Bybit; nothing was placed")


def _state(row: Row, filled: Decimal) -> OrderState:
    word = row["orderStatus"]
    if word not in STATES:
        raise BrokerUnavailableError(f"Bybit says that an order is {word}, which this version does not know: look at the account")
    state = STATES[word]
    return OrderState.CANCELED if state is OrderState.REJECTED and filled else state


def _type(row: Row) -> OrderType:
    limited = row.get("orderType") == "Limit"
    if row.get("stopOrderType") == "TrailingStop":
        return OrderType.TRAILING_STOP
    if amount(row.get("triggerPrice")):
        return OrderType.STOP_LIMIT if limited else OrderType.STOP
    return OrderType.LIMIT if limited else OrderType.MARKET


def _time_in_force(row: Row) -> TimeInForce:
    return TimeInForce.DAY if row.get("timeInForce") in {"IOC", "FOK"} else TimeInForce.GTC
