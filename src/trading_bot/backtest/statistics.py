"""Statistics of an equity curve, of closed trades and of what they cost.

Promises that a figure is finite or None, never NaN or infinity: None says that there is too little data, or that the figure is
not defined (each says when). Annual figures need `ANNUAL_DAYS` calendar days. Refuses to know a risk-free rate: it is 0.

Definitions are those of quantstats and empyrical unless said otherwise; W. F. Sharpe, "The Sharpe Ratio" (1994); F. Sortino and
L. Price, "Performance Measurement in a Downside Risk Framework" (1994); T. W. Young, "Calmar Ratio" (1991).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Self

import numpy as np
import numpy.typing as npt

from trading_bot.domain.orders import Fill
from trading_bot.domain.records import CLOSE, EquityPoint
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, Amount, Finite, NonNegative, Ratio, Record

Floats = npt.NDArray[np.float64]

DAYS_PER_YEAR = 365.25
ANNUAL_DAYS = 30
"""Calendar days below which nothing is annualised: a lucky day would read as a fortune."""
_CENT = Decimal("0.01")
_NOISE = 1e-12
"""A deviation below this is rounding error of equal returns, not risk."""


@dataclass(frozen=True, eq=False)
class Curve:
    """An account over time: worth `start` before the opening of the first session, then one point at each session's close.

    `equity` and `exposure` (sum of absolute market values) are float64 of the length of `sessions`, in the account's currency.
    """

    sessions: tuple[date, ...]
    equity: Floats
    exposure: Floats
    start: float

    @classmethod
    def of(cls, points: Iterable[EquityPoint], start: Decimal) -> Self:
        """The curve of the `close` points among `points`, by session; `start` is the equity before them."""
        ends = closes(points)
        return cls(
            tuple(p.session for p in ends),
            np.array([float(p.equity) for p in ends], dtype=np.float64),
            np.array([float(p.exposure) for p in ends], dtype=np.float64),
            float(start),
        )

    @property
    def path(self) -> Floats:
        """`start`, then the closes."""
        return np.concatenate(([self.start], self.equity))

    @property
    def calendar_days(self) -> int:
        """Calendar days from the first session to the last, both included."""
        return (self.sessions[-1] - self.sessions[0]).days + 1 if self.sessions else 0


class Performance(Record):
    """What a period earned, risked, traded and cost. Shares are of 1 (0.05 is 5 %)."""

    sessions: int
    profit: Amount
    """Last equity less the first, with open positions at their marks; deposits in between would count."""
    total_return: Finite | None
    cagr: Finite | None
    volatility: Finite | None
    sharpe: Finite | None
    sortino: Finite | None
    calmar: Finite | None
    max_drawdown: Finite | None
    max_drawdown_sessions: int
    trades: int
    win_rate: Ratio | None
    profit_factor: Finite | None
    expectancy: Amount | None
    average_win: Amount | None
    average_loss: Amount | None
    exposure: Finite | None
    time_in_market: Ratio | None
    turnover: Finite | None
    costs: Amount
    """Fees of all fills; slippage and spread are inside the prices."""


class TradeStatistics(Record):
    """Closed trades in numbers, after fees. A trade that broke even is neither won nor lost."""

    trades: int
    wins: int
    losses: int
    gross_profit: NonNegative
    gross_loss: NonNegative
    win_rate: Ratio | None
    """Won trades by all; None without trades."""
    profit_factor: Finite | None
    """Gross profit by gross loss; None without losses, where it would be infinite."""
    expectancy: Amount | None
    """Mean profit of a trade, to the cent; None without trades."""
    average_win: Amount | None
    average_loss: Amount | None
    """Mean loss of the lost trades, a negative amount; None without losses."""


def performance(curve: Curve, trades: Sequence[RoundTrip] = (), fills: Sequence[Fill] = (), *, periods_per_year: int = 252) -> Performance:
    """All figures of one period.

    `trades`: those closed in it. `fills`: those executed in it. `periods_per_year`: 252 for an exchange, 365 for a 24/7 market.
    """
    changes = returns(curve)
    depth, length = max_drawdown(curve)
    closed = trade_statistics(trades)
    return Performance(
        sessions=len(curve.sessions),
        profit=_cents(Decimal(repr(float(curve.path[-1] - curve.start)))),
        total_return=total_return(curve),
        cagr=cagr(curve),
        volatility=volatility(changes, periods_per_year),
        sharpe=sharpe(changes, periods_per_year),
        sortino=sortino(changes, periods_per_year),
        calmar=calmar(curve),
        max_drawdown=depth,
        max_drawdown_sessions=length,
        exposure=exposure(curve),
        time_in_market=float(np.mean(curve.exposure > 0)) if curve.sessions else None,
        turnover=turnover(curve, fills),
        costs=sum((f.fee for f in fills), ZERO),
        **closed.model_dump(include={"trades", "win_rate", "profit_factor", "expectancy", "average_win", "average_loss"}),
    )


def closes(points: Iterable[EquityPoint]) -> list[EquityPoint]:
    """The points that stand for their sessions, by session."""
    return sorted((p for p in points if p.label == CLOSE), key=lambda p: p.session)


def returns(curve: Curve) -> Floats:
    """Simple return of each session, the first against `start`. Empty if equity ever was 0 or less: then none is defined."""
    path = curve.path
    return path[1:] / path[:-1] - 1 if (path > 0).all() else np.empty(0)


def total_return(curve: Curve) -> float | None:
    """Last equity by `start`, less 1. None without a session or without capital."""
    return float(curve.equity[-1]) / curve.start - 1 if curve.sessions and curve.start > 0 else None


def cagr(curve: Curve) -> float | None:
    """Compound annual growth rate, `(last / start) ** (365.25 / calendar days) - 1`, both ends of the period included.

    None below `ANNUAL_DAYS` and after a loss of more than everything.
    """
    gained = total_return(curve)
    if gained is None or gained < -1 or curve.calendar_days < ANNUAL_DAYS:
        return None
    return float((1 + gained) ** (DAYS_PER_YEAR / curve.calendar_days) - 1)


def volatility(changes: Floats, periods_per_year: int) -> float | None:
    """Annualised sample deviation of returns, `std(ddof=1) * sqrt(periods)`. None below two returns."""
    return float(np.std(changes, ddof=1)) * math.sqrt(periods_per_year) if len(changes) > 1 else None


def sharpe(changes: Floats, periods_per_year: int) -> float | None:
    """Sharpe ratio with a risk-free rate of 0, `mean / std(ddof=1) * sqrt(periods)`. None below two returns or without deviation."""
    if len(changes) < 2:  # noqa: PLR2004 - a deviation needs two
        return None
    return _by(float(np.mean(changes)) * math.sqrt(periods_per_year), float(np.std(changes, ddof=1)))


def sortino(changes: Floats, periods_per_year: int) -> float | None:
    """Sortino ratio with a target of 0, `mean / sqrt(mean(min(r, 0)**2)) * sqrt(periods)`, over all returns.

    None below two returns or without a falling session.
    """
    if len(changes) < 2:  # noqa: PLR2004 - as for the Sharpe ratio
        return None
    downside = math.sqrt(float(np.mean(np.minimum(changes, 0) ** 2)))
    return _by(float(np.mean(changes)) * math.sqrt(periods_per_year), downside)


def max_drawdown(curve: Curve) -> tuple[float | None, int]:
    """Greatest fall of equity from a peak at closes, as a positive share of the peak, and how long it lasted.

    The length counts sessions from the peak to the first close at or above it, or to the last session. (0.0, 0) if equity
    never fell, None without a session or without capital. `start` is a peak too.
    """
    path = curve.path
    if not curve.sessions or curve.start <= 0:
        return None, 0
    peaks = np.maximum.accumulate(path)
    falls = 1 - path / peaks
    bottom = int(np.argmax(falls))
    if falls[bottom] <= 0:
        return 0.0, 0
    peak = int(np.flatnonzero(path[:bottom] == peaks[bottom])[-1])
    recovered = np.flatnonzero(path[bottom:] >= peaks[bottom])
    end = bottom + int(recovered[0]) if len(recovered) else len(path) - 1
    return float(falls[bottom]), end - peak


def calmar(curve: Curve) -> float | None:
    """CAGR by maximum drawdown, over the whole period. None where either is, or without a drawdown."""
    growth, (fall, _) = cagr(curve), max_drawdown(curve)
    return None if growth is None or fall is None else _by(growth, fall)


def exposure(curve: Curve) -> float | None:
    """Mean over closes of exposure by equity (above 1 with leverage). None if equity ever was 0 or less."""
    return float(np.mean(curve.exposure / curve.equity)) if curve.sessions and (curve.equity > 0).all() else None


def turnover(curve: Curve, fills: Iterable[Fill]) -> float | None:
    """Traded value (purchases and sales) by mean equity, per year. None below `ANNUAL_DAYS` or without equity."""
    if curve.calendar_days < ANNUAL_DAYS:
        return None
    traded = float(sum((f.quantity * f.price for f in fills), ZERO))
    return _by(traded * DAYS_PER_YEAR / curve.calendar_days, float(np.mean(curve.equity)))


def trade_statistics(trades: Iterable[RoundTrip]) -> TradeStatistics:
    """Count and average closed trades (R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2008)."""
    profits = [t.profit for t in trades]
    won, lost = [p for p in profits if p > 0], [p for p in profits if p < 0]
    gained, given = sum(won, ZERO), -sum(lost, ZERO)
    return TradeStatistics(
        trades=len(profits),
        wins=len(won),
        losses=len(lost),
        gross_profit=gained,
        gross_loss=given,
        win_rate=len(won) / len(profits) if profits else None,
        profit_factor=float(gained / given) if given else None,
        expectancy=_mean(profits),
        average_win=_mean(won),
        average_loss=_mean(lost),
    )


def _mean(amounts: Sequence[Decimal]) -> Decimal | None:
    return _cents(sum(amounts, ZERO) / len(amounts)) if amounts else None


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT)


def _by(value: float, divisor: float) -> float | None:
    return value / divisor if divisor > _NOISE else None
