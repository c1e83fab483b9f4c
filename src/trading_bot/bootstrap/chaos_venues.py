"""The venues on which chaos is run: emulators with a market that never closes, and what their own books say of cash.

Promises that a plan always gets the same market. Refuses any venue but an emulator in this process.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.bybit.contracts import instrument_of, start_price
from trading_bot.sandbox.chaos.script import Plan
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import RandomWalk

_TICK_NS = 50_000_000
_VOLATILITY_BPS = 12.0
_WALL = SystemWallClock()

_GENEROUS: Mapping[str, object] = {
    "alpaca.requests_per_minute": 10_000,
    "bybit.requests_per_second": 100,
    "risk.limits.risk_per_trade": "none",
    "risk.limits.position": "0.1",
    "risk.limits.approval_above": "none",
    "risk.limits.sector": "none",
    "risk.limits.open_risk": "none",
    "risk.limits.gross_exposure": "none",
    "risk.limits.leverage": "none",
    "risk.limits.daily_loss": "none",
    "risk.limits.drawdown": "none",
    "risk.limits.open_positions": "none",
    "risk.limits.trades_per_day": "none",
    "risk.limits.orders_per_minute": "none",
    "risk.limits.price_collar": "none",
    "risk.limits.max_spread": "none",
    "risk.limits.quote_age_seconds": "none",
    "risk.limits.short_selling": True,
    "risk.discipline.cooldown_losses": "none",
    "risk.discipline.reentry_minutes": "none",
    "risk.discipline.streak_losses": "none",
    "risk.discipline.suspend_losses": "none",
}
"""Limits that leave a desk free to trade all the time."""


@dataclass(frozen=True)
class Venue:
    """One of them."""

    made: Callable[[Plan], AbstractContextManager[Any]]
    """Starts its emulator."""
    symbols: tuple[Symbol, ...]
    cash: Callable[[Any], Decimal]
    """Its own books' cash, so that equity is cash and positions at their marks."""
    cash_tolerance: Decimal
    """What its rounding may come to, fill by fill."""
    least: Decimal
    """Worth of an order below which it takes none."""


def _market(seed: int, instruments: Mapping[Symbol, Instrument], prices: Mapping[Symbol, Decimal], size: Decimal) -> EmulatedMarket:
    path = RandomWalk(seed, instruments, prices, tick_ns=_TICK_NS, volatility_bps=_VOLATILITY_BPS, size=size)
    return EmulatedMarket(path, open_calendar, always_open=True, tick_ns=_TICK_NS)


def _bybit(drawn: Plan) -> AbstractContextManager[Any]:
    from trading_bot.sandbox.bybit.api import BybitApi  # noqa: PLC0415 - a server that other venues do not need
    from trading_bot.sandbox.bybit.service import Setup  # noqa: PLC0415 - the same

    instruments = {s: instrument_of(s, "linear") for s in _COINS}
    market = _market(drawn.seed, instruments, {s: start_price(s) for s in _COINS}, Decimal(1))
    clock = EmulatedClock.running(_WALL)
    return BybitApi(Setup(markets={"linear": market}, clock=clock, wall=_WALL, faults=drawn.faults, cash=Decimal(100_000), seed=drawn.seed))


def _bybit_cash(emulator: Any) -> Decimal:  # noqa: ANN401 - its emulator
    """The wallet's balance less what the positions cost: a perpetual's cost is in no wallet."""
    ledger = emulator.service.engine.ledger
    cost = sum((position.sign * position.cost for position in ledger.positions.values()), ZERO)
    return Decimal(ledger.coins["USDT"]) - cost


def _alpaca(drawn: Plan) -> AbstractContextManager[Any]:
    from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator  # noqa: PLC0415 - a server that other venues do not need
    from trading_bot.sandbox.alpaca.setup import Setup  # noqa: PLC0415 - the same

    instruments = {s: _alpaca_instrument(s) for s in _STOCKS}
    market = _market(drawn.seed, instruments, dict.fromkeys(_STOCKS, Decimal(150)), Decimal(40))
    setup = Setup(seed=drawn.seed, requests_per_minute=100_000)
    return AlpacaEmulator(market, EmulatedClock.running(_WALL), setup, drawn.faults)


def _alpaca_cash(emulator: Any) -> Decimal:  # noqa: ANN401 - its emulator
    return Decimal(emulator.venue.account.cash)


def _alpaca_instrument(symbol: Symbol) -> Instrument:
    if "/" not in symbol:
        return Instrument(symbol=symbol, sector="all")
    return Instrument(
        symbol=symbol,
        asset_class=AssetClass.CRYPTO_SPOT,
        venue="crypto",
        lot_size=Decimal("0.000001"),
        calendar="24/7",
        shortable=False,
        sector="all",
    )


_STOCKS = (Symbol("AAPL"), Symbol("MSFT"), Symbol("BTC/USD"))
_COINS = (Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("SOLUSDT"))
VENUES: Mapping[str, Venue] = {
    "alpaca": Venue(_alpaca, _STOCKS, _alpaca_cash, Decimal(1), Decimal(1)),
    "bybit": Venue(_bybit, _COINS, _bybit_cash, Decimal("0.01"), Decimal(0)),
}


def flags_of(venue: str, url: str) -> dict[str, object]:
    """Configuration of a desk that trades the emulator at `url`."""
    symbols = list(VENUES[venue].symbols)
    own = {"broker.name": venue, "source.name": venue, f"{venue}.url": url, "universe.symbols": symbols, "broker.account": "paper-1"}
    return {**_GENEROUS, **own}
