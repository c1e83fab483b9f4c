"""What fell far below its own average comes back to it: long while oversold, with a stop below and the average as target.

RSI: Wilder, "New Concepts in Technical Trading Systems" (1978). Bands: Bollinger, "Bollinger on Bollinger Bands" (2001).
"""

import numpy as np

from trading_bot.backtest.strategy import Parameter, Signals, Strategy, turned
from trading_bot.market.frame import IndicatorFrame

ATR_BARS = 14


def _signals(  # noqa: PLR0913, PLR0917 - a strategy takes its parameters
    frame: IndicatorFrame, bars: int, width: float, rsi_bars: int, oversold: float, recovered: float, stop: float
) -> Signals:
    bands, rsi, atr = frame.bands(bars, width), frame.rsi(rsi_bars), frame.atr(ATR_BARS)
    below = (frame.close < bands.lower) & (rsi < oversold)
    given_up = frame.close - stop * atr
    # No stop, no entry: what fell this far may go on falling, and a stop below 0 is none.
    entry = turned(below) & (given_up > 0)
    return Signals.of(
        frame,
        entry=entry,
        exit=(frame.close > bands.middle) | (rsi > recovered),
        stop=given_up,
        target=np.where(entry, bands.middle, np.nan),
    )


STRATEGY = Strategy(
    "mean_reversion",
    "Buys below the lower Bollinger band while RSI is oversold, and sells at the average.",
    (
        Parameter("bars", 20, 5, 200, "bars of the bands"),
        Parameter("width", 2.0, 0.5, 4.0, "standard deviations of the bands"),
        Parameter("rsi_bars", 14, 2, 50, "bars of RSI"),
        Parameter("oversold", 35.0, 5.0, 50.0, "RSI below which it buys"),
        Parameter("recovered", 60.0, 50.0, 95.0, "RSI above which it sells"),
        Parameter("stop", 3.0, 0.5, 20.0, f"distance of the stop in ATR({ATR_BARS})"),
    ),
    _signals,
)
