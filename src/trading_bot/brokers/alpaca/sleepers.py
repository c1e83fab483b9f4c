"""Stops that wait beside somebody else's resting target: no listing has them, though they guard a position.

Promises that each is shown for as long as its target is listed. Refuses legs of an entry that is not filled: they guard nothing yet.
"""

from collections.abc import Iterable

from trading_bot.brokers.alpaca import wire
from trading_bot.brokers.alpaca.reading import Reading
from trading_bot.brokers.alpaca.wire import Raw

_PAIRED = frozenset({"oco", "bracket"})


class Sleepers:
    """Asks about a pair when it is first seen, and when its target has changed."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._seen: dict[str, tuple[str | None, tuple[Raw, ...]]] = {}
        """By the target's id: when it was changed, and what waits beside it."""

    def beside(self, listed: Iterable[Raw]) -> tuple[Raw, ...]:
        """What waits beside these open orders of others."""
        paired = [raw for raw in listed if raw.get("order_class") in _PAIRED and raw["status"] != wire.ASLEEP]
        self._seen = {raw["id"]: (raw.get("updated_at"), self._legs(raw)) for raw in paired}
        return tuple(leg for _, legs in self._seen.values() for leg in legs)

    def _legs(self, raw: Raw) -> tuple[Raw, ...]:
        changed, legs = self._seen.get(raw["id"], ("never", ()))
        if changed == raw.get("updated_at"):
            return legs
        whole = self._reading.family(raw)
        if whole is None or not (whole.get("order_class") == "oco" or whole["status"] == "filled"):
            return ()
        return tuple(leg for leg in whole.get("legs") or () if leg["status"] == wire.ASLEEP)
