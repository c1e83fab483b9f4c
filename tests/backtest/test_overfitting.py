"""Probability of backtest overfitting on noise, skill and a case by hand; splits whose training knows nothing of the test."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.backtest.overfitting import overfitting, purged_splits
from trading_bot.domain.errors import ResearchError

START = datetime(2024, 1, 1, tzinfo=UTC)


def moment(day: int) -> datetime:
    """Midnight of a day counted from 2024-01-01."""
    return START + timedelta(days=day)


def test_two_halves_by_hand() -> None:
    """Trial A gains 1 and 3, then -2 and 0; B gains 0 and 1, then 1 and 4. Of a half, mean by deviation: A 2 / sqrt(2), then -1 / sqrt(2);
    B 0.5 / sqrt(0.5), then 2.5 / sqrt(4.5). Picked in the first half is A, last of two in the second: rank 1/3, logit log(1/2). Picked in
    the second is B, last in the first. So both picks failed: 100 %; A lost money, B did not.
    """  # noqa: D205 - one calculation
    found = overfitting([[1, 0], [3, 1], [-2, 1], [0, 4]], groups=2)
    assert found.pbo == 1
    assert found.logits == pytest.approx([math.log(0.5)] * 2)
    assert found.inside == pytest.approx([2 / math.sqrt(2), 2.5 / math.sqrt(4.5)])
    assert found.outside == pytest.approx([-1 / math.sqrt(2), 0.5 / math.sqrt(0.5)])
    rise, run = 1 / math.sqrt(2) + 0.5 / math.sqrt(0.5), 2.5 / math.sqrt(4.5) - 2 / math.sqrt(2)
    assert found.slope == pytest.approx(rise / run)
    assert found.loss == 0.5


def test_sixteen_groups_are_halved_in_12870_ways() -> None:
    """As the paper says; every logit has its way."""
    assert len(overfitting(np.random.default_rng(1).normal(size=(64, 3))).logits) == 12_870


def test_picking_the_best_of_noise_is_a_coin_toss_out_of_sample() -> None:
    """40 matrices of 50 trials without skill: the mean probability is 0.5 to within 0.1, and the slope is below 0 in most."""
    rng = np.random.default_rng(2)
    found = [overfitting(rng.normal(size=(240, 50)), groups=8) for _ in range(40)]
    assert np.mean([f.pbo for f in found]) == pytest.approx(0.5, abs=0.1)
    assert np.mean([f.slope is not None and f.slope < 0 for f in found]) > 0.8


def test_a_trial_with_skill_among_noise_is_no_overfitting() -> None:
    """One of 50 has a mean of half a deviation: it is picked, and holds, in nearly every half."""
    matrix = np.random.default_rng(3).normal(size=(240, 50))
    matrix[:, 7] += 0.5
    found = overfitting(matrix, groups=8)
    assert found.pbo < 0.02
    assert found.loss < 0.02


def test_trials_that_are_all_the_same_are_neither_good_nor_bad() -> None:
    """Every rank is the middle, every logit 0; picking says nothing, and counts as overfitting."""
    found = overfitting(np.repeat(np.random.default_rng(4).normal(size=(64, 1)), 5, axis=1), groups=4)
    assert found.logits == pytest.approx(np.zeros(6))
    assert found.pbo == 1


def test_periods_that_fill_no_group_are_left_out_at_the_beginning() -> None:
    """Nine periods in four groups: the first one does not count."""
    matrix = np.random.default_rng(5).normal(size=(9, 3))
    assert (overfitting(matrix, groups=4).outside == overfitting(matrix[1:], groups=4).outside).all()


@pytest.mark.parametrize(
    ("matrix", "groups", "why"),
    [
        (np.ones((64, 2)), 3, "3 groups cannot be halved"),
        (np.ones((64, 1)), 4, "two trials or more"),
        (np.ones((7, 2)), 4, "8 periods or more"),
        (np.ones(64), 4, r"the shape \(64,\)"),
        (np.array([[np.nan, 1.0]] * 8), 4, "give each trial a return in every period"),
    ],
)
def test_a_matrix_that_cannot_be_judged_is_refused(
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], groups: int, why: str
) -> None:
    """The message says what is needed."""
    with pytest.raises(ResearchError, match=why):
        overfitting(matrix, groups)


def test_purged_and_embargoed_splits_by_hand() -> None:
    """Six samples a day apart that look two days ahead, three folds, one day of embargo.

    Testing samples 2 and 3 takes days 2 to 5: sample 0 ends on day 2 and touches them, so do 1, 4 and 5: nothing is left. Testing 0
    and 1 (days 0 to 3) leaves 5, for 4 begins within the day after. Testing 4 and 5 (days 4 to 7) leaves 0 and 1, which end on day 3.
    """
    starts, ends = [moment(n) for n in range(6)], [moment(n + 2) for n in range(6)]
    found = [(train.tolist(), test.tolist()) for train, test in purged_splits(starts, ends, 3, timedelta(days=1))]
    assert found == [([5], [0, 1]), ([], [2, 3]), ([0, 1], [4, 5])]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 20)), min_size=2, max_size=50),
    st.integers(2, 8),
    st.integers(0, 10),
)
def test_no_training_label_touches_the_time_of_the_test(samples: list[tuple[int, int]], folds: int, embargo: int) -> None:
    """Samples in any order and of any length; each is tested once, and what is far enough from the test is trained on."""
    spans = [(begin, begin + length) for begin, length in samples]
    folds = min(folds, len(spans))
    tested: list[int] = []
    starts, ends = [moment(b) for b, _ in spans], [moment(e) for _, e in spans]
    for train, test in purged_splits(starts, ends, folds, timedelta(days=embargo)):
        tested += test.tolist()
        first, last = min(spans[n][0] for n in test), max(spans[n][1] for n in test)
        days = set(range(first, last + 1))
        assert all(days.isdisjoint(range(spans[n][0], spans[n][1] + 1)) for n in train)
        assert all(not last < spans[n][0] <= last + embargo for n in train)
        far = {n for n, (begin, end) in enumerate(spans) if end < first or begin > last + embargo}
        assert set(train.tolist()) == far
    assert sorted(tested) == list(range(len(spans)))


def test_samples_that_cannot_be_split_are_refused() -> None:
    """An end before its start, more folds than samples, one fold."""
    days = [moment(0), moment(1)]
    for starts, ends, folds in ((days, days[::-1], 2), (days, days, 3), (days, days, 1), (days, days[:1], 2)):
        with pytest.raises(ResearchError, match="sample"):
            list(purged_splits(starts, ends, folds))
