"""Random walks, rules that trade them without skill, and the results that come of it, for tests of error rates.

A position held at a close earns the next session's return on all equity, without costs: fair games, unless an edge is planted.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from trading_bot.backtest.plan import Engine, Plan, Result
from trading_bot.backtest.statistics import Curve, performance
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, Symbol

Floats = npt.NDArray[np.float64]
SESSIONS = 504
DEVIATION = 0.012
START = 100_000.0
AAPL = Symbol("AAPL")
_MONDAY = date(2020, 1, 6)


def walk(rng: np.random.Generator, drift: float = 0.0, sessions: int = SESSIONS) -> Floats:
    """Returns of a market whose sessions know nothing of each other; `drift` is the mean of one, 0.0006 is 15 % a year."""
    return np.asarray(rng.normal(drift, DEVIATION, sessions), dtype=np.float64)


def at_random(rng: np.random.Generator, sessions: int = SESSIONS) -> Floats:
    """Long for five sessions on average, then out for five: entries by a coin."""
    turns = rng.random(sessions) < 0.2
    return np.asarray((np.cumsum(turns) + rng.integers(2)) % 2, dtype=np.float64)


def crossing(market: Floats, fast: int = 3, slow: int = 9) -> Floats:
    """Long while the mean price of `fast` closes is above that of `slow`, else short."""
    price = np.cumsum(np.log1p(market))
    padded = np.concatenate((np.full(slow, 0.0), price))
    means = [np.convolve(padded, np.full(n, 1 / n))[slow : slow + len(price)] for n in (fast, slow)]
    return np.where(means[0] > means[1], 1.0, -1.0)


def small_wins(market: Floats, target: float = 0.01, stop: float = -0.06) -> Floats:
    """Long until +1 % or -6 %, then one session out: nearly all trades win, few lose much."""
    position, gained = np.zeros(len(market)), 0.0
    for n in range(1, len(market)):
        gained = gained + market[n] if position[n - 1] else 0.0
        position[n] = 0.0 if gained >= target or gained <= stop else 1.0
    return position


def gifted(rng: np.random.Generator, market: Floats, right: float) -> Floats:
    """Long for a session before which it guessed a rise; a guess is `right` with that probability. A planted edge."""
    ahead = np.append(market[1:], 0.0) > 0
    return np.asarray(np.where(rng.random(len(market)) < right, ahead, ~ahead), dtype=np.float64)


def earned(market: Floats, position: Floats) -> Floats:
    """Return of each session of who held `position` (share of equity, negative is short) at the close before."""
    return np.concatenate(([0.0], position[:-1])) * market


def result(market: Floats, position: Floats, *, benchmark: bool = True) -> Result:
    """What an engine would have handed over, with buy and hold beside it."""
    sessions = tuple(_MONDAY + timedelta(days=n // 5 * 7 + n % 5) for n in range(len(market)))
    equity = np.asarray(START * np.cumprod(1 + earned(market, position)), dtype=np.float64)
    curve = Curve(sessions, equity, np.abs(position) * equity, START)
    trades = _trades(curve, np.asarray(START * np.cumprod(1 + market)), position)
    return Result(
        engine=Engine.VECTOR,
        plan=Plan(strategy="walk", values={}, symbols=(AAPL,), first=sessions[0], last=sessions[-1], share=Decimal(1), reserve=Decimal(0)),
        start=Decimal(START),
        sessions=sessions,
        equity=tuple(equity.tolist()),
        exposure=tuple(curve.exposure.tolist()),
        benchmark=tuple((START * np.cumprod(1 + market)).tolist()) if benchmark else (),
        trades=trades,
        performance=performance(curve, trades),
    )


def _trades(curve: Curve, prices: Floats, position: Floats) -> tuple[RoundTrip, ...]:
    """One for each run of an equal position that ended."""
    turns = np.flatnonzero(np.diff(position)) + 1
    begins = [0, *turns.tolist()]
    return tuple(_trade(curve, prices, b, e, int(position[b])) for b, e in zip(begins, turns.tolist(), strict=False) if position[b])


def _trade(curve: Curve, prices: Floats, begin: int, end: int, sign: int) -> RoundTrip:
    worth, price = curve.equity[begin], prices[begin]
    profit = _exact(curve.equity[end] - worth)
    entry, quantity = _exact(price), _exact(worth / price)
    return RoundTrip(
        symbol=AAPL,
        side=Side.BUY if sign > 0 else Side.SELL,
        quantity=quantity,
        entry_price=entry,
        exit_price=_exact(float(entry) + sign * float(profit / quantity)),
        opened_at=datetime.combine(curve.sessions[begin], time(21), UTC),
        closed_at=datetime.combine(curve.sessions[end], time(21), UTC),
        profit=profit,
        fees=Decimal(0),
        entry_order=ClientOrderId("desk-entry"),
        exit_role=OrderRole.CLOSE,
    )


def _exact(value: float) -> Decimal:
    return Decimal(repr(round(float(value), 6)))
