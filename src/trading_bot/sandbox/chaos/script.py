"""What goes wrong in one run of chaos: faults of the venue, and blows to the desk, drawn from a seed.

Promises that the same venue, seed and length give the same plan, on any machine, and that a plan is data: it can be printed, kept and
played again. Refuses nothing, and does nothing by itself.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from random import Random
from typing import Any

from pydantic import Field

from trading_bot.domain.values import Record, Symbol
from trading_bot.sandbox.venue_faults import Rule

Draw = Callable[[Random, Symbol], dict[str, Any]]
"""Fields of a fault's rule."""


class Blow(StrEnum):
    """What is done to the desk's process."""

    KILL = "kill"
    """SIGKILL, then a new start."""
    KILL_AT_WRITE = "kill_at_write"
    """SIGKILL at this write point of journal or venue memory, then a new start."""
    STOP = "stop"
    """SIGSTOP for `seconds`, then SIGCONT."""
    DISK_FULL = "disk_full"
    """For `seconds` nothing can be made durable."""
    CLOCK_JUMP = "clock_jump"
    """The machine's clock jumps by `seconds`."""


class Strike(Record):
    """One blow: after so many seconds of the run, or at a write point."""

    blow: Blow
    after: float = Field(ge=0)
    write: int = Field(default=0, ge=0)
    seconds: float = 0


class Plan(Record):
    """One run."""

    venue: str
    seed: int
    seconds: float
    faults: tuple[Rule, ...]
    strikes: tuple[Strike, ...]


def _when(draw: Random) -> dict[str, Any]:
    """A count, or a rate: the first calls are those that matter most."""
    if draw.random() < 0.7:  # noqa: PLR2004 - most faults hit once
        return {"nth": draw.randint(1, 6), "times": draw.randint(1, 2)}
    return {"probability": round(draw.uniform(0.05, 0.3), 3), "times": draw.randint(1, 6)}


def _short(draw: Random) -> float:
    return round(draw.uniform(0.2, 4), 2)


_CALLS = ("order", "cancel", "replace", "read", "any")
_FAULTS: Mapping[str, Draw] = {
    "lost_answer": lambda d, _: {"on": d.choice(("order", "cancel", "replace")), **_when(d)},
    "server_error": lambda d, _: {
        "on": d.choice(_CALLS),
        "status": d.choice((500, 502, 503, 504)),
        "accepted": d.random() < 0.5,  # noqa: PLR2004 - a coin
        **_when(d),
    },
    "rate_limited": lambda d, _: {"on": d.choice(_CALLS), "reset": d.random() < 0.5, **_when(d)},  # noqa: PLR2004 - a coin
    "slow": lambda d, _: {"on": d.choice(_CALLS), "seconds": _short(d), **_when(d)},
    "cut_body": lambda d, _: {"on": d.choice(_CALLS), "accepted": True, **_when(d)},
    "reject": lambda d, _: {"on": "order", **_when(d)},
    "duplicate_event": lambda d, _: {"on": "stream", "probability": round(d.uniform(0.1, 0.9), 3)},
    "out_of_order": lambda d, _: {"on": "stream", "probability": round(d.uniform(0.1, 0.9), 3)},
    "fill_before_acceptance": lambda d, _: {"on": "order", **_when(d)},
    "partial_fill": lambda d, _: {"on": "order", "fraction": round(d.uniform(0.1, 0.9), 2), "seconds": _short(d), **_when(d)},
    "late_fill_after_cancel": lambda d, _: {"on": "cancel", **_when(d)},
    "unreachable": lambda d, _: {"seconds": _short(d)},
    "maintenance": lambda d, _: {"seconds": _short(d)},
    "mute_stream": lambda d, _: {"seconds": round(d.uniform(1, 10), 2)},
    "drop_stream": lambda _, __: {},
    "halt": lambda d, symbol: {"symbol": symbol, "seconds": _short(d)},
    "expired_token": lambda d, _: {"seconds": _short(d)},
    "session_closed": lambda d, _: {"seconds": _short(d)},
    "order_by_hand": lambda _, symbol: {"symbol": symbol, "side": "buy", "quantity": 1, "limit": 1},
    "liquidation": lambda _, symbol: {"symbol": symbol},
    "funding_flip": lambda _, symbol: {"symbol": symbol},
}
"""Every fault that a desk has to come through by itself, and how its rule is drawn."""
_BY_TIME = frozenset(
    {
        "unreachable",
        "maintenance",
        "expired_token",
        "session_closed",
        "mute_stream",
        "drop_stream",
        "halt",
        "order_by_hand",
        "liquidation",
        "funding_flip",
    }
)
_SKEWS: Mapping[str, tuple[float, float]] = {"alpaca": (-30, 30), "bybit": (-0.5, 3)}
"""By how many seconds a venue's clock may be ahead, all the time. Bybit refuses everything that is further from its own."""
_COMMON = tuple(name for name in _FAULTS if name not in {"order_by_hand", "liquidation", "funding_flip"})
FAULTS_OF: Mapping[str, tuple[str, ...]] = {
    "alpaca": (*_COMMON, "clock_skew"),
    "bybit": (*_COMMON, "clock_skew", "order_by_hand", "liquidation", "funding_flip"),
}
"""What is drawn for each venue.

Positions changed by other people's hands are left to scripts of their own: what a desk does then needs a person. So is a foreign order at
Alpaca, beside which every stop of ours is refused as a potential wash trade, and a split: it happens over night, and a market that never
closes has none.
"""
_BLOWS = (Blow.KILL, Blow.KILL, Blow.KILL_AT_WRITE, Blow.KILL_AT_WRITE, Blow.STOP, Blow.DISK_FULL, Blow.CLOCK_JUMP)


def plan(venue: str, seed: int, seconds: float, symbols: tuple[Symbol, ...], writes: int = 60) -> Plan:
    """Draw a run of so many seconds. `writes`: write points that a quiet run has; each seed kills at another one in turn."""
    draw = Random(f"{venue}:{seed}")  # noqa: S311 - chaos is not a secret, and has to be the same again
    faults = tuple(_fault(draw, venue, symbols, seconds) for _ in range(draw.randint(1, 5)))
    drawn = [_strike(draw, seconds) for _ in range(draw.randint(0, 2))]
    in_turn = Strike(blow=Blow.KILL_AT_WRITE, after=0, write=1 + seed % writes)
    strikes = sorted([in_turn, *drawn], key=lambda s: (s.after, s.blow, s.write))
    return Plan(venue=venue, seed=seed, seconds=seconds, faults=faults, strikes=tuple(strikes))


def _fault(draw: Random, venue: str, symbols: tuple[Symbol, ...], seconds: float) -> Rule:
    name = draw.choice(FAULTS_OF[venue])
    fields = _FAULTS[name](draw, draw.choice(symbols)) if name in _FAULTS else {"seconds": round(draw.uniform(*_SKEWS[venue]), 2)}
    if name in _BY_TIME:
        fields["after"] = round(draw.uniform(0, seconds * 0.7), 2)
    return Rule.model_validate({"fault": name, **fields})


def _strike(draw: Random, seconds: float) -> Strike:
    blow, after = draw.choice(_BLOWS), round(draw.uniform(0, seconds * 0.8), 3)
    if blow is Blow.KILL_AT_WRITE:
        return Strike(blow=blow, after=after, write=draw.randint(1, 20))
    if blow is Blow.CLOCK_JUMP:
        return Strike(blow=blow, after=after, seconds=draw.choice((-3600.0, -45.0, 45.0, 3600.0)))
    return Strike(blow=blow, after=after, seconds=0 if blow is Blow.KILL else _short(draw))
