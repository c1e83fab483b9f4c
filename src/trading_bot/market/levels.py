"""Support and resistance from swing highs and lows.

Promises that a swing counts only from the bar that confirms it, so that nothing depends on later bars. Refuses to invent
a level: where no swing lies below (above) the price, there is no support (resistance).
"""

from dataclasses import dataclass

import numpy as np

WING = 3
"""Bars on each side that a swing must exceed; it is confirmed so many bars later."""
LOOKBACK = 252
"""Bars in which a swing is remembered."""
CLUSTER = 0.5
"""Swings within so many ATR of each other are one level."""


@dataclass(frozen=True)
class Levels:
    """Nearest level below and above a price, None where there is none."""

    support: float | None
    resistance: float | None


def swings(highs: np.ndarray, lows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return prices of swing highs and swing lows, each at the bar that confirms it, NaN elsewhere.

    A swing high is above the `WING` highs before it and not below the `WING` after it; a swing low is its mirror.
    """
    return _confirmed(highs), -_confirmed(-lows)


def _confirmed(values: np.ndarray) -> np.ndarray:
    found = np.full(len(values), np.nan)
    if len(values) < 2 * WING + 1:
        return found
    windows = np.lib.stride_tricks.sliding_window_view(values, 2 * WING + 1)
    middle = windows[:, WING]
    is_swing = (middle > windows[:, :WING].max(axis=1)) & (middle >= windows[:, WING + 1 :].max(axis=1))
    found[2 * WING :] = np.where(is_swing, middle, np.nan)
    return found


def find_levels(swing_prices: np.ndarray, price: float, atr: float) -> Levels:
    """Return the levels nearest to `price` among clusters of `swing_prices` (NaN are left out).

    A cluster holds the swings within `CLUSTER` x `atr` of its lowest; its level is their mean.
    """
    below: float | None = None
    for level in _cluster(sorted(swing_prices[~np.isnan(swing_prices)].tolist()), CLUSTER * atr):
        if level > price:
            return Levels(below, level)
        if level < price:
            below = level
    return Levels(below, None)


def _cluster(prices: list[float], width: float) -> list[float]:
    groups: list[list[float]] = []
    for price in prices:
        if groups and price - groups[-1][0] <= width:
            groups[-1].append(price)
        else:
            groups.append([price])
    return [sum(group) / len(group) for group in groups]


def supports(swing_prices: np.ndarray, rows: np.ndarray, prices: np.ndarray, atrs: np.ndarray) -> np.ndarray:
    """`find_levels(...).support` at many rows at once: of the `LOOKBACK` rows up to each, NaN where there is none.

    `swing_prices`: a row per bar, any columns, NaN where there is no swing. `rows`: numbers of bars; `prices`, `atrs`: at those.
    """
    at, column = np.nonzero(~np.isnan(swing_prices))
    known = swing_prices[at, column]
    ends = np.searchsorted(at, rows, side="right")
    begins = np.searchsorted(at, rows - LOOKBACK, side="right")
    which = begins[:, None] + np.arange(int((ends - begins).max(initial=0)))
    width = CLUSTER * atrs
    found = np.append(known, np.nan)[np.where(which < ends[:, None], which, len(known))]
    found[found > (prices + width)[:, None]] = np.nan  # no cluster with a mean below the price reaches there
    ordered = np.sort(found, axis=1)  # NaN last
    wide = int((~np.isnan(ordered)).sum(axis=1).max(initial=0))
    return _highest_below(ordered[:, :wide], prices, width)


def _highest_below(ordered: np.ndarray, prices: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The highest mean of a cluster of each row that lies below its price."""
    below, first = np.full(len(prices), np.nan), np.full(len(prices), -np.inf)
    total, count = np.zeros(len(prices)), np.zeros(len(prices))
    for price in (*ordered.T, np.full(len(prices), np.inf)):  # the last one ends every cluster
        joins = price - first <= width
        ends = ~joins & (count > 0) & ~np.isnan(price)
        level = total / np.maximum(count, 1)
        below = np.where(ends & (level < prices), level, below)
        begins = ~joins & np.isfinite(price)
        first = np.where(begins, price, first)
        total = np.where(begins, price, np.where(joins, total + price, total))
        count = np.where(begins, 1, np.where(joins, count + 1, count))
    return below
