"""Bought at the first opportunity, never sold: what any other strategy has to beat."""

import numpy as np

from trading_bot.backtest.strategy import Signals, Strategy
from trading_bot.market.frame import IndicatorFrame


def _signals(frame: IndicatorFrame) -> Signals:
    # Every row asks: a run may begin anywhere in the frame, and who holds already buys no more.
    return Signals.of(frame, entry=np.ones(len(frame), dtype=bool), exit=np.zeros(len(frame), dtype=bool))


STRATEGY = Strategy("buy_and_hold", "Buys at the first opportunity and never sells.", (), _signals)
