"""Orders and executions over REST: what is acknowledged, what is listed, and page by page what was.

Promises that an answer to create, amend and cancel is an acknowledgement and no more; the stream and the lists tell what came of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from trading_bot.brokers.units import moment
from trading_bot.sandbox.bybit import placing
from trading_bot.sandbox.bybit.contracts import LINEAR, SPOT
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.orders import OF_POSITION, Order, Status, Stop
from trading_bot.sandbox.bybit.resting import HONEST, Fortune
from trading_bot.sandbox.bybit.wire import ELSEWHERE, Parameters, Refused, millis, page

CLOSED_KEPT = 500
"""Closed orders that `order/realtime` still knows."""
_WEEK = 7 * 86_400_000


def acknowledged(order: Order) -> dict[str, Any]:
    """The answer to create, amend and cancel."""
    return {"orderId": order.id, "orderLinkId": order.asked.link}


def create(engine: Engine, said: Parameters, fortune: Fortune = HONEST) -> dict[str, Any]:
    """Acknowledge an order."""
    return acknowledged(engine.place(placing.read(engine, said), fortune))


def amend(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Change a resting order."""
    return acknowledged(placing.amend(engine, said))


def cancel(engine: Engine, said: Parameters) -> dict[str, Any]:
    """End an order."""
    order = placing.find(engine, said)
    placing.cancel(engine, order)
    return acknowledged(order)


def cancel_all(engine: Engine, said: Parameters) -> dict[str, Any]:
    """End all orders of a symbol, a base coin or a settle coin."""
    category = said.category()
    if category == LINEAR and not any(said.has(name) for name in ("symbol", "baseCoin", "settleCoin")):
        raise Refused("parameter", "symbol, baseCoin or settleCoin is required")
    default = "Order" if category == SPOT else ""
    wanted, kind = said.text("orderFilter", default), said.text("stopOrderType", "")
    found = [o for o in _filtered(engine.working(category), said) if _is_of(o, wanted) and kind in {"", str(o.asked.stop)}]
    for order in found:
        if order.status.is_open:
            placing.cancel(engine, order)
    return {"list": [acknowledged(order) for order in found], "success": "1"}


def batch(engine: Engine, said: Parameters, deed: Callable[[Engine, Parameters], dict[str, Any]]) -> dict[str, Any]:
    """The same deed for each request of a list, each with a code of its own."""
    results, codes = [], []
    asked = said.values.get("request")
    for one in asked if isinstance(asked, list) else ():
        values = {"category": said.text("category"), **(one if isinstance(one, dict) else {})}
        blank = {"category": values["category"], "symbol": values.get("symbol", ""), "orderId": "", "orderLinkId": ""}
        try:
            results.append(blank | deed(engine, Parameters(values)) | {"createAt": str(millis(moment(engine.clock)))})
            codes.append({"code": 0, "msg": "OK"})
        except Refused as refused:
            results.append(blank | {"createAt": ""})
            codes.append({"code": refused.code, "msg": refused.message})
    return {"list": results, "retExtInfo": {"list": codes}}


def _is_of(order: Order, wanted: str) -> bool:
    stop = order.asked.stop
    kinds = {
        "": True,
        "Order": stop is Stop.NONE or not order.waits,
        "StopOrder": stop not in {Stop.NONE, Stop.SPOT_TPSL},
        "tpslOrder": stop in OF_POSITION or stop is Stop.SPOT_TPSL,
    }
    return kinds.get(wanted, False)


def _filtered(orders: Sequence[Order], said: Parameters) -> list[Order]:
    if said.has("symbol"):
        return [o for o in orders if o.contract.symbol == said.text("symbol")]
    if said.has("baseCoin"):
        return [o for o in orders if o.contract.base_coin == said.text("baseCoin")]
    if said.has("settleCoin"):
        return [o for o in orders if o.contract.quote_coin == said.text("settleCoin")]
    return list(orders)


def _listed(category: str, orders: Sequence[Order], said: Parameters) -> dict[str, Any]:
    rows = [(order.row, order.told()) for order in sorted(orders, key=lambda o: o.row) if order.status is not Status.CREATED]
    shown, cursor = page(rows, said, 20, 50)
    return {"category": category, "nextPageCursor": cursor, "list": shown}


def _by_id(engine: Engine, category: str, said: Parameters) -> list[Order]:
    order = engine.find(category, said.text("orderId", ""), said.text("orderLinkId", ""))
    return [] if order is None else [order]


def realtime(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Open orders, conditional ones among them; by id or with `openOnly` also the last 500 that are closed."""
    category = said.category()
    if category in ELSEWHERE:
        return {"category": category, "nextPageCursor": "", "list": []}
    named = said.has("orderId") or said.has("orderLinkId")
    if category == LINEAR and not named and not any(said.has(name) for name in ("symbol", "baseCoin", "settleCoin")):
        raise Refused("parameter", "symbol, baseCoin or settleCoin is required")
    every = [o for o in engine.orders.values() if o.contract.category == category]
    recent = {o.id for o in [o for o in every if not o.status.is_open][-CLOSED_KEPT:]}
    if named:
        found = [o for o in _by_id(engine, category, said) if o.status.is_open or o.id in recent]
    else:
        closed_too = said.number("openOnly", 0) in {1, 2}
        found = [o for o in every if (o.id in recent if closed_too else o.status.is_open)]
        found = [o for o in _filtered(found, said) if _is_of(o, said.text("orderFilter", ""))]
    return _listed(category, found, said)


def history(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Orders that have ended, newest first, of at most seven days."""
    category = said.category()
    if category in ELSEWHERE:
        return {"category": category, "nextPageCursor": "", "list": []}
    if said.has("orderId") or said.has("orderLinkId"):
        found = _by_id(engine, category, said)
    else:
        first, last = span(engine, said)
        every = [o for o in engine.orders.values() if o.contract.category == category and first <= o.created <= last]
        status = said.text("orderStatus", "")
        found = [o for o in _filtered(every, said) if _is_of(o, said.text("orderFilter", "")) and status in {"", str(o.status)}]
    return _listed(category, [o for o in found if not o.status.is_open], said)


def executions(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Executions, newest first, of at most seven days."""
    category = said.category()
    order_id, link = said.text("orderId", ""), said.text("orderLinkId", "")
    first, last = span(engine, said)
    rows = []
    for number, row in engine.ledger.executions:
        if order_id or link:
            fits = row["orderId"] == order_id if order_id else row["orderLinkId"] == link
        else:
            inside = first <= int(row["execTime"]) <= last
            fits = (
                inside and said.text("symbol", row["symbol"]) == row["symbol"] and said.text("execType", row["execType"]) == row["execType"]
            )
            fits = fits and row["symbol"].startswith(said.text("baseCoin", ""))
        if fits and row["category"] == category:
            rows.append((number, {name: value for name, value in row.items() if name not in {"category", "execPnl", "isLeverage"}}))
    shown, cursor = page(rows, said, 50, 100)
    return {"category": category, "nextPageCursor": cursor, "list": shown}


def span(engine: Engine, said: Parameters) -> tuple[int, int]:
    """First and last ms that a request asks for; 10001 for more than seven days."""
    now = engine.clock // 1_000_000
    if said.has("startTime") and not said.has("endTime"):
        first = said.number("startTime", 0)
        return first, first + _WEEK
    last = said.number("endTime", now)
    first = said.number("startTime", last - _WEEK)
    if last - first > _WEEK or last < first:
        raise Refused("parameter", "The time range between startTime and endTime cannot exceed 7 days")
    return first, last
