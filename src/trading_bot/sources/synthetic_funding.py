"""Funding of invented perpetuals: every eight hours, a pure function of (seed, symbol, number of days).

Promises prefix-stability, as the walk of the prices does. The model: a rate of one basis point, around which it wanders slowly (AR(1)),
at times below 0. Refuses to know the invented prices: a crowded side pays no more here than another.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from trading_bot.domain.market import Funding
from trading_bot.domain.values import Symbol
from trading_bot.sources.synthetic_walk import generator

EVERY = timedelta(hours=8)
_BASE, _PERSISTENCE, _UNREST, _MOST = 0.0001, 0.95, 0.00004, 0.002
_PLACES = Decimal("1e-8")


def fundings(seed: int, symbol: Symbol, first: date, last: date) -> tuple[Funding, ...]:
    """At 00:00, 08:00 and 16:00 UTC of each day from `first` to `last`."""
    count = 3 * ((last - first).days + 1)
    begin, distance, made = datetime.combine(first, time(), UTC), 0.0, []
    for number, shock in enumerate(generator(seed, "funding", symbol).standard_normal(max(count, 0)).tolist()):
        distance = _PERSISTENCE * distance + _UNREST * shock
        rate = Decimal(repr(min(max(_BASE + distance, -_MOST), _MOST))).quantize(_PLACES)
        made.append(Funding(symbol=symbol, at=begin + number * EVERY, rate=rate))
    return tuple(made)
