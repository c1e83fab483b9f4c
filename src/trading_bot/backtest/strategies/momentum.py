"""The desk's own rules for one symbol: filters of `market.screen`, score and stop of `market.analysis`, exits of the rules analyst.

`judge` gives score and stop as `market.analysis.analyze` does, row by row. What one symbol's bars cannot know is left out:

- the market's regime: no multiplier, as in a `range`; no cut of the size;
- the spread: the noise around an entry is half an ATR alone, and the entry price is the close;
- the order of candidates: every symbol that passes is bought, not the best three;
- pullbacks: the desk waits for SMA 20 where a price ran more than 2 ATR ahead; here it is not bought;
- two targets with a half each: there is one, `target` times the risk, and the stop does not follow to the entry price;
- volume and traded money are in the frame's shares times its scale: they carry the dividends since the first bar, a few per cent a year.

The horizon counts from the row after an entry that this file itself believes to be held: until its stop, its target, a lost trend.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.strategy import Booleans, Floats, Parameter, Signals, Strategy
from trading_bot.domain.research import Recommendation
from trading_bot.market.analysis import (
    MULTIPLIERS,
    NEAR_ATR,
    NOISE_ATR,
    RECOMMENDATIONS,
    SIGNAL_POINTS,
    SIGNALS,
    STOP_ATR,
    STOP_SHARE,
    STRONG_ADX,
    SURGE,
)
from trading_bot.market.entry import EXTENDED_ATR
from trading_bot.market.frame import IndicatorFrame
from trading_bot.market.levels import supports
from trading_bot.market.screen import MOMENTUM
from trading_bot.market.snapshot import LEAST_BARS

_BUY = next(least for least, recommendation in RECOMMENDATIONS if recommendation is Recommendation.BUY)
_STRONG, _SURGING, _SUPPORTED, *_OF_THE_MARKET = MULTIPLIERS


class Judged(NamedTuple):
    """Score (0-100) and stop (a price of the frame, NaN: no trade) of a long entry at the close of some rows."""

    score: Floats
    stop: Floats


def judge(frame: IndicatorFrame, rows: npt.NDArray[np.int64]) -> Judged:
    """What `market.analysis.analyze` says at each of `rows`, in a market without a regime and without a spread."""
    close, atr = frame.close[rows], frame.atr(14)[rows]
    support = supports(np.stack(frame.swings(), axis=1), rows, close, np.nan_to_num(atr))
    return Judged(_score(frame, rows, close - support <= NEAR_ATR * atr), _stop(close, atr, support))


def _score(frame: IndicatorFrame, rows: npt.NDArray[np.int64], supported: Booleans) -> Floats:
    relative = _relative_volume(frame)
    trend = frame.sma(50)
    measures = (100 * (frame.close / trend - 1), 100 * (frame.sma(20) / trend - 1), frame.rsi(14), frame.macd().histogram, relative)
    held = np.sum([(s.least <= m[rows]) & (m[rows] <= s.most) for s, m in zip(SIGNALS, measures, strict=True)], axis=0)
    factor = np.where(frame.adx(14)[rows] >= STRONG_ADX, _STRONG.factor, 1.0)
    factor = factor * np.where(relative[rows] >= SURGE, _SURGING.factor, 1.0)
    score: Floats = np.minimum(100.0, SIGNAL_POINTS * held * (factor * np.where(supported, _SUPPORTED.factor, 1.0)))
    return score


def _stop(close: Floats, atr: Floats, support: Floats) -> Floats:
    """The nearest of support, 2 ATR and 3 % below the close; NaN inside the noise."""
    nearest = np.maximum(close - STOP_ATR * atr, close * (1 - STOP_SHARE))
    nearest = np.fmax(nearest, np.where(support < close, support, np.nan))
    return np.where(np.isnan(atr) | (close - nearest < NOISE_ATR * atr), np.nan, nearest)


def _relative_volume(frame: IndicatorFrame) -> Floats:
    average = frame.volume_sma(20)
    relative: Floats = np.divide(frame.volume, average, out=np.full(len(frame), np.nan), where=average > 0)
    return relative


def _passes(frame: IndicatorFrame) -> Booleans:
    """The screen's filters, and that the price did not run ahead."""
    rsi, atr = frame.rsi(14), frame.atr(14)
    traded = frame.volume_sma(20) * frame.scale
    sound = (rsi >= MOMENTUM.rsi_least) & (rsi <= MOMENTUM.rsi_most) & (frame.macd().histogram > 0)
    sound &= (atr / frame.scale >= (MOMENTUM.atr_least or 0.0)) & (traded > (MOMENTUM.volume_above or 0.0))
    sound[: LEAST_BARS - 1] = False
    return sound & (frame.close - frame.sma(20) <= EXTENDED_ATR * atr)


def _signals(frame: IndicatorFrame, score: float, target: float, days: int) -> Signals:
    rows = np.flatnonzero(_passes(frame))
    rows = rows[_score(frame, rows, np.ones(len(rows), dtype=bool)) >= score]  # the rest needs no support to be known
    judged = judge(frame, rows)
    stop, paid = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    bought = rows[(judged.score >= score) & ~np.isnan(judged.stop)]
    stop[rows] = judged.stop
    paid[bought] = frame.close[bought] + target * (frame.close[bought] - stop[bought])
    entry = np.isin(np.arange(len(frame)), bought)
    lost = (frame.close < frame.sma(20)) & (frame.macd().histogram < 0)
    return Signals.of(frame, entry=entry, exit=lost | _over(frame, bought, lost, stop, paid, days), stop=stop, target=paid)


def _over(  # noqa: PLR0913, PLR0917 - what ends a position
    frame: IndicatorFrame, bought: npt.NDArray[np.int64], lost: Booleans, stop: Floats, paid: Floats, days: int
) -> Booleans:
    """Rows at which the horizon of a position is over, had it been entered by the first of `bought` after the one before it ended."""
    over = np.zeros(len(frame), dtype=bool)
    starts = frame.time.as_unit("ns").asi8
    flat = 0
    for row in bought.tolist():
        if row < flat or row + 1 >= len(frame):
            continue
        ends = int(np.searchsorted(starts, starts[row + 1] + days * 86_400 * 10**9))
        held = slice(row + 1, ends)
        left = np.flatnonzero(lost[held] | (frame.low[held] <= stop[row]) | (frame.high[held] >= paid[row]))
        flat = row + 1 + int(left[0]) if len(left) else ends
        if not len(left) and ends < len(frame):
            over[ends] = True
    return over


STRATEGY = Strategy(
    "momentum",
    "The desk's own rules: buys what passes the momentum screen with a good score, out on a lost trend or after four weeks.",
    (
        Parameter("score", _BUY, 40.0, 100.0, "score of the analysis from which it buys"),
        Parameter("target", 2.0, 0.5, 10.0, "target, in multiples of the distance to the stop"),
        Parameter("days", 28, 1, 365, "days after which it sells"),
    ),
    _signals,
)
