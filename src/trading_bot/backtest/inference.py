"""How far a backtest's figures may be luck: confidence intervals, p-values, and Sharpe ratios that know how many were tried.

Promises that the same seed gives the same numbers, and that a p-value is never 0. Refuses to say anything of fewer than
`LEAST_RETURNS` returns.

D. N. Politis and J. P. Romano, "The Stationary Bootstrap" (1994); B. Phipson and G. K. Smyth, "Permutation P-values Should Never Be
Zero" (2010); D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe Ratio" (2014).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trading_bot.backtest.statistics import ANNUAL_DAYS, DAYS_PER_YEAR, Curve, Floats, returns
from trading_bot.domain.values import Finite, Ratio, Record

LEAST_RETURNS = 30
"""Sessions (or trades) below which nothing is inferred."""
DRAWS = 2_000
"""Bootstrapped histories; the ends of a 95 % interval then rest on 50 draws each."""
FLIPS = 9_999
"""Random signs for a p-value; its standard error at 0.05 is 0.002."""
LEVEL = 0.95
_CHUNK = 2_000_000
"""Numbers held at once."""
_TIE = 1e-12
_RADEMACHER = 0.25 / (1 - NormalDist().cdf(math.sqrt(2)))
"""3.178: by how much the tail of weighted random signs may exceed the normal one."""
_EULER = 0.5772156649015329


class Interval(Record):
    """Where a figure lies, at `level`, if sessions like these came again."""

    low: Finite
    high: Finite
    level: Ratio = LEVEL


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Figures of bootstrapped histories, one value for each draw. An undefined one is NaN."""

    total_return: Floats
    cagr: Floats
    sharpe: Floats
    max_drawdown: Floats

    def intervals(self, level: float = LEVEL) -> dict[str, Interval]:
        """Percentile intervals (B. Efron, 1979) by figure; one that no draw defines is left out."""
        ends = ((1 - level) / 2, (1 + level) / 2)
        known = {name: values[np.isfinite(values)] for name, values in vars(self).items()}
        quantiles = {name: np.quantile(values, ends).tolist() for name, values in known.items() if len(values)}
        return {name: Interval(low=low, high=high, level=level) for name, (low, high) in quantiles.items()}


def bootstrap(curve: Curve, periods_per_year: int, *, seed: int, draws: int = DRAWS, block: float | None = None) -> Bootstrap | None:
    """Histories as long as `curve`, made of its sessions' returns by the stationary bootstrap. None below `LEAST_RETURNS`.

    `block`: mean length of what stays together, by default the cube root of the number of sessions, so that days of one mood do.
    """
    changes = returns(curve)
    if len(changes) < LEAST_RETURNS:
        return None
    rng = np.random.default_rng(seed)
    mean_block = block or len(changes) ** (1 / 3)
    size = len(changes)
    parts = [_figures(_resampled(rng, changes, n, mean_block), periods_per_year) for n in _chunks(draws, size)]
    totals, ratios, falls = (np.concatenate(column) for column in zip(*parts, strict=True))
    years = curve.calendar_days / DAYS_PER_YEAR
    grown = (1 + totals) ** (1 / years) - 1 if curve.calendar_days >= ANNUAL_DAYS else np.full(draws, np.nan)
    return Bootstrap(totals, grown, ratios, falls)


def _resampled(rng: np.random.Generator, changes: Floats, draws: int, block: float) -> Floats:
    """Histories [draws x returns]: blocks that begin anywhere, go round the end, and are of geometric length with mean `block`.

    One long history is cut into rows: as a geometric length has no memory, each row is a stationary bootstrap of its own.
    """
    size = draws * len(changes)
    begins = rng.random(size) < 1 / block
    begins[0] = True
    at = np.flatnonzero(begins)
    shift = rng.integers(0, len(changes), len(at)) - at
    return changes.take(np.arange(size) + np.repeat(shift, np.diff(at, append=size)), mode="wrap").reshape(draws, -1)


def _figures(histories: Floats, periods_per_year: int) -> tuple[Floats, Floats, Floats]:
    """Total return, Sharpe ratio and maximum drawdown of each row."""
    path = np.asarray(np.cumprod(1 + histories, axis=1), dtype=np.float64)
    peaks = np.maximum(np.maximum.accumulate(path, axis=1), 1.0)
    deviation = histories.std(axis=1, ddof=1)
    ratio = np.full(len(histories), np.nan)
    np.divide(histories.mean(axis=1) * math.sqrt(periods_per_year), deviation, out=ratio, where=deviation > _TIE)
    return path[:, -1] - 1, ratio, np.asarray((1 - path / peaks).max(axis=1), dtype=np.float64)


