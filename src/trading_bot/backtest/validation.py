"""Whether a result deserves trust: a verdict with every check behind it, intervals, and a risk score.

Promises to say yes to at most `ALPHA` of the results that luck alone made, also where the best of `trials` was picked; that a
check which cannot be reckoned does not pass and says why; and that the same result and seed give the same record. Refuses to
guess how many trials there were: whoever asks says so. Thresholds, error rates and the risk table are in `docs/validation.md`.
"""

from collections.abc import Sequence

import numpy as np

from trading_bot.backtest.inference import (
    DRAWS,
    FLIPS,
    LEAST_RETURNS,
    Interval,
    bootstrap,
    deflated_sharpe,
    sidak,
    sign_flip_bound,
    sign_flip_p_value,
)
from trading_bot.backtest.plan import Result
from trading_bot.backtest.relative import market_returns, unexplained
from trading_bot.backtest.risk_score import CLASSES, Measured, Risk, RiskClass, risk_class, risks
from trading_bot.backtest.statistics import Floats, max_drawdown, returns, sharpe, trade_statistics, volatility
from trading_bot.domain.values import Finite, Ratio, Record

TRADES = 30
ALPHA = 0.05
WIN_RATE = 0.4
SHARPE = 0.5
_MOST_DRAWN = 50
"""Trials up to which p-values are drawn; beyond, the drawn ones are too coarse for what has to be told apart, and are bounded."""


class Check(Record):
    """One condition of the verdict."""

    name: str
    wanted: str
    actual: Finite | None
    """None if it cannot be reckoned: then it does not pass."""
    passed: bool
    reason: str


class Validation(Record):
    """How far to trust a result."""

    passed: bool
    """Whether every check did."""
    checks: tuple[Check, ...]
    trials: int
    """Of which the result is the best."""
    p_value: Ratio | None
    """The higher one of the two checks', corrected for `trials`; None if either is not known."""
    deflated_sharpe: Ratio | None
    """Probability that the Sharpe ratio is better than the best of that many trials without skill."""
    intervals: dict[str, Interval]
    """Of total_return, cagr, sharpe and max_drawdown, by the stationary bootstrap; empty with too few sessions."""
    risk_score: Finite
    """0 to 100."""
    risk_class: RiskClass
    risks: tuple[Risk, ...]
    reasons: tuple[str, ...]
    """In plain words, what speaks against the result; empty if it passed."""
    seed: int


def validate(  # noqa: PLR0913 - how the result was found, and how exactly to reckon
    result: Result, *, trials: int = 1, trial_sharpes: Sequence[float] = (), seed: int, flips: int = FLIPS, draws: int = DRAWS
) -> Validation:
    """Judge `result`, the best of `trials` that were run (a sweep's cells, a study's trials) or the only one.

    `trial_sharpes`: annualised Sharpe ratios of all of them, for the deflated one; their number counts where it is higher than `trials`.
    `flips`: random signs for each p-value up to `_MOST_DRAWN` trials; `draws`: bootstrapped histories. Raises ValueError
    if `trials` is below 1.
    """
    if trials < 1:
        msg = f"trials is {trials}; the result itself is one, and every other variant that was looked at counts too"
        raise ValueError(msg)
    tried, year = max(trials, len(trial_sharpes)), result.periods_per_year
    changes, curve = returns(result.curve), result.curve
    deflated = deflated_sharpe(changes, tried, _variance(trial_sharpes, year))
    found = risks(
        Measured(
            max_drawdown=max_drawdown(curve)[0] if len(changes) else None,
            volatility=volatility(changes, year),
            changes=changes,
            trades=result.trades,
            deflated_sharpe=deflated,
            curve=curve,
        )
    )
    score = sum(risk.points for risk in found)
    checks = (*_of_trades(result), _of_sharpe(changes, year), *_of_luck(result, tried, seed, flips), _of_risk(score))
    chances = [check.actual for check in checks if check.name in _LUCK]
    drawn = bootstrap(curve, year, seed=seed, draws=draws)
    return Validation(
        passed=all(check.passed for check in checks),
        checks=checks,
        trials=tried,
        p_value=None if None in chances else max(p for p in chances if p is not None),
        deflated_sharpe=deflated,
        intervals={} if drawn is None else drawn.intervals(),
        risk_score=score,
        risk_class=risk_class(score),
        risks=found,
        reasons=tuple(check.reason for check in checks if not check.passed),
        seed=seed,
    )


