"""Performance figures against numbers worked out by hand."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.backtest.statistics import Curve, max_drawdown, performance, trade_statistics
from trading_bot.domain.orders import Fill, OrderRole, Side
from trading_bot.domain.records import EquityPoint
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId, Symbol

Trade = Callable[..., RoundTrip]
FIRST = date(2024, 1, 1)


def curve(*equity: float, start: float = 100, sessions: Sequence[date] = (), exposure: Sequence[float] = ()) -> Curve:
    """A curve of daily sessions from 2024-01-01 on, fully in cash unless said otherwise."""
    days = tuple(sessions) or tuple(FIRST + timedelta(days=n) for n in range(len(equity)))
    return Curve(days, np.array(equity, dtype=np.float64), np.array(exposure or [0.0] * len(equity)), start)


def fill(quantity: str, price: str, fee: str = "0") -> Fill:
    """A purchase of AAPL."""
    return Fill(
        execution_id="1",
        client_order_id=ClientOrderId("desk-entry"),
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        role=OrderRole.ENTRY,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        at=datetime(2024, 1, 2, 15, tzinfo=UTC),
    )


def point(day: int, label: str, equity: str) -> EquityPoint:
    """An equity point of January 2024, all in cash."""
    at = datetime(2024, 1, day, 21, tzinfo=UTC)
    return EquityPoint(at=at, session=at.date(), label=label, equity=Decimal(equity), cash=Decimal(equity), exposure=Decimal(0))


def test_ratios_of_three_sessions_are_those_worked_out_by_hand() -> None:
    """Returns +10 %, -10 %, +10 %: mean 1/30, deviation 2/sqrt(300), downside deviation sqrt(1/300)."""
    figures = performance(curve(110, 99, 108.9))
    assert figures.profit == Decimal("8.90")
    assert figures.total_return == pytest.approx(0.089)
    assert figures.volatility == pytest.approx(0.11547005 * math.sqrt(252))
    assert figures.sharpe == pytest.approx(0.28867513 * math.sqrt(252))
    assert figures.sortino == pytest.approx(0.57735027 * math.sqrt(252))
    assert figures.max_drawdown == pytest.approx(0.1)
    assert figures.max_drawdown_sessions == 2


def test_a_market_that_never_closes_is_annualised_by_its_own_days() -> None:
    """The same returns with 365 periods a year."""
    assert performance(curve(110, 99, 108.9), periods_per_year=365).sharpe == pytest.approx(0.28867513 * math.sqrt(365))


def test_growth_compounds_over_calendar_days_with_both_ends_included() -> None:
    """2021-01-01 to 2024-12-31 is 1461 days, four years of 365.25: 46.41 % is 10 % a year; a fall by half makes Calmar 0.2."""
    figures = performance(curve(50, 146.41, sessions=[date(2021, 1, 1), date(2024, 12, 31)]))
    assert figures.cagr == pytest.approx(0.1)
    assert figures.calmar == pytest.approx(0.2)


def test_nothing_is_annualised_below_thirty_days() -> None:
    """Two good days are no rate of growth, and no rate of turnover."""
    figures = performance(curve(110, 120), fills=[fill("10", "10")])
    assert (figures.cagr, figures.calmar, figures.turnover) == (None, None, None)


def test_a_drawdown_lasts_from_its_peak_to_the_recovery() -> None:
    """Peak 120, bottom 90 (a quarter lost), back at 120 three sessions after the peak."""
    assert max_drawdown(curve(120, 90, 100, 120, 119)) == (0.25, 3)


def test_the_start_is_a_peak_too() -> None:
    """A quarter lost on the first session is a drawdown of one session."""
    assert max_drawdown(curve(75)) == (0.25, 1)


def test_a_curve_that_only_rises_has_no_drawdown_and_no_ratio_over_it() -> None:
    """No fall: drawdown 0, Sortino and Calmar undefined."""
    figures = performance(curve(101, 103, sessions=[FIRST, date(2024, 12, 31)]))
    assert (figures.max_drawdown, figures.max_drawdown_sessions) == (0.0, 0)
    assert (figures.sortino, figures.calmar) == (None, None)


def test_equal_returns_have_no_sharpe_ratio() -> None:
    """10 % each session: the deviation is rounding error, not risk."""
    assert performance(curve(110, 121, 133.1)).sharpe is None


def test_without_sessions_nothing_is_claimed() -> None:
    """Every figure that needs data is None, counts are 0."""
    figures = performance(curve())
    assert {name for name, value in figures if value is not None} == {
        "sessions",
        "profit",
        "max_drawdown_sessions",
        "trades",
        "costs",
    }


def test_trades_are_counted_and_averaged_after_fees(trade: Trade) -> None:
    """Two won (30, 10), one lost (-20), one even: win rate 1/2, profit factor 2, expectancy 5."""
    figures = trade_statistics([trade("30"), trade("-20"), trade("10"), trade("0")])
    assert (figures.trades, figures.wins, figures.losses) == (4, 2, 1)
    assert (figures.win_rate, figures.profit_factor) == (0.5, 2.0)
    assert (figures.expectancy, figures.average_win, figures.average_loss) == (Decimal("5.00"), Decimal("20.00"), Decimal("-20.00"))


def test_without_losses_there_is_no_profit_factor_and_without_trades_no_win_rate(trade: Trade) -> None:
    """An infinite factor is not a number."""
    assert trade_statistics([trade("30")]).profit_factor is None
    assert trade_statistics([]).win_rate is None


def test_exposure_is_the_mean_share_held_at_closes() -> None:
    """Half, nothing, all: mean 1/2, in the market at two closes of three."""
    figures = performance(curve(100, 100, 100, exposure=[50, 0, 100]))
    assert figures.exposure == pytest.approx(0.5)
    assert figures.time_in_market == pytest.approx(2 / 3)


def test_turnover_is_traded_value_by_mean_equity_a_year_and_costs_are_the_fees() -> None:
    """300 traded on a mean equity of 150 within four years: 0.5 a year."""
    figures = performance(
        curve(100, 200, sessions=[date(2021, 1, 1), date(2024, 12, 31)]), fills=[fill("10", "10", "0.5"), fill("4", "50", "1")]
    )
    assert figures.turnover == pytest.approx(0.5)
    assert figures.costs == Decimal("1.5")


def test_only_the_point_of_the_close_stands_for_its_session() -> None:
    """Points of monitoring tasks are left out, and order of arrival does not matter."""
    made = Curve.of([point(3, "close", "120"), point(2, "monitor-1000", "90"), point(2, "close", "110")], Decimal(100))
    assert made.sessions == (date(2024, 1, 2), date(2024, 1, 3))
    assert made.path.tolist() == [100, 110, 120]


@given(st.lists(st.integers(-(10**16), 10**16), max_size=60), st.integers(0, 10**16))
def test_no_curve_makes_a_figure_that_is_not_a_number(cents: list[int], start: int) -> None:
    """Ruin, debt and an account without capital included: the record itself refuses NaN and infinity."""
    performance(curve(*(c / 100 for c in cents), start=start / 100)).canonical()


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=60), st.sampled_from([0.5, 2, 1024]))
def test_ratios_do_not_depend_on_the_size_of_the_account(equity: list[float], scale: float) -> None:
    """A power of two times the money gives the same ratios to the bit."""
    money = {"profit"}
    small, large = (performance(curve(*(e * k for e in equity), start=100 * k)).model_dump(exclude=money) for k in (1, scale))
    assert small == large
