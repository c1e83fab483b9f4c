"""The screen: filters, scores, ranking, and everything that keeps a symbol out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.errors import SourceFailedError
from trading_bot.domain.market import Feed, Timeframe
from trading_bot.domain.research import Regime
from trading_bot.domain.values import Symbol
from trading_bot.market.screen import MOMENTUM, TERMS, filters, score, screen
from trading_bot.market.snapshot import Snapshot, take
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries, MarketSource

AAA = Symbol("AAA")
Snapshots = Callable[..., Snapshot]
Bars = Callable[..., BarSeries]
Shelve = Callable[..., MarketSource]


def end_of(series: BarSeries) -> datetime:
    """When the last bar closed."""
    return pd.Timestamp(series.ends[-1]).to_pydatetime().replace(tzinfo=UTC)


def passed(snapshot: Snapshot) -> dict[str, bool]:
    """Filters by name."""
    return {check.name: check.passed for check in filters(snapshot)}


def test_a_bullish_share_passes_every_filter(snapshot: Snapshots) -> None:
    """RSI 60, MACD above its signal, ATR 1, two million shares a day."""
    assert passed(snapshot()) == {"RSI": True, "MACD less signal": True, "ATR": True, "volume": True}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("RSI", {"rsi_14": 44.99}),
        ("RSI", {"rsi_14": 70.01}),
        ("RSI", {"rsi_14": None}),
        ("MACD less signal", {"macd_histogram": 0.0}),
        ("MACD less signal", {"macd_histogram": None}),
        ("ATR", {"atr_14": 0.49}),
        ("volume", {"volume_sma_20": 1_000_000.0}),
    ],
)
def test_a_value_beyond_its_bound_or_unknown_fails_its_filter_alone(snapshot: Snapshots, name: str, change: dict[str, float]) -> None:
    """Just beyond each bound."""
    assert [check for check, good in passed(snapshot(**change)).items() if not good] == [name]


@pytest.mark.parametrize("change", [{"rsi_14": 45.0}, {"rsi_14": 70.0}, {"atr_14": 0.5}, {"volume_sma_20": 1_000_001.0}])
def test_a_value_on_its_bound_passes(snapshot: Snapshots, change: dict[str, float]) -> None:
    """RSI and ATR include their bounds."""
    assert all(passed(snapshot(**change)).values())


def test_volume_of_a_single_venue_fails_and_says_why(snapshot: Snapshots) -> None:
    """However large it is."""
    check = filters(snapshot(feed=Feed.SINGLE_VENUE))[-1]
    assert not check.passed
    assert "single venue" in check.wanted


def test_a_filter_may_be_relative_or_off(snapshot: Snapshots) -> None:
    """ATR of 1 per cent, and no rule on volume."""
    rules = replace(MOMENTUM, atr_least=None, atr_percent_least=1.5, volume_above=None)
    checks = {check.name: check.passed for check in filters(snapshot(), rules)}
    assert checks == {"RSI": True, "MACD less signal": True, "ATR in per cent": False}


def test_groups_share_the_points_as_promised() -> None:
    """Volume 30, technical 40, trend 20, liquidity 10."""
    groups: dict[str, float] = {}
    for term in TERMS:
        groups[term.group] = groups.get(term.group, 0) + term.points
    assert groups == {"volume": 30, "technical": 40, "trend": 20, "liquidity": 10}


def test_an_unknown_value_earns_nothing(snapshot: Snapshots) -> None:
    """Without any indicator the score is 0."""
    candidate = score(replace(snapshot(), indicators={}))
    assert (candidate.score, candidate.volume, candidate.technical, candidate.trend, candidate.liquidity) == (0, 0, 0, 0, 0)


AMOUNT = st.one_of(st.none(), st.floats(0, 1e12))


@given(
    st.dictionaries(st.sampled_from(["rsi_14", "atr_14", "adx_14", "bb_upper", "bb_lower", "sma_20", "sma_50", "volume_sma_20"]), AMOUNT),
)
def test_a_score_lies_from_0_to_100_and_is_the_sum_of_its_parts(snapshot: Snapshots, values: dict[str, float | None]) -> None:
    """Whatever the indicators."""
    candidate = score(snapshot(**values))
    assert 0 <= candidate.score <= 100
    assert candidate.score == pytest.approx(candidate.volume + candidate.technical + candidate.trend + candidate.liquidity)


def test_the_screen_ranks_by_score_and_says_why_each_other_is_out(random_bars: Bars, shelve: Shelve) -> None:
    """Every symbol appears once; those beyond the top by name of their score."""
    names = [Symbol(f"S{number:02d}") for number in range(30)]
    series = [random_bars(300, seed=number, symbol=name) for number, name in enumerate(names)]
    view = AsOfView(shelve(*series), lambda: end_of(series[0]))
    everyone = screen(view, names, top=30)
    best = screen(view, names, top=2)
    scores = [candidate.score for candidate in everyone.candidates]
    assert len(scores) > 2
    assert scores == sorted(scores, reverse=True)
    assert best.candidates == everyone.candidates[:2]
    assert {c.symbol for c in best.candidates} | {e.symbol for e in best.eliminated} == set(names)
    assert "is not among the best 2" in {e.symbol: e.reason for e in best.eliminated}[everyone.candidates[2].symbol]
    assert best.regime in set(Regime) - {Regime.UNKNOWN}


def test_a_symbol_without_data_or_with_too_little_is_out_and_does_no_harm(random_bars: Bars, shelve: Shelve) -> None:
    """59 bars are too few, 60 enough to be judged."""
    series = [random_bars(59, symbol=Symbol("NEW")), random_bars(60, symbol=Symbol("OLD"))]
    now = [end_of(series[0])]
    view = AsOfView(shelve(*series), lambda: now[0])
    reasons = {e.symbol: e.reason for e in screen(view, [Symbol("NONE"), Symbol("NEW")]).eliminated}
    assert reasons[Symbol("NEW")] == "fewer than 60 daily bars"
    assert reasons[Symbol("NONE")].startswith("no data: ")
    now[0] = end_of(series[1])
    assert take(view, Symbol("OLD")) is not None


@pytest.mark.parametrize("column", ["close", "volume"])
def test_a_last_bar_that_is_no_bar_keeps_a_symbol_out(random_bars: Bars, shelve: Shelve, column: str) -> None:
    """NaN in a file that nobody cleaned."""
    series = random_bars(100)
    series.frame.loc[series.frame.index[-1], column] = float("nan")
    answer = screen(AsOfView(shelve(series), lambda: end_of(series)), [AAA])
    assert answer.eliminated[0].reason.startswith("bad data: AAA: the bar of ")
    assert answer.regime is Regime.UNKNOWN


def test_bars_that_stopped_coming_keep_a_symbol_out(random_bars: Bars, shelve: Shelve) -> None:
    """Fresh until the next session has closed without a bar."""
    series = random_bars(100)
    now = [end_of(series) + timedelta(hours=17)]
    view = AsOfView(shelve(series), lambda: now[0])
    assert "stale" not in "".join(e.reason for e in screen(view, [AAA]).eliminated)
    now[0] = end_of(series) + timedelta(days=5)
    assert screen(view, [AAA]).eliminated[0].reason.startswith("stale: the last bar is of ")


def test_a_source_that_fails_is_an_error_and_no_elimination(random_bars: Bars, shelve: Shelve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that there was nothing to buy."""
    source = shelve(random_bars(100))

    def fail(*_: object) -> BarSeries:
        msg = "the vendor did not answer"
        raise SourceFailedError(msg)

    monkeypatch.setattr(source, "bars", fail)
    with pytest.raises(SourceFailedError):
        screen(AsOfView(source, lambda: datetime(2023, 1, 3, tzinfo=UTC)), [AAA])


