"""Intervals, p-values and deflated Sharpe ratios: published examples, exact small cases, and error rates on noise."""

import math
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.backtest.inference import (
    Bootstrap,
    bootstrap,
    deflated_sharpe,
    expected_best_sharpe,
    probabilistic_sharpe,
    sidak,
    sign_flip_bound,
    sign_flip_p_value,
)
from trading_bot.backtest.statistics import Curve, Floats, sharpe

FIRST = date(2022, 1, 3)


def curve(changes: Floats) -> Curve:
    """100 that changed so, on every calendar day from 2022-01-03 on."""
    equity = np.asarray(100 * np.cumprod(1 + changes), dtype=np.float64)
    return Curve(tuple(FIRST + timedelta(days=n) for n in range(len(changes))), equity, equity, 100.0)


def noise(seed: int, size: int = 250, mean: float = 0.0) -> Floats:
    """Normal returns of 1 % deviation."""
    return np.asarray(np.random.default_rng(seed).normal(mean, 0.01, size), dtype=np.float64)


@pytest.mark.parametrize(("trials", "wanted"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_sharpe_ratio_of_the_paper_comes_out(trials: int, wanted: float) -> None:
    """Bailey and Lopez de Prado (2014): 2.5 a year over 1250 days of 250 a year, skewness -3, kurtosis 10, trials vary by 1/2 a year."""
    best = expected_best_sharpe(trials, 0.5 / 250)
    assert probabilistic_sharpe(2.5 / math.sqrt(250), best, 1250, -3, 10) == pytest.approx(wanted, abs=5e-5)
    assert trials != 100 or best == pytest.approx(0.1132, abs=5e-5)


def test_the_probabilistic_sharpe_ratio_of_normal_returns_is_the_normal_tail() -> None:
    """0.1 a session over 101, normal: 0.1 * 10 / sqrt(1 + 0.005) = 0.9975, and Phi(0.9975) = 0.8407."""
    assert probabilistic_sharpe(0.1, 0, 101, 0, 3) == pytest.approx(0.8407, abs=5e-5)
    assert probabilistic_sharpe(0.1, 0.1, 101, 0, 3) == 0.5


def test_more_trials_deflate_more_and_one_trial_is_held_against_zero() -> None:
    """A good year alone; as the best of 10, and of 1000, it is less and less."""
    good = noise(3, mean=0.001)
    alone, ten, thousand = (deflated_sharpe(good, trials) for trials in (1, 10, 1000))
    assert alone is not None
    assert ten is not None
    assert thousand is not None
    assert alone > ten > thousand
    scores = (good - good.mean()) / good.std()
    ratio = good.mean() / good.std(ddof=1)
    assert alone == probabilistic_sharpe(ratio, 0, 250, float(np.mean(scores**3)), float(np.mean(scores**4)))


def test_the_best_of_many_trials_without_skill_is_as_good_as_expected() -> None:
    """1000 times the highest of 100 normal numbers: the mean is the formula's 2.53 to within 0.05."""
    found = np.random.default_rng(1).normal(size=(1000, 100)).max(axis=1).mean()
    assert expected_best_sharpe(100, 1.0) == pytest.approx(found, abs=0.05)
    assert expected_best_sharpe(1, 1.0) == 0


def test_a_p_value_is_the_share_of_all_sign_patterns_as_high() -> None:
    """Ten values that count and twenty of nothing: drawn p is that of all 1024 patterns, to 3 standard errors of 9,999 draws."""
    values = np.array([5, 4, 3, -2, 6, 1, -1, 2, 2, -3] + [0] * 20, dtype=np.float64)
    exact = np.mean([np.dot(signs, np.abs(values[:10])) >= values.sum() for signs in product((-1, 1), repeat=10)])
    drawn = sign_flip_p_value(values, seed=1)
    assert drawn == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / 9_999))


def test_a_p_value_is_never_zero_and_never_above_one() -> None:
    """Thirty equal gains: no draw is as high, and (1 + 0) / (1 + 999) stays. Thirty equal losses: all are."""
    assert sign_flip_p_value(np.ones(30), seed=1, flips=999) == 0.001
    assert sign_flip_p_value(-np.ones(30), seed=1, flips=999) == 1
    assert sign_flip_bound(-np.ones(30)) == 1


def test_on_noise_five_of_a_hundred_p_values_are_below_a_twentieth() -> None:
    """2000 series without a mean: the share is within 4 standard errors (0.0049 each) of 0.05."""
    rng = np.random.default_rng(5)
    small = [p < 0.05 for n in range(2000) if (p := sign_flip_p_value(rng.normal(size=40), seed=n, flips=199)) is not None]
    assert np.mean(small) == pytest.approx(0.05, abs=0.0195)


