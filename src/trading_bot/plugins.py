"""Parts that other packages bring, by entry point: market-data sources, brokers, strategies and feeds of news.

An entry point names a factory, or a strategy. Refuses a name that nobody brings, a part that cannot be imported, and two packages
under one name.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from trading_bot.domain.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    """One kind of part: the setting that names it, its entry point group, and the names that need no package."""

    setting: str
    group: str
    built_in: tuple[str, ...]


SOURCES = Kind("source.name", "trading_bot.sources", ("alpaca", "bybit", "files", "store", "synthetic"))
"""Factories `(SourceSettings, instruments, calendars) -> MarketSource`."""
BROKERS = Kind("broker.name", "trading_bot.brokers", ("alpaca", "bybit", "paper"))
"""Factories `(BrokerSettings, MarketSource, calendars, Clock) -> Broker`."""
STRATEGIES = Kind("strategy", "trading_bot.strategies", ("buy_and_hold", "mean_reversion", "momentum", "sentiment", "sma_cross"))
"""`backtest.strategy.Strategy`, or a module that holds one as `STRATEGY`."""
NEWS = Kind("news.feeds", "trading_bot.news", ("alpaca", "alpha_vantage", "newsapi", "rss"))
"""Factories `(FeedSettings, symbols, environment, Fetcher) -> NewsSource`."""

PRICE_ONLY: tuple[str, ...] = tuple(name for name in STRATEGIES.built_in if name != "sentiment")
"""Shipped strategies that read prices alone."""


def third_party(kind: Kind, name: str, installed: Iterable[EntryPoint] | None = None) -> Callable[..., Any]:
    """Return the factory called `name`; `installed` defaults to what this environment has. Raises ConfigError."""
    points = tuple(entry_points(group=kind.group) if installed is None else installed)
    mine = [point for point in points if point.name == name]
    if len(mine) != 1:
        known = ", ".join(sorted({*kind.built_in, *(point.name for point in points)}))
        trouble = f"{len(mine)} installed packages bring it; remove all but one" if mine else f"known are {known}"
        msg = f"{kind.setting}: {name!r} cannot be used: {trouble}"
        raise ConfigError(msg)
    try:
        factory: Callable[..., Any] = mine[0].load()
    except (ImportError, AttributeError) as error:
        msg = f"{kind.setting}: {name!r} ({mine[0].value}) cannot be imported: {error}; install what it needs"
        raise ConfigError(msg) from error
    return factory
