"""Venues ready to use: over an invented market, or over the bars of a source."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from trading_bot.brokers.tape import Prices
from trading_bot.brokers.units import SECOND
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar, MarketSource
from trading_bot.sandbox.bybit.contracts import LINEAR, SPOT, instrument_of, start_price
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import BarPath, Path, RandomWalk

CATEGORIES = (LINEAR, SPOT)


def invented(  # noqa: PLR0913 - what a market is
    symbols: Sequence[Symbol],
    seed: int,
    calendars: Callable[[str], Calendar],
    *,
    categories: Sequence[str] = CATEGORIES,
    tick_ns: int = SECOND,
    size: Decimal = Decimal(1000),
) -> dict[str, EmulatedMarket]:
    """Markets that need no bars; `size` of each quote in units of the base coin."""
    prices = {symbol: start_price(symbol) for symbol in symbols}

    def path(category: str) -> Path:
        instruments = {symbol: instrument_of(symbol, category) for symbol in symbols}
        return RandomWalk(seed, instruments, prices, tick_ns=tick_ns, size=size)

    return {category: EmulatedMarket(path(category), calendars, always_open=True, tick_ns=tick_ns) for category in categories}


def recorded(
    source: MarketSource, symbols: Sequence[Symbol], seed: int, calendars: Callable[[str], Calendar], *, category: str = LINEAR
) -> dict[str, EmulatedMarket]:
    """One market over the bars of a source, on the source's own grid."""
    path = BarPath(source, Prices(source, calendars), tuple(symbols), seed)
    return {category: EmulatedMarket(path, calendars, always_open=True)}
