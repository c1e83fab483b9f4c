"""What the emulated API charged for, counted on its own side.

Promises that an answer counts from its first byte on, however it ends, and that an error or silence costs nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

PRICES: Mapping[str, tuple[Decimal, Decimal]] = {
    "haiku": (Decimal(1), Decimal(5)),
    "sonnet": (Decimal(3), Decimal(15)),
    "opus": (Decimal(5), Decimal(25)),
}
"""USD per million tokens of input and output, list prices of the 4.5 family (2025-11). As dear as the dearest: any other model."""
_CACHE_READ, _CACHE_WRITE = Decimal("0.1"), Decimal("1.25")
_MILLION = Decimal(1_000_000)
_CLASSES = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


@dataclass(frozen=True)
class Charge:
    """One request that was answered, wholly or in part."""

    session: str
    persona: str
    model: str
    whole: bool
    """False for an answer that was broken off on purpose: whoever asked may not know what it cost."""
    usage: Mapping[str, int]

    @property
    def usd(self) -> Decimal:
        """List price."""
        read, said = next((price for name, price in PRICES.items() if name in self.model), max(PRICES.values()))
        weights = (read, read * _CACHE_WRITE, read * _CACHE_READ, said)
        return sum((self.usage[name] * weight for name, weight in zip(_CLASSES, weights, strict=True)), Decimal(0)) / _MILLION


def summary(charges: Iterable[Charge], failures: int) -> dict[str, Any]:
    """Totals, and the same by model and by persona; USD as text."""
    kept = tuple(charges)
    return {
        "failures": failures,
        **_total(kept),
        "models": _by(kept, lambda charge: charge.model),
        "personas": _by(kept, lambda charge: charge.persona),
    }


def _by(charges: Iterable[Charge], key: Callable[[Charge], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        groups[key(charge)].append(charge)
    return {name: _total(groups[name]) for name in sorted(groups)}


def _total(charges: Iterable[Charge]) -> dict[str, Any]:
    kept = tuple(charges)
    return {
        "conversations": len({charge.session for charge in kept}),
        "requests": len(kept),
        "broken_off": sum(1 for charge in kept if not charge.whole),
        **{name: sum(charge.usage[name] for charge in kept) for name in _CLASSES},
        "usd": f"{sum((charge.usd for charge in kept), Decimal(0)):f}",
    }
