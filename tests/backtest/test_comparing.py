"""Two runs side by side, against numbers worked out by hand."""

from datetime import date

import numpy as np
import pytest

import results
from trading_bot.backtest.comparing import compare
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.orders import Side


def test_a_difference_is_that_of_daily_returns() -> None:
    """+10 %, -10 % beside +5 %, 0 %: differences of +5 % and -10 %, on the average -2.5 %."""
    found = compare(results.result([110.0, 99.0]), results.result([105.0, 105.0], command="other"))
    assert found.difference.mean == pytest.approx(-0.025)
    assert (found.difference.per_year, found.difference.p_value, found.difference.ratio_lies) == (None, None, None)
    assert found.notes == ("2 common sessions are too few for an interval or a p-value; 30 are needed",)


def test_figures_stand_side_by_side() -> None:
    """Each of its own run; what is not defined is none."""
    found = compare(results.result([110.0, 99.0]), results.result([105.0, 105.0]))
    by_field = {pair.field: [pair.a, pair.b] for pair in found.figures}
    assert by_field["total_return"] == pytest.approx([-0.01, 0.05])
    assert by_field["max_drawdown"] == pytest.approx([0.1, 0.0])
    assert by_field["win_rate"] == [None, None]


def test_a_run_beside_itself_does_not_differ() -> None:
    """No difference, a perfect correlation, and nothing to say of luck."""
    one = results.result(results.walk(100, 1), trades=[results.trade(results.FIRST, "5")])
    found = compare(one, one)
    assert (found.difference.mean, found.difference.per_year, found.difference.ratio) == (0.0, 0.0, None)
    assert found.difference.p_value is None
    assert found.difference.correlation == pytest.approx(1.0)
    assert found.differs == ()
    assert [(t.profit_a, t.profit_b) for t in found.common_trades] == [(5.0, 5.0)]


def test_a_steady_edge_is_told_from_luck_and_noise_is_not() -> None:
    """The same days with 0.2 % more each, give or take, differ surely; two walks of the same kind do not."""
    base = np.array(results.walk(250, 1))
    edge = np.cumprod(1 + np.random.default_rng(5).normal(0.002, 0.001, 250))
    better, worse = results.result(tuple((base * edge).tolist())), results.result(tuple(base.tolist()))
    sure = compare(better, worse).difference
    assert sure.p_value is not None
    assert sure.p_value < 0.001
    assert sure.per_year_lies is not None
    assert sure.per_year_lies.low > 0.5
    assert sure.ratio_lies is not None
    assert sure.ratio_lies.low > 10
    unsure = compare(results.result(results.walk(250, 2)), results.result(results.walk(250, 3))).difference
    assert unsure.p_value is not None
    assert unsure.p_value > 0.05
    assert unsure.per_year_lies is not None
    assert unsure.per_year_lies.low < 0 < unsure.per_year_lies.high


def test_comparing_the_other_way_round_turns_the_difference_and_keeps_its_chance() -> None:
    """Neither run is the first by nature."""
    a, b = results.result(results.walk(120, 2)), results.result(results.walk(120, 3, 0.002))
    there, back = compare(a, b).difference, compare(b, a).difference
    assert there.mean == pytest.approx(-back.mean)
    assert there.ratio == pytest.approx(-(back.ratio or 0))
    assert there.p_value == back.p_value


def test_only_common_sessions_are_compared_and_the_rest_is_told() -> None:
    """Six weekdays from 2024-01-02 beside four from 2024-01-04: four in common, two of the first alone."""
    a = results.result([101.0, 102.0, 103.0, 104.0, 105.0, 106.0])
    b = results.result([200.0, 100.0, 100.0, 100.0], first=date(2024, 1, 4))
    found = compare(a, b)
    assert found.overlap.model_dump() == {
        "first": date(2024, 1, 4),
        "last": date(2024, 1, 9),
        "common": 4,
        "only_a": 2,
        "only_b": 0,
    }
    # a: 103/102, 104/103, 105/104, 106/105; b: 200/100, 100/200, 1, 1
    expected = np.mean([103 / 102 - 2, 104 / 103 - 0.5, 105 / 104 - 1, 106 / 105 - 1])
    assert found.difference.mean == pytest.approx(float(expected))
    assert found.notes[0].startswith("the periods differ")


def test_runs_of_different_times_are_refused() -> None:
    """Their difference would be one of times."""
    early, late = results.result([101.0, 102.0]), results.result([101.0, 102.0], first=date(2025, 1, 2))
    spans = r"\(2024-01-02 to 2024-01-03 and 2025-01-02 to 2025-01-03\)"
    with pytest.raises(ResearchError, match=f"no common session {spans}: run both over one period"):
        compare(early, late)


def test_an_account_that_lost_everything_is_refused() -> None:
    """It has no returns from then on."""
    with pytest.raises(ResearchError, match="sma_cross lost all its equity"):
        compare(results.result([101.0, 0.0]), results.result([101.0, 102.0]))


def test_what_differs_is_told_from_the_cards() -> None:
    """Strategy, dates, data; the command alone does not count."""
    a = results.result([101.0, 102.0])
    other = results.result([101.0, 102.0, 103.0], strategy="momentum", data="other bars", command="other")
    assert compare(a, other).differs == (
        "plan's last changed from 2024-01-03 to 2024-01-04",
        "plan's strategy changed from sma_cross to momentum",
        "data of AAPL 1d changed",
    )
    bare = a.model_copy(update={"card": None})
    assert compare(a, bare).differs == ("no run card of b: nobody knows what else differs",)


def test_a_note_of_both_is_told_once() -> None:
    """The others say whose they are."""
    a = results.result([101.0, 102.0], notes=["SPY: prices are not as traded", "3 signals were refused"])
    b = results.result([101.0, 102.0], notes=["SPY: prices are not as traded", "no bars before 2024-01-02"])
    assert compare(a, b).notes[:3] == ("SPY: prices are not as traded", "a: 3 signals were refused", "b: no bars before 2024-01-02")


def test_trades_are_common_that_enter_at_the_same_moment_on_the_same_side() -> None:
    """Of three, one is the same in both, though it earned something else."""
    days = results.days(40)
    a = [results.trade(days[1], "10"), results.trade(days[8], "-4")]
    b = [results.trade(days[1], "7"), results.trade(days[8], "4", side=Side.SELL)]
    found = compare(results.result(results.walk(40, 1), trades=a), results.result(results.walk(40, 1), trades=b))
    assert [(t.symbol, t.opened_at.date(), t.profit_a, t.profit_b) for t in found.common_trades] == [("AAPL", days[1], 10.0, 7.0)]
    assert (found.trades_a, found.trades_b) == (2, 2)
