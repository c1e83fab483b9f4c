"""What an account of the sweep kernel is worth at the closes, and what that comes to: returns and drawdown, told as they arise.

    closes between two moments -> worth at each -> a tally of changes, greatest worth and greatest fall

Promises the venue's integers at each close, and figures of them to rounding error. A stretch in which nothing is held changes once, at
its first close. Refuses nothing: an account that outgrew 64 bits is called broken.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.compiled import inner, summing
from trading_bot.backtest.kernel_desk import Desk

Integers = npt.NDArray[np.int64]
_TOO_LARGE = 2.0**61
_BLOCK = 32
"""Closes whose least and greatest are looked at before each by itself."""

TALLY = np.dtype(
    [("last", np.int64), ("least", np.int64)] + [(name, np.float64) for name in ("change", "squares", "peak", "fall")],
)
"""Of one account: worth at the newest close, the least ever, sums of changes from close to close and of their squares, the greatest worth
and the greatest fall from it."""


class Marks(NamedTuple):
    """Twice the equity, and twice the exposure, in quanta at each close, for each combination; and the tally of each.

    One row of equity for them all is scratch paper. Rows of exposure that have no length are not reckoned.
    """

    equity: Integers
    exposure: Integers
    tallies: npt.NDArray[Any]


class Ends(NamedTuple):
    """When one combination is marked, at what prices, and where that is written."""

    close_at: Integers
    prices: Integers
    equity: Integers
    exposure: Integers
    tally: Any


@inner
def begin(tally: Any, start: int) -> None:  # noqa: ANN401 - a record of TALLY
    """Begin with twice the cash."""
    tally.last, tally.least, tally.peak = start, start, float(start)


@inner
def mark(desk: Desk, ends: Ends, first: int, until: int) -> int:
    """Mark the account at every close from number `first` on up to `until` (ns); return the number of the next."""
    last = _closed(ends.close_at, first, until)
    if last == first:
        return first
    account, flat = desk.account[0], True
    worth, exposed = ends.equity[first:last], ends.exposure[first:last]
    worth[:] = 2 * account.cash
    size = abs(2.0 * account.cash)
    for s in range(len(desk.books)):
        lots = desk.books[s].lots
        if lots != 0:
            flat = False
            size += abs(float(lots)) * desk.lanes.symbols[s].top
            _add(worth, exposed, ends.prices[s, first:last], lots * desk.lanes.symbols[s].worth)
    if size > _TOO_LARGE:
        account.broken = 1
    _tell(ends.tally, worth[:1] if flat else worth)
    return last


@inner
def _closed(close_at: Integers, first: int, until: int) -> int:
    """Number of the first close, from `first` on, after `until`."""
    found, left = first, len(close_at) - first
    if left == 0 or close_at[found] > until:
        return found
    while left > 1:
        half = left // 2
        found += half if close_at[found + half - 1] <= until else 0
        left -= half
    return found + 1 if close_at[found] <= until else found


@inner
def _add(worth: Integers, exposed: Integers, prices: Integers, lots: int) -> None:
    """Add a position to the account at several closes; `lots` times quanta of a lot at one tick."""
    for n in range(len(prices)):
        worth[n] += lots * prices[n]
    for n in range(len(exposed)):
        exposed[n] += abs(lots) * prices[n]


# -- a tally -------------------------------------------------------------------------------------------------------------


@inner
def _tell(tally: Any, worth: Integers) -> None:  # noqa: ANN401 - a record of TALLY
    """Tell it of the next closes; at least one."""
    first = worth[0] / tally.last - 1
    change, squares = _changes(worth)
    tally.change += first + change
    tally.squares += first * first + squares
    tally.last = worth[-1]
    for n in range(0, len(worth), _BLOCK):
        block = worth[n : n + _BLOCK]
        low, high = _bounds(block)
        tally.least = min(tally.least, low)
        # In whatever order they come, no fall of this block is greater than from its highest to its lowest.
        if low < max(tally.peak, float(high)) * (1 - tally.fall):
            _fall(tally, block)
        tally.peak = max(tally.peak, float(high))


@summing
def _changes(worth: Integers) -> tuple[float, float]:
    """Sums of the changes between these closes, and of their squares."""
    total, squares = 0.0, 0.0
    for n in range(1, len(worth)):
        change = worth[n] / worth[n - 1] - 1
        total += change
        squares += change * change
    return total, squares


@inner
def _bounds(block: Integers) -> tuple[int, int]:
    low, high = block[0], block[0]
    for n in range(1, len(block)):
        low, high = min(low, block[n]), max(high, block[n])
    return low, high


@inner
def _fall(tally: Any, block: Integers) -> None:  # noqa: ANN401 - a record of TALLY
    peak, fall = tally.peak, tally.fall
    for n in range(len(block)):
        peak = max(peak, float(block[n]))
        fall = max(fall, 1 - block[n] / peak)
    tally.fall = fall
