"""Kinds of desk, as data: whose hours they keep, and which table of tasks they go by. There is nothing else that tells them apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError
from trading_bot.orchestrator.scheduler import STOCK_DAY, Task, round_the_clock
from trading_bot.ports import MarketSource


@dataclass(frozen=True)
class Kind:
    """One kind of desk."""

    calendar: str
    """Name of the calendar of its schedule."""
    table: Callable[[Config], tuple[Task, ...]]
    mixed: bool
    """Whether it may trade what has another calendar too."""


KINDS: Mapping[str, Kind] = {
    "stocks": Kind("XNYS", lambda _: STOCK_DAY, mixed=True),
    "coins": Kind("24/7", lambda config: round_the_clock(timedelta(minutes=config.trader.interval_minutes)), mixed=False),
}


def kind_of(config: Config) -> Kind:
    """The kind of desk that the configuration names."""
    return KINDS[config.desk]


def demand_kind(config: Config, source: MarketSource) -> None:
    """Raise ConfigError if a symbol of the universe does not keep the desk's hours. NoDataError for one that the source does not have."""
    kind = kind_of(config)
    for symbol in config.universe.symbols:
        calendar = source.instrument(symbol).calendar
        if calendar != kind.calendar and not kind.mixed:
            hours = f"{symbol} keeps the hours of {calendar}, and a desk of {config.desk} those of {kind.calendar}"
            raise ConfigError(f"{hours}: name coins, such as BTCUSDT")
