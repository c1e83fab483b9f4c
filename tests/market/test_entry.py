"""Entry plans: now or on a pullback, targets, exposure, rounding."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.proposals import EntryStyle
from trading_bot.domain.research import EntryPlan, Regime
from trading_bot.domain.values import Symbol
from trading_bot.market.analysis import analyze
from trading_bot.market.entry import exposure, plan_entry
from trading_bot.market.snapshot import Snapshot

Snapshots = Callable[..., Snapshot]
SHARE = Instrument(symbol=Symbol("AAA"))


def plan(snapshot: Snapshot, instrument: Instrument = SHARE, regime: Regime = Regime.TREND_UP) -> EntryPlan | None:
    """The plan that the analysis of a snapshot leads to."""
    return plan_entry(analyze(snapshot, regime, 0.02), snapshot, instrument, regime)


def test_near_its_average_a_share_is_bought_now(snapshot: Snapshots) -> None:
    """2 ATR above SMA 20 is near enough: 100, stop 98 (2 ATR), targets at 1.5 and 2.5 times 2."""
    found = plan(snapshot())
    assert found is not None
    assert (found.style, found.entry, found.stop_loss) == (EntryStyle.NOW, Decimal("100.00"), Decimal("98.00"))
    assert [(target.price, target.fraction) for target in found.targets] == [(Decimal(103), Decimal("0.5")), (Decimal(105), Decimal("0.5"))]


def test_a_share_that_ran_ahead_is_bought_on_a_pullback_to_its_average(snapshot: Snapshots) -> None:
    """2.5 ATR above SMA 20 at 97.5: a limit there, the stop 2 below as analysed."""
    found = plan(snapshot(sma_20=97.5))
    assert found is not None
    assert (found.style, found.entry, found.stop_loss) == (EntryStyle.PULLBACK, Decimal("97.50"), Decimal("95.50"))
    assert "SMA 20" in found.reason


def test_a_pullback_waits_at_the_support_if_that_is_nearer(snapshot: Snapshots) -> None:
    """Support at 99, stop distance 1 as analysed."""
    found = plan(snapshot(sma_20=97.5, support=99.0))
    assert found is not None
    assert (found.style, found.entry, found.stop_loss) == (EntryStyle.PULLBACK, Decimal("99.00"), Decimal("98.00"))


def test_prices_between_ticks_are_rounded_against_us(snapshot: Snapshots) -> None:
    """Now at 100.004: pay 100.01, stop 98.004 at 98.00. On a pullback to 97.508: bid 97.50, stop 95.508 at 95.50."""
    now, later = plan(snapshot(price=100.004, sma_20=98.5)), plan(snapshot(price=100.004, sma_20=97.508))
    assert now is not None
    assert later is not None
    assert (now.entry, now.stop_loss) == (Decimal("100.01"), Decimal("98.00"))
    assert (later.entry, later.stop_loss) == (Decimal("97.50"), Decimal("95.50"))


def test_a_pullback_whose_stop_falls_on_the_same_tick_is_no_plan(snapshot: Snapshots) -> None:
    """With a tick of 5, an entry wanted at 97.5 and a stop at 95.5 are both 95."""
    assert plan(snapshot(sma_20=97.5), Instrument(symbol=Symbol("AAA"), tick_size=Decimal(5))) is None


def test_where_the_analysis_finds_no_trade_there_is_no_plan(snapshot: Snapshots) -> None:
    """A weak score, and a stop inside the noise."""
    assert plan(snapshot(rsi_14=80.0, macd_histogram=-1.0, volume=1.0)) is None
    assert plan(snapshot(support=99.9)) is None


def test_a_tick_coarser_than_the_stop_means_no_plan(snapshot: Snapshots) -> None:
    """A tick of 100 has no stop below 100."""
    assert plan(snapshot(), Instrument(symbol=Symbol("AAA"), tick_size=Decimal(100))) is None


@pytest.mark.parametrize(
    ("score", "atr", "regime", "share"),
    [
        (90.0, 1.0, Regime.TREND_UP, "1"),
        (79.0, 1.0, Regime.TREND_UP, "0.75"),
        (90.0, 2.5, Regime.RANGE, "0.5625"),
        (70.0, 4.0, Regime.HIGH_VOLATILITY, "0.1875"),
        (90.0, 1.0, Regime.UNKNOWN, "0.5"),
    ],
)
def test_exposure_is_the_product_of_regime_score_and_volatility(
    snapshot: Snapshots, score: float, atr: float, regime: Regime, share: str
) -> None:
    """At a price of 100 an ATR of 2.5 is 2.5 %."""
    assert exposure(score, snapshot(atr_14=atr), regime) == Decimal(share)


@given(
    price=st.floats(1, 5000),
    gap=st.floats(-0.02, 0.2),
    atr_share=st.floats(0.002, 0.05),
    depth=st.one_of(st.none(), st.floats(0.001, 0.2)),
    tick=st.sampled_from(["0.0001", "0.01", "0.05", "1"]),
    regime=st.sampled_from(list(Regime)),
)
def test_a_plan_is_on_the_tick_in_order_and_rounded_against_us(  # noqa: PLR0913, PLR0917 - fixtures and draws
    snapshot: Snapshots, price: float, gap: float, atr_share: float, depth: float | None, tick: str, regime: Regime
) -> None:
    """Stop below entry below targets, targets no further than 1.5 and 2.5 times the risk, exposure at most 1."""
    support = None if depth is None else price * (1 - depth)
    share = snapshot(price=price, sma_20=price * (1 - gap), sma_50=price * 0.7, atr_14=price * atr_share, support=support)
    instrument = Instrument(symbol=Symbol("AAA"), tick_size=Decimal(tick))
    found = plan(share, instrument, regime)
    if found is None:
        return
    first, second = (target.price for target in found.targets)
    risk = found.entry - found.stop_loss
    assert found.stop_loss < found.entry < first <= second
    assert first <= found.entry + Decimal("1.5") * risk
    assert second <= found.entry + Decimal("2.5") * risk
    assert all(value % instrument.tick_size == 0 for value in (found.entry, found.stop_loss, first, second))
    assert 0 < found.exposure <= 1
