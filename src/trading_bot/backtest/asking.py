"""Ask a strategy for its signals, and believe only what makes sense.

Promises signals of the frame's length in the declared types, finite and on the right side of the close where an entry needs them, within
a time limit. Refuses anything else with a StrategyError that names the strategy, and the line of its file or the bar.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.bounded import bounded
from trading_bot.backtest.culprit import culprit
from trading_bot.backtest.strategy import LONG, Signals, Strategy, Values
from trading_bot.domain.errors import StrategyError
from trading_bot.market.frame import IndicatorFrame

SECONDS = 60.0
_KINDS = {"entry": "biu", "exit": "b", "stop": "fiu", "target": "fiu"}
_WANTED = {
    "entry": "whole numbers: 1 long, -1 short, 0 nothing",
    "exit": "truths",
    "stop": "prices, NaN for none",
    "target": "prices, NaN for none",
}


def ask(strategy: Strategy, frame: IndicatorFrame, values: Values, seconds: float | None = SECONDS) -> Signals:
    """The signals of `strategy` on `frame` with these values, every parameter given or its default. StrategyError if they cannot be used.

    `seconds`: after which it is stopped; None where the caller bounds many questions together (a watch costs 0.1 ms).
    """
    signals = answer(strategy, frame, values, seconds)
    rows = np.flatnonzero(signals.entry)
    side = signals.entry[rows]
    _check_level(strategy.name, frame, "stop", signals.stop, rows, -side)
    _check_level(strategy.name, frame, "target", signals.target, rows, side)
    return signals


def answer(strategy: Strategy, frame: IndicatorFrame, values: Values, seconds: float | None = SECONDS) -> Signals:
    """What `strategy` says, in the right shape and types; its prices may make no sense. For who changes the bars and compares."""
    known = strategy.values(values)

    def call() -> object:
        with np.errstate(all="ignore"):  # 0/0 in a warm-up is NaN, and meant
            return strategy.signals(frame, **known)

    said = _answered(strategy, call, seconds)
    if not isinstance(said, Signals):
        raise StrategyError(f"strategy {strategy.name} answered {type(said).__name__}; return Signals.of(frame, entry=..., exit=...)")
    entry, leave, stop, target = (_column(strategy.name, len(frame), name, getattr(said, name)) for name in _KINDS)
    rows = np.flatnonzero(entry)
    strange = rows[np.abs(entry[rows].astype(np.int64)) != LONG]
    if len(strange):
        raise StrategyError(f"{_at(strategy.name, frame, int(strange[0]))} entry is {entry[strange[0]]}; it has to be 1, -1 or 0")
    prices = [column.astype(np.float64, copy=False) for column in (stop, target)]
    return Signals(entry.astype(np.int8, copy=False), leave, *prices)


def _answered(strategy: Strategy, call: Callable[[], object], seconds: float | None) -> object:
    try:
        return call() if seconds is None else bounded(call, seconds)
    except TimeoutError as error:
        raise StrategyError(f"strategy {strategy.name}: {error}; a loop that never ends?") from error
    except StrategyError:
        raise
    except (Exception, SystemExit) as error:  # edge: a user's strategy may raise anything
        where = culprit(error, strategy.signals.__code__.co_filename) if hasattr(strategy.signals, "__code__") else "its signals"
        hint = "; arrays of the frame are read-only: work on a copy" if "read-only" in str(error) else ""
        raise StrategyError(f"strategy {strategy.name} raised {type(error).__name__} in {where}: {error}{hint}") from error


def _column(name: str, count: int, column: str, given: object) -> npt.NDArray[Any]:
    """`given` as an array of the frame's length and of the column's kind."""
    values = np.asarray(given)
    if values.shape != (count,):
        raise StrategyError(f"strategy {name}: {column} has shape {values.shape}; it needs one value for each of {count} bars")
    if values.dtype.kind not in _KINDS[column]:
        raise StrategyError(f"strategy {name}: {column} is of {values.dtype}; it holds {_WANTED[column]}")
    return values


def _check_level(  # noqa: PLR0913, PLR0917 - a column, its rows, and what they are named by
    name: str, frame: IndicatorFrame, column: str, prices: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], sign: npt.NDArray[np.int8]
) -> None:
    """`sign`: 1 where an entry's level has to lie above its close, -1 below. NaN is none."""
    given = prices[rows]
    right = np.isfinite(given) & (given > 0) & ((given - frame.close[rows]) * sign > 0)
    wrong = np.flatnonzero(~(right | np.isnan(given)))
    if len(wrong):
        row, above = int(rows[wrong[0]]), sign[wrong[0]] > 0
        close = frame.close[row]
        wanted = f"finite, positive and {'above' if above else 'below'} the close {close:g}, or NaN for none"
        raise StrategyError(f"{_at(name, frame, row)} {column} is {prices[row]:g}; it has to be {wanted}")


def _at(name: str, frame: IndicatorFrame, row: int) -> str:
    return f"strategy {name}: bar of {frame.time[row]:%Y-%m-%d %H:%M} UTC (row {row}):"
