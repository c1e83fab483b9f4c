"""Market-data sources that other packages bring, by entry point group `trading_bot.sources`.

An entry point names a factory `(settings, instruments, calendars) -> MarketSource`. Refuses a name that nobody brings, a
factory that cannot be imported, and two packages under one name.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points

from trading_bot.config import SourceSettings
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar, MarketSource

GROUP = "trading_bot.sources"
BUILT_IN = ("files", "synthetic")

Factory = Callable[[SourceSettings, Callable[[Symbol], Instrument], Callable[[str], Calendar]], MarketSource]


def third_party(name: str, installed: Iterable[EntryPoint] | None = None) -> Factory:
    """The factory of the source called `name`; `installed` defaults to what this environment has. ConfigError."""
    points = tuple(entry_points(group=GROUP) if installed is None else installed)
    mine = [point for point in points if point.name == name]
    if len(mine) != 1:
        known = ", ".join(sorted({*BUILT_IN, *(point.name for point in points)}))
        trouble = f"{len(mine)} installed packages bring it; remove all but one" if mine else f"known are {known}"
        msg = f"source.name: {name!r} cannot be used: {trouble}"
        raise ConfigError(msg)
    try:
        factory: Factory = mine[0].load()
    except (ImportError, AttributeError) as error:
        msg = f"source.name: {name!r} ({mine[0].value}) cannot be imported: {error}; install what it needs"
        raise ConfigError(msg) from error
    return factory
