"""The indicator frame: what a strategy sees of one symbol.

Promises prices that no later event changes: they are told in the shares and dividends of the first bar (each split and each dividend
moves the bars from its ex-date on, never those before), so that row n depends on rows up to n alone. Prices as traded are
`frame.close / frame.scale`. Every indicator is reckoned once and kept; its array is read-only, so that no strategy spoils another's.
A bar that is not finite and positive spoils only the rows that need it. Refuses to answer where there is no answer: NaN.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import talib

from trading_bot.domain.errors import StrategyError
from trading_bot.domain.market import Timeframe
from trading_bot.market.coarse import coarsened
from trading_bot.market.indicators import COLUMNS, compute, is_flat, is_good, runs
from trading_bot.market.levels import swings

Floats = npt.NDArray[np.float64]
T = TypeVar("T")
_RANGE = ("high", "low", "close")
_BARS = ("open", *_RANGE, "volume")


class Bands(NamedTuple):
    """Bollinger bands, in price."""

    upper: Floats
    middle: Floats
    lower: Floats


class Macd(NamedTuple):
    """Difference of two exponential averages, its own average, and line less signal; in price."""

    line: Floats
    signal: Floats
    histogram: Floats


class Swings(NamedTuple):
    """Prices of swings."""

    high: Floats
    low: Floats


class IndicatorFrame:
    """Bars `open high low close volume` (float64, UTC index of starts) with indicators on demand.

    `scale`: factor of each row from prices as traded to the frame's. `sentiment`: -1 to 1, NaN where nobody has said anything.
    `timeframe`: of the bars, which `higher` needs.
    """

    def __init__(
        self, bars: pd.DataFrame, scale: Floats | None = None, sentiment: Floats | None = None, timeframe: Timeframe | None = None
    ) -> None:
        self._bars = bars
        self.scale = _sealed(np.ones(len(bars)) if scale is None else scale.copy())
        self.timeframe = timeframe
        self._sentiment = None if sentiment is None else _sealed(sentiment.copy())
        self._known: dict[tuple[Any, ...], Any] = {}

    def __len__(self) -> int:
        return len(self._bars)

    def until(self, count: int) -> Self:
        """The frame as it was when its first `count` bars were known."""
        return self.between(0, count)

    def between(self, first: int, last: int) -> Self:
        """The rows from `first` on, before `last`, as a frame that knows no others."""
        said = None if self._sentiment is None else self._sentiment[first:last]
        return type(self)(self._bars.iloc[first:last], self.scale[first:last], said, self.timeframe)

    @property
    def bars(self) -> pd.DataFrame:
        """The bars as a table of one's own."""
        return self._bars.copy(deep=False)

    @property
    def time(self) -> pd.DatetimeIndex:
        """Start of each bar."""
        return pd.DatetimeIndex(self._bars.index)

    @cached_property
    def nothing(self) -> Floats:
        """NaN in every row: a stop or a target where there is none."""
        return _sealed(np.full(len(self), np.nan))

    @cached_property
    def open(self) -> Floats:
        """Opening prices."""
        return self._column("open")

    @cached_property
    def high(self) -> Floats:
        """Highest prices."""
        return self._column("high")

    @cached_property
    def low(self) -> Floats:
        """Lowest prices."""
        return self._column("low")

    @cached_property
    def close(self) -> Floats:
        """Closing prices."""
        return self._column("close")

    @cached_property
    def volume(self) -> Floats:
        """Volume in the shares of the first bar."""
        return self._column("volume")

    @property
    def has_sentiment(self) -> bool:
        """Whether the run was given any."""
        return self._sentiment is not None

    @property
    def sentiment(self) -> Floats:
        """Sentiment known at each bar's close. StrategyError if the run was given none."""
        if self._sentiment is None:
            raise StrategyError("this strategy reads sentiment, and the run has none: give a file with --sentiment")
        return self._sentiment

    def __getitem__(self, name: str) -> Floats:
        """A column of `market.indicators.COLUMNS`, e.g. `rsi_14`. StrategyError if there is none of this name."""
        if name not in COLUMNS:
            raise StrategyError(f"there is no indicator {name!r}; use one of {', '.join(COLUMNS)}")
        return self._once((name,), lambda: _sealed(compute(self._bars, (name,))[name].to_numpy(copy=True)))

    def sma(self, length: float) -> Floats:
        """Simple average of the last `length` closes."""
        return self._one("sma", length, talib.SMA, "close")

    def ema(self, length: float) -> Floats:
        """Exponential average of closes (TA-Lib's seeding)."""
        return self._one("ema", length, talib.EMA, "close")

    def rsi(self, length: float) -> Floats:
        """Wilder's relative strength index, 0-100; NaN where `length` + 1 closes are equal."""
        return self._one("rsi", length, talib.RSI, "close", flat=1)

    def atr(self, length: float) -> Floats:
        """Wilder's average true range, in price."""
        return self._one("atr", length, talib.ATR, *_RANGE)

    def adx(self, length: float) -> Floats:
        """Wilder's average directional index, 0-100; NaN in a flat market."""
        return self._one("adx", length, talib.ADX, *_RANGE, flat=0)

    def highest(self, length: float) -> Floats:
        """Highest high of the last `length` bars, this one included."""
        return self._one("highest", length, talib.MAX, "high")

    def lowest(self, length: float) -> Floats:
        """Lowest low of the last `length` bars, this one included."""
        return self._one("lowest", length, talib.MIN, "low")

    def deviation(self, length: float) -> Floats:
        """Population standard deviation of the last `length` closes."""
        return self._one("deviation", length, talib.STDDEV, "close")

    def volume_sma(self, length: float) -> Floats:
        """Simple average of the last `length` volumes."""
        return self._one("volume_sma", length, talib.SMA, "volume")

    def bands(self, length: float, width: float = 2.0) -> Bands:
        """Simple average of `length` closes, with `width` population standard deviations above and below."""
        bars = _length("bands", length)
        return self._once(
            ("bands", bars, width),
            lambda: Bands(*self._reckon(lambda x: talib.BBANDS(x, timeperiod=bars, nbdevup=width, nbdevdn=width), ("close",), 3)),
        )

    def macd(self, fast: float = 12, slow: float = 26, signal: float = 9) -> Macd:
        """EMA of `fast` closes less EMA of `slow`, and its EMA of `signal`. Seeded as TA-Lib does: exact after some 200 bars."""
        spans = (_length("macd", fast), _length("macd", slow), _length("macd", signal, 1))
        names = dict(zip(("fastperiod", "slowperiod", "signalperiod"), spans, strict=True))
        return self._once(("macd", *spans), lambda: Macd(*self._reckon(lambda x: talib.MACD(x, **names), ("close",), 3)))

    def swings(self) -> Swings:
        """Swing highs and lows (`market.levels`), each at the bar that confirms it, NaN elsewhere."""
        return self._once(("swings",), lambda: Swings(*self._reckon(swings, ("high", "low"), 2)))

    def keep(self, name: str, length: float, reckon: Callable[[], Floats]) -> Floats:
        """What `reckon` answers, asked once for each name and length; it must not read rows after its own."""
        return self._once(("keep", name, length), lambda: _sealed(np.array(reckon())))

    def higher(self, timeframe: Timeframe | str, reckon: "Callable[[IndicatorFrame], npt.NDArray[Any]]") -> npt.NDArray[Any]:
        """What `reckon` answers on bars of a coarser `timeframe`, told at each row of this frame: of the last coarse bar closed by then.

        `higher("1h", lambda hours: hours.sma(50))`. Coarse bars begin at whole multiples of their length in UTC, weeks (`"1w"`) on
        Monday. One has closed when its time is over, or a bar after it has begun: a session's day is known from the next session's
        first bar on. Rows before the first has closed are NaN, or False where `reckon` answers truths. StrategyError for a timeframe
        that is not coarser.
        """
        name = str(timeframe)
        coarse, row = self._once(("higher", name), lambda: self._coarser(name))
        answer = np.asarray(reckon(coarse))
        if answer.shape != (len(coarse),):
            raise StrategyError(f"higher({name!r}): the answer has shape {answer.shape}; it needs a value for each of {len(coarse)} bars")
        nothing = np.zeros(1, dtype=bool) if answer.dtype == np.bool_ else np.full(1, np.nan)
        return np.concatenate((answer, nothing))[row]

    def _coarser(self, timeframe: str) -> "tuple[IndicatorFrame, npt.NDArray[np.int64]]":
        table, ends, row = coarsened(self._bars, self.timeframe, timeframe)
        said = None if self._sentiment is None else self._sentiment[ends]
        own = Timeframe(timeframe) if timeframe in set(Timeframe) else None
        return IndicatorFrame(table, self.scale[ends], said, own), row

    def _one(self, name: str, length: float, function: Callable[..., Floats], *columns: str, flat: int | None = None) -> Floats:
        """`function` of one length over `columns`. `flat`: so many bars more than `length` make it 0/0 if all their prices are equal."""
        # A sweep asks for the same few averages thousands of times.
        known: Floats | None = self._known.get((name, length))
        if known is not None:
            return known
        bars = _length(name, length)
        zero = 0 if flat is None else bars + flat
        return self._once((name, bars), lambda: self._reckon(lambda *x: function(*x, timeperiod=bars), columns, 1, zero)[0])

    def _reckon(self, function: Callable[..., Any], columns: Sequence[str], results: int, flat: int = 0) -> tuple[Floats, ...]:
        """`function` over each unbroken run of good bars by itself: a bare TA-Lib answers an RSI of 0.0 for ever after one NaN."""
        inputs = [getattr(self, name) for name in columns]
        table = np.full((results, len(self)), np.nan)
        for start, stop in self._runs(columns):
            parts = [values[start:stop] for values in inputs]
            answer = function(*parts)
            table[:, start:stop] = answer
            if flat:
                table[:, start:stop][:, is_flat(parts[0], parts[min(1, len(parts) - 1)], flat, 1)] = np.nan
        return tuple(_sealed(row) for row in table)

    def _runs(self, columns: Sequence[str]) -> tuple[tuple[int, int], ...]:
        def reckon() -> tuple[tuple[int, int], ...]:
            return tuple(runs(np.logical_and.reduce([is_good(name, getattr(self, name)) for name in columns])))

        return self._once(("runs", columns), reckon)

    def _column(self, name: str) -> Floats:
        return _sealed(np.array(self._bars[name].to_numpy(), dtype=np.float64))

    def _once(self, key: tuple[Any, ...], reckon: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = reckon()
        known: T = self._known[key]
        return known


def _sealed(values: Floats) -> Floats:
    values.setflags(write=False)
    return values


def _length(name: str, length: float, least: int = 2) -> int:
    if not least <= length <= 100_000 or length != int(length):  # noqa: PLR2004 - TA-Lib's own bounds
        raise StrategyError(f"{name} is asked for {length:g} bars; it takes a whole number from {least} to 100000")
    return int(length)
