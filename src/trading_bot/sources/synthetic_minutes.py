"""Minute bars inside invented daily bars.

Promises that the minutes of a session aggregate exactly to its daily bar, and that a session's minutes depend on the seed,
the symbol and that session alone. Each path is a Brownian bridge from open to close, stretched above and below so that
it touches the day's high and low; volume is U-shaped over the session.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_bot.sources.synthetic_walk import Subject, Walk, generator, on_tick

_EDGE = 2.0
"""Volume at opening and close, relative to noon, less one."""
_RAGGED = 0.4
_WICK = 0.4
"""Mean reach of a minute's wicks, in units of the day's range over the root of its minutes."""


@dataclass(frozen=True, eq=False)
class Minutes:
    """Bars of several sessions of equal length: arrays of shape (sessions, bars)."""

    opens: np.ndarray
    highs: np.ndarray
    lows: np.ndarray
    closes: np.ndarray
    volumes: np.ndarray

    def every(self, size: int) -> "Minutes":
        """The same in bars of `size` minutes from each session's opening on; the last may be shorter."""
        starts = np.arange(0, self.opens.shape[1], size)
        ends = np.minimum(starts + size, self.opens.shape[1]) - 1
        return Minutes(
            self.opens[:, starts],
            np.maximum.reduceat(self.highs, starts, axis=1),
            np.minimum.reduceat(self.lows, starts, axis=1),
            self.closes[:, ends],
            np.add.reduceat(self.volumes, starts, axis=1),
        )


def minutes(subject: Subject, days: Sequence[str], walk: Walk, length: int) -> Minutes:
    """Minute bars of the sessions of `walk`, all of `length` minutes; `days` are their dates (ISO)."""
    draws = np.stack([generator(subject.seed, "minutes", subject.symbol, day).standard_normal((3, length)) for day in days])
    tick = subject.tick
    noon = 1 + _EDGE * (2 * (np.arange(length) + 0.5) / length - 1) ** 2
    points = on_tick(_paths(draws[:, 0] * np.sqrt(noon), walk), tick)
    opens, closes = points[:, :-1], points[:, 1:]
    reach = (_WICK * (walk.highs - walk.lows) / np.sqrt(length))[:, None] * np.abs(draws[:, 1])
    highs = np.minimum(on_tick(np.maximum(opens, closes) + reach, tick), walk.highs[:, None])
    lows = np.maximum(on_tick(np.minimum(opens, closes) - reach[:, ::-1], tick), walk.lows[:, None])
    row = np.arange(len(days))
    highs[row, np.maximum(opens, closes).argmax(axis=1)] = walk.highs
    lows[row, np.minimum(opens, closes).argmin(axis=1)] = walk.lows
    return Minutes(opens, highs, lows, closes, _volumes(noon * np.exp(_RAGGED * draws[:, 2]), walk.volumes))


def _paths(steps: np.ndarray, walk: Walk) -> np.ndarray:
    """Paths of (sessions, bars + 1) points from open to close that stay between low and high."""
    count = steps.shape[1]
    walked = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    share = np.arange(count + 1) / count
    bridge = walked - share * walked[:, -1:]
    low, high = walk.lows[:, None], walk.highs[:, None]
    raw = walk.opens[:, None] * (1 - share) + walk.closes[:, None] * share
    raw += bridge * (high - low) / np.ptp(bridge, axis=1, keepdims=True)
    top = np.maximum(walk.opens, walk.closes)[:, None]
    bottom = np.minimum(walk.opens, walk.closes)[:, None]
    above, below = np.maximum(raw - top, 0), np.maximum(bottom - raw, 0)
    inside = np.clip(raw, bottom, top)
    return np.asarray(inside + _stretched(above, high - top) - _stretched(below, bottom - low))


def _stretched(excess: np.ndarray, most: np.ndarray) -> np.ndarray:
    """`excess`, scaled by row so that its largest is `most`; a row without any stays flat."""
    largest = excess.max(axis=1, keepdims=True)
    return np.asarray(excess * (most / np.where(largest > 0, largest, 1.0)))


def _volumes(weights: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Whole volumes in proportion to `weights` whose sum in each row is its total."""
    upto = np.cumsum(weights, axis=1)
    marks = np.round(upto / upto[:, -1:] * totals[:, None])
    return np.asarray(np.diff(marks, axis=1, prepend=0.0))
