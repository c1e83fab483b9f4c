"""What a list of the emulated Alpaca is asked for: which orders, which activities, which days. Pure.

Promises that a filter which cannot be read is refused with 422, and that one which is not given lets everything through.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from trading_bot.sandbox.alpaca.orders import NOT_OPEN, AlpacaOrder, unprocessable

_MALFORMED = 40010001
_CATEGORIES = {"trade_activity": True, "non_trade_activity": False}
Asked = Mapping[str, str]


def listed(orders: Mapping[str, AlpacaOrder], asked: Asked) -> list[AlpacaOrder]:
    """The orders that are asked for, in the order that is."""
    status = asked.get("status") or "open"
    if status not in {"open", "closed", "all"}:
        raise unprocessable(f"invalid status {status[:20]}", _MALFORMED)
    bounds = _sequence(orders, asked.get("after_order_id"), 0), _sequence(orders, asked.get("before_order_id"), 1 << 62)
    after, until = time_of(asked.get("after")), time_of(asked.get("until"))
    found = [o for o in orders.values() if _has(o, status) and _matches(o, asked) and bounds[0] < o.sequence < bounds[1]]
    found = [o for o in found if (after is None or o.created_at > after) and (until is None or o.created_at < until)]
    return sorted(found, key=lambda o: (o.created_at, o.sequence), reverse=asked.get("direction", "desc") != "asc")


def _has(order: AlpacaOrder, status: str) -> bool:
    return status == "all" or (order.status not in NOT_OPEN) == (status == "open")


def _matches(order: AlpacaOrder, asked: Asked) -> bool:
    symbols, classes = words(asked, "symbols"), words(asked, "asset_class")
    spelled = {order.symbol, order.symbol.replace("/", "")}
    by_class = not classes or order.asset_class in classes or "all" in classes
    return (not symbols or bool(symbols & spelled)) and by_class and (asked.get("side") or order.side) == order.side


def _sequence(orders: Mapping[str, AlpacaOrder], identity: str | None, default: int) -> int:
    if not identity:
        return default
    if identity not in orders:
        raise unprocessable(f"order not found for {identity[:36]}", _MALFORMED)
    return orders[identity].sequence


def activities_of(activities: list[dict[str, Any]], kinds: set[str], asked: Asked) -> list[dict[str, Any]]:
    """The activities that are asked for, after the page that ended with `page_token`."""
    rises, token = asked.get("direction", "desc") == "asc", asked.get("page_token")
    after, until, day = time_of(asked.get("after")), time_of(asked.get("until")), asked.get("date")
    trades = _CATEGORIES.get(asked.get("category", ""))
    found = [
        a
        for a in activities
        if (not kinds or a["activity_type"] in kinds)
        and (trades is None or trades == (a["activity_type"] == "FILL"))
        and (not asked.get("order_id") or a.get("order_id") == asked["order_id"])
        and _within(a, after, until, day_of(day, None))
    ]
    found.sort(key=lambda a: str(a["id"]), reverse=not rises)
    return [a for a in found if (a["id"] > token) == rises and a["id"] != token] if token else found


def _within(activity: Mapping[str, Any], after: datetime | None, until: datetime | None, day: date | None) -> bool:
    at = time_of(activity.get("transaction_time") or activity.get("created_at"))
    if at is None:
        return True
    return (day is None or at.date() == day) and (after is None or at > after) and (until is None or at < until)


def words(asked: Asked, name: str) -> set[str]:
    """What is given with commas, or repeatedly."""
    return {word.strip() for word in asked.get(name, "").split(",") if word.strip()}


def day_of(told: str | None, default: date | None) -> date | None:
    """A date, of a date or of a time."""
    if not told:
        return default
    try:
        return date.fromisoformat(told[:10])
    except ValueError as error:
        raise unprocessable(f"invalid date {told[:40]}", _MALFORMED) from error


def time_of(told: str | None) -> datetime | None:
    """A time; without a zone it is UTC."""
    if not told:
        return None
    try:
        found = datetime.fromisoformat(told.replace(" ", "+"))
    except ValueError as error:
        raise unprocessable(f"invalid time {told[:40]}", _MALFORMED) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
