"""A fast average of closes above a slow one: long while it is, out when it is not."""

from trading_bot.backtest.strategy import Parameter, Signals, Strategy, turned
from trading_bot.market.frame import IndicatorFrame

ATR_BARS = 14


def _signals(frame: IndicatorFrame, fast: int, slow: int, stop: float) -> Signals:
    # An average that is not known yet is neither above nor below: comparisons with NaN are false.
    quick, lazy = frame.sma(fast), frame.sma(slow)
    given_up = frame.close - stop * frame.atr(ATR_BARS) if stop else None
    return Signals.of(frame, entry=turned(quick > lazy), exit=turned(quick < lazy), stop=given_up)


STRATEGY = Strategy(
    "sma_cross",
    "Long while a fast simple average is above a slow one.",
    (
        Parameter("fast", 20, 2, 500, "bars of the fast average"),
        Parameter("slow", 50, 3, 1000, "bars of the slow average"),
        Parameter("stop", 0.0, 0.0, 20.0, f"distance of the stop in ATR({ATR_BARS}); 0: none"),
    ),
    _signals,
)