def _chunks(draws: int, size: int) -> Iterator[int]:
    most = max(1, _CHUNK // size)
    yield from (min(most, draws - begun) for begun in range(0, draws, most))


def sign_flip_p_value(values: Floats, *, seed: int, flips: int = FLIPS) -> float | None:
    """One-sided p-value of a mean above 0. Null: each value was as likely to come with the other sign.

    Exact for independent values that are symmetric about 0, whatever their sizes; that holds for the sessions of a strategy
    on a random walk, also where its position depends on the past. `(1 + flips as high) / (1 + flips)`: never 0. None
    below `LEAST_RETURNS` values, and where all are 0.
    """
    if len(values) < LEAST_RETURNS or not (scale := float(np.sqrt(np.sum(values**2)))):
        return None
    rng, weights = np.random.default_rng(seed), values / scale
    # A sum of flipped values is the sum of all less twice those that turned: it is as high where what turned is 0 or less.
    high = sum(int(np.count_nonzero(_turned(rng, n, weights) <= _TIE)) for n in _chunks(flips, len(weights)))
    return (1 + high) / (1 + flips)


def _turned(rng: np.random.Generator, draws: int, weights: Floats) -> Floats:
    """Sum of the values that get another sign, in each draw."""
    size = len(weights)
    bits = np.frombuffer(rng.bytes(draws * -(-size // 8)), dtype=np.uint8).reshape(draws, -1)
    return np.asarray(np.unpackbits(bits, axis=1, count=size) @ weights, dtype=np.float64)


def permutation_p_value(one: Floats, other: Floats, *, seed: int, draws: int = FLIPS) -> float | None:
    """Two-sided p-value of a difference of means. Null: whose value is whose was drawn by lot, as arms of a test are.

    `(1 + draws as far apart) / (1 + draws)`: never 0. None where either has fewer than `LEAST_RETURNS` values.
    """
    if min(len(one), len(other)) < LEAST_RETURNS:
        return None
    rng, both = np.random.default_rng(seed), np.concatenate([one, other])
    centred = both - both.mean()
    apart = abs(float(centred[: len(one)].sum())) - _TIE
    far = sum(int(np.count_nonzero(_drawn(rng, n, centred, len(one)) >= apart)) for n in _chunks(draws, len(both)))
    return (1 + far) / (1 + draws)


def _drawn(rng: np.random.Generator, draws: int, values: Floats, size: int) -> Floats:
    """How far the sum of `size` values, drawn by lot without return, lies from 0, in each draw."""
    lots = rng.permuted(np.broadcast_to(values, (draws, len(values))), axis=1)
    return np.asarray(np.abs(lots[:, :size].sum(axis=1)), dtype=np.float64)


def sign_flip_bound(values: Floats) -> float | None:
    """A bound that the exact p-value of `sign_flip_p_value` never exceeds, for p-values too small to be drawn. None as there.

    V. Bentkus and D. Dzindzalieta, "A tight Gaussian bound for weighted sums of Rademacher random variables" (2015):
    `P(sum of signs * weights >= x) <= 3.178 * P(normal >= x)` where the squares of the weights add up to 1.
    """
    if len(values) < LEAST_RETURNS or not (scale := float(np.sqrt(np.sum(values**2)))):
        return None
    return min(1.0, _RADEMACHER * 0.5 * math.erfc(float(np.sum(values)) / scale / math.sqrt(2)))


def sidak(p_value: float, trials: int) -> float:
    """P-value of the best of `trials`: `1 - (1 - p) ** trials` (Z. Sidak, 1967). Exact if they are independent, else too high."""
    return -math.expm1(trials * math.log1p(-p_value)) if p_value < 1 else 1.0


def probabilistic_sharpe(ratio: float, target: float, size: int, skewness: float, kurtosis: float) -> float:
    """Probability that the true Sharpe ratio is above `target`, both of one period, after `size` returns.

    `Phi((ratio - target) * sqrt(size - 1) / sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio ** 2))`; the kurtosis of a normal is 3.
    """
    variance = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    # By K. Pearson's inequality kurtosis >= 1 + skewness**2 the variance is a square or more; rounding may still take it below 0.
    return NormalDist().cdf((ratio - target) * math.sqrt(size - 1) / math.sqrt(max(variance, _TIE)))


def expected_best_sharpe(trials: int, variance: float) -> float:
    """Sharpe ratio to expect of the best of `trials` without skill, whose ratios vary by `variance`; 0 for one trial.

    `sqrt(variance) * ((1 - g) * Z(1 - 1 / trials) + g * Z(1 - 1 / (trials * e)))` with Euler's g and the normal quantile Z.
    """
    if trials <= 1:
        return 0.0
    normal = NormalDist()
    return math.sqrt(variance) * ((1 - _EULER) * normal.inv_cdf(1 - 1 / trials) + _EULER * normal.inv_cdf(1 - 1 / (trials * math.e)))


def deflated_sharpe(changes: Floats, trials: int = 1, variance: float | None = None) -> float | None:
    """Probability that the Sharpe ratio is above what the best of `trials` without skill would show; with one trial, above 0.

    `variance`: of the trials' Sharpe ratios, of one period (not annualised); without it, that of ratios without skill,
    `1 / (returns - 1)`. None below `LEAST_RETURNS` returns or without deviation.
    """
    size = len(changes)
    if size < LEAST_RETURNS or (deviation := float(np.std(changes))) <= _TIE:
        return None
    scores = (changes - changes.mean()) / deviation
    skewness, kurtosis = float(np.mean(scores**3)), float(np.mean(scores**4))
    ratio = float(changes.mean() / np.std(changes, ddof=1))
    best = expected_best_sharpe(trials, 1 / (size - 1) if variance is None else variance)
    return probabilistic_sharpe(ratio, best, size, skewness, kurtosis)
