"""The venue that a configuration names, and whether it is the one that the mode means.

Vendors' libraries are imported here when they are asked for, keys come from this process's environment, and nowhere else. Refuses a
vendor's live environment for a paper desk, and a paper one for a live desk, by what the vendor itself says of the account.
"""

import os
import random
import time
from collections.abc import Callable, Mapping

from trading_bot.bootstrap.setting import Setting
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.traits import alpaca_traits, bybit_traits
from trading_bot.brokers.venue_store import MemoryVenueStore, SqliteVenueStore
from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.traits import PAPER, VenueTraits
from trading_bot.domain.values import Symbol
from trading_bot.network.keys import Keys, keys_from
from trading_bot.plugins import BROKERS, third_party
from trading_bot.ports import Broker, Calendar, Clock, MarketSource
from trading_bot.settings import AlpacaEnvironment, BybitEnvironment


def traits_of(config: Config) -> Callable[[Symbol], VenueTraits]:
    """Return how positions are guarded at the configured venue, without asking it."""
    if config.broker.name == "alpaca":
        return alpaca_traits
    return lambda _: bybit_traits(config.bybit.category) if config.broker.name == "bybit" else PAPER


def alpaca_keys() -> Keys:
    """Return the keys of Alpaca. BrokerKeysError names what is not set."""
    return keys_from(os.environ, "ALPACA_API_KEY", "ALPACA_SECRET_KEY")


def bybit_keys() -> Keys:
    """Return the keys of Bybit. BrokerKeysError names what is not set."""
    return keys_from(os.environ, "BYBIT_API_KEY", "BYBIT_API_SECRET")


def demand_mode(config: Config, mode: Mode) -> None:
    """Raise ConfigError unless the venue's environment and the desk's mode mean the same money."""
    live = {
        "alpaca": config.alpaca.environment is AlpacaEnvironment.LIVE,
        "bybit": config.bybit.environment is BybitEnvironment.LIVE,
    }.get(config.broker.name)
    if live is not None and live != (mode is Mode.LIVE):
        name, wanted = config.broker.name, "live" if mode is Mode.LIVE else "one with paper money"
        found = getattr(config, name).environment
        raise ConfigError(
            f"{name}.environment is {found}, and this desk is {mode}: set it to {wanted}, or start the desk in the other mode"
        )


def demand_leverage(config: Config) -> None:
    """Raise ConfigError if more leverage would be set at the venue than the mandate allows."""
    limit, wanted = config.risk.limits.leverage, config.bybit.leverage
    if config.bybit.category == "linear" and limit != "none" and wanted > limit:
        raise ConfigError(f"bybit.leverage is {wanted}, and risk.limits.leverage allows {limit}: set bybit.leverage to {limit} or less")


def build_broker(  # noqa: PLR0913 - what a venue is made from
    config: Config,
    setting: Setting,
    source: MarketSource,
    calendars: Mapping[str, Calendar],
    clock: Clock,
    *,
    guardian: bool = False,
) -> Broker:
    """Return the venue that the configuration names. `guardian`: for the process that may use the last of the request budget."""
    match config.broker.name:
        case "paper":
            store = MemoryVenueStore() if setting.mode is Mode.BACKTEST else SqliteVenueStore(setting.home.paper, relaxed=setting.simulated)
            return PaperBroker(store, source, calendars.__getitem__, clock, config.broker)
        case "alpaca":
            from trading_bot.brokers.alpaca.broker import AlpacaBroker  # noqa: PLC0415 - half a second of imports

            demand_mode(config, setting.mode)
            return AlpacaBroker(config.alpaca, alpaca_keys(), _account(config), clock, time.monotonic, _draw(config), guardian=guardian)
        case "bybit":
            from trading_bot.brokers.bybit.broker import BybitBroker  # noqa: PLC0415 - the same

            demand_mode(config, setting.mode)
            if not guardian:  # who ends risk is held up by no setting of how it is taken
                demand_leverage(config)
            return BybitBroker(
                config.bybit, bybit_keys(), _account(config), source.instrument, clock, time.monotonic, _draw(config), guardian=guardian
            )
        case name:
            brought: Broker = third_party(BROKERS, name)(config.broker, source, calendars.__getitem__, clock)
            return brought


def _account(config: Config) -> str:
    """The account that the vendor has to show; the paper venue's default name stands for any."""
    return "" if config.broker.account == "paper-1" else config.broker.account


def _draw(config: Config) -> Callable[[], float]:
    """Spreads reconnects in time; decides nothing."""
    return random.Random(config.seed).random  # noqa: S311 - jitter
