"""Indicators: TA-Lib behind one wrapper that checks what goes in.

Promises that row n depends on rows up to n alone, and that a bar which is not finite and positive spoils only the rows
that need it: TA-Lib would answer 0.0 for every later RSI, so each unbroken run of good bars is reckoned by itself.
Refuses to answer where there is no answer: too few bars, or a flat market in which a ratio is 0/0, give NaN. Of
pandas-ta-classic's catalogue it refuses what reads later bars.
"""

import inspect
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np
import pandas as pd
import talib

from trading_bot.domain.errors import BadBarsError, ConfigError, NoDataError
from trading_bot.market.levels import swings

_Arrays = tuple[np.ndarray, ...]
VOLATILITY_BARS = 20
RANK_BARS = 252
SLOPE_BARS = 10


@dataclass(frozen=True)
class _Recipe:
    """One call: names of its results, columns it reads, the function, and when a flat market makes it 0/0."""

    results: tuple[str, ...]
    inputs: tuple[str, ...]
    function: Callable[..., _Arrays]
    flat_bars: int = 0
    """Bars that make the ratio 0/0 if all their prices are equal; 0: a flat market has an answer."""
    smoothing: int = 1
    """Later bars that the ratio is smoothed over."""


def _one(function: Callable[..., np.ndarray], **parameters: int) -> Callable[..., _Arrays]:
    return lambda *arrays: (function(*arrays, **parameters),)


def _many(function: Callable[..., _Arrays], **parameters: int) -> Callable[..., _Arrays]:
    return lambda *arrays: function(*arrays, **parameters)


def _volatility(close: np.ndarray) -> _Arrays:
    """Sample standard deviation of the last 20 log returns, per bar, and its rank (0-1) among the last 252 values."""
    deviation, rank = np.full(len(close), np.nan), np.full(len(close), np.nan)
    if len(close) > VOLATILITY_BARS:
        windows = np.lib.stride_tricks.sliding_window_view(np.diff(np.log(close)), VOLATILITY_BARS)
        deviation[VOLATILITY_BARS:] = windows.std(axis=1, ddof=1)
    if len(close) >= VOLATILITY_BARS + RANK_BARS:
        windows = np.lib.stride_tricks.sliding_window_view(deviation[VOLATILITY_BARS:], RANK_BARS)
        rank[VOLATILITY_BARS + RANK_BARS - 1 :] = (windows <= windows[:, -1:]).sum(axis=1) / RANK_BARS
    return deviation, rank


def _slope(close: np.ndarray) -> _Arrays:
    """Relative change of SMA 50 over 10 bars."""
    average = talib.SMA(close, timeperiod=50)
    slope = np.full(len(close), np.nan)
    slope[SLOPE_BARS:] = average[SLOPE_BARS:] / average[:-SLOPE_BARS] - 1
    return (slope,)


def _dollar_volume(close: np.ndarray, volume: np.ndarray) -> _Arrays:
    return (talib.SMA(close * volume, timeperiod=20),)


_CLOSE, _RANGE = ("close",), ("high", "low", "close")
_STANDARD = (
    _Recipe(("sma_20",), _CLOSE, _one(talib.SMA, timeperiod=20)),
    _Recipe(("sma_50",), _CLOSE, _one(talib.SMA, timeperiod=50)),
    _Recipe(("sma_200",), _CLOSE, _one(talib.SMA, timeperiod=200)),
    _Recipe(("ema_12",), _CLOSE, _one(talib.EMA, timeperiod=12)),
    _Recipe(("ema_20",), _CLOSE, _one(talib.EMA, timeperiod=20)),
    _Recipe(("ema_26",), _CLOSE, _one(talib.EMA, timeperiod=26)),
    _Recipe(("rsi_14",), _CLOSE, _one(talib.RSI, timeperiod=14), flat_bars=15),
    _Recipe(("macd", "macd_signal", "macd_histogram"), _CLOSE, _many(talib.MACD, fastperiod=12, slowperiod=26, signalperiod=9)),
    _Recipe(("atr_14",), _RANGE, _one(talib.ATR, timeperiod=14)),
    _Recipe(("bb_upper", "bb_middle", "bb_lower"), _CLOSE, _many(talib.BBANDS, timeperiod=20)),
    _Recipe(("adx_14",), _RANGE, _one(talib.ADX, timeperiod=14), flat_bars=14),
    _Recipe(("stoch_k", "stoch_d"), _RANGE, _many(talib.STOCH, fastk_period=14, slowk_period=3, slowd_period=3), 14, 5),
    _Recipe(("volume_sma_5",), ("volume",), _one(talib.SMA, timeperiod=5)),
    _Recipe(("volume_sma_20",), ("volume",), _one(talib.SMA, timeperiod=20)),
    _Recipe(("dollar_volume_sma_20",), ("close", "volume"), _dollar_volume),
    _Recipe(("volatility_20", "volatility_rank"), _CLOSE, _volatility),
    _Recipe(("sma_50_slope",), _CLOSE, _slope),
    _Recipe(("swing_high", "swing_low"), ("high", "low"), swings),
)
COLUMNS = tuple(name for recipe in _STANDARD for name in recipe.results)
"""Columns of `compute`, in order."""


