"""Which kinds of values the bodies of Alpaca's requests hold, field by field; anything else in them is no request.

Promises that whoever reads a body that passed finds text, amounts, yes or no, objects and lists where they belong, or nothing. Unknown
fields are left alone, as the vendor leaves them.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from trading_bot.sandbox.alpaca.orders import unprocessable

_MALFORMED = 40010001
_LONGEST = 100
"""Characters of an amount."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_amount(value: object) -> bool:
    return (isinstance(value, str) and len(value) <= _LONGEST) or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_level(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


_KINDS: tuple[tuple[Callable[[object], bool], str], ...] = (
    (_is_text, "symbol side type time_in_force client_order_id order_class position_intent name"),
    (_is_text, "trade_confirm_email dtbp_check pdt_check max_margin_multiplier"),
    (_is_amount, "qty notional limit_price stop_price trail_price trail_percent trail"),
    (_is_flag, "extended_hours no_shorting suspend_trade fractional_trading ptp_no_exception_entry disable_overnight_trading"),
    (_is_level, "max_options_trading_level"),
    (_is_object, "take_profit stop_loss advanced_instructions"),
    (_is_list_of_text, "symbols"),
    (_is_list, "legs"),
)
_FIELDS: Mapping[str, Callable[[object], bool]] = {name: fits for fits, names in _KINDS for name in names.split()}


def check_form(body: Mapping[str, Any]) -> None:
    """Refuse a body with a value of a wrong kind."""
    for name, value in body.items():
        fits = _FIELDS.get(name)
        if value is None or fits is None:
            continue
        if not fits(value):
            raise unprocessable(f"request body format is invalid: {name}", _MALFORMED)
        if fits is _is_object:
            check_form(value)


def object_of(raw: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is, of text that can be told again; None if it is none."""
    try:
        body = json.loads(raw)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
