"""The risk score of a result: 0 is calm, 100 is not acceptable. Its table is published in `docs/validation.md`.

Promises that the points of a term rise linearly between two values, and that what cannot be known earns all of them: here the
unknown is a risk. The terms and their ends are this desk's own judgement; no theory gives them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from trading_bot.backtest.statistics import Curve, Floats
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import Finite, Record

TAIL = 0.05
"""Share of the worst sessions whose mean is the expected shortfall (R. T. Rockafellar and S. Uryasev, 2000)."""
BEST = 0.1
"""Share of the trades, the best ones, whose part of all gains is the concentration."""


class RiskClass(StrEnum):
    """How much a result risks."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    UNACCEPTABLE = "UNACCEPTABLE"


CLASSES = ((75.0, RiskClass.UNACCEPTABLE), (50.0, RiskClass.HIGH), (25.0, RiskClass.MEDIUM), (0.0, RiskClass.LOW))
"""Least score of each class."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What the score is reckoned from. None is what could not be known."""

    max_drawdown: float | None
    volatility: float | None
    changes: Floats
    """Returns of the sessions."""
    trades: Sequence[RoundTrip]
    deflated_sharpe: float | None
    curve: Curve


@dataclass(frozen=True)
class Term:
    """A part of the score: its points rise linearly from 0 at `calm` to all at `worst`."""

    name: str
    points: float
    calm: float
    worst: float
    measure: Callable[[Measured], float | None]

    def earn(self, actual: float | None) -> float:
        """Points for a measured value; all for an unknown one."""
        if actual is None:
            return self.points
        return self.points * min(1.0, max(0.0, (actual - self.calm) / (self.worst - self.calm)))


class Risk(Record):
    """One term of a result's score."""

    name: str
    actual: Finite | None
    points: Finite
    of: Finite


def expected_shortfall(changes: Floats) -> float | None:
    """Mean loss of the worst `TAIL` of the sessions, a positive share; None without a session."""
    if not len(changes):
        return None
    worst = np.sort(changes)[: max(1, int(len(changes) * TAIL))]
    return max(0.0, -float(worst.mean()))


def concentration(trades: Sequence[RoundTrip]) -> float | None:
    """Share of all gains that the best `BEST` of the trades made, one trade at least; None without a gain."""
    gains = sorted((float(t.profit) for t in trades if t.profit > 0), reverse=True)
    return sum(gains[: max(1, int(len(trades) * BEST))]) / sum(gains) if gains else None


def leverage(curve: Curve) -> float | None:
    """Greatest exposure by equity at a close; None without a session, or if equity ever was 0 or less."""
    return float(np.max(curve.exposure / curve.equity)) if curve.sessions and (curve.equity > 0).all() else None


TERMS = (
    Term("maximum drawdown", 25, 0.05, 0.35, lambda m: m.max_drawdown),
    Term("volatility a year", 10, 0.1, 0.6, lambda m: m.volatility),
    Term("expected shortfall of a session", 15, 0.01, 0.05, lambda m: expected_shortfall(m.changes)),
    Term("share of gains from the best tenth of trades", 10, 0.3, 0.8, lambda m: concentration(m.trades)),
    Term("number of trades", 10, 200, 30, lambda m: float(len(m.trades))),
    Term("deflated Sharpe ratio", 20, 0.95, 0.5, lambda m: m.deflated_sharpe),
    Term("greatest exposure by equity", 10, 1, 2, lambda m: leverage(m.curve)),
)


def risks(measured: Measured) -> tuple[Risk, ...]:
    """Every term of the table, measured. The score is the sum of their points."""
    actual = [(term, term.measure(measured)) for term in TERMS]
    return tuple(Risk(name=t.name, actual=value, points=t.earn(value), of=t.points) for t, value in actual)


def risk_class(score: float) -> RiskClass:
    """The class of a score from 0 to 100."""
    return next(name for least, name in CLASSES if score >= least)
