"""The A/B test of analyses: read once, at a size fixed beforehand."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from statistics import NormalDist

import numpy as np
import pytest

from builders import AAPL, NOW
from trading_bot.backtest.experiment import ArmCount, experiment
from trading_bot.backtest.inference import permutation_p_value
from trading_bot.domain.orders import OrderRole, Side
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, ClientOrderId

DAY = timedelta(days=1)


def trade(profit: float, day: int) -> RoundTrip:
    """One of 1,000 USD that was open for a day."""
    return RoundTrip(
        symbol=AAPL,
        side=Side.BUY,
        quantity=Decimal(10),
        entry_price=Decimal(100),
        exit_price=Decimal(100),
        opened_at=NOW + day * DAY,
        closed_at=NOW + (day + 1) * DAY,
        profit=Decimal(str(profit)),
        fees=ZERO,
        entry_order=ClientOrderId(f"order-{day}"),
        exit_role=OrderRole.STOP_LOSS,
    )


def arms(technical: Sequence[float], combined: Sequence[float]) -> list[tuple[str, RoundTrip]]:
    """A trade of each arm every day, beside one of another strategy."""
    return [
        *(("momentum", trade(profit, day)) for day, profit in enumerate(technical)),
        *(("momentum+news", trade(profit, day)) for day, profit in enumerate(combined)),
        ("swing", trade(999, 1)),
    ]


def drawn(count: int, seed: int, mean: float = 0.0) -> list[float]:
    """Profits around a mean."""
    return [round(float(p), 2) for p in np.random.default_rng(seed).normal(mean, 20, count)]


def test_until_both_arms_are_there_only_counts_are_told() -> None:
    """One trade short in one arm is short."""
    found = experiment(arms(drawn(40, 1), drawn(39, 2, 30)), "first", 40)
    assert found.arms == (
        ArmCount(arm="technical", strategy="momentum", trades=40),
        ArmCount(arm="combined", strategy="momentum+news", trades=39),
    )
    assert (found.finding, found.note) == (None, "combined has 39 of 40 closed trades: results are told when both are there")


def test_results_are_those_of_the_first_trades_and_stay() -> None:
    """Later trades, however lucky, change nothing but the counts."""
    technical, combined = drawn(40, 1), drawn(40, 2, 15)
    found, later = (experiment(arms(t, c), "first", 40) for t, c in ((technical, combined), (technical + [900.0] * 9, combined)))
    assert found.finding is not None
    assert found.finding == later.finding
    assert [a.trades for a in later.arms] == [49, 40]
    with_news = found.finding.arms[1]
    assert with_news.mean_return == pytest.approx(sum(combined) / 40 / 1000)
    assert with_news.win_rate == sum(p > 0 for p in combined) / 40
    assert with_news.profit_factor == pytest.approx(sum(p for p in combined if p > 0) / -sum(p for p in combined if p < 0))
    assert found.finding.difference == pytest.approx((sum(combined) - sum(technical)) / 40 / 1000)
    assert found.note.endswith("read once at 40 trades an arm)")


def test_trades_from_before_the_second_arm_began_do_not_count() -> None:
    """Those of a desk that traded without news for a year say nothing about the months with them."""
    early = [("momentum", trade(500, day)) for day in range(-60, 0)]
    whole = experiment([*early, *arms(drawn(40, 1), drawn(40, 2))], "first", 40)
    assert whole == experiment(arms(drawn(40, 1), drawn(40, 2)), "first", 40)


def test_trades_of_an_earlier_test_are_left_out() -> None:
    """Those opened before this one began."""
    found = experiment(arms(drawn(60, 1), drawn(60, 2)), "second", 40, since=NOW + 30 * DAY)
    assert [a.trades for a in found.arms] == [30, 30]


def test_a_p_value_is_small_where_news_help_and_large_where_they_do_not() -> None:
    """As large as Welch's z has it, within the error of both."""
    one, other = np.array(drawn(50, 1)), np.array(drawn(50, 2, 8))
    found = permutation_p_value(one, other, seed=0)
    z = (one.mean() - other.mean()) / np.sqrt(one.var(ddof=1) / 50 + other.var(ddof=1) / 50)
    assert found == pytest.approx(2 * NormalDist().cdf(-abs(float(z))), abs=0.01)
    assert permutation_p_value(one, one + 100, seed=0) == 1 / 10_000
    assert permutation_p_value(one, one, seed=0) == 1.0
    assert permutation_p_value(one[:29], other, seed=0) is None


def test_a_p_value_is_below_a_tenth_in_a_tenth_of_worlds_without_a_difference() -> None:
    """Within three deviations of 200 worlds."""
    worlds = np.random.default_rng(7).standard_t(3, (200, 2, 30))
    below = sum((permutation_p_value(a, b, seed=n, draws=499) or 1) <= 0.1 for n, (a, b) in enumerate(worlds))
    assert below / 200 == pytest.approx(0.1, abs=0.064)
