"""Figures of many accounts at once: what a sweep tells of each combination, as `statistics.py` defines it.

Promises the same numbers to rounding error. NaN stands for what is not defined. Refuses nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from trading_bot.backtest import compiled as _compiled
from trading_bot.backtest.compiled import compiled, inner, refresh

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_NOISE = 1e-12
TOTAL, SHARPE, FALL = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Figures:
    """Arrays in the order of the combinations. `final`: twice the last equity, in cash quanta."""

    total_return: Floats
    sharpe: Floats
    max_drawdown: Floats
    trades: Integers
    win_rate: Floats
    profit_factor: Floats
    final: Integers

    @classmethod
    def of(cls, accounts: npt.NDArray[Any], found: Floats, final: Integers) -> Self:
        """From account records of the kernel and `figures`."""
        trades, lost = accounts["trades"], accounts["lost"]
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = accounts["wins"] / trades
            factor = np.where(lost > 0, accounts["gained"] / lost, np.nan)
        return cls(found[:, TOTAL], found[:, SHARPE], found[:, FALL], trades, rate, factor, final)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One after the other; at least one."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


@compiled
def figures(worth: Integers, start: int, periods_per_year: int) -> Floats:
    """Total return, Sharpe ratio and greatest drawdown of each row of `worth` (an account at its closes, beginning with `start`)."""
    found = np.empty((len(worth), 3))
    for n in range(len(worth)):
        found[n, TOTAL] = worth[n, -1] / start - 1
        found[n, SHARPE] = _sharpe(worth[n], start, periods_per_year)
        found[n, FALL] = _fall(worth[n], start)
    return found


@inner
def _sharpe(worth: Integers, start: int, periods_per_year: int) -> float:
    """`statistics.sharpe`: NaN below two returns, without deviation, or where equity ever was 0 or less."""
    count, before, total, squares = len(worth), float(start), 0.0, 0.0
    for n in range(count):
        if worth[n] <= 0:
            return np.nan
        change = worth[n] / before - 1
        total += change
        squares += change * change
        before = float(worth[n])
    if count < 2:  # noqa: PLR2004 - a deviation needs two
        return np.nan
    mean = total / count
    deviation = math.sqrt(max(squares - total * mean, 0.0) / (count - 1))
    return mean * math.sqrt(periods_per_year) / deviation if deviation > _NOISE else np.nan


@inner
def _fall(worth: Integers, start: int) -> float:
    peak, floor, fall = float(start), float(start), 0.0
    for n in range(len(worth)):
        now = float(worth[n])
        if now > peak:
            peak, floor = now, now * (1 - fall)
        elif now < floor:
            floor, fall = now, 1 - now / peak
    return fall


refresh(figures, [__file__, _compiled.__file__])