def _variance(trial_sharpes: Sequence[float], year: int) -> float | None:
    """Of the trials' Sharpe ratios, of one session; None where there are not two."""
    return float(np.var(trial_sharpes, ddof=1)) / year if len(trial_sharpes) > 1 else None


def _check(name: str, wanted: str, actual: float | None, passed: bool, reason: str) -> Check:  # noqa: FBT001 - the outcome itself
    return Check(name=name, wanted=wanted, actual=actual, passed=passed, reason=reason)


def _unknown(name: str, wanted: str, why: str) -> Check:
    return _check(name, wanted, None, passed=False, reason=f"{name}: not known, because {why}")


def _few(result: Result) -> str | None:
    """Why nothing can be said of the trades, or None."""
    count = len(result.trades)
    return (
        f"{count} closed trades are too few; {TRADES} or more are needed: test a longer period or more symbols" if count < TRADES else None
    )


def _of_trades(result: Result) -> tuple[Check, Check]:
    count, few = len(result.trades), _few(result)
    many = _check("closed trades", f"{TRADES} or more", count, few is None, few or f"{count} closed trades")
    wanted = f"above {WIN_RATE:.0%}"
    rate = trade_statistics(result.trades).win_rate
    if few is not None or rate is None:
        return many, _unknown("win rate", wanted, few or "there is no trade")
    return many, _check("win rate", wanted, rate, rate > WIN_RATE, f"{rate:.1%} of the trades won; wanted is {wanted}")


def _of_sharpe(changes: Floats, year: int) -> Check:
    name, wanted = "Sharpe ratio", f"above {SHARPE:g}"
    if (short := _short(changes)) is not None:
        return _unknown(name, wanted, short)
    ratio = sharpe(changes, year)
    if ratio is None:
        return _unknown(name, wanted, "equity never moved")
    return _check(name, wanted, ratio, ratio > SHARPE, f"the Sharpe ratio is {ratio:.2f}; wanted is {wanted}")


def _short(changes: Floats) -> str | None:
    """Why nothing can be said of the sessions, or None."""
    if len(changes) >= LEAST_RETURNS:
        return None
    return f"there are {len(changes)} sessions with a return; {LEAST_RETURNS} or more are needed, and equity that never was 0 or less"


_TRADES_BY_LUCK, _SKILL_BY_LUCK = "p-value of the trades", "p-value against the market"
_LUCK = (_TRADES_BY_LUCK, _SKILL_BY_LUCK)


def _of_luck(result: Result, trials: int, seed: int, flips: int) -> tuple[Check, Check]:
    """Both have to hold: trades that won by more than luck, and sessions that a held share of the market does not explain."""
    own, market = returns(result.curve), market_returns(result.curve, result.benchmark)
    rest = unexplained(own, market)
    unheld = "there is no buy and hold of a moving market beside it, and a rising market would pass for skill"
    gains = np.array([trade.return_on_cost for trade in result.trades])
    few = _few(result)
    return (
        _of_chance(_TRADES_BY_LUCK, gains, few, trials, seed, flips),
        _of_chance(
            _SKILL_BY_LUCK,
            np.empty(0) if rest is None else rest,
            few or _short(own) or (unheld if rest is None else None),
            trials,
            seed,
            flips,
        ),
    )


def _of_chance(name: str, values: Floats, unknown: str | None, trials: int, seed: int, flips: int) -> Check:  # noqa: PLR0913, PLR0917 - one row of the table
    wanted = f"below {ALPHA:g}"
    if unknown is not None:
        return _unknown(name, wanted, unknown)
    single = sign_flip_p_value(values, seed=seed, flips=flips) if trials <= _MOST_DRAWN else sign_flip_bound(values)
    if single is None:
        return _unknown(name, wanted, "every value is 0")
    chance = sidak(single, trials)
    of = "" if trials == 1 else f" in the best of {trials} trials"
    return _check(
        name, wanted, chance, chance < ALPHA, f"{name}: luck alone shows as much with a probability of {chance:.3g}{of}; wanted is {wanted}"
    )


def _of_risk(score: float) -> Check:
    least = next(points for points, name in CLASSES if name is RiskClass.UNACCEPTABLE)
    return _check("risk score", f"below {least:g}", score, score < least, f"the risk score is {score:.0f} of 100, {risk_class(score)}")
