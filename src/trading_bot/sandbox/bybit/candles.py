"""Candles of every length that Bybit has, put together from the bars of the market; those of mark, index and premium too.

Promises that they come newest first, the one in progress at the head, weeks from Monday and months from their first day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from trading_bot.brokers.units import SECOND, moment, stamp
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import ZERO
from trading_bot.sandbox.bybit.contracts import LINEAR, Contract
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.wire import CATEGORIES, Parameters, fixed, text
from trading_bot.sandbox.exchange.path import EmulatedBar

_DAY = timedelta(days=1)
_VOLUME = Decimal(1000)
"""Invented volume of a day in lots."""
_MOST = 1000
_TO_MONDAY = 3 * _DAY
"""1970 began on a Thursday."""


@dataclass(frozen=True)
class Interval:
    """A length of candles; `base`: the bars that they are made of."""

    base: Timeframe
    length: timedelta
    shift: timedelta = timedelta(0)
    monthly: bool = False

    def start(self, at: int) -> int:
        """When the candle began that `at` (ns) lies in."""
        if self.monthly:
            return stamp(moment(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0))
        length, shift = (int(span / timedelta(seconds=1)) * SECOND for span in (self.length, self.shift))
        return (at + shift) // length * length - shift

    def end(self, start: int) -> int:
        """When the candle ends that began at `start` (ns)."""
        if self.monthly:
            return self.start(start + stamp(moment(0) + 32 * _DAY))
        return start + int(self.length / timedelta(seconds=1)) * SECOND


def _of_minutes(count: int, base: Timeframe) -> Interval:
    return Interval(base, timedelta(minutes=count))


INTERVALS: Mapping[str, Interval] = {
    "1": _of_minutes(1, Timeframe.MINUTE),
    "3": _of_minutes(3, Timeframe.MINUTE),
    "5": _of_minutes(5, Timeframe.MINUTE_5),
    "15": _of_minutes(15, Timeframe.MINUTE_15),
    "30": _of_minutes(30, Timeframe.MINUTE_30),
    "60": _of_minutes(60, Timeframe.HOUR),
    "120": _of_minutes(120, Timeframe.HOUR),
    "240": _of_minutes(240, Timeframe.HOUR_4),
    "360": _of_minutes(360, Timeframe.HOUR),
    "720": _of_minutes(720, Timeframe.HOUR_4),
    "D": Interval(Timeframe.DAY, _DAY),
    "W": Interval(Timeframe.DAY, 7 * _DAY, _TO_MONDAY),
    "M": Interval(Timeframe.DAY, 31 * _DAY, monthly=True),
}


def kline(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Candles with volume and turnover."""
    contract = engine.contract(said.choice("category", CATEGORIES, LINEAR), said.text("symbol"))
    return {"category": contract.category, "symbol": contract.symbol, "list": _rows(engine, contract, said)}


def price_kline(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Candles of the mark or the index, which are the contract's own prices here."""
    told = kline(engine, said)
    return told | {"list": [row[:5] for row in told["list"]]}


def premium_kline(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Candles of the premium: there is none."""
    told = kline(engine, said)
    return told | {"list": [[row[0], "0", "0", "0", "0"] for row in told["list"]]}


def _rows(engine: Engine, contract: Contract, said: Parameters) -> list[list[str]]:
    name = said.choice("interval", tuple(INTERVALS))
    interval, limit = INTERVALS[name], min(max(said.number("limit", 200), 1), _MOST)
    last = min(said.number("end", engine.clock // 1_000_000), engine.clock // 1_000_000) * 1_000_000
    reach = last - limit * int(interval.length / timedelta(seconds=1)) * SECOND
    first = max(said.number("start", 0) * 1_000_000 if said.has("start") else reach, reach)
    bars = engine.markets[contract.category].bars(contract.symbol, interval.base, moment(first), moment(interval.end(interval.start(last))))
    closed = [bar for bar in bars if bar.end <= moment(engine.clock)]
    running = candle(engine, contract, name)
    grouped = groupby(closed, key=lambda bar: interval.start(stamp(bar.start)))
    found = {start: _row(contract, start, list(parts)) for start, parts in grouped if start >= first}
    if first <= running["start"] * 1_000_000 <= last:
        names = ("start", "open", "high", "low", "close", "volume", "turnover")
        found[running["start"] * 1_000_000] = [str(running[key]) for key in names]
    return [found[start] for start in sorted(found, reverse=True)][:limit]


def _row(contract: Contract, start: int, parts: list[EmulatedBar]) -> list[str]:
    prices = (parts[0].open, max(b.high for b in parts), min(b.low for b in parts), parts[-1].close)
    told = [fixed(contract.instrument.round_price(value), contract.tick) for value in prices]
    volume = f"{sum(b.volume for b in parts):.3f}"
    return [str(start // 1_000_000), *told, volume, text(Decimal(told[3]) * Decimal(volume))]


def candle(engine: Engine, contract: Contract, name: str) -> dict[str, Any]:
    """The candle in progress, from at most sixty of its quotes."""
    interval, market = INTERVALS[name], engine.markets[contract.category]
    start = interval.start(engine.clock)
    steps = [start + (engine.clock - start) * n // 59 for n in range(60)]
    seen = [market.price(contract.symbol, at) or ZERO for at in steps]
    volume = contract.step * _VOLUME * (engine.clock - start) // (86_400 * SECOND)
    prices = {"open": seen[0], "close": seen[-1], "high": max(seen), "low": min(seen)}
    return {
        "start": start // 1_000_000,
        "end": interval.end(start) // 1_000_000 - 1,
        "interval": name,
        **{key: fixed(price, contract.tick) for key, price in prices.items()},
        "volume": text(volume),
        "turnover": text(volume * seen[-1]),
        "confirm": False,
        "timestamp": engine.clock // 1_000_000,
    }
