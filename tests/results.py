"""Results of research for tests: an account over business days from 2024-01-02 on, with what its run card says."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from trading_bot.backtest.plan import Card, Engine, Plan, Result
from trading_bot.backtest.statistics import Curve, performance
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, Symbol, derive_digest

AAPL, SPY = Symbol("AAPL"), Symbol("SPY")
FIRST = date(2024, 1, 2)


def days(count: int, first: date = FIRST) -> tuple[date, ...]:
    """So many weekdays."""
    return tuple(moment.date() for moment in pd.bdate_range(first, periods=count))


def plan(strategy: str = "sma_cross", first: date = FIRST, last: date = FIRST, symbols: Sequence[Symbol] = (AAPL,)) -> Plan:
    """A plan with two parameters."""
    values = {"fast": 20.0, "slow": 50.0}
    return Plan(
        strategy=strategy, values=values, symbols=tuple(symbols), first=first, last=last, share=Decimal("0.2"), reserve=Decimal("0.02")
    )


def card(of: Plan, command: str = "backtest run", data: str = "bars") -> Card:
    """A card that names `data` for each symbol of the plan."""
    return Card(
        plan=of,
        data={f"{symbol} 1d": derive_digest(symbol, data) for symbol in of.symbols},
        code=derive_digest("code"),
        config=derive_digest("config"),
        versions={"python": "3.11.2", "numpy": "2.3.5"},
        command=command,
    )


def trade(day: date, profit: str, symbol: Symbol = AAPL, held: int = 3, side: Side = Side.BUY) -> RoundTrip:
    """Ten shares from 100, entered at 15:00 UTC of `day`, for so many days."""
    opened = datetime.combine(day, time(15), UTC)
    gained = Decimal(profit) / 10 * side.sign
    return RoundTrip(
        symbol=symbol,
        side=side,
        quantity=Decimal(10),
        entry_price=Decimal(100),
        exit_price=100 + gained,
        opened_at=opened,
        closed_at=opened + timedelta(days=held),
        profit=Decimal(profit),
        fees=Decimal(0),
        entry_order=ClientOrderId("desk-entry"),
        exit_role=OrderRole.CLOSE,
    )


def result(  # noqa: PLR0913 - what tests of results vary
    equity: Sequence[float],
    *,
    strategy: str = "sma_cross",
    symbols: Sequence[Symbol] = (AAPL,),
    first: date = FIRST,
    trades: Sequence[RoundTrip] = (),
    notes: Sequence[str] = (),
    command: str = "backtest run",
    data: str = "bars",
    benchmark: Sequence[float] = (),
) -> Result:
    """A result of 100 at the start and `equity` at the closes, half of it in the market, with a card."""
    sessions = days(len(equity), first)
    made = plan(strategy, sessions[0], sessions[-1], symbols)
    worth = np.array(equity, dtype=np.float64)
    return Result(
        engine=Engine.VECTOR,
        plan=made,
        start=Decimal(100),
        sessions=sessions,
        equity=tuple(equity),
        exposure=tuple(float(e) / 2 for e in equity),
        benchmark=tuple(benchmark),
        trades=tuple(trades),
        performance=performance(Curve(sessions, worth, worth / 2, 100.0), trades),
        notes=tuple(notes),
        card=card(made, command, data),
    )


def walk(count: int, seed: int, drift: float = 0.0004, deviation: float = 0.01) -> tuple[float, ...]:
    """A random account from 100 on."""
    changes = np.random.default_rng(seed).normal(drift, deviation, count)
    return tuple(float(e) for e in 100 * np.cumprod(1 + changes))


def candles(count: int, seed: int = 1, first: date = FIRST) -> pd.DataFrame:
    """Daily bars around 100."""
    rng = np.random.default_rng(seed)
    close = 100 * np.cumprod(1 + rng.normal(0, 0.01, count))
    opening = close * (1 + rng.normal(0, 0.003, count))
    high, low = np.maximum(opening, close) * 1.004, np.minimum(opening, close) * 0.996
    index = pd.DatetimeIndex([datetime.combine(day, time(14, 30), UTC) for day in days(count, first)])
    return pd.DataFrame({"open": opening, "high": high, "low": low, "close": close, "volume": 1e6}, index=index)
