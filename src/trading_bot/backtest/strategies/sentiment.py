"""News first, price as a check: long while what is said is good and the price is above its own average.

Reads `frame.sentiment` (StrategyError if the run has none). Where nobody has said anything lately it neither enters nor leaves.
"""

from trading_bot.backtest.strategy import Parameter, Signals, Strategy, turned
from trading_bot.market.frame import IndicatorFrame

ATR_BARS = 14


def _signals(frame: IndicatorFrame, good: float, bad: float, trend: int, stop: float) -> Signals:
    said = frame.sentiment
    rising = frame.close > frame.sma(trend)
    given_up = frame.close - stop * frame.atr(ATR_BARS) if stop else None
    wanted = turned((said > good) & rising)
    if given_up is not None:
        wanted &= given_up > 0
    return Signals.of(frame, entry=wanted, exit=said < bad, stop=given_up)


STRATEGY = Strategy(
    "sentiment",
    "Buys on good news in a rising trend and sells on bad news. Needs --sentiment.",
    (
        Parameter("good", 0.3, 0.0, 1.0, "sentiment above which it buys"),
        Parameter("bad", -0.1, -1.0, 1.0, "sentiment below which it sells"),
        Parameter("trend", 50, 2, 500, "bars of the average that the close has to be above"),
        Parameter("stop", 3.0, 0.0, 20.0, f"distance of the stop in ATR({ATR_BARS}); 0: none"),
    ),
    _signals,
)
