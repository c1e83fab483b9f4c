"""Bybit's wire: envelopes, refusals by name, parameters, and numbers as text.

Promises that every refusal has the code and the words that the venue uses, and that what was not understood is refused with 10001.
No clock and no state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, unquote

from trading_bot.brokers.units import stamp
from trading_bot.domain.values import ZERO

BUY, SELL = "Buy", "Sell"
SIDES = {BUY: 1, SELL: -1}
NAMES = {1: BUY, -1: SELL, 0: ""}
CATEGORIES = ("spot", "linear")
ELSEWHERE = ("inverse", "option")
"""Categories that exist at the venue and have nothing here."""

_LARGEST, _FINEST, _DIGITS = 12, 18, 13
"""Places before and after the point that an amount may have, and digits of a whole number."""

REFUSALS: Mapping[str, tuple[int, str]] = {
    "timeout": (10000, "Server Timeout"),
    "parameter": (10001, "params error: {}"),
    "expired": (
        10002,
        "invalid request, please check your server timestamp or recv_window param. req_timestamp[{}],server_timestamp[{}],recv_window[{}]",
    ),
    "key": (10003, "API key is invalid."),
    "sign": (10004, "Error sign, please check your signature generation algorithm."),
    "permission": (10005, "Permission denied, please check your API key permissions."),
    "too_many": (10006, "Too many visits. Exceeded the API Rate Limit."),
    "server": (10016, "Server error."),
    "maintenance": (10016, "Service is restarting."),
    "path": (10017, "Route not found."),
    "key_expired": (33004, "Your api key has expired"),
    "hedge": (10001, "position idx not match position mode"),
    "no_position": (10001, "can not set tp/sl/ts for zero position"),
    "not_modified": (34040, "not modified"),
    "no_order": (110001, "order not exists or too late to cancel"),
    "price_range": (110003, "Order price exceeds the allowable range."),
    "margin": (110007, "ab not enough for new order"),
    "reduce_only": (110017, "current position is zero, cannot fix reduce-only order qty"),
    "reduce_side": (110017, "Reduce-only rule not satisfied: the order would increase the position"),
    "mode_same": (110025, "Position mode is not modified"),
    "hedge_mode": (110029, "Hedge mode is not supported for this symbol."),
    "leverage_same": (110043, "leverage not modified"),
    "leverage_high": (110013, "Cannot set leverage due to risk limit level."),
    "filled_more": (110064, "The modified contract quantity cannot be less than or equal to the filled quantity."),
    "closed": (110066, "Trading is currently not allowed."),
    "duplicate": (110072, "OrderLinkedID is duplicate"),
    "rising": (110092, "expect Rising, but trigger_price[{}] <= current[{}]??LastPrice"),
    "falling": (110093, "expect Falling, but trigger_price[{}] >= current[{}]??LastPrice"),
    "notional": (110094, "Order does not meet minimum order value {}USDT"),
    "spot_symbol": (170121, "Invalid symbol."),
    "spot_balance": (170131, "Insufficient balance."),
    "spot_price": (170134, "Order price has too many decimals."),
    "spot_small": (170136, "Order quantity lower than the minimum."),
    "spot_quantity": (170137, "Order quantity has too many decimals."),
    "spot_notional": (170140, "Order value exceeded lower limit."),
    "spot_duplicate": (170141, "Duplicate clientOrderId."),
    "spot_no_order": (170213, "Order does not exist."),
}
"""Every refusal by its name here: the venue's code, and its words."""


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """The venue says no, with HTTP 200 and a code."""

    def __init__(self, name: str, *words: object) -> None:
        self.name = name
        self.code, text = REFUSALS[name]
        self.message = text.format(*words) if words else text
        super().__init__(f"{self.code} {self.message}")


def envelope(result: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """An answer that says yes."""
    extra = result.get("retExtInfo", {})
    told = {name: value for name, value in result.items() if name != "retExtInfo"}
    return {"retCode": 0, "retMsg": "OK", "result": told, "retExtInfo": extra, "time": millis(at)}


def refusal(refused: Refused, at: datetime) -> dict[str, Any]:
    """An answer that says no."""
    return {"retCode": refused.code, "retMsg": refused.message, "result": {}, "retExtInfo": {}, "time": millis(at)}


def millis(at: datetime) -> int:
    """Milliseconds since 1970."""
    return stamp(at) // 1_000_000


def text(value: Decimal) -> str:
    """A number without exponent and trailing zeros."""
    plain = f"{value:f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return plain if plain not in {"", "-0"} else "0"


def fixed(value: Decimal, step: Decimal) -> str:
    """A number with the decimals of its grid."""
    exponent = step.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"{value:.{places}f}"


def optional(value: Decimal | None) -> str:
    """A price that may not be there."""
    return "" if value is None else text(value)


@dataclass(frozen=True)
class Parameters:
    """What a request says, of its query or its body."""

    values: Mapping[str, Any]

    def has(self, name: str) -> bool:
        """Whether something is there."""
        value = self.values.get(name)
        return value is not None and value != ""

    def text(self, name: str, default: str | None = None) -> str:
        """A text; 10001 if it is missing and nothing stands in for it."""
        if self.has(name):
            return str(self.values[name])
        if default is None:
            raise Refused("parameter", f"{name} can not be empty")
        return default

    def choice(self, name: str, known: Sequence[str], default: str | None = None) -> str:
        """One of the known words."""
        said = self.text(name, default)
        if said not in known:
            raise Refused("parameter", f"{name} invalid")
        return said

    def decimal(self, name: str) -> Decimal | None:
        """A number written as text, None if it is missing. 10001 for what is none, or is negative."""
        if not self.has(name):
            return None
        try:
            value = Decimal(str(self.values[name]))
        except InvalidOperation:
            raise Refused("parameter", f"{name} invalid") from None
        if not value.is_finite() or value < ZERO or value.adjusted() > _LARGEST or Decimal(value.as_tuple().exponent) < -_FINEST:
            raise Refused("parameter", f"{name} invalid")
        return value

    def positive(self, name: str) -> Decimal | None:
        """The same, with 0 as the venue's way to say none."""
        return self.decimal(name) or None

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        said = self.text(name, str(default))
        if not said.lstrip("-").isdecimal() or len(said) > _DIGITS:
            raise Refused("parameter", f"{name} invalid")
        return int(said)

    def flag(self, name: str) -> bool:
        """Yes or no; no if it is missing."""
        return str(self.values.get(name)).lower() == "true"

    def category(self) -> str:
        """The category, which every trading request has to name."""
        return self.choice("category", (*CATEGORIES, *ELSEWHERE))


def page(rows: Sequence[tuple[int, dict[str, Any]]], asked: Parameters, default: int, most: int) -> tuple[list[dict[str, Any]], str]:
    """One page of numbered rows, newest first, and the cursor of the next. A cursor holds still when new rows arrive."""
    limit = min(max(asked.number("limit", default), 1), most)
    cursor = unquote(unquote(asked.text("cursor", "")))
    if cursor and not cursor.removeprefix("row:").isdigit():
        raise Refused("parameter", "cursor invalid")
    before = int(cursor.removeprefix("row:")) if cursor else None
    left = [(number, row) for number, row in reversed(rows) if before is None or number < before]
    shown = left[:limit]
    more = quote(f"row:{shown[-1][0]}", safe="") if len(left) > limit else ""
    return [row for _, row in shown], more
