"""What came of an entry plan, by one rule for everybody: the same stake, the same bars, the same doubts resolved against the plan.

    enter   from the next bar's opening on, at the plan's entry, or at the opening where that is better
    leave   the whole at the stop; at each target its share; the rest at the close of the horizon's last bar
    doubt   where one bar holds stop and target, the stop came first; a target in the bar of an entry counts if that opened at the entry

Promises R, the profit in multiples of the risk from entry to stop; a short is a long of prices below 0. Refuses to cost anything: fees
and slippage are the same on both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trading_bot.domain.research import EntryPlan

HORIZON = 20
"""Sessions in which a stock's plan may be entered and has to end."""


class State(StrEnum):
    """How far a plan has come."""

    WAITING = "waiting"
    NOT_ENTERED = "not_entered"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True)
class Bar:
    """One closed bar, in the prices of the plan."""

    open: float
    high: float
    low: float
    close: float

    @property
    def mirrored(self) -> "Bar":
        """The bar as who is short sees it."""
        return Bar(-self.open, -self.low, -self.high, -self.close)


@dataclass(frozen=True)
class Course:
    """What came of a plan. `r`: so far, or in all; None before the entry. `hit`: whether the first target came before the stop."""

    state: State
    r: float | None = None
    hit: bool | None = None


def follow(plan: EntryPlan, bars: Sequence[Bar], horizon: int = HORIZON) -> Course:
    """Follow a plan over the bars after it, as many as there are; `horizon` of them are the most that count."""
    sign = plan.side.sign
    entry, window = sign * float(plan.entry), [bar if sign > 0 else bar.mirrored for bar in bars[:horizon]]
    first = next((n for n, bar in enumerate(window) if bar.low <= entry), None)
    if first is None:
        return Course(State.NOT_ENTERED if len(window) == horizon else State.WAITING)
    held = _Held(plan, min(entry, window[first].open))
    held.live(window[first], sees_targets=window[first].open <= entry)
    for bar in window[first + 1 :]:
        held.live(bar, sees_targets=True)
    return held.course(window[-1], is_over=len(window) == horizon)


class _Held:
    """A position that was entered, bar by bar."""

    def __init__(self, plan: EntryPlan, paid: float) -> None:
        self._paid = paid
        sign = plan.side.sign
        self._stop = sign * float(plan.stop_loss)
        self._risk = sign * float(plan.entry - plan.stop_loss)
        self._targets = sorted((sign * float(t.price), float(t.fraction)) for t in plan.targets)
        self._left = 1.0
        self._earned = 0.0
        self._hit: bool | None = None

    def live(self, bar: Bar, *, sees_targets: bool) -> None:
        """Go through one bar."""
        if self._left and bar.low <= self._stop:
            self._leave(min(bar.open, self._stop), self._left)
            self._hit = bool(self._hit)
        while sees_targets and self._left and self._targets and bar.high >= self._targets[0][0]:
            self._leave(*self._targets.pop(0))
            self._hit = True

    def course(self, last: Bar, *, is_over: bool) -> Course:
        """How it stands after `last`."""
        ended = is_over or not self._left
        r = (self._earned + self._left * (last.close - self._paid)) / self._risk
        return Course(State.ENDED if ended else State.OPEN, r, bool(self._hit) if ended else self._hit)

    def _leave(self, price: float, fraction: float) -> None:
        share = fraction if self._targets else self._left
        self._earned += share * (price - self._paid)
        self._left -= share
