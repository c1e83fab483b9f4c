"""The market that a configuration names: its source, and what it makes of a symbol.

Vendors' libraries are imported here when they are asked for, and keys come from this process's environment.
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_bot.config import Config
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol
from trading_bot.network.keys import keys_from
from trading_bot.plugins import SOURCES, third_party
from trading_bot.ports import Calendar, MarketSource, Streaming
from trading_bot.settings import InstrumentSettings
from trading_bot.sources.files import FileSource
from trading_bot.sources.live.pulse import Pulse
from trading_bot.sources.stored import StoredSource
from trading_bot.sources.synthetic import SyntheticSource
from trading_bot.storage.bars import BarStore
from trading_bot.storage.database import named
from trading_bot.storage.home import Home
from trading_bot.storage.refusals import translated

if TYPE_CHECKING:
    from trading_bot.storage.server_bars import ServerBars

CALENDARS = ("XNYS", "24/7")
_COIN_QUOTES = ("USDT", "USDC")
_FINEST = Decimal("0.000000000001")
"""A step so fine that any vendor's is coarser, and holds."""

Instruments = Callable[[Symbol], Instrument]
Calendars = Callable[[str], Calendar]


def instrument_of(config: Config, symbol: Symbol) -> Instrument:
    """Return the instrument that the configuration makes of `symbol`.

    A name with a slash, or one that ends in USDT or USDC, is a coin that trades round the clock, as `universe.coins` says; all else is a
    US stock, unless `universe.instruments` says so. Where a vendor gives the grid of a coin, the default stays out of its way. At Bybit
    leverage is at most the one that is set there.
    """
    own = config.universe.instruments.get(symbol, InstrumentSettings()).model_dump(exclude_none=True)
    is_coin = "/" in symbol or symbol.endswith(_COIN_QUOTES)
    base = _coin(symbol, config) if is_coin else {"sector": config.sector_of(symbol)}
    made = Instrument.model_validate({"symbol": symbol, **base, **own})
    if config.broker.name != "bybit":
        return made
    return made.model_copy(update={"leverage_cap": min(made.leverage_cap, config.bybit.leverage)})


def _coin(symbol: Symbol, config: Config) -> dict[str, Any]:
    """What is taken for granted of a coin."""
    coins = config.universe.coins.model_dump(exclude_none=True)
    base = {
        "asset_class": AssetClass.CRYPTO_SPOT,
        "venue": "crypto",
        "currency": symbol.rpartition("/")[2] if "/" in symbol else symbol[-4:],
        "lot_size": Decimal("0.000001"),
        "calendar": "24/7",
        "shortable": False,
        "sector": "crypto",
    }
    if config.source.name not in _VENDORS:
        return base | coins
    return base | {"shortable": True} | coins | {"tick_size": _FINEST, "lot_size": _FINEST, "minimum_notional": Decimal(0)}


def build_source(
    config: Config, calendars: Mapping[str, Calendar], now: Callable[[], datetime], home: Home, last: date | None = None
) -> MarketSource:
    """Return the market-data source that the configuration names."""
    settings = config.source
    instruments: Instruments = cache(partial(instrument_of, config))  # asked for at every quote
    lookup = calendars.__getitem__
    if settings.name == "files":
        if not settings.files:
            msg = "source files needs at least one path: --data PATH, or source.files in config.yaml"
            raise ConfigError(msg)
        return FileSource(settings.files, instruments, lookup, settings.spread_bps)
    if settings.name == "store":
        return StoredSource(open_bars(home), instruments, settings.spread_bps)
    if settings.name == "synthetic":
        return SyntheticSource(config.seed, settings.synthetic, instruments, lookup, settings.spread_bps, partial(_horizon, now, last))
    if settings.name in _VENDORS:
        return _VENDORS[settings.name](config, instruments, lookup, _pulse(config, now))
    brought: MarketSource = third_party(SOURCES, settings.name)(settings, instruments, lookup)
    return brought


def open_bars(home: Home) -> "BarStore | ServerBars":
    """The bar store of `home`: files, or tables where a server keeps the journal."""
    address = home.database
    if isinstance(address, Path):
        return BarStore(home.bars)
    with translated(named(address)):
        from trading_bot.storage.server_bars import ServerBars  # noqa: PLC0415 - the driver is an extra
    return ServerBars(address)


def open_source(source: MarketSource, symbols: Sequence[Symbol]) -> None:
    """Let a source that can, stream the quotes of `symbols`."""
    if isinstance(source, Streaming):
        source.open(symbols)


def close_source(source: MarketSource) -> None:
    """End its streams, if it has any."""
    if isinstance(source, Streaming):
        source.close()


def _pulse(config: Config, now: Callable[[], datetime]) -> Pulse:
    """Trading time, and a counter and chance that only spread calls in time."""
    return Pulse(now=now, steady=time.monotonic, draw=random.Random(config.seed).random)  # noqa: S311 - jitter


def _alpaca(config: Config, instruments: Instruments, calendars: Calendars, pulse: Pulse) -> MarketSource:
    from trading_bot.sources.alpaca import AlpacaSource  # noqa: PLC0415 - half a second of imports

    keys = keys_from(os.environ, "ALPACA_API_KEY", "ALPACA_SECRET_KEY")
    source = AlpacaSource(config.alpaca, keys, instruments, calendars, pulse)
    source.expect(config.universe.symbols)
    return source


def _bybit(config: Config, instruments: Instruments, calendars: Calendars, pulse: Pulse) -> MarketSource:
    from trading_bot.sources.bybit import BybitSource  # noqa: PLC0415 - the same; its market data needs no keys

    source = BybitSource(config.bybit, instruments, calendars, pulse)
    source.expect(config.universe.symbols)
    return source


_VENDORS = {"alpaca": _alpaca, "bybit": _bybit}


def _horizon(now: Callable[[], datetime], last: date | None) -> date:
    """Day up to which a market has to be invented: some days ahead of the clock, for orders that rest."""
    return last or now().date() + timedelta(days=14)