def test_two_views_at_one_moment_do_not_share_their_snapshots(random_bars: Bars, shelve: Shelve) -> None:
    """Each sees its own source."""
    series = [random_bars(100, seed=seed) for seed in (1, 2)]
    views = [AsOfView(shelve(one), lambda: end_of(series[0])) for one in series]
    found = [take(view, AAA) for view in views]
    assert [one.price for one in found if one is not None] == [one.frame["close"].iloc[-1] for one in series]


def test_a_snapshot_is_the_last_closed_bar_and_its_indicators(random_bars: Bars, shelve: Shelve) -> None:
    """Values by name; an unknown name is a mistake, an unknown value None."""
    series = random_bars(100)
    view = AsOfView(shelve(series), lambda: end_of(series))
    found = take(view, AAA)
    assert found is not None
    assert [found.price, found.volume] == series.frame.iloc[-1][["close", "volume"]].tolist()
    assert (found.bar, found.time, found.feed) == (series.frame.index[-1], end_of(series), Feed.CONSOLIDATED)
    assert found.value("rsi_14") == view.indicators(AAA, Timeframe.DAY)["rsi_14"].iloc[-1]
    assert found.value("sma_200") is None
    with pytest.raises(ValueError, match="there is no indicator 'rsi'"):
        found.value("rsi")
