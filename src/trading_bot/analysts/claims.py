"""Whether a model's claims hold: the tool result that a claim names was given in this run, and carries what is claimed.

Promises that a failed call proves nothing, and that what a result says of another symbol proves nothing about this one. Refuses to
search for a number under another name.
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal

from trading_bot.analysts.answers import Claim, Scalar, number
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import Symbol

_NEAR = Decimal("0.001")
"""Share by which a copied number may be rounded."""


def complaints(claims: Sequence[Claim], symbol: Symbol | None, calls: Sequence[ToolCall]) -> list[str]:
    """Return a sentence for each claim that does not hold. `symbol`: what the claims are about, None for no single one."""
    wrong = ((claim, _why_wrong(claim, symbol, calls)) for claim in claims)
    return [f"{claim.field} = {_told(claim.value)} by {claim.evidence}: {why}" for claim, why in wrong if why]


def claimed(claims: Sequence[Claim], field: str) -> list[Scalar]:
    """Values claimed under this field."""
    return [claim.value for claim in claims if _name(claim.field) == field]


def amounts(claims: Sequence[Claim], field: str | None = None) -> list[Decimal]:
    """Numbers claimed under this field, or under any."""
    told = [claim.value for claim in claims] if field is None else claimed(claims, field)
    values = (number(value) for value in told if not isinstance(value, bool | None))
    return [value for value in values if value is not None]


def same(claim: Scalar, fact: Scalar) -> bool:
    """Whether a claim says what a result says: numbers within a tenth of a per cent or one unit of the result's last decimal."""
    if isinstance(claim, bool | None) or isinstance(fact, bool | None):
        return claim is fact
    one, other = number(claim), number(fact)
    if one is None or other is None:
        return isinstance(claim, str) and claim == fact
    return abs(one - other) <= max(abs(other) * _NEAR, _last_decimal(other))


def _why_wrong(claim: Claim, symbol: Symbol | None, calls: Sequence[ToolCall]) -> str:
    call = next((call for call in calls if call.evidence == claim.evidence), None)
    if call is None:
        return "no tool result of this run has this evidence id"
    if call.failed:
        return "that tool call failed"
    facts = list(_facts(json.loads(call.result), _name(claim.field), symbol))
    if not facts:
        return f"that result has no such field{f' for {symbol}' if symbol else ''}"
    return "" if any(same(claim.value, fact) for fact in facts) else f"that result says {' or '.join(_told(fact) for fact in facts[:3])}"


def _facts(node: object, field: str, symbol: Symbol | None) -> Iterator[Scalar]:
    """Every value under `field`, but for objects that name another symbol as their own."""
    if isinstance(node, list):
        for item in node:
            yield from _facts(item, field, symbol)
    if not isinstance(node, dict) or _is_about_another(node, symbol):
        return
    for key, value in node.items():
        if isinstance(value, dict | list):
            yield from _facts(value, field, symbol)
        elif key.lower() == field:
            yield value


def _is_about_another(node: dict[str, object], symbol: Symbol | None) -> bool:
    own = node.get("symbol")
    return symbol is not None and isinstance(own, str) and own != symbol


def _name(path: str) -> str:
    """`analysis.score`, `candidates[0].score` and `Score` name a `score`."""
    return path.rpartition(".")[2].lower()


def _last_decimal(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else Decimal(0)


def _told(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)[:60]
