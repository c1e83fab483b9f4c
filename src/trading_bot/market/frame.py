"""The indicator frame: what a strategy sees of one symbol.

Promises prices that no later event changes: they are told in the shares and dividends of the first bar (each split and each dividend
moves the bars from its ex-date on, never those before), so that row n depends on rows up to n alone. Prices as traded are
`frame.close / frame.scale`. Every indicator is reckoned once and kept. Refuses to answer where there is no answer: NaN.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import talib

from trading_bot.domain.errors import StrategyError
from trading_bot.market.indicators import COLUMNS, compute

Floats = npt.NDArray[np.float64]


class IndicatorFrame:
    """Bars `open high low close volume` (float64, UTC index of starts) with indicators on demand.

    `scale`: factor of each row from prices as traded to the frame's. `sentiment`: -1 to 1, NaN where nobody has said anything.
    """

    def __init__(self, bars: pd.DataFrame, scale: Floats | None = None, sentiment: Floats | None = None) -> None:
        self.bars = bars
        self.scale = np.ones(len(bars)) if scale is None else scale
        self._sentiment = sentiment
        self._known: dict[tuple[str, float], Floats] = {}

    def __len__(self) -> int:
        return len(self.bars)

    @property
    def time(self) -> pd.DatetimeIndex:
        """Start of each bar."""
        return pd.DatetimeIndex(self.bars.index)

    @cached_property
    def open(self) -> Floats:
        """Opening prices."""
        return self.bars["open"].to_numpy()

    @cached_property
    def high(self) -> Floats:
        """Highest prices."""
        return self.bars["high"].to_numpy()

    @cached_property
    def low(self) -> Floats:
        """Lowest prices."""
        return self.bars["low"].to_numpy()

    @cached_property
    def close(self) -> Floats:
        """Closing prices."""
        return self.bars["close"].to_numpy()

    @cached_property
    def volume(self) -> Floats:
        """Volume in the shares of the first bar."""
        return self.bars["volume"].to_numpy()

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
        return self._standard[name].to_numpy()

    def sma(self, length: float) -> Floats:
        """Simple average of the last `length` closes."""
        return self.keep("sma", length, lambda: talib.SMA(self.close, timeperiod=int(length)))

    def ema(self, length: float) -> Floats:
        """Exponential average of closes (TA-Lib's seeding)."""
        return self.keep("ema", length, lambda: talib.EMA(self.close, timeperiod=int(length)))

    def rsi(self, length: float) -> Floats:
        """Wilder's relative strength index, 0-100."""
        return self.keep("rsi", length, lambda: talib.RSI(self.close, timeperiod=int(length)))

    def atr(self, length: float) -> Floats:
        """Wilder's average true range, in price."""
        return self.keep("atr", length, lambda: talib.ATR(self.high, self.low, self.close, timeperiod=int(length)))

    def highest(self, length: float) -> Floats:
        """Highest high of the last `length` bars, this one included."""
        return self.keep("highest", length, lambda: talib.MAX(self.high, timeperiod=int(length)))

    def lowest(self, length: float) -> Floats:
        """Lowest low of the last `length` bars, this one included."""
        return self.keep("lowest", length, lambda: talib.MIN(self.low, timeperiod=int(length)))

    def keep(self, name: str, length: float, reckon: Callable[[], Floats]) -> Floats:
        """What `reckon` answers, asked once for each name and length; it must not read rows after its own."""
        key = (name, length)
        if key not in self._known:
            self._known[key] = reckon()
        return self._known[key]

    @cached_property
    def _standard(self) -> pd.DataFrame:
        return compute(self.bars)
