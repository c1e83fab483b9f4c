"""What fault rules make of a call, an order or a message of this venue.

Promises that a rule which is not meant for a call leaves it alone, and that what struck is in the evidence.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from trading_bot.brokers.units import SECOND
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.bybit.resting import HONEST, Fortune
from trading_bot.sandbox.evidence import Evidence
from trading_bot.sandbox.venue_faults import FaultScript, Rule

_BAN = (403, 429)


class Manner(Enum):
    """How an answer travels."""

    WHOLE = "whole"
    CUT = "cut"
    LOST = "lost"


@dataclass
class Fate:
    """What becomes of one call."""

    carried_out: bool = True
    refusal: str = ""
    """A refusal by name instead of an answer."""
    status: int = 200
    manner: Manner = Manner.WHOLE
    delay: float = 0.0
    reset_in: float | None = None
    """Of a rate limit: when to come again."""
    limited: bool = False
    late_fill: bool = False
    fortune: Fortune = HONEST
    """Of an order, once it was acknowledged."""


class Havoc:
    """The fault script at work."""

    def __init__(self, rules: Sequence[Rule], seed: int, evidence: Evidence, traded: Collection[str]) -> None:
        self.script = FaultScript(rules, seed, traded)
        self._evidence = evidence
        self._held: dict[str, Any] | None = None
        self.drops = False
        """Whether streams have to be cut off at the next occasion."""

    def fate(self, kind: str, symbol: str | None, at: datetime) -> tuple[Fate, tuple[Rule, ...]]:
        """What becomes of a call, and the rules that strike now and are more than that."""
        fate, found = Fate(), self.strikes(kind, symbol, at)
        for rule in found:
            if rule.fault in _EFFECTS:
                _EFFECTS[rule.fault](fate, rule, kind)
        self._windows(fate, kind, at)
        return fate, tuple(rule for rule in found if rule.fault not in _EFFECTS)

    def strikes(self, kind: str, symbol: str | None, at: datetime) -> tuple[Rule, ...]:
        """Rules that strike at a call, written down."""
        found = self.script.strikes(kind, None if symbol is None else Symbol(symbol), at)
        for rule in found:
            self._evidence.note("fault", at, rule=rule.fault, hit=kind, seconds=rule.seconds)
        return found

    def due(self, at: datetime) -> tuple[Rule, ...]:
        """Rules whose time has come, written down."""
        found = self.script.due(at)
        for rule in found:
            self._evidence.note("fault", at, rule=rule.fault, hit="time", seconds=rule.seconds)
        return found

    def active(self, fault: str, at: datetime) -> Rule | None:
        """The rule of a fault that lasts."""
        return self.script.active(fault, at)

    def _windows(self, fate: Fate, kind: str, at: datetime) -> None:
        if self.active("unreachable", at):
            fate.carried_out, fate.manner = False, Manner.LOST
        elif (rule := self.active("maintenance", at)) is not None:
            fate.carried_out, fate.refusal = False, "maintenance"
            fate.status = 200 if rule.status == 503 else rule.status  # noqa: PLR2004 - what a rule says that says nothing
        elif self.active("expired_token", at):
            fate.carried_out, fate.refusal = False, "key_expired"
        elif self.active("session_closed", at) and kind in {"order", "replace"}:
            fate.carried_out, fate.refusal = False, "closed"

    def spoil(self, message: dict[str, Any], at: datetime) -> Sequence[dict[str, Any]]:
        """What a private stream says instead of a message."""
        symbol = message["data"][0].get("symbol")
        names = {rule.fault for rule in self.strikes("stream", symbol, at)}
        self.drops = self.drops or "drop_stream" in names
        if self.active("mute_stream", at) or self.active("unreachable", at):
            return ()
        messages = [message, message] if "duplicate_event" in names else [message]
        if "out_of_order" in names and self._held is None:
            self._held = message
            return ()
        held, self._held = self._held, None
        return messages if held is None else [*messages, held]


def _lost(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.manner = Manner.LOST


def _limited(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.carried_out, fate.refusal, fate.limited = False, "too_many", True
    fate.status = rule.status if rule.status in _BAN else 200
    fate.reset_in = rule.seconds if rule.reset else None


def _error(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.carried_out, fate.status, fate.refusal = rule.accepted, rule.status, "server"


def _slow(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.delay += rule.seconds


def _cut(fate: Fate, rule: Rule, kind: str) -> None:
    fate.manner = Manner.CUT
    fate.carried_out = fate.carried_out and (rule.accepted or kind == "read")


def _reject(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.fortune = replace(fate.fortune, reject=rule.reason if rule.reason.startswith("EC_") else "EC_Others")


def _filled_first(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.fortune = replace(fate.fortune, fills_first=True)


def _in_part(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.fortune = replace(fate.fortune, part=Decimal(str(rule.fraction)), pause=int(rule.seconds * SECOND))


def _late(fate: Fate, rule: Rule, kind: str) -> None:  # noqa: ARG001 - every effect takes the same
    fate.late_fill = True


_EFFECTS: dict[str, Callable[[Fate, Rule, str], None]] = {
    "lost_answer": _lost,
    "rate_limited": _limited,
    "server_error": _error,
    "slow": _slow,
    "cut_body": _cut,
    "reject": _reject,
    "fill_before_acceptance": _filled_first,
    "partial_fill": _in_part,
    "late_fill_after_cancel": _late,
}
