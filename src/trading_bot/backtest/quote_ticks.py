"""The quotes that bars publish, for whole columns of prices at once, in ticks.

Promises exactly what `sources.bar_quotes.spread_around` and the venue's rounding make of each price: floats decide where they surely
can, decimals where a price lies near the border between two ticks. Refuses nothing.
"""

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from trading_bot.domain.instrument import Instrument
from trading_bot.sources.bar_quotes import spread_around

Integers = npt.NDArray[np.int64]
_BORDER = 1e-5
"""Ticks from a border within which a float is not trusted; its own error is a thousand times smaller up to a billion ticks."""
_SURE = 1e9
_HALF = 20_000.0


def quote_ticks(prices: npt.NDArray[np.float64], instrument: Instrument, spread_bps: Decimal) -> tuple[Integers, Integers]:
    """Bid and ask in ticks around each of `prices` (float64, above 0)."""
    counts = prices / float(instrument.tick_size)
    if spread_bps == 0:
        bids = np.maximum(np.rint(np.maximum(counts, 1.0)), 1.0)
        asks, doubtful = bids, _near(counts + 0.5) | (counts < 1)
    else:
        half = np.maximum(counts * (float(spread_bps) / _HALF), 0.5)
        low, high = np.maximum(counts - half, 1.0), counts + half
        bids = np.floor(low)
        asks = np.maximum(np.ceil(high), bids + 1)
        doubtful = _near(low) | _near(high)
    bid, ask = bids.astype(np.int64), asks.astype(np.int64)
    for row in np.flatnonzero(doubtful | (counts > _SURE)).tolist():
        bid[row], ask[row] = _exact(prices[row], instrument, spread_bps)
    return bid, ask


def _near(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return np.abs(counts - np.rint(counts)) < _BORDER


def _exact(price: float, instrument: Instrument, spread_bps: Decimal) -> tuple[int, int]:
    bid, ask = spread_around(Decimal(repr(float(price))), instrument, spread_bps)
    return int(bid / instrument.tick_size), int(ask / instrument.tick_size)