def compute(frame: pd.DataFrame, columns: Collection[str] = COLUMNS) -> pd.DataFrame:
    """Return the standard indicators of bars `open high low close volume`: float64, `columns`, the frame's own index.

    Prices in the frame's units; RSI, ADX and stochastics 0-100; `volatility_20` per bar, `volatility_rank` 0-1, `sma_50_slope`
    relative over 10 bars; `swing_*` at the bar that confirms a swing. Formulas are TA-Lib's. NaN where a value cannot be known.
    """
    arrays = {name: frame[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close", "volume")}
    good = {name: is_good(name, values) for name, values in arrays.items()}
    recipes = [recipe for recipe in _STANDARD if not set(columns).isdisjoint(recipe.results)]
    names = [name for recipe in recipes for name in recipe.results]
    table = np.full((len(frame), len(names)), np.nan)
    column = 0
    for recipe in recipes:
        wide = len(recipe.results)
        usable = np.logical_and.reduce([good[name] for name in recipe.inputs])
        for start, stop in runs(usable):
            _fill(table[start:stop, column : column + wide], recipe, [arrays[name][start:stop] for name in recipe.inputs])
        column += wide
    whole = pd.DataFrame(table, index=frame.index, columns=names)
    return whole if len(names) == len(columns) else whole[list(columns)]


def is_good(name: str, values: np.ndarray) -> np.ndarray:
    """Where a price is finite and positive, a volume finite and not negative."""
    least = 0.0 if name == "volume" else np.nextafter(0.0, 1.0)
    return np.asarray(np.isfinite(values) & (values >= least))


def runs(usable: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and one-past-last row of each unbroken run."""
    edges = np.flatnonzero(np.diff(usable.astype(np.int8), prepend=0, append=0))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _fill(block: np.ndarray, recipe: _Recipe, inputs: list[np.ndarray]) -> None:
    """Write one recipe's results for one run of good bars into `block`."""
    contiguous = [np.ascontiguousarray(values) for values in inputs]
    for number, values in enumerate(recipe.function(*contiguous)):
        block[:, number] = values
    if recipe.flat_bars:
        high, low = (contiguous[0], contiguous[1]) if recipe.inputs == _RANGE else (contiguous[0], contiguous[0])
        block[is_flat(high, low, recipe.flat_bars, recipe.smoothing)] = np.nan


def is_flat(high: np.ndarray, low: np.ndarray, bars: int, smoothing: int) -> np.ndarray:
    """Rows where, now or up to `smoothing` - 1 bars ago, all prices of the last `bars` bars were equal."""
    flat = np.zeros(len(high), dtype=bool)
    if len(high) >= bars:
        windows = np.lib.stride_tricks.sliding_window_view
        flat[bars - 1 :] = windows(high, bars).max(axis=1) == windows(low, bars).min(axis=1)
    spread = flat.copy()
    for later in range(1, smoothing):
        spread[later:] |= flat[:-later]
    return spread


_LEFT_OUT = {
    **dict.fromkeys(("dpo", "ichimoku", "tos_stdevall"), "it reads later bars"),
    **dict.fromkeys(("vp", "beta", "correl", "ma", "mavp"), "it is no series of one symbol's bars"),
    **dict.fromkeys(("long_run", "short_run", "tsignals", "xsignals"), "it reads other indicators, not bars"),
}
"""What the catalogue leaves out, and why."""
_PARAMETERS_LEFT_OUT = frozenset({"offset", "centered", "lookahead", "fillna", "fill_method"})
"""Parameters that could bring later bars into earlier rows."""


@cache
def catalogue() -> tuple[str, ...]:
    """Names that `indicator` knows, sorted."""
    known = {name for names in _pandas_ta().Category.values() for name in names}
    return tuple(sorted(known - _LEFT_OUT.keys()))


def indicator(name: str, frame: pd.DataFrame, **parameters: float | str | bool) -> pd.DataFrame:
    """Return the columns of pandas-ta-classic's indicator `name` over bars `open high low close volume`, on their index.

    `parameters` are the library's own (`length=10`). ConfigError for an unknown name or parameter, BadBarsError for a bar
    that is not finite and positive, NoDataError for too few bars.
    """
    function = _catalogued(name)
    accepted = inspect.signature(function).parameters
    refused = sorted(one for one in parameters if one in _PARAMETERS_LEFT_OUT or one not in accepted)
    if refused:
        msg = f"indicator {name} takes no {', '.join(refused)} here; it takes {', '.join(accepted.keys() - _PARAMETERS_LEFT_OUT)}"
        raise ConfigError(msg)
    bad = [column for column in frame if not is_good(str(column), frame[column].to_numpy(dtype=np.float64)).all()]
    if bad:
        msg = f"indicator {name}: {', '.join(map(str, bad))} holds a value that is not finite and positive; repair or cut the bars first"
        raise BadBarsError(msg)
    inputs = {key: frame[key.rstrip("_")].astype(np.float64) for key in accepted if key.rstrip("_") in frame}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library divides by 0 in warm-up and uses what pandas deprecates
        answer = function(**inputs, **parameters)
    columns = [part for part in (answer if isinstance(answer, tuple) else (answer,)) if part is not None]
    if not columns:
        msg = f"indicator {name} needs more than {len(frame)} bars"
        raise NoDataError(msg)
    return pd.concat(columns, axis="columns")


def _catalogued(name: str) -> Callable[..., pd.DataFrame | pd.Series | tuple[pd.Series | None, ...] | None]:
    if name not in catalogue():
        msg = f"indicator {name!r} is not in the catalogue: {_LEFT_OUT.get(name, 'there is none of this name')}"
        raise ConfigError(msg)
    function: Callable[..., pd.DataFrame] = getattr(_pandas_ta(), name)
    return function


@cache
def _pandas_ta() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the library uses what pandas 3.1 deprecates
        import pandas_ta_classic  # noqa: PLC0415 - heavy, and most runs need none of it

    module: ModuleType = pandas_ta_classic
    return module
