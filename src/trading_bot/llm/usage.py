"""What a run reports that it used, in every token class, and what that costs.

Promises the dearer of the reported cost and the list price of the reported tokens: a binary with an old price table must not make
the ledger cheap. Refuses to count a run that broke off, or that answered and reports nothing or less for it: nobody knows what was
charged for that.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from trading_bot.llm.budget import Usage
from trading_bot.llm.ending import REFUSAL
from trading_bot.llm.prices import Tokens, cost

_MOST_TOKENS = 10**9
_MOST_USD = Decimal(10_000)
"""No call has more: a report of more is none."""
_COUNTS = ("usage", "modelUsage", "total_cost_usd")


_NEVER_SENT = ("(ECONNREFUSED)", "(ENOTFOUND)", "(EAI_AGAIN)", "(EHOSTUNREACH)", "(ENETUNREACH)", "Please run /login")
"""How the program says that no connection was made: an outage costs nothing, and must not eat the day's budget."""


def broke_off(result: Mapping[str, Any]) -> bool:
    """Whether a request ended without an answer of the API: what was streamed before may have been charged."""
    if any(sign in str(result.get("result")) for sign in _NEVER_SENT):
        return False
    failed = bool(result.get("is_error")) and result.get("subtype") == "success"
    return failed and result.get("api_error_status") is None and result.get("stop_reason") != REFUSAL


def usage_of(result: Mapping[str, Any], model: str, answered: Collection[str] = ()) -> Usage | None:
    """Return tokens and cost of a result event, None if they are absurd.

    `model`: stands for tokens that name none. `answered`: models that say that they answered; the program counts by the asked one.
    """
    used = result.get("modelUsage")
    by_model = {str(m): _tokens(u) for m, u in used.items() if isinstance(u, dict)} if isinstance(used, dict) else {}
    if not by_model:
        by_model = {model: _flat(result.get("usage"))}
    total = Tokens.sum(by_model.values())
    reported = _money(result.get("total_cost_usd"))
    is_absurd = total.prompt + total.output > _MOST_TOKENS or reported > _MOST_USD or _is_below_zero([result.get(k) for k in _COUNTS])
    if is_absurd or (_was_served(result) and not (total.prompt and total.output)):
        return None
    listed = sum((cost(name, tokens) for name, tokens in by_model.items()), Decimal(0))
    others = (cost(name, total) for name in answered)
    return Usage(cost_usd=max(listed, reported, *others), tokens=total, turns=_count(result.get("num_turns")))


def _was_served(result: Mapping[str, Any]) -> bool:
    """Whether the API answered a turn at least: an error of the API calls itself a success."""
    return _count(result.get("num_turns")) > 0 and (not result.get("is_error") or result.get("subtype") != "success")


def _is_below_zero(told: object) -> bool:
    """Whether any number is, at whatever depth."""
    if isinstance(told, dict | list):
        return any(map(_is_below_zero, told.values() if isinstance(told, dict) else told))
    return isinstance(told, int | float) and told < 0


def _tokens(used: Mapping[str, Any]) -> Tokens:
    return Tokens(
        input=_count(used.get("inputTokens")),
        output=_count(used.get("outputTokens")),
        cache_read=_count(used.get("cacheReadInputTokens")),
        cache_write=_count(used.get("cacheCreationInputTokens")),
    )


def _flat(used: object) -> Tokens:
    given: Mapping[str, Any] = used if isinstance(used, dict) else {}
    return Tokens(
        input=_count(given.get("input_tokens")),
        output=_count(given.get("output_tokens")),
        cache_read=_count(given.get("cache_read_input_tokens")),
        cache_write=_count(given.get("cache_creation_input_tokens")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _money(value: object) -> Decimal:
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else Decimal(0)
