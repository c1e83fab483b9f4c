"""The review of a day or a week: a grade from its facts, with reasons, and what to look at next.

Promises that equal facts get equal reviews and that a small sample is called small. Refuses to judge what cannot be
measured: such a criterion is left out, and says so. The tables are explained in `docs/scoring.md`, section "Review (C8)".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from trading_bot.backtest.facts import Facts
from trading_bot.backtest.patterns import PATTERN_TRADES
from trading_bot.domain.proposals import VerdictOutcome
from trading_bot.domain.research import Grade, Review

FEW_TRADES = 5
FEW_VERDICTS = 5


@dataclass(frozen=True)
class Criterion:
    """One thing that is measured: a share and the thresholds that earn 3, 2 or 1 points; beyond the last it is 0."""

    name: str
    measure: Callable[[Facts], float | None]
    thresholds: tuple[float, float, float]
    """For 3, 2 and 1 points; rising thresholds mean that less is better."""
    advice: str
    sample: Callable[[Facts], int] | None = None
    least: int = 0
    """Smallest sample that is judged."""

    def points(self, value: float) -> int:
        """3, 2, 1 or 0 for `value`; a value on a threshold meets it."""
        sign = -1 if self.thresholds[0] < self.thresholds[-1] else 1
        met = (3 - n for n, threshold in enumerate(self.thresholds) if sign * value >= sign * threshold)
        return next(met, 0)


@dataclass(frozen=True)
class Ceiling:
    """A condition under which no period is graded better than `grade`."""

    reason: str
    holds: Callable[[Facts], bool]
    grade: Grade


@dataclass(frozen=True)
class Mark:
    """What one criterion came to: `points` is None if it was not judged."""

    criterion: Criterion
    value: float | None
    points: int | None
    reason: str


def _return(facts: Facts) -> float | None:
    figures = facts.performance
    return None if figures.total_return is None else figures.total_return / math.sqrt(figures.sessions)


def _profit_share(facts: Facts) -> float | None:
    gross = facts.trades.gross_profit + facts.trades.gross_loss
    return float(facts.trades.gross_profit / gross) if gross else None


def _largest_loss(facts: Facts) -> float | None:
    return float(facts.largest_loss / facts.start_equity) if facts.start_equity > 0 else None


def _rejected(facts: Facts) -> float | None:
    said = facts.adherence
    return said.outcomes.get(VerdictOutcome.REJECTED, 0) / said.verdicts if said.verdicts else None


def _closed(facts: Facts) -> int:
    return facts.trades.trades


CRITERIA = (
    Criterion("return by root of sessions", _return, (0.005, 0.001, -0.01), "look at the trades that cost most before adding risk"),
    Criterion("drawdown from the highest close", lambda f: f.drawdown, (0.02, 0.05, 0.10), "trade smaller until new highs"),
    Criterion("largest loss of equity", _largest_loss, (0.01, 0.02, 0.03), "find out why a loss went past the planned risk", _closed, 1),
    Criterion("win rate", lambda f: f.trades.win_rate, (0.60, 0.50, 0.35), "look at the signals of the lost trades", _closed, FEW_TRADES),
    Criterion("gross profit of all gross", _profit_share, (0.65, 0.60, 0.50), "let targets be worth more than stops", _closed, FEW_TRADES),
    Criterion(
        "verdicts that reject",
        _rejected,
        (0.25, 0.50, 0.75),
        "propose what the mandate allows: see the vetoes by rule",
        lambda f: f.adherence.verdicts,
        FEW_VERDICTS,
    ),
)
"""In order of the report. Shares of 1."""

GRADES = ((2.5, Grade.EXCELLENT), (1.5, Grade.GOOD), (0.75, Grade.ACCEPTABLE), (0.0, Grade.NEEDS_IMPROVEMENT))
"""Least mean of points for each grade."""


CEILINGS = (
    Ceiling("a position is not covered by stops", lambda f: bool(_naked(f)), Grade.NEEDS_IMPROVEMENT),
    Ceiling("the return earns no point", lambda f: _mark(CRITERIA[0], f).points == 0, Grade.NEEDS_IMPROVEMENT),
    Ceiling("money was lost", lambda f: (f.performance.total_return or 0) < 0, Grade.ACCEPTABLE),
    Ceiling("no trade was closed", lambda f: f.trades.trades == 0, Grade.ACCEPTABLE),
)


def marks(facts: Facts) -> tuple[Mark, ...]:
    """What each of `CRITERIA` came to."""
    return tuple(_mark(criterion, facts) for criterion in CRITERIA)


def _mark(criterion: Criterion, facts: Facts) -> Mark:
    value = criterion.measure(facts)
    size = criterion.sample(facts) if criterion.sample else criterion.least
    if value is None or size < criterion.least:
        why = "nothing to measure" if size >= criterion.least else f"a sample of {size}, it needs {criterion.least}"
        return Mark(criterion, value, None, f"{criterion.name}: not judged ({why})")
    points = criterion.points(value)
    return Mark(criterion, value, points, f"{criterion.name}: {value:.2%}, {points} of 3 points")


def grade(facts: Facts) -> tuple[Grade, tuple[str, ...]]:
    """The grade of a period and its reasons: by the mean of the points of what could be judged, at best the lowest ceiling that holds."""
    made = marks(facts)
    earned = [m.points for m in made if m.points is not None]
    mean = sum(earned) / len(earned) if earned else None
    by_points = Grade.ACCEPTABLE if mean is None else next(g for least, g in GRADES if mean >= least)
    holding = [c for c in CEILINGS if c.holds(facts)]
    basis = "nothing could be judged" if mean is None else f"{mean:.2f} points of 3 on average"
    reasons = (basis, *(f"{c.reason}: {c.grade.value} at best" for c in holding), *(m.reason for m in made))
    return max((by_points, *(c.grade for c in holding)), key=tuple(Grade).index), reasons


def review(facts: Facts) -> Review:
    """The review of a period: grade and reasons, what stood out, what to look at next."""
    value, reasons = grade(facts)
    weak = tuple(m.criterion.advice for m in marks(facts) if m.points == 0)
    naked = _naked(facts)
    return Review(
        grade=value,
        summary=f"{_headline(facts)}: {value.value}",
        observations=(*reasons, *_adherence(facts), *_patterns(facts)),
        recommendations=((f"protect or close now: {naked}",) if naked else ()) + weak,
    )


def _headline(facts: Facts) -> str:
    days = f"{facts.first}" if facts.first == facts.last else f"{facts.first} to {facts.last}"
    gained = facts.performance.total_return
    closed = facts.trades
    return (
        f"{days}, {'no close' if gained is None else f'{gained:+.2%}'} ({facts.performance.profit:+.2f}),"
        f" closed trades {closed.trades}, won {closed.wins}, lost {closed.losses}"
    )


def _naked(facts: Facts) -> str:
    return ", ".join(p.symbol for p in facts.positions if not p.protected)


def _adherence(facts: Facts) -> tuple[str, ...]:
    said = facts.adherence
    counts = ", ".join(f"{outcome.value} {n}" for outcome, n in said.outcomes.items())
    by_rule = (("vetoes", said.vetoes), ("cuts", said.cuts))
    rules = tuple(f"{what} by rule: {', '.join(f'{r} {n}' for r, n in found.items())}" for what, found in by_rule if found)
    return (f"proposals {said.proposals}, verdicts {said.verdicts}{f' ({counts})' if counts else ''}", *rules)


def _patterns(facts: Facts) -> tuple[str, ...]:
    """What stands out, or why nothing can."""
    if facts.pattern_trades < 2 * PATTERN_TRADES:
        need = f"patterns need at least {PATTERN_TRADES} trades on each side"
        return (f"{need}; there are {facts.pattern_trades} in all, so none is claimed",)
    claims = tuple(found for found in (*(g.claim for g in facts.groups), *(b.claim for b in facts.behaviours)) if found is not None)
    return claims or (f"no pattern in {facts.pattern_trades} trades is larger than chance explains",)
