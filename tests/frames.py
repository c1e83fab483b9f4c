"""Indicator frames of seeded random bars, and strategy files."""

from pathlib import Path

import numpy as np
import pandas as pd

from trading_bot.domain.market import Timeframe
from trading_bot.market.frame import IndicatorFrame

_FREQUENCIES = {Timeframe.DAY: "D", Timeframe.HOUR: "h", Timeframe.MINUTE: "min"}


def random_bars(count: int, seed: int = 1, timeframe: Timeframe = Timeframe.DAY) -> pd.DataFrame:
    """A walk from 100 with 1.5 % a bar, from 2015-01-01 on without a pause."""
    draw = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(draw.normal(0.0003, 0.015, count)))
    opening = close * np.exp(draw.normal(0, 0.004, count))
    high = np.maximum(opening, close) * (1 + draw.uniform(0, 0.01, count))
    low = np.minimum(opening, close) * (1 - draw.uniform(0, 0.01, count))
    volume = draw.uniform(1e6, 5e6, count).round()
    index = pd.date_range("2015-01-01", periods=count, freq=_FREQUENCIES[timeframe], tz="UTC")
    return pd.DataFrame({"open": opening, "high": high, "low": low, "close": close, "volume": volume}, index=index)


def random_frame(count: int, seed: int = 1, timeframe: Timeframe = Timeframe.DAY) -> IndicatorFrame:
    """A frame of `random_bars` with a split half-way and sentiment for two bars in three."""
    draw = np.random.default_rng(seed + 1)
    said = np.where(draw.uniform(size=count) < 2 / 3, draw.uniform(-1, 1, count), np.nan)
    scale = np.where(np.arange(count) < count // 2, 1.0, 2.0)
    return IndicatorFrame(random_bars(count, seed, timeframe), scale, said, timeframe)


def strategy_file(folder: Path, body: str, name: str = "mine") -> Path:
    """A file whose `signals(frame)` is `body`; `close` is a pandas series, `no` is false everywhere."""
    text = f"""
import numpy as np
import pandas as pd
from trading_bot.backtest.strategy import Parameter, Signals, Strategy, turned

def signals(frame):
    close = pd.Series(frame.close)
    count = len(frame)
    no = np.zeros(count, dtype=bool)
{"".join(f"    {line}" + chr(10) for line in body.strip().splitlines())}
STRATEGY = Strategy("{name}", "Of a test.", (), signals)
"""
    path = folder / f"{name}.py"
    path.write_text(text, "utf-8")
    return path
