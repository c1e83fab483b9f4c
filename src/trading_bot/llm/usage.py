"""What a run reports that it used, in every token class, and what that costs.

Promises the dearer of the reported cost and the list price of the reported tokens: a binary with an old price table must not make
the ledger cheap. Refuses to count a run that broke off, or that answered and reports nothing or less for it: nobody knows what was
charged for that.

Of a resumed conversation the program reports (seen of 2.1.329) `total_cost_usd` and `modelUsage` of all its runs together, whatever ran
in between, for it keeps the sum in the transcript; from a transcript that was cut short it may begin at 0. `usage` is of this run alone,
and 0 where the cap ended it. So a run costs what was counted since the last one, or all if that is less than its own turns told.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import Field

from trading_bot.domain.values import ZERO, NonNegative, Record
from trading_bot.llm.budget import FINEST, Usage
from trading_bot.llm.ending import REFUSAL
from trading_bot.llm.prices import Tokens, cost

_MOST_TOKENS = 10**9
_MOST_USD = Decimal(10_000)
"""No call has more: a report of more is none."""
_NO_TOKENS = Tokens()
_COUNTS = ("usage", "modelUsage", "total_cost_usd")


_NEVER_SENT = ("(ECONNREFUSED)", "(ENOTFOUND)", "(EAI_AGAIN)", "(EHOSTUNREACH)", "(ENETUNREACH)", "Please run /login")
"""How the program says that no connection was made: an outage costs nothing, and must not eat the day's budget."""


def broke_off(result: Mapping[str, Any]) -> bool:
    """Whether a request ended without an answer of the API: what was streamed before may have been charged."""
    if any(sign in str(result.get("result")) for sign in _NEVER_SENT):
        return False
    failed = bool(result.get("is_error")) and result.get("subtype") == "success"
    return failed and result.get("api_error_status") is None and result.get("stop_reason") != REFUSAL


class Reported(Record):
    """What the program counts: of one run, or of a whole conversation."""

    cost_usd: NonNegative = ZERO
    tokens: dict[str, Tokens] = Field(default_factory=dict)
    """By model."""

    @property
    def total(self) -> Tokens:
        """Of all models."""
        return Tokens.sum(self.tokens.values())

    def since(self, before: "Reported", own: Tokens) -> "Reported":
        """What was counted after `before`, if that is in it: then what is left covers the run's `own` tokens. All of it, if not."""
        rest = {name: _less(tokens, before.tokens.get(name, Tokens())) for name, tokens in self.tokens.items()}
        left = Tokens.sum(tokens for tokens in rest.values() if tokens is not None)
        if before.tokens.keys() - rest.keys() or None in rest.values() or left.prompt < own.prompt or left.output < own.output:
            return self
        return Reported(
            cost_usd=max(self.cost_usd - before.cost_usd, ZERO),
            tokens={name: tokens for name, tokens in rest.items() if tokens is not None},
        )


_NOTHING = Reported()


def reported(result: Mapping[str, Any]) -> Reported | None:
    """Return what a result event counts, None if it is absurd. Of a resumed conversation that is the sum of all its runs."""
    used = result.get("modelUsage")
    tokens = {str(m): _tokens(u) for m, u in used.items() if isinstance(u, dict)} if isinstance(used, dict) else {}
    cost_usd, total = _money(result.get("total_cost_usd")), Tokens.sum(tokens.values())
    if total.prompt + total.output > _MOST_TOKENS or cost_usd > _MOST_USD or _is_below_zero([result.get(k) for k in _COUNTS]):
        return None
    return Reported(cost_usd=cost_usd.quantize(FINEST), tokens=tokens)


def usage_of(
    result: Mapping[str, Any], model: str, answered: Collection[str] = (), *, before: Reported = _NOTHING, heard: Tokens = _NO_TOKENS
) -> Usage | None:
    """Return tokens and cost of a result event's own run, None if they are absurd.

    `model`: stands for tokens that name none. `answered`: models that say that they answered; the program counts by the asked one.
    `before`: what the conversation's last run was told to have counted. `heard`: what this run's turns told of themselves, at least.
    """
    told, own = reported(result), _flat(result.get("usage"))
    if told is None or own.prompt + own.output > _MOST_TOKENS:
        return None
    least = Tokens(input=max(own.prompt, heard.prompt), output=max(own.output, heard.output))
    counted = told.since(before, least) if told.tokens else Reported(cost_usd=told.cost_usd, tokens={model: own})
    total = counted.total
    if _was_served(result) and not (total.prompt and total.output):
        return None
    listed = sum((cost(name, tokens) for name, tokens in counted.tokens.items()), Decimal(0))
    others = (cost(name, total) for name in answered)
    return Usage(cost_usd=max(listed, counted.cost_usd, *others), tokens=total, turns=_count(result.get("num_turns")))


def heard_in(turns: Iterable[Mapping[str, Any]]) -> Tokens:
    """Tokens of a run's turns together, as each told of itself when it began."""
    return Tokens.sum(map(_flat, turns))


def _less(tokens: Tokens, before: Tokens) -> Tokens | None:
    left = {name: getattr(tokens, name) - getattr(before, name) for name in Tokens.model_fields}
    return None if min(left.values()) < 0 else Tokens(**left)


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
