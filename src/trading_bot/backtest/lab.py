"""The laboratory as its users see it: backtests of shipped strategies on what was known at a moment.

Promises that the same experiment at the same moment has the same result, whatever the future brings. Refuses strategies by path or
entry point (who asks may be a model, and a path is code), and those that read news, which it has not.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from trading_bot.backtest.plan import Cell, Result
from trading_bot.backtest.strategy import Values
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.values import Symbol

Tell = Callable[[int, int], None]
"""Hears how much is done, and of how much."""
_PERIOD = re.compile(r"(\d{1,4})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30.4375, "y": 365.25}


def unheard(_done: int, _total: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Experiment:
    """What to try, on daily bars. `period`: `90d`, `8w`, `6m` or `1y` up to the last day, where `first` is None."""

    strategy: str
    symbols: tuple[Symbol, ...]
    values: Mapping[str, float] = field(default_factory=dict)
    period: str = "1y"
    first: date | None = None
    last: date | None = None
    """None: the newest day that has closed."""


class Lab(Protocol):
    """Runs experiments as of a moment. ResearchError and NoDataError say what cannot be run, and what to ask instead."""

    def run(self, experiment: Experiment, now: datetime, tell: Tell = unheard) -> Result:
        """Try it once."""

    def sweep(self, experiment: Experiment, cells: Sequence[Values], now: datetime, tell: Tell = unheard) -> tuple[Cell, ...]:
        """Try it once for each of `cells`, in their order; each stands on top of the experiment's own values."""


def first_day(last: date, period: str) -> date:
    """The day from which `period` reaches up to `last`. ResearchError if it cannot be read."""
    found = _PERIOD.fullmatch(period)
    if found is None or not int(found[1]):
        raise ResearchError(f"the period {period[:20]!r} cannot be read: write 90d, 8w, 6m or 1y")
    return last - timedelta(days=int(int(found[1]) * _DAYS[found[2]])) + timedelta(days=1)
