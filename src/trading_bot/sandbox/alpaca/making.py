"""The market of an emulated Alpaca: invented from a seed, or read from files; stocks with their sessions, coins around the clock."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from trading_bot.brokers.tape import Prices
from trading_bot.brokers.units import SECOND
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol, derive_digest
from trading_bot.ports import Calendar, MarketSource
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import BarPath, RandomWalk
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource

SYMBOLS = (
    *("AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "JPM", "XOM", "UNH", "SPY", "QQQ"),
    *("BTC/USD", "ETH/USD"),
)
"""The stocks of a desk's default universe, and two coins."""
_PRICES = {"AAPL": 180, "MSFT": 410, "AMZN": 175, "NVDA": 860, "SPY": 510, "TSLA": 180, "BTC/USD": 60_000, "ETH/USD": 3_400}
_FINEST = Decimal("0.000001")
_SPREAD_BPS = Decimal(2)

Calendars = Callable[[str], Calendar]


def alpaca_instrument(symbol: Symbol) -> Instrument:
    """A coin for a name with a slash, else a stock that may be traded in parts; both on the grid of cents."""
    if "/" not in symbol:
        return Instrument(symbol=symbol, lot_size=_FINEST)
    coin = {"asset_class": AssetClass.CRYPTO_SPOT, "venue": "crypto", "calendar": "24/7", "shortable": False}
    return Instrument.model_validate({"symbol": symbol, "lot_size": _FINEST, "minimum_notional": Decimal(10), **coin})


def invented_market(
    symbols: Sequence[str], calendars: Calendars, *, seed: int = 0, always_open: bool = False, tick_ns: int = SECOND
) -> EmulatedMarket:
    """A random walk for each symbol."""
    instruments = {Symbol(s): alpaca_instrument(Symbol(s)) for s in symbols}
    prices = {s: Decimal(_PRICES.get(s, 20 + int(derive_digest(s)[:6], 16) % 300)) for s in instruments}
    path = RandomWalk(seed, instruments, prices, tick_ns=tick_ns, spread_bps=_SPREAD_BPS)
    return EmulatedMarket(path, calendars, always_open=always_open, tick_ns=tick_ns)


def market_of(source: MarketSource, symbols: Sequence[str], calendars: Calendars, *, seed: int = 0) -> EmulatedMarket:
    """The bars of a source, walked inside."""
    return EmulatedMarket(BarPath(source, Prices(source, calendars), tuple(Symbol(s) for s in symbols), seed), calendars)


def recorded_market(files: Sequence[Path], symbols: Sequence[str], calendars: Calendars, *, seed: int = 0) -> EmulatedMarket:
    """The bars of files."""
    settings = [FileSettings(path=path) for path in files]
    return market_of(FileSource(settings, alpaca_instrument, calendars, _SPREAD_BPS), symbols, calendars, seed=seed)
