"""What goes wrong at an emulated venue, and when: rules of a YAML file, in the field's words, the same for every venue.

    - {fault: lost_answer, on: order, nth: 2}
    - {fault: rate_limited, on: order, times: 1, reset: true}
    - {fault: slow, seconds: 3, every: 10}
    - {fault: halt, symbol: AAPL, after: 60, seconds: 30}

A rule strikes at calls (`on`: order, cancel, replace, read, stream, any), or by time where it says no `on` and its fault happens by
itself. It strikes once, unless `times`, `every` or `probability` say more. Promises that the same rules, seed and calls strike the same
way. Refuses a fault or a key that it does not know, and what would happen to a symbol that is not traded (ConfigError with the line).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.orders import Side
from trading_bot.domain.values import Positive, Record, Symbol, UtcTime
from trading_bot.sandbox.rule_files import rule_of, rules_of

Kind = Literal["order", "cancel", "replace", "read", "stream", "any"]
_CALLS: Mapping[str, Kind] = {
    "lost_answer": "order",
    "rate_limited": "any",
    "server_error": "any",
    "slow": "any",
    "cut_body": "any",
    "reject": "order",
    "fill_before_acceptance": "order",
    "partial_fill": "order",
    "late_fill_after_cancel": "cancel",
    "duplicate_event": "stream",
    "out_of_order": "stream",
}
"""Faults of a call, and which calls they hit where a rule does not say."""
_WINDOWS = ("unreachable", "maintenance", "expired_token", "clock_skew", "mute_stream", "session_closed")
"""Faults that last: `seconds`, from the call or the moment that they strike at."""
_DEEDS = ("drop_stream", "halt", "split", "position_by_hand", "order_by_hand", "liquidation", "funding_flip")
"""Faults that somebody or something else does, once each time."""
FAULTS = (*_CALLS, *_WINDOWS, *_DEEDS)
_NEEDS = {
    "halt": ("symbol",),
    "split": ("symbol", "ratio"),
    "position_by_hand": ("symbol", "quantity"),
    "order_by_hand": ("symbol", "side", "quantity"),
    "liquidation": ("symbol",),
    "funding_flip": ("symbol",),
}

Number = BeforeValidator(lambda value: float(value) if isinstance(value, str) else value)
Count = Annotated[int, Field(ge=1)]


class Rule(Record):
    """One fault, and when it strikes."""

    fault: str
    on: Kind | None = None
    nth: Count | None = None
    """At this matching call (and the next ones, with `times`)."""
    times: Count | None = None
    every: Count | None = None
    probability: Annotated[float, Number, Field(gt=0, le=1)] | None = None
    after: Annotated[float, Number, Field(ge=0)] | None = None
    """Not before so many emulated seconds after the start."""
    at: UtcTime | None = None
    """Not before this emulated time."""
    symbol: Symbol | None = None
    seconds: Annotated[float, Number] = 5
    """How long it lasts; of `clock_skew`: by how much the venue's clock is ahead."""
    status: Annotated[int, Field(ge=400, le=599)] = 503
    accepted: bool = False
    """Of `server_error` and `cut_body`: whether the call was carried out before."""
    reset: bool = True
    """Of `rate_limited`: whether the answer says when to come again."""
    reason: str = "rejected by a fault rule"
    fraction: Annotated[float, Number, Field(gt=0, lt=1)] = 0.5
    """Of `partial_fill`: how much is filled, before nothing more is for `seconds`."""
    ratio: Positive = Decimal(2)
    side: Side | None = None
    quantity: Annotated[Decimal, BeforeValidator(lambda value: Decimal(str(value)))] | None = None
    """Of `position_by_hand`: signed, what is held afterwards."""
    limit: Positive | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.fault not in FAULTS:
            raise ValueError(f"fault {self.fault} is not known; known are {', '.join(FAULTS)}")
        missing = [name for name in _NEEDS.get(self.fault, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.fault} needs {' and '.join(missing)}")
        return self

    @property
    def by_time(self) -> bool:
        """Whether it strikes by itself, and not at a call."""
        return self.on is None and self.nth is None and self.every is None and self.probability is None and self.fault not in _CALLS

    @property
    def lasts(self) -> bool:
        """Whether it goes on for `seconds`."""
        return self.fault in _WINDOWS

    def meets(self, kind: str, symbol: str | None) -> bool:
        """Whether a call is of its kind."""
        on = self.on or _CALLS.get(self.fault, "any")
        fits = on in {kind, "any"} and not (on == "any" and kind == "stream")
        return fits and (self.symbol is None or symbol == self.symbol or self.fault in _NEEDS)


@dataclass(frozen=True)
class Struck:
    """A fault that happened."""

    at: datetime
    rule: Rule
    hit: str
    """What it hit: a kind of call, or `time`."""


class FaultScript:
    """Rules, and how often each has struck. `traded`: what something can happen to. Not safe for threads: its emulator has a lock."""

    def __init__(self, rules: Sequence[Rule] = (), seed: int = 0, traded: Collection[str] | None = None) -> None:
        self._rules = list(rules)
        self._traded = traded
        for number, rule in enumerate(rules, 1):
            _demand(rule, traded, f"rule {number}")
        self._random = Random(seed)  # noqa: S311 - faults are not secrets
        self._calls: dict[int, int] = {}
        self._hits: dict[int, int] = {}
        self._start: datetime | None = None
        self.struck: list[Struck] = []

    def begin(self, at: datetime) -> None:
        """Let the script's time start, if it has not."""
        self._start = self._start or at

    def add(self, rule: Mapping[str, Any] | Rule) -> None:
        """One more rule. ConfigError says what is wrong with it; `after` counts from the script's start."""
        made = rule if isinstance(rule, Rule) else rule_of(rule, Rule, "rule")
        _demand(made, self._traded, "rule")
        self._rules.append(made)

    def told(self, deed: Mapping[str, Any]) -> None:
        """One more rule, from a deed by hand: `{do: fault, rule: {fault: slow}}`, or the rule's keys beside `do`."""
        self.add(deed["rule"] if "rule" in deed else {name: value for name, value in deed.items() if name != "do"})

    def strikes(self, kind: str, symbol: str | None, at: datetime) -> tuple[Rule, ...]:
        """Rules that strike at this call, in the file's order."""
        self.begin(at)
        found = [rule for n, rule in enumerate(self._rules) if not rule.by_time and rule.meets(kind, symbol) and self._hit(n, rule, at)]
        self.struck.extend(Struck(at, rule, kind) for rule in found)
        return tuple(found)

    def due(self, at: datetime) -> tuple[Rule, ...]:
        """Rules whose time has come."""
        self.begin(at)
        found = []
        for number, rule in enumerate(self._rules):
            if rule.by_time and self._hits.get(number, 0) < (rule.times or 1) and self._started(rule, at):
                self._hits[number] = self._hits.get(number, 0) + 1
                found.append(rule)
        self.struck.extend(Struck(at, rule, "time") for rule in found)
        return tuple(found)

    def active(self, fault: str, at: datetime) -> Rule | None:
        """The rule of a lasting fault that goes on at `at`."""
        inside = (s.rule for s in reversed(self.struck) if s.rule.fault == fault and s.rule.lasts and at < s.at + _span(s.rule))
        return next(inside, None)

    def next_due(self) -> datetime | None:
        """When the next rule strikes by itself."""
        start = self._start
        waiting = [r for n, r in enumerate(self._rules) if r.by_time and self._hits.get(n, 0) < (r.times or 1)]
        return min((_moment(rule, start) for rule in waiting), default=None) if start is not None else None

    def _hit(self, number: int, rule: Rule, at: datetime) -> bool:
        if not self._started(rule, at):
            return False
        count = self._calls[number] = self._calls.get(number, 0) + 1
        hits = self._hits.get(number, 0)
        most = rule.times if rule.times is not None else (None if rule.every or rule.probability else 1)
        if (most is not None and hits >= most) or count < (rule.nth or 1) or (rule.every is not None and count % rule.every):
            return False
        if rule.probability is not None and self._random.random() >= rule.probability:  # ambient: seeded by who plays the script
            return False
        self._hits[number] = hits + 1
        return True

    def _started(self, rule: Rule, at: datetime) -> bool:
        return self._start is not None and at >= _moment(rule, self._start)


def _moment(rule: Rule, start: datetime) -> datetime:
    return max(rule.at or start, start + timedelta(seconds=rule.after or 0))


def _span(rule: Rule) -> timedelta:
    return timedelta(days=1) if rule.fault == "clock_skew" else timedelta(seconds=rule.seconds)


def load(path: Path, traded: Collection[str] | None = None) -> tuple[Rule, ...]:
    """Read the rules of a file. ConfigError names the file and the line of what is wrong; `traded`: what can be hit."""
    found = rules_of(path, Rule, "{fault: lost_answer, on: order, nth: 2}")
    for place, rule in found:
        _demand(rule, traded, place)
    return tuple(rule for _, rule in found)


def _demand(rule: Rule, traded: Collection[str] | None, where: str) -> None:
    """Refuse what would happen to a symbol that is not traded: nothing could be done at its time."""
    happens = rule.by_time or rule.fault in _NEEDS
    if traded is not None and happens and rule.symbol is not None and rule.symbol not in traded:
        raise ConfigError(f"{where}: {rule.fault}: {rule.symbol} is not traded here; traded are {', '.join(sorted(traded))}")