def test_a_bet_that_doubles_after_each_loss_does_not_fool_the_p_value() -> None:
    """The sizes of 2000 series depend on what was lost before, and most end above their start; p below 0.05 stays at 5 % or less."""
    rng = np.random.default_rng(6)
    found = []
    for n in range(2000):
        bet, values = 1.0, np.empty(40)
        for k, sign in enumerate(rng.choice((-1, 1), 40)):
            values[k] = sign * bet
            bet = 1.0 if sign > 0 else min(16.0, 2 * bet)
        found.append((values.sum() > 0, sign_flip_p_value(values, seed=n, flips=199) or 1))
    assert np.mean([won for won, _ in found]) > 0.6
    assert np.mean([p < 0.05 for _, p in found]) <= 0.0646  # 3 standard errors above 0.05


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=10))
def test_the_bound_is_above_the_exact_p_value(values: list[float]) -> None:
    """All 1024 patterns of ten values, and twenty of nothing so that the sample is long enough."""
    padded = np.array(values + [0.0] * 20)
    patterns = np.array(list(product((-1, 1), repeat=10)))
    bound = sign_flip_bound(padded)
    exact = float(np.mean(patterns @ np.abs(padded[:10]) >= padded.sum() - 1e-12))
    assert bound is None or bound >= exact - 1e-9


def test_the_bound_of_ten_to_one_is_the_normal_tail_times_three() -> None:
    """100 equal gains are 10 deviations: 3.178 * Phi(-10) = 3.178 * 7.6199e-24."""
    assert sign_flip_bound(np.ones(100)) == pytest.approx(3.178 * 7.6199e-24, rel=1e-3)


def test_the_best_of_twenty_has_twenty_chances() -> None:
    """1 - 0.95 ** 20 = 0.6415; of p-values as small as 1e-18 nothing is lost to rounding."""
    assert sidak(0.05, 20) == pytest.approx(0.6415, abs=5e-5)
    assert sidak(1e-18, 1000) == pytest.approx(1e-15)
    assert sidak(1.0, 3) == 1


def test_an_interval_holds_the_true_figure_about_as_often_as_it_says() -> None:
    """300 samples of 250 sessions whose true Sharpe ratio is 1.5875 a year (0.1 a session): 95 % intervals hold it in 90 to 98 of 100."""
    held = []
    for seed in range(300):
        drawn = bootstrap(curve(noise(seed, mean=0.001)), 252, seed=seed, draws=200)
        assert drawn is not None
        found = drawn.intervals()["sharpe"]
        held.append(found.low <= 0.1 * math.sqrt(252) <= found.high)
    assert 0.90 <= np.mean(held) <= 0.98


def test_blocks_keep_what_follows_each_other_together() -> None:
    """Gains and losses in turns of 25: with blocks of 25 the total return is far less certain than with single sessions.

    The variance of a sum of blocks of mean length 25 is some 8 times that of single sessions; what is compounded is less wide apart.
    """
    changes = np.where(np.arange(500) // 25 % 2, 0.01, -0.01) + noise(2, 500) / 10
    wide, narrow = (_width(changes, block) for block in (25, 1))
    assert wide > 1.8 * narrow


def _width(changes: Floats, block: float) -> float:
    drawn = bootstrap(curve(changes), 252, seed=1, block=block)
    assert drawn is not None
    found = drawn.intervals()["total_return"]
    return found.high - found.low


def test_bootstrapped_figures_are_those_of_their_histories() -> None:
    """Equal gains of 1 %: every history is the recorded one. 60 days: 1.01 ** 60 - 1, a year of it, no fall, no Sharpe ratio."""
    drawn = bootstrap(curve(np.full(60, 0.01)), 252, seed=1, draws=50)
    assert drawn is not None
    assert drawn.total_return == pytest.approx(np.full(50, 1.01**60 - 1))
    assert drawn.cagr == pytest.approx(np.full(50, 1.01**365.25 - 1))
    assert drawn.max_drawdown == pytest.approx(np.zeros(50))
    assert set(drawn.intervals()) == {"total_return", "cagr", "max_drawdown"}


def test_an_interval_lies_between_the_quantiles_of_the_draws() -> None:
    """0 to 100 in ones: 95 % of them lie from 2.5 to 97.5."""
    steps = np.arange(101.0)
    found = Bootstrap(steps, steps, steps, steps).intervals()["cagr"]
    assert [found.low, found.high, found.level] == pytest.approx([2.5, 97.5, 0.95])


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    """Draws of two seeds differ, and yet their means agree: the Sharpe ratio of the sample to 0.1."""
    changes = noise(1)
    first, again, other = (bootstrap(curve(changes), 252, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    assert (first.sharpe == again.sharpe).all()
    assert (first.sharpe != other.sharpe).any()
    assert first.sharpe.mean() == pytest.approx(sharpe(changes, 252), abs=0.1)


@pytest.mark.parametrize(
    "reckon",
    [
        lambda changes: sign_flip_p_value(changes, seed=1),
        sign_flip_bound,
        deflated_sharpe,
        lambda changes: bootstrap(curve(changes), 252, seed=1),
    ],
)
def test_of_twenty_nine_values_nothing_is_said(reckon: Callable[[Floats], object]) -> None:
    """And of thirty it is."""
    assert reckon(noise(1, 29)) is None
    assert reckon(noise(1, 30)) is not None


def test_of_an_account_that_never_moved_nothing_is_said() -> None:
    """All returns 0: no p-value, no Sharpe ratio."""
    still = np.zeros(50)
    assert (sign_flip_p_value(still, seed=1), sign_flip_bound(still), deflated_sharpe(still)) == (None, None, None)
