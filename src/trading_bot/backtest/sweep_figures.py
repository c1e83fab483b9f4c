"""Figures of many accounts at once: what a sweep tells of each combination, as `statistics.py` defines it.

Promises the same numbers to rounding error. NaN stands for what is not defined. Refuses nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Records = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]
_NOISE = 1e-12


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
    def of(cls, accounts: Records, tallies: Records, start: int, closes: int, periods_per_year: int) -> Self:
        """From records of the kernel: of accounts that began with `start`, twice their cash, and were marked at `closes`."""
        trades, lost = accounts["trades"], accounts["lost"]
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = accounts["wins"] / trades
            factor = np.where(lost > 0, accounts["gained"] / lost, np.nan)
        sharpe = _sharpe(tallies, closes, periods_per_year)
        return cls(tallies["last"] / start - 1, sharpe, tallies["fall"].copy(), trades, rate, factor, tallies["last"].copy())

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """One after the other; at least one."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


def _sharpe(tallies: Records, closes: int, periods_per_year: int) -> Floats:
    """`statistics.sharpe`: NaN below two returns, without deviation, or where equity ever was 0 or less."""
    if closes < 2:  # noqa: PLR2004 - a deviation needs two
        return np.full(len(tallies), np.nan)
    mean = tallies["change"] / closes
    deviation = np.sqrt(np.maximum(tallies["squares"] - tallies["change"] * mean, 0) / (closes - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = mean * math.sqrt(periods_per_year) / deviation
    return np.where((tallies["least"] > 0) & (deviation > _NOISE), found, np.nan)
