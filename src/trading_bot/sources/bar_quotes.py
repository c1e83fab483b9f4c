"""The quotes that bars publish: each bar's open at its start (`bar-open`), its close at its end (`bar-close`).

Promises that a quote holds nothing which was not public at its time: the sizes of an open come from the bar before it.
Refuses to model anything but a constant spread: bid and ask lie half of `spread_bps`, at least half a tick, around the
price and are rounded outward to the tick (a spread of 0 is none). Where several timeframes cover a day, the finest rules that day.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.market import Quote
from trading_bot.ports import BarSeries
from trading_bot.sources.sessions import moment_of, nanoseconds, stamps

OPEN = "bar-open"
CLOSE = "bar-close"
_SIZE_SHARE = 0.01
"""Size at bid and ask as a share of the last closed bar's volume."""
_HALF = Decimal(20_000)
"""Half a spread in basis points, as a divisor of the price."""


class BarQuotes:
    """Quotes of one symbol from its bars, finest timeframe first; `at` takes O(log n)."""

    def __init__(self, series: Sequence[BarSeries], instrument: Instrument, spread_bps: Decimal) -> None:
        self._series = series
        self._instrument = instrument
        self._spread_bps = spread_bps
        parts = [_published(one, rows, owner) for owner, (one, rows) in enumerate(_uncovered(series))]
        times, kinds, prices, sizes, owners = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((kinds, times))
        self._times, self._kinds, self._prices = times[order], kinds[order], prices[order]
        self._sizes, self._owners = sizes[order], owners[order]

    def at(self, moment: datetime) -> Quote | None:
        """Newest quote published at or before `moment` (aware), None before the first."""
        number = int(self._times.searchsorted(nanoseconds(moment), side="right")) - 1
        if number < 0:
            return None
        bid, ask = spread_around(Decimal(repr(float(self._prices[number]))), self._instrument, self._spread_bps)
        size = self._instrument.round_quantity(float(self._sizes[number]) * _SIZE_SHARE)
        return Quote(
            symbol=self._instrument.symbol,
            bid=bid,
            ask=ask,
            bid_size=size,
            ask_size=size,
            time=moment_of(self._times[number]),
            source=OPEN if self._kinds[number] else CLOSE,
            feed=self._series[self._owners[number]].feed,
        )


def spread_around(price: Decimal, instrument: Instrument, spread_bps: Decimal) -> tuple[Decimal, Decimal]:
    """Bid and ask around `price`: at least one tick apart, on the tick, the bid at least one tick above 0.

    A spread of 0 is none: bid and ask are the price, brought to the tick.
    """
    if spread_bps == 0:
        both = instrument.round_price(max(price, instrument.tick_size))
        return both, both
    half = max(price * spread_bps / _HALF, instrument.tick_size / 2)
    bid = instrument.round_price(max(price - half, instrument.tick_size), Rounding.DOWN)
    return bid, max(instrument.round_price(price + half, Rounding.UP), bid + instrument.tick_size)


def _uncovered(series: Sequence[BarSeries]) -> Iterator[tuple[BarSeries, np.ndarray]]:
    """Each series with a mask of its bars on days that no finer one covers."""
    covered = np.array([], dtype="datetime64[D]")
    for one in series:
        days = one.ends.astype("datetime64[ns]").astype(np.int64) - 1
        days = days.astype("datetime64[ns]").astype("datetime64[D]")
        yield one, ~np.isin(days, covered)
        covered = np.union1d(covered, days)


def _published(series: BarSeries, rows: np.ndarray, owner: int) -> tuple[np.ndarray, ...]:
    """Times (ns), kinds (0 a close, 1 an open: the later one at the same time), prices, sizes and owners of the quotes."""
    starts = stamps(series.frame.index)[rows]
    ends = series.ends.astype("datetime64[ns]").astype(np.int64)[rows]
    volume = series.frame["volume"].to_numpy()
    before = np.concatenate([[0.0], volume[:-1]])
    count = int(rows.sum())
    return (
        np.concatenate([starts, ends]),
        np.repeat([1, 0], count),
        np.concatenate([series.frame["open"].to_numpy()[rows], series.frame["close"].to_numpy()[rows]]),
        np.concatenate([before[rows], volume[rows]]),
        np.full(2 * count, owner),
    )
