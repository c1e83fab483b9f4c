"""Prices as paths of quotes, block by block, in the matching core's integers: invented from a seed, or inside the bars of a source.

Promises that a quote is a pure function of its path and its time, so that one long step and many short ones see the same. Refuses a
symbol that the path does not have (NoDataError).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

import numpy as np

from trading_bot.brokers.tape import Prices
from trading_bot.brokers.units import SECOND, Units
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Timeframe
from trading_bot.domain.values import Symbol, derive_digest
from trading_bot.ports import MarketSource

_BLOCK = 4096
_OCTAVES = 22
_ROUGHNESS = 2.0**0.5
_SAMPLES = 60
_BARS_AT_ONCE = 512
_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ANCHORS = np.array([0.0, 1 / 3, 2 / 3, 1.0])


@dataclass(frozen=True, eq=False)
class Block:
    """Some quotes in a row: times in ns, prices in ticks; `size` lots can be traded with each."""

    times: np.ndarray
    bids: np.ndarray
    asks: np.ndarray
    size: int


@dataclass(frozen=True)
class EmulatedBar:
    """One closed bar, as traded."""

    start: datetime
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class Path(Protocol):
    """Where prices come from."""

    symbols: tuple[Symbol, ...]

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits."""

    def blocks(self, symbol: Symbol, after: int, until: int) -> Iterator[Block]:
        """Blocks, in order, that hold every quote after `after` up to `until` (and maybe others)."""

    def last(self, symbol: Symbol, at: int) -> tuple[int, int, int, int] | None:
        """Time, bid, ask and size of the newest quote at `at`."""

    def bars(self, symbol: Symbol, timeframe: Timeframe, start: int, end: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Start, end (ns) and open, high, low, close, volume of bars that begin from `start` to before `end`."""

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date."""


class RandomWalk:
    """An endless invented market that needs no bars: smooth noise of many periods, added up, which looks like a random walk."""

    def __init__(  # noqa: PLR0913 - what a market is
        self,
        seed: int,
        instruments: Mapping[Symbol, Instrument],
        prices: Mapping[Symbol, Decimal],
        *,
        tick_ns: int = SECOND,
        spread_bps: Decimal = Decimal(2),
        volatility_bps: float = 1.0,
        size: Decimal = Decimal(1_000_000),
    ) -> None:
        self.symbols = tuple(sorted(instruments))
        self._instruments, self._prices = dict(instruments), dict(prices)
        self._step, self._half, self._volatility, self._size = tick_ns, float(spread_bps) / 20_000, volatility_bps / 10_000, size
        self._keys = {s: np.uint64(int(derive_digest(str(seed), s)[:16], 16)) for s in self.symbols}
        self._block = lru_cache(maxsize=512)(self._invented)

    def instrument(self, symbol: Symbol) -> Instrument:
        """What it was made with."""
        if symbol not in self._instruments:
            raise NoDataError(f"{symbol} is not traded here")
        return self._instruments[symbol]

    def blocks(self, symbol: Symbol, after: int, until: int) -> Iterator[Block]:
        """Blocks of 4,096 quotes."""
        for number in range(after // self._step // _BLOCK, until // self._step // _BLOCK + 1):
            yield self._block(symbol, number)

    def last(self, symbol: Symbol, at: int) -> tuple[int, int, int, int] | None:
        """The quote of the tick in progress."""
        number, offset = divmod(at // self._step, _BLOCK)
        block = self._block(symbol, number)
        return int(block.times[offset]), int(block.bids[offset]), int(block.asks[offset]), block.size

    def bars(self, symbol: Symbol, timeframe: Timeframe, start: int, end: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Bars on whole multiples of the timeframe since 1970, worked out from 60 samples each."""
        length = int(timeframe.duration.total_seconds()) * SECOND
        starts = np.arange(-(-start // length), -(-end // length), dtype=np.int64) * length
        offsets = np.linspace(0, length - 1, _SAMPLES).astype(np.int64)
        volume = float(self._size) / 10 * length / SECOND / 60
        for first in range(0, len(starts), _BARS_AT_ONCE):
            part = starts[first : first + _BARS_AT_ONCE]
            ticks = ((part[:, None] + offsets[None, :]) // self._step).ravel()
            for begun, values in zip(part.tolist(), self._mids(symbol, ticks).reshape(len(part), _SAMPLES), strict=True):
                yield begun, begun + length, np.array([values[0], values.max(), values.min(), values[-1], volume])

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the protocol asks; there are none
        """None."""
        return ()

    def _invented(self, symbol: Symbol, number: int) -> Block:
        ticks = np.arange(number * _BLOCK, (number + 1) * _BLOCK, dtype=np.int64)
        mids, instrument = self._mids(symbol, ticks), self.instrument(symbol)
        tick = float(instrument.tick_size)
        bids = np.maximum(np.floor(mids * (1 - self._half) / tick).astype(np.int64), 1)
        asks = np.maximum(np.ceil(mids * (1 + self._half) / tick).astype(np.int64), bids + 1)
        return Block(ticks * self._step, bids, asks, int(self._size / instrument.lot_size))

    def _mids(self, symbol: Symbol, ticks: np.ndarray) -> np.ndarray:
        """Middle prices: each octave is noise on a lattice of twice the period, interpolated, and rougher by the root of two."""
        self.instrument(symbol)
        total = np.zeros(len(ticks))
        for octave in range(_OCTAVES):
            lattice, inside = np.divmod(ticks, 1 << octave)
            share = inside / (1 << octave)
            low, high = self._noise(symbol, octave, lattice), self._noise(symbol, octave, lattice + 1)
            total += (low + (high - low) * share) * _ROUGHNESS**octave
        return float(self._prices[symbol]) * np.exp(np.clip(total * self._volatility, -2, 2))

    def _noise(self, symbol: Symbol, octave: int, lattice: np.ndarray) -> np.ndarray:
        """Numbers from -1 to 1, a pure function of seed, symbol, octave and lattice point (splitmix64)."""
        with np.errstate(over="ignore"):
            bits = (lattice.astype(np.uint64) + self._keys[symbol] + np.uint64(octave) * _MIX1) * _GOLDEN
            bits = (bits ^ (bits >> np.uint64(30))) * _MIX1
            bits = (bits ^ (bits >> np.uint64(27))) * _MIX2
            bits ^= bits >> np.uint64(31)
        return bits.astype(np.float64) / 2.0**63 - 1


class BarPath:
    """The bars of a source, walked inside: open, then low and high in an order that the seed draws, then close."""

    def __init__(self, source: MarketSource, prices: Prices, symbols: tuple[Symbol, ...], seed: int = 0, tick_ns: int = SECOND) -> None:
        self.symbols = symbols
        self._source, self._prices, self._seed, self._step = source, prices, seed, tick_ns
        self._block = lru_cache(maxsize=512)(self._walked)

    def instrument(self, symbol: Symbol) -> Instrument:
        """What the source says."""
        if symbol not in self.symbols:
            raise NoDataError(f"{symbol} is not traded here")
        return self._prices.instrument(symbol)

    def blocks(self, symbol: Symbol, after: int, until: int) -> Iterator[Block]:
        """One block for each bar."""
        tape = self._prices.tape(symbol)
        for number in range(max(tape.begun(after), 0), tape.begun(until) + 1):
            yield self._block(symbol, number)

    def last(self, symbol: Symbol, at: int) -> tuple[int, int, int, int] | None:
        """The newest quote of the newest bar that has begun."""
        number = self._prices.tape(symbol).begun(at)
        if number < 0:
            return None
        block = self._block(symbol, number)
        offset = int(np.searchsorted(block.times, at, side="right")) - 1
        return int(block.times[offset]), int(block.bids[offset]), int(block.asks[offset]), block.size

    def bars(self, symbol: Symbol, timeframe: Timeframe, start: int, end: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """The source's own bars; none if it has none of this timeframe."""
        if timeframe not in self._source.timeframes(symbol):
            return
        series = self._source.bars(symbol, timeframe)
        starts, ends = series.frame.index.as_unit("ns").asi8, series.ends.astype("datetime64[ns]").astype(np.int64)  # type: ignore[attr-defined]  # a DatetimeIndex, by the port
        values = series.frame[["open", "high", "low", "close", "volume"]].to_numpy()
        for row in range(*np.searchsorted(starts, [start, end]).tolist()):
            yield int(starts[row]), int(ends[row]), values[row]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """The source's."""
        return self._source.actions(symbol)

    def _walked(self, symbol: Symbol, number: int) -> Block:
        bar, quote = self._prices.tape(symbol).bar(number), self._prices.quote(symbol, int(self._prices.tape(symbol).starts[number]))
        count = max((bar.end - bar.start) // self._step, len(_ANCHORS))
        falls_first = int(derive_digest(str(self._seed), symbol, str(bar.start))[:4], 16) % 2 == 0
        inner = (bar.low, bar.high) if falls_first else (bar.high, bar.low)
        places = np.linspace(0, 1, count)
        # The anchors' own places are on the way, so that the extremes are touched.
        for anchor in _ANCHORS[1:3]:
            places[int(np.abs(places - anchor).argmin())] = anchor
        mids = np.rint(np.interp(places, _ANCHORS, [bar.open, *inner, bar.close])).astype(np.int64)
        half = 1 if quote is None else max(quote.half_spread, 1)
        times = bar.start + (np.arange(count, dtype=np.int64) * (bar.end - bar.start)) // count
        bids = np.maximum(mids - half, 1)
        return Block(times, bids, np.maximum(mids + half, bids + 1), max(bar.volume // count, 1) if bar.volume else 0)


def units_of(instrument: Instrument) -> Units:
    """The grid of an instrument in integers."""
    return Units(instrument.tick_size, instrument.lot_size)
