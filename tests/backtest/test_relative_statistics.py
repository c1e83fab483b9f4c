"""Figures beside a benchmark by hand, and agreement of all statistics with empyrical."""

import math
import warnings
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.backtest.relative import alpha, beta, relative, tail_ratio, unexplained
from trading_bot.backtest.statistics import Curve, Floats, cagr, max_drawdown, returns, sharpe, sortino, total_return, volatility

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the peer's own imports
    PEER: ModuleType = import_module("empyrical")  # it ships no types

FIRST = date(2022, 1, 3)
SYMBOLS = ("AAPL", "SPY", "QQQ", "TSLA", "NVDA")


def curve(*equity: float, start: float = 100) -> Curve:
    """A curve of daily sessions from 2022-01-03 on."""
    return Curve(tuple(FIRST + timedelta(days=n) for n in range(len(equity))), np.array(equity), np.array(equity), start)


def near(value: float) -> object:
    """Equal to 1e-9 of the value; below 1e-12 two zeros are one."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def closes(shared: Path) -> pd.DataFrame:
    """Daily closes of the five recorded symbols, a column each."""
    files = {s: pd.read_csv(shared / f"data/us_daily_core/{s}.csv", index_col="date", parse_dates=True) for s in SYMBOLS}
    return pd.DataFrame({symbol: frame["close"] for symbol, frame in files.items()})


def held(closes: pd.DataFrame, symbol: str) -> Curve:
    """Buy and hold of one recorded symbol, bought at the first close."""
    worth = closes[symbol].to_numpy(dtype=np.float64)
    return Curve(tuple(day.date() for day in closes.index[1:]), worth[1:], worth[1:], float(worth[0]))


def test_twice_the_market_and_a_tenth_of_a_per_cent_is_beta_two_and_that_alpha() -> None:
    """Market +1 %, -1 %, +3 %; own 2.1 %, -1.9 %, 6.1 %: every session 2 x market + 0.1 %, so alpha is 1.001 ** 252 - 1."""
    market, own = np.array([0.01, -0.01, 0.03]), np.array([0.021, -0.019, 0.061])
    assert beta(own, market) == pytest.approx(2)
    assert alpha(own, market, 252) == pytest.approx(1.001**252 - 1)
    assert unexplained(own, market) == pytest.approx([0.001] * 3)


def test_a_result_beside_its_benchmark() -> None:
    """Own 110, 99, 118.8 (+10, -10, +20 %), market 105, 99.75, 109.725 (+5, -5, +10 %): differences +5, -5, +10 % are the market's."""
    found = relative(curve(110, 99, 118.8), [105, 99.75, 109.725])
    assert found.excess_return == pytest.approx(0.188 - 0.09725)
    assert found.beta == pytest.approx(2)
    assert found.correlation == pytest.approx(1)
    assert found.alpha == pytest.approx(0, abs=1e-9)
    deviation = math.sqrt((5**2 + 5**2 + 10**2 - 10**2 / 3) / 2) / 100  # of 5, -5, 10: squares less n times the squared mean
    assert found.tracking_error == pytest.approx(deviation * math.sqrt(252))
    assert found.information_ratio == pytest.approx(0.1 / 3 / deviation * math.sqrt(252))


def test_the_tail_ratio_compares_the_good_days_with_the_bad_ones() -> None:
    """-10 % to +10 % in 21 steps: the 5th percentile is -9 %, the 95th +9 %; with the gains doubled it is 2."""
    changes = np.linspace(-0.1, 0.1, 21)
    assert tail_ratio(changes) == pytest.approx(1)
    assert tail_ratio(np.where(changes > 0, 2 * changes, changes)) == pytest.approx(2)


def test_what_cannot_be_known_is_none() -> None:
    """Two sessions, a market that stands still, no benchmark, ruin, and bad days that lose nothing."""
    two = relative(curve(110, 99), [105, 99])
    assert (two.alpha, two.beta, two.correlation, two.tail_ratio) == (None, None, None, None)
    assert relative(curve(110, 99, 120), [100, 100, 100]).beta is None
    assert set(relative(curve(110, 99, 120), []).model_dump().values()) == {None}
    assert relative(curve(110, 0, 120), [105, 99, 101]).beta is None
    assert tail_ratio(np.zeros(30)) is None


