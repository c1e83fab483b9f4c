"""Bars that agree with others up to a moment and differ after it.

Promises the very rows before the moment, and after it bars that hold together (high and low around open and close) and go the other way.
Refuses to leave any of price, volume, scale or sentiment as it was.
"""

import numpy as np
import pandas as pd

from trading_bot.market.frame import Floats, IndicatorFrame

LENGTH = 250
"""Bars of another future, where so many are there to be turned round."""
INVENTED = 25
"""Bars that are added beyond a frame's end."""
_BARS = ["open", "high", "low", "close", "volume"]
_FURTHEST = 50.0
"""Prices stay within so many times the last close."""


def another_future(frame: IndicatorFrame, cut: int, draw: np.random.Generator, strength: float) -> IndicatorFrame:
    """The first `cut` rows (1 or more) of `frame`, then its own moves turned round at the last close, `strength` times as large.

    A negative `strength` leaves their direction. Beyond the frame's end come bars of a random walk. Volume, scale and sentiment are
    drawn anew.
    """
    past = frame.bars[_BARS].to_numpy(dtype=np.float64)
    old = past[cut : cut + LENGTH] if cut < len(past) else _walk(past[-1], draw)
    count = len(old)
    table = np.concatenate((past[:cut], _turned_round(old, _last_close(past[:cut]), strength, draw)))
    bars = pd.DataFrame(table, index=_times(frame.time, cut, count), columns=_BARS)
    scale = np.concatenate((frame.scale[:cut], frame.scale[cut - 1] * draw.uniform(0.5, 2.0, count)))
    said = np.concatenate((frame.sentiment[:cut], draw.uniform(-1.0, 1.0, count))) if frame.has_sentiment else None
    return IndicatorFrame(bars, scale, said, frame.timeframe)


def _turned_round(old: Floats, pivot: float, strength: float, draw: np.random.Generator) -> Floats:
    """Each bar is moved a little besides, so that a flat future changes as well."""
    columns = (0, 2, 1, 3) if strength > 0 else (0, 1, 2, 3)  # turned round, the highest becomes the lowest
    new = np.empty_like(old)
    noise = np.exp(draw.normal(0.0, 0.003, len(old)))
    with np.errstate(all="ignore"):  # bad bars stay bad
        for to, of in enumerate(columns):
            new[:, to] = pivot * np.clip((pivot / old[:, of]) ** strength * noise, 1 / _FURTHEST, _FURTHEST)
    new[:, 4] = old[:, 4] * draw.uniform(0.2, 1.0 + 4.0 * abs(strength), len(old))
    return new


def _walk(last: Floats, draw: np.random.Generator) -> Floats:
    close = last[3] * np.exp(np.cumsum(draw.normal(0.0, 0.03, INVENTED)))
    opening = close * np.exp(draw.normal(0.0, 0.01, INVENTED))
    high, low = np.maximum(opening, close) * 1.01, np.minimum(opening, close) * 0.99
    return np.stack((opening, high, low, close, np.full(INVENTED, last[4])), axis=1)


def _last_close(past: Floats) -> float:
    good = past[np.isfinite(past[:, 3]) & (past[:, 3] > 0), 3]
    return float(good[-1]) if len(good) else 1.0


def _times(starts: pd.DatetimeIndex, cut: int, count: int) -> pd.DatetimeIndex:
    """Starts of the first `cut` rows and `count` more: those that come after them, or on at the last distance."""
    known = starts.as_unit("ns").asi8
    step = known[-1] - known[-2] if len(known) > 1 else np.int64(86_400 * 10**9)
    beyond = max(0, cut + count - len(known))
    return pd.DatetimeIndex(np.concatenate((known[: cut + count], known[-1] + step * np.arange(1, beyond + 1))), tz="UTC")
