"""Days that a model may have read about, and days that it cannot have: a run split at the end of its model's training data.

Promises that every session is in one part, and that without a known cut-off all are suspect. Refuses to call an earlier day unseen.
"""

from collections.abc import Callable
from datetime import date

import numpy as np

from trading_bot.backtest.plan import Result
from trading_bot.backtest.statistics import Curve, performance
from trading_bot.domain.values import Finite, Ratio, Record


class Part(Record):
    """Some sessions of a run, one after the other. None where there are none."""

    sessions: int
    first: date | None
    last: date | None
    total_return: Finite | None = None
    sharpe: Finite | None = None
    max_drawdown: Finite | None = None
    trades: int = 0
    """Those that were entered in it; so with the two figures below."""
    win_rate: Ratio | None = None
    profit_factor: Finite | None = None


class Knowledge(Record):
    """A run before and after its models' cut-off."""

    models: tuple[str, ...]
    cut_off: date | None
    """Last day of the training data of all models; None if that of one is not known."""
    source: str
    may_know: Part
    unseen: Part

    def suspect(self, session: date) -> bool:
        """Whether a model may know what came of this session."""
        return self.cut_off is None or session <= self.cut_off

    @property
    def told(self) -> str:
        """One sentence for a reader."""
        names, known = ", ".join(self.models) or "no model", self.may_know.sessions
        if self.cut_off is None:
            return f"the cut-off of {names} is not known: all {known} sessions count as days that it may have read about"
        return f"{names} may have read about {known} sessions (up to {self.cut_off}), and not about {self.unseen.sessions}"


def knowledge(result: Result, models: tuple[str, ...], cut_off: date | None, source: str) -> Knowledge:
    """Split `result` at `cut_off`, the last day that counts as known; None: all are."""
    parts = (_part(result, lambda day: cut_off is None or day <= cut_off), _part(result, lambda day: cut_off is not None and day > cut_off))
    return Knowledge(models=models, cut_off=cut_off, source=source, may_know=parts[0], unseen=parts[1])


def _part(result: Result, inside: Callable[[date], bool]) -> Part:
    """Sessions follow each other in either part, so its capital is what stood at the close before."""
    chosen = [n for n, day in enumerate(result.sessions) if inside(day)]
    if not chosen:
        return Part(sessions=0, first=None, last=None)
    cut, days = slice(chosen[0], chosen[-1] + 1), tuple(result.sessions[n] for n in chosen)
    start = result.equity[chosen[0] - 1] if chosen[0] else float(result.start)
    curve = Curve(days, np.array(result.equity[cut]), np.array(result.exposure[cut]), start)
    trades = [t for t in result.trades if inside(t.opened_at.date())]
    figures = performance(curve, trades, periods_per_year=result.periods_per_year)
    told = figures.model_dump(include=set(Part.model_fields) - {"sessions"})
    return Part(sessions=len(days), first=days[0], last=days[-1], **told)
