"""Bars of a coarser timeframe, and which of them had closed at each row of the finer one. Pure.

Promises that a coarse bar is told from the row on at which it has closed, and never changes afterwards. Refuses a timeframe that is not
coarser, and an unknown one (StrategyError).
"""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading_bot.domain.errors import NoDataError, StrategyError
from trading_bot.domain.market import Timeframe
from trading_bot.ports import BarSeries

WEEK = "1w"
_LENGTHS = {**{str(t): t.duration for t in Timeframe}, WEEK: timedelta(weeks=1)}
_MONDAY = np.int64(4 * 86_400 * 10**9)
"""1970 began on a Thursday: the first Monday's midnight, in ns."""


class Coarse(NamedTuple):
    """Coarse bars that have closed, the fine row that ended each, and for each fine row the number of the newest closed one, else -1."""

    bars: pd.DataFrame
    ends: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]


def coarsened(bars: pd.DataFrame, own: Timeframe | None, wanted: str) -> Coarse:
    """`bars` of the timeframe `own` brought to `wanted`. Coarse ones begin at whole multiples of their length in UTC, weeks on Monday."""
    if own is None or wanted not in _LENGTHS or _LENGTHS[wanted] <= own.duration:
        coarser = ", ".join(name for name, length in _LENGTHS.items() if own is None or length > own.duration)
        raise StrategyError(f"a frame of {own or 'unknown'} bars has no higher timeframe {wanted!r}; coarser are {coarser}")
    length = np.int64(_LENGTHS[wanted] // timedelta(microseconds=1) * 1000)
    first = _MONDAY if wanted == WEEK else np.int64(0)
    starts = pd.DatetimeIndex(bars.index).as_unit("ns").asi8
    bucket = (starts - first) // length
    begins = np.flatnonzero(np.diff(bucket, prepend=bucket[:1] - 1))
    ends = np.append(begins[1:], len(bars))[: len(begins)] - 1
    number = np.searchsorted(begins, np.arange(len(bars)), side="right") - 1
    # A row that reaches the end of its bucket closes it; otherwise the newest closed one is that of the bucket before.
    duration = np.int64(own.duration // timedelta(microseconds=1) * 1000)
    closes = starts + duration >= (bucket + 1) * length + first
    row = np.where(closes, number, number - 1)
    count = int(row[-1]) + 1 if len(row) else 0
    index = pd.DatetimeIndex(bucket[begins[:count]] * length + first, tz="UTC")
    return Coarse(_grouped(bars, begins, ends, index), ends[:count], row)


def coarser(series: BarSeries, wanted: Timeframe) -> BarSeries:
    """`series` brought to `wanted`; a bar is seen from the end of the row that closed it: without its last, the next one's first.

    NoDataError for bars that do not begin at whole multiples of their length in UTC: they would reach beyond the end of a coarser one.
    """
    starts = pd.DatetimeIndex(series.frame.index).as_unit("ns").asi8
    if (starts % (series.timeframe.duration // timedelta(microseconds=1) * 1000)).any():
        raise NoDataError(f"{series.symbol}: bars of {series.timeframe} that begin beside the clock make none of {wanted}")
    bars, _, row = coarsened(series.frame, series.timeframe, wanted)
    closing = np.searchsorted(row, np.arange(len(bars)))
    return replace(series, timeframe=wanted, frame=bars, ends=series.ends[closing])


def _grouped(bars: pd.DataFrame, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], index: pd.DatetimeIndex) -> pd.DataFrame:
    """The first `len(index)` groups, each from its row of `begins` to that of `ends`."""
    if not len(index):
        return pd.DataFrame({name: np.empty(0) for name in ("open", "high", "low", "close", "volume")}, index=index)
    values = {name: bars[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close", "volume")}
    table = {
        "open": values["open"][begins],
        "high": np.maximum.reduceat(values["high"], begins),
        "low": np.minimum.reduceat(values["low"], begins),
        "close": values["close"][ends],
        "volume": np.add.reduceat(values["volume"], begins),
    }
    return pd.DataFrame({name: column[: len(index)] for name, column in table.items()}, index=index)
