"""A venue's evidence as records: orders, fills and positions in one language, whichever venue wrote them.

Promises that every note keeps its number and time. Refuses (ValueError) a status that it does not know: an auditor must not guess
whether an order rests.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot.domain.values import Symbol

_RESTS = frozenset(
    {"new", "accepted", "partially_filled", "partiallyfilled", "pending_cancel", "pending_replace", "untriggered", "triggered"}
)
_SLEEPS = frozenset({"held", "pending_new", "created", "accepted_for_bidding", "suspended", "calculated", "stopped", "pending_review"})
_ENDED = frozenset(
    {"filled", "canceled", "cancelled", "expired", "replaced", "rejected", "done_for_day", "partiallyfilledcanceled", "deactivated"}
)
_FORCED = frozenset({"BustTrade", "AdlTrade"})
_CUT_OFF = frozenset({"unreachable", "maintenance", "expired_token", "session_closed", "slow"})
"""Faults during which nothing can be done at the venue. A clock that is wrong is none: what is drawn of it has to be borne."""


@dataclass(frozen=True)
class Span:
    """From one moment to another, or without an end."""

    start: datetime
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether `at` lies inside."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True)
class OrderNote:
    """How an order is, after a change."""

    n: int
    at: datetime
    venue_id: str
    client_id: str
    symbol: Symbol
    sign: int
    quantity: Decimal
    filled: Decimal
    guards: bool
    """Whether it closes by itself at a stop, or is closing at any price."""
    rests: bool
    ended: bool
    reduces: bool
    """Whether the venue itself lets it only reduce."""
    by_hand: bool
    leg: bool
    """Whether the venue made it, as a part of another order or of a position."""

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still trade."""
        return self.quantity - self.filled if self.rests else Decimal(0)


@dataclass(frozen=True)
class FillNote:
    """One execution."""

    n: int
    at: datetime
    execution_id: str
    venue_id: str
    client_id: str
    symbol: Symbol
    sign: int
    quantity: Decimal
    price: Decimal
    forced: bool
    """Whether the venue took it by itself (liquidation, auto-deleveraging)."""


@dataclass(frozen=True)
class PositionNote:
    """What is held of a symbol from now on."""

    n: int
    at: datetime
    symbol: Symbol
    quantity: Decimal


@dataclass(frozen=True)
class HandNote:
    """Somebody else changed a position."""

    n: int
    at: datetime
    symbol: Symbol


Note = OrderNote | FillNote | PositionNote | HandNote


@dataclass(frozen=True)
class Told:
    """All that matters of a run's evidence."""

    notes: tuple[Note, ...]
    cut_off: tuple[Span, ...]
    """When nothing could be done at the venue."""

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """Notes of one kind, in their order."""
        return tuple(n for n in self.notes if isinstance(n, kind))


def read(evidence: Iterable[Mapping[str, Any]]) -> Told:
    """Read a venue's notes, as `/__evidence` gives them."""
    notes: list[Note] = []
    spans: list[Span] = []
    for raw in evidence:
        if raw["kind"] in _READERS:
            notes.append(_READERS[raw["kind"]](raw))
        elif raw["kind"] == "fault":
            spans += _span(raw)
        elif raw["kind"] == "action" and _said(raw, "what", "do") == "position_by_hand":
            notes.append(HandNote(int(raw["n"]), _at(raw), Symbol(raw["symbol"])))
    return Told(tuple(sorted(notes, key=lambda note: note.n)), tuple(spans))


def _order(raw: Mapping[str, Any]) -> OrderNote:
    status = str(raw["status"]).lower()
    if status not in _RESTS | _SLEEPS | _ENDED:
        msg = f"note {raw['n']} tells of an order that is {raw['status']}: whether that rests is not known here"
        raise ValueError(msg)
    kind, leg = str(raw["type"]).lower(), str(raw.get("stop_order_type") or "")
    of_position = leg in {"StopLoss", "TrailingStop", "PartialStopLoss", "TakeProfit", "PartialTakeProfit"}
    stops = raw.get("stop") is not None or "stop" in kind
    return OrderNote(
        n=int(raw["n"]),
        at=_at(raw),
        venue_id=str(raw["venue_id"]),
        client_id=str(raw.get("client_id") or ""),
        symbol=Symbol(raw["symbol"]),
        sign=_sign(raw),
        quantity=Decimal(str(raw["quantity"])),
        filled=Decimal(str(raw["filled"])),
        guards="TakeProfit" not in leg and (stops or kind == "market"),
        # A venue that says whether it works an order is believed: Alpaca calls the woken stop of a pair `held`.
        rests=bool(raw["works"]) if "works" in raw else status in _RESTS,
        ended=status in _ENDED,
        reduces=bool(raw.get("reduce_only")) or of_position,
        by_hand=bool(raw.get("by_hand")),
        leg=of_position or bool(raw.get("parent") or raw.get("parent_id")),
    )


def _fill(raw: Mapping[str, Any]) -> FillNote:
    return FillNote(
        n=int(raw["n"]),
        at=_at(raw),
        execution_id=str(raw["execution_id"]),
        venue_id=str(raw["venue_id"]),
        client_id=str(raw.get("client_id") or ""),
        symbol=Symbol(raw["symbol"]),
        sign=_sign(raw),
        quantity=Decimal(str(raw["quantity"])),
        price=Decimal(str(raw["price"])),
        forced=str(raw.get("exec_type", "")) in _FORCED,
    )


def _position(raw: Mapping[str, Any]) -> PositionNote:
    return PositionNote(int(raw["n"]), _at(raw), Symbol(raw["symbol"]), Decimal(str(raw["quantity"])))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Note]] = {"order": _order, "fill": _fill, "position": _position}


def _span(raw: Mapping[str, Any]) -> list[Span]:
    """The time of a fault during which nothing can be done at the venue, a call on which it sits included.

    Its rule is told as a mapping, or as a name with its seconds beside it.
    """
    rule = raw.get("rule")
    told: Mapping[str, Any] = rule if isinstance(rule, Mapping) else raw
    name = told.get("fault", rule)
    if name not in _CUT_OFF:
        return []
    return [Span(_at(raw), _at(raw) + timedelta(seconds=float(told.get("seconds", 0))))]


def _said(raw: Mapping[str, Any], *names: str) -> object:
    return next((raw[name] for name in names if name in raw), None)


def _sign(raw: Mapping[str, Any]) -> int:
    return 1 if str(raw["side"]).lower() == "buy" else -1


def _at(raw: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(raw["at"]))
