"""The market that a configuration names: its source, and what it makes of a symbol."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol
from trading_bot.plugins import SOURCES, third_party
from trading_bot.ports import Calendar, MarketSource
from trading_bot.settings import InstrumentSettings
from trading_bot.sources.files import FileSource
from trading_bot.sources.stored import StoredSource
from trading_bot.sources.synthetic import SyntheticSource
from trading_bot.storage.bars import BarStore
from trading_bot.storage.home import Home

CALENDARS = ("XNYS", "24/7")
_COIN_QUOTES = ("USDT", "USDC")


def instrument_of(config: Config, symbol: Symbol) -> Instrument:
    """Return the instrument that the configuration makes of `symbol`.

    A name that ends in USDT or USDC is a coin that trades round the clock; all else is a US stock, unless `universe.instruments` says so.
    """
    own = config.universe.instruments.get(symbol, InstrumentSettings()).model_dump(exclude_none=True)
    coin = {
        "asset_class": AssetClass.CRYPTO_SPOT,
        "venue": "crypto",
        "currency": symbol[-4:],
        "lot_size": Decimal("0.000001"),
        "calendar": "24/7",
        "shortable": False,
        "sector": "crypto",
    }
    base = coin if symbol.endswith(_COIN_QUOTES) else {"sector": config.sector_of(symbol)}
    return Instrument.model_validate({"symbol": symbol, **base, **own})


def build_source(
    config: Config, calendars: Mapping[str, Calendar], now: Callable[[], datetime], home: Home, last: date | None = None
) -> MarketSource:
    """Return the market-data source that the configuration names."""
    settings = config.source
    instruments = partial(instrument_of, config)
    lookup = calendars.__getitem__
    if settings.name == "files":
        if not settings.files:
            msg = "source files needs at least one path: --data PATH, or source.files in config.yaml"
            raise ConfigError(msg)
        return FileSource(settings.files, instruments, lookup, settings.spread_bps)
    if settings.name == "store":
        return StoredSource(BarStore(home.bars), instruments, settings.spread_bps)
    if settings.name == "synthetic":
        return SyntheticSource(config.seed, settings.synthetic, instruments, lookup, settings.spread_bps, partial(_horizon, now, last))
    brought: MarketSource = third_party(SOURCES, settings.name)(settings, instruments, lookup)
    return brought


def _horizon(now: Callable[[], datetime], last: date | None) -> date:
    """Day up to which a market has to be invented: some days ahead of the clock, for orders that rest."""
    return last or now().date() + timedelta(days=14)
