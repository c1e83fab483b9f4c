"""A curve beside its benchmark, and the shape of its tails.

Promises what `statistics` promises: a figure is finite or None, never NaN or infinity. Refuses a benchmark of another length, and to
draw a line through fewer than `LEAST_RETURNS` points. The risk-free rate is 0.

M. C. Jensen, "The Performance of Mutual Funds in the Period 1945-1964" (1968); R. C. Grinold and R. N. Kahn, "Active Portfolio
Management" (1999); definitions of alpha, beta and tail ratio are empyrical's.
"""

import math
from collections.abc import Sequence

import numpy as np

from trading_bot.backtest.statistics import Curve, Floats, returns, sharpe, total_return, volatility
from trading_bot.domain.values import Finite, Record

LEAST_RETURNS = 3
"""Any two points lie on a line: its alpha would be no finding."""
LEAST_TAIL = 20
"""Returns below which the 5th percentile is a guess between the two worst."""
_NOISE = 1e-30
"""A variance below this is rounding error of equal returns."""


class Relative(Record):
    """How a curve stands to buy and hold. Shares are of 1."""

    excess_return: Finite | None
    """Total return less the benchmark's."""
    beta: Finite | None
    alpha: Finite | None
    """Annualised."""
    correlation: Finite | None
    tracking_error: Finite | None
    """Annualised deviation of the returns' differences."""
    information_ratio: Finite | None
    """Sharpe ratio of the returns' differences."""
    tail_ratio: Finite | None
    """Of the curve alone."""


def relative(curve: Curve, benchmark: Sequence[float] | Floats, periods_per_year: int = 252) -> Relative:
    """All figures of `curve` beside `benchmark`: what the same `curve.start` was worth there at each session's close.

    Raises ValueError unless there is one value for each session. Without a benchmark (length 0) only the tail ratio is known.
    """
    own, market, held = returns(curve), market_returns(curve, benchmark), hold(curve, benchmark)
    slope, active = beta(own, market), own - market if len(own) == len(market) else np.empty(0)
    gained, missed = total_return(curve), total_return(held)
    return Relative(
        excess_return=None if gained is None or missed is None else gained - missed,
        beta=slope,
        alpha=alpha(own, market, periods_per_year),
        correlation=_correlation(own, market),
        tracking_error=volatility(active, periods_per_year),
        information_ratio=sharpe(active, periods_per_year),
        tail_ratio=tail_ratio(own),
    )


def hold(curve: Curve, benchmark: Sequence[float] | Floats) -> Curve:
    """The benchmark as a curve of the same sessions and start, always fully in the market. Empty without a benchmark."""
    worth = np.asarray(benchmark, dtype=np.float64)
    if len(worth) and len(worth) != len(curve.sessions):
        msg = f"the benchmark has {len(worth)} values for {len(curve.sessions)} sessions; give its worth at each session's close"
        raise ValueError(msg)
    return Curve(curve.sessions if len(worth) else (), worth, worth, curve.start)


def market_returns(curve: Curve, benchmark: Sequence[float] | Floats) -> Floats:
    """Simple return of the benchmark in each session of `curve`; empty without a benchmark, or if it ever was worth 0."""
    return returns(hold(curve, benchmark))


def beta(own: Floats, market: Floats) -> float | None:
    """Slope of own returns on the market's, `cov / var`. None below `LEAST_RETURNS`, or where the market does not move."""
    if len(own) != len(market) or len(own) < LEAST_RETURNS:
        return None
    moves = market - market.mean()
    variance = float(np.mean(moves**2))
    return float(np.mean(moves * own)) / variance if variance > _NOISE else None


def unexplained(own: Floats, market: Floats) -> Floats | None:
    """Of each session, the own return less beta times the market's: what holding a share of the market does not explain. None as `beta`."""
    slope = beta(own, market)
    return None if slope is None else own - slope * market


def alpha(own: Floats, market: Floats, periods_per_year: int) -> float | None:
    """Jensen's alpha a year, compounded: `(1 + mean(own - beta * market)) ** periods - 1`.

    None as `beta`, and where a year of it has no number.
    """
    rest = unexplained(own, market)
    if rest is None or (mean := float(rest.mean())) <= -1:
        return None
    exponent = periods_per_year * math.log1p(mean)
    return math.expm1(exponent) if exponent < math.log(np.finfo(np.float64).max) else None


def tail_ratio(changes: Floats) -> float | None:
    """Gain at the 95th percentile by loss at the 5th, `|p95| / |p5|`: below 1 the bad days are worse than the good ones are good.

    None below `LEAST_TAIL` returns and where the 5th percentile is 0.
    """
    if len(changes) < LEAST_TAIL:
        return None
    low, high = np.abs(np.percentile(changes, (5, 95)))
    ratio = float(high / low) if low > 0 else math.inf
    return ratio if math.isfinite(ratio) else None


def _correlation(own: Floats, market: Floats) -> float | None:
    slope = beta(own, market)
    deviation = float(np.std(own)) if len(own) else 0.0
    return None if slope is None or deviation**2 <= _NOISE else max(-1.0, min(1.0, slope * float(np.std(market)) / deviation))
