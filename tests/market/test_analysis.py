"""Signals, multipliers, recommendation and stop."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.research import Recommendation, Regime
from trading_bot.market.analysis import Stop, analyze, place_stop, recommend
from trading_bot.market.snapshot import Snapshot

Snapshots = Callable[..., Snapshot]


def test_five_signals_of_twenty_points_make_a_hundred(snapshot: Snapshots) -> None:
    """All hold, nothing multiplies."""
    analysis = analyze(snapshot(), Regime.RANGE, 0.02)
    assert (analysis.score, analysis.confidence, analysis.recommendation) == (100, 1, Recommendation.STRONG_BUY)
    assert (len(analysis.signals), analysis.multipliers) == (5, ())


@pytest.mark.parametrize(
    "change",
    [{"price": 94.9, "sma_20": 95.0}, {"sma_20": 94.9}, {"rsi_14": 71.0}, {"macd_histogram": -0.01}, {"volume": 1.9e6}, {"rsi_14": None}],
)
def test_a_signal_that_does_not_hold_costs_twenty_points(snapshot: Snapshots, change: dict[str, float]) -> None:
    """One of each; the unknown counts as not held."""
    assert analyze(snapshot(**change), Regime.RANGE, 0.02).score == 80


def test_multipliers_apply_together_and_the_score_stops_at_100(snapshot: Snapshots) -> None:
    """60 points x 1.10 (ADX) x 1.05 (rising) = 69.3; in a falling market 60 x 1.10 x 0.85 = 56.1."""
    weak = snapshot(rsi_14=71.0, macd_histogram=-0.1, adx_14=25.0)
    assert analyze(weak, Regime.TREND_UP, 0.02).score == pytest.approx(69.3)
    assert analyze(weak, Regime.TREND_DOWN, 0.02).score == pytest.approx(56.1)
    assert analyze(snapshot(adx_14=25.0), Regime.TREND_UP, 0.02).score == 100


@pytest.mark.parametrize(
    ("score", "recommendation"),
    [(100, "STRONG_BUY"), (80, "STRONG_BUY"), (79.9, "BUY"), (60, "BUY"), (59.9, "HOLD"), (40, "HOLD"), (39.9, "AVOID"), (0, "AVOID")],
)
def test_the_recommendation_changes_at_80_60_and_40(score: float, recommendation: str) -> None:
    """The bound belongs to the better one."""
    assert recommend(score, Stop(97.0, "3 %")) == recommendation


@pytest.mark.parametrize(
    ("support", "atr", "stop", "basis"),
    [
        (98.0, 2.0, 98.0, "support"),
        (90.0, 1.2, 97.6, "2 ATR"),
        (90.0, 2.0, 97.0, "3 %"),
        (None, 2.0, 97.0, "3 %"),
        (101.0, 2.0, 97.0, "3 %"),
    ],
)
def test_the_stop_is_the_nearest_to_the_entry(support: float | None, atr: float, stop: float, basis: str) -> None:
    """Of support, 2 ATR and 3 % below 100; a support above the entry is none."""
    assert place_stop(100.0, support, atr, 0.02) == Stop(stop, basis)


@pytest.mark.parametrize(
    ("support", "atr", "spread", "held"),
    [
        (99.0, 2.0, 0.02, True),
        (99.01, 2.0, 0.02, False),
        (None, 6.0, 0.02, True),
        (None, 6.01, 0.02, False),
        (98.5, 1.0, 0.5, True),
        (98.5, 1.0, 0.51, False),
    ],
)
def test_a_stop_inside_the_noise_means_no_trade(support: float | None, atr: float, spread: float, held: bool) -> None:  # noqa: FBT001 - a table
    """Half an ATR or three spreads, on the bound and just inside."""
    stop = place_stop(100.0, support, atr, spread)
    assert (stop.price is not None) is held
    assert stop.basis.startswith("no trade") is not held


def test_without_a_stop_the_best_share_is_no_better_than_hold(snapshot: Snapshots) -> None:
    """A support half a dollar away with an ATR of 2; AVOID stays AVOID."""
    analysis = analyze(snapshot(support=99.5, atr_14=2.0), Regime.RANGE, 0.02)
    assert (analysis.recommendation, analysis.stop, analysis.score) == (Recommendation.HOLD, None, 100)
    assert recommend(20, Stop(None, "")) is Recommendation.AVOID


def test_without_an_atr_there_is_no_trade(snapshot: Snapshots) -> None:
    """Nobody knows how large the noise is."""
    analysis = analyze(snapshot(atr_14=None), Regime.RANGE, 0.02)
    assert (analysis.stop, analysis.recommendation) == (None, Recommendation.HOLD)


@pytest.mark.parametrize("spread", [-0.01, float("nan"), float("inf")])
def test_a_spread_that_is_no_spread_is_refused(spread: float) -> None:
    """It would switch the noise rule off."""
    with pytest.raises(ValueError, match="fresh quote"):
        place_stop(100.0, None, 1.0, spread)


@given(st.floats(1, 1e4), st.one_of(st.none(), st.floats(0.1, 2e4)), st.floats(0.001, 2e3), st.floats(0, 50))
def test_a_stop_is_never_inside_the_noise_nor_beyond_3_per_cent_or_2_atr(
    entry: float, support: float | None, atr: float, spread: float
) -> None:
    """For any entry."""
    stop = place_stop(entry, support, atr, spread).price
    if stop is not None:
        distance = entry - stop
        assert distance >= max(atr / 2, 3 * spread)
        assert distance <= min(2 * atr, 0.03 * entry) * (1 + 1e-9) + 1e-9