def test_a_benchmark_of_another_length_is_refused() -> None:
    """The message says what is wanted."""
    with pytest.raises(ValueError, match="2 values for 3 sessions; give its worth at each session's close"):
        relative(curve(110, 99, 120), [105, 99])


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_recorded_prices_give_the_figures_of_empyrical(closes: pd.DataFrame, symbol: str) -> None:
    """Three years of each symbol, SPY as the benchmark: equal to 1e-9; empyrical gives a drawdown as a negative number."""
    own, market = held(closes, symbol), held(closes, "SPY")
    changes, moves = returns(own), returns(market)
    assert volatility(changes, 252) == near(PEER.annual_volatility(changes))
    assert sharpe(changes, 252) == near(PEER.sharpe_ratio(changes))
    assert sortino(changes, 252) == near(PEER.sortino_ratio(changes))
    assert max_drawdown(own)[0] == near(-PEER.max_drawdown(changes))
    assert total_return(own) == near(PEER.cum_returns_final(changes))
    found = relative(own, market.equity * own.start / market.start)
    assert found.beta == near(PEER.beta_aligned(changes, moves))
    assert found.alpha == near(PEER.alpha_aligned(changes, moves))
    assert found.tail_ratio == near(PEER.tail_ratio(changes))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_growth_differs_from_empyrical_only_in_how_a_year_is_counted(closes: pd.DataFrame, symbol: str) -> None:
    """Empyrical calls 252 returns a year; here a year is 365.25 calendar days. The same growth, put to both exponents, agrees.

    Three recorded years have 772 returns in 1124 days: 3.063 of its years, 3.077 of ours.
    """
    own = held(closes, symbol)
    changes = returns(own)
    assert (len(changes), own.calendar_days) == (772, 1124)
    ours = cagr(own)
    assert ours is not None
    assert (1 + ours) ** (1124 / 365.25) == near((1 + PEER.cagr(changes)) ** (772 / 252))


@given(st.lists(st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)), min_size=20, max_size=120), st.sampled_from([252, 365]))
def test_random_curves_give_the_figures_of_empyrical_wherever_both_have_one(pairs: list[tuple[float, float]], year: int) -> None:
    """Where ours is None empyrical's is NaN, infinite, or made of rounding errors: returns that never move, or all are 0."""
    own, market = (np.array(column) for column in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        peer = {
            "volatility": PEER.annual_volatility(own, annualization=year),
            "sharpe": PEER.sharpe_ratio(own, annualization=year),
            "sortino": PEER.sortino_ratio(own, annualization=year),
            "tail_ratio": PEER.tail_ratio(own),
        }
    ours = {"volatility": volatility(own, year), "sharpe": sharpe(own, year), "sortino": sortino(own, year), "tail_ratio": tail_ratio(own)}
    for name, value in ours.items():
        assert value == near(peer[name]) if value is not None else not _sound(peer[name], own), name
    _same_line(own, market, year)


def _sound(value: float, changes: Floats) -> bool:
    deviations = float(np.std(changes)), math.sqrt(float(np.mean(np.minimum(changes, 0) ** 2)))
    return math.isfinite(value) and min(deviations) > 1e-12


def _same_line(own: Floats, market: Floats, year: int) -> None:
    if np.std(market) < 1e-6:
        return  # the slope divides by rounding errors
    slope, peer = beta(own, market), PEER.beta_aligned(own, market)
    assert slope == near(peer)
    height = alpha(own, market, year)
    if height is not None:
        assert height == near(PEER.alpha_aligned(own, market, annualization=year))


@given(st.lists(st.tuples(st.integers(-(10**16), 10**16), st.integers(0, 10**16)), max_size=60), st.integers(0, 10**16))
def test_no_curve_makes_a_relative_figure_that_is_not_a_number(cents: list[tuple[int, int]], start: int) -> None:
    """Ruin, debt, absurd jumps and worthless benchmarks included: the record itself refuses NaN and infinity."""
    own = curve(*(mine / 100 for mine, _ in cents), start=start / 100)
    relative(own, [market / 100 for _, market in cents]).canonical()
