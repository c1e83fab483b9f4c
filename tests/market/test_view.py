"""The as-of view: what may be seen when, and on which prices."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_bot.domain.errors import BadBarsError, NoDataError
from trading_bot.domain.market import CorporateAction, Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.market.indicators import compute
from trading_bot.market.snapshot import take
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries, MarketSource

AAA = Symbol("AAA")
DAY = Timeframe.DAY
Bars = Callable[..., BarSeries]
Shelve = Callable[..., MarketSource]


def end_of(series: BarSeries, number: int) -> datetime:
    """When a bar closed."""
    return pd.Timestamp(series.ends[number]).to_pydatetime().replace(tzinfo=UTC)


def start_of(series: BarSeries, number: int) -> datetime:
    """When a bar opened: the ex-time of an action on that day."""
    return pd.Timestamp(series.frame.index[number]).to_pydatetime()


def split(series: BarSeries, number: int, ratio: str) -> Split:
    """A split on the day of a bar."""
    return Split(symbol=series.symbol, ex=start_of(series, number), ratio=Decimal(ratio))


def dividend(series: BarSeries, number: int, amount: str) -> Dividend:
    """A dividend on the day of a bar."""
    return Dividend(symbol=series.symbol, ex=start_of(series, number), amount=Decimal(amount))


def test_a_bar_is_seen_from_its_close_on(random_bars: Bars, shelve: Shelve) -> None:
    """Not a microsecond before."""
    series = random_bars(20)
    now = [end_of(series, 9) - timedelta(microseconds=1)]
    view = AsOfView(shelve(series), lambda: now[0])
    assert view.bars(AAA, DAY, 100).index[-1] == series.frame.index[8]
    now[0] = end_of(series, 9)
    assert view.bars(AAA, DAY, 3).index.tolist() == series.frame.index[7:10].tolist()
    assert len(view.indicators(AAA, DAY)) == 10


def test_asking_for_no_bars_gives_none_and_for_fewer_than_none_is_an_error(random_bars: Bars, shelve: Shelve) -> None:
    """0 is an answer, -1 a mistake."""
    series = random_bars(20)
    view = AsOfView(shelve(series), lambda: end_of(series, 19))
    assert view.bars(AAA, DAY, 0).empty
    with pytest.raises(ValueError, match="ask for 0 bars or more"):
        view.bars(AAA, DAY, -1)


def test_before_the_first_close_there_is_nothing_to_see(random_bars: Bars, shelve: Shelve) -> None:
    """Empty frames, no snapshot."""
    series = random_bars(70)
    view = AsOfView(shelve(series), lambda: start_of(series, 0))
    assert view.bars(AAA, DAY, 5).empty
    assert view.indicators(AAA, DAY).empty
    assert take(view, AAA) is None


def test_a_split_changes_history_only_once_its_day_has_come(random_bars: Bars, shelve: Shelve) -> None:
    """4:1 on the tenth day: the night before nothing is divided, at the opening every bar before is."""
    series = random_bars(20)
    now = [start_of(series, 10) - timedelta(seconds=1)]
    view = AsOfView(shelve(series, actions=[split(series, 10, "4")]), lambda: now[0])
    raw = series.frame.iloc[:10]
    pd.testing.assert_frame_equal(view.bars(AAA, DAY, 10), raw, check_exact=True, check_freq=False)
    now[0] = start_of(series, 10)
    after = view.bars(AAA, DAY, 10)
    assert after["close"].tolist() == (raw["close"] / 4).tolist()
    assert after["volume"].tolist() == (raw["volume"] * 4).tolist()
    now[0] = end_of(series, 10)
    assert view.bars(AAA, DAY, 1)["close"].iloc[0] == series.frame["close"].iloc[10]


def test_a_dividend_lowers_the_prices_before_it_by_its_share_of_the_last_close(random_bars: Bars, shelve: Shelve) -> None:
    """2 on a close of 100 leaves 0.98 of every earlier price, and volumes as they are."""
    series = random_bars(20)
    series.frame.loc[series.frame.index[9], ["high", "close"]] = (101.0, 100.0)
    view = AsOfView(shelve(series, actions=[dividend(series, 10, "2")]), lambda: end_of(series, 10))
    seen = view.bars(AAA, DAY, 11)
    np.testing.assert_allclose(seen["open"].iloc[:10], series.frame["open"].iloc[:10] * 0.98, rtol=1e-15)
    assert seen["volume"].tolist() == series.frame["volume"].iloc[:11].tolist()
    assert seen["close"].iloc[10] == series.frame["close"].iloc[10]


def test_a_dividend_on_the_day_of_a_split_is_per_new_share(random_bars: Bars, shelve: Shelve) -> None:
    """0.50 per new share after 4:1 on a close of 100: the last close becomes 25 x (1 - 0.5 / 25) = 24.5."""
    series = random_bars(20)
    series.frame.loc[series.frame.index[9], ["high", "close"]] = (101.0, 100.0)
    actions = [split(series, 10, "4"), dividend(series, 10, "0.5")]
    for order in (actions, actions[::-1]):
        view = AsOfView(shelve(series, actions=order), lambda: end_of(series, 10))
        assert view.bars(AAA, DAY, 2)["close"].iloc[0] == pytest.approx(24.5, rel=1e-15)


def test_a_dividend_as_large_as_the_price_is_refused(random_bars: Bars, shelve: Shelve) -> None:
    """It would make history negative."""
    series = random_bars(20)
    view = AsOfView(shelve(series, actions=[dividend(series, 10, "500")]), lambda: end_of(series, 10))
    with pytest.raises(BadBarsError, match="correct the source's actions"):
        view.bars(AAA, DAY, 5)


def test_prices_that_are_not_as_traded_are_not_adjusted_again(random_bars: Bars, shelve: Shelve) -> None:
    """Their events are ignored."""
    series = replace(random_bars(20), basis=PriceBasis.NOT_AS_TRADED)
    view = AsOfView(shelve(series, actions=[split(series, 10, "4")]), lambda: end_of(series, 19))
    assert view.bars(AAA, DAY, 20)["close"].tolist() == series.frame["close"].tolist()


def test_adjusted_nvda_history_is_the_published_split_adjusted_series(shared: Path, random_bars: Bars, shelve: Shelve) -> None:
    """What printed, with the 10:1 split of 2024-06-10, equals the vendor's adjusted closes to rounding."""
    folder = shared / "data/us_daily_core"
    printed = pd.read_csv(folder / "NVDA_raw_unadjusted.csv").iloc[:270]
    wanted = pd.read_csv(folder / "NVDA.csv").set_index("date")["close"]
    calendar = open_calendar("XNYS")
    hours = [calendar.hours(date.fromisoformat(day)) for day in printed["date"]]
    frame = printed[["open", "high", "low", "close", "volume"]].astype(float).set_index(pd.DatetimeIndex([opening for opening, _ in hours]))
    series = replace(random_bars(1), frame=frame, ends=np.array([end.replace(tzinfo=None) for _, end in hours], "datetime64[ns]"))
    number = printed["date"].tolist().index("2024-06-10")
    view = AsOfView(shelve(series, actions=[split(series, number, "10")]), lambda: end_of(series, 269))
    np.testing.assert_allclose(view.bars(AAA, DAY, 270)["close"], wanted.loc[printed["date"]], rtol=2e-4)


def test_an_action_that_a_live_source_learns_of_is_seen_at_once(
    random_bars: Bars, shelve: Shelve, announce: Callable[[MarketSource, CorporateAction], None]
) -> None:
    """A split entered late still divides."""
    series = random_bars(20)
    source = shelve(series)
    view = AsOfView(source, lambda: end_of(series, 19))
    assert view.bars(AAA, DAY, 20)["close"].iloc[0] == series.frame["close"].iloc[0]
    announce(source, split(series, 10, "4"))
    assert view.bars(AAA, DAY, 20)["close"].iloc[0] == series.frame["close"].iloc[0] / 4


def test_a_new_series_of_a_live_source_is_seen_at_once(
    random_bars: Bars, shelve: Shelve, exchange_series: Callable[[MarketSource, BarSeries], None]
) -> None:
    """Nothing of the old one is kept."""
    series = random_bars(20)
    source = shelve(series)
    view = AsOfView(source, lambda: end_of(series, 19))
    assert view.bars(AAA, DAY, 1)["close"].iloc[0] == series.frame["close"].iloc[19]
    exchange_series(source, replace(series, frame=series.frame * 2))
    assert view.bars(AAA, DAY, 1)["close"].iloc[0] == 2 * series.frame["close"].iloc[19]
    assert view.indicators(AAA, DAY)["volume_sma_5"].iloc[-1] == pytest.approx(2 * series.frame["volume"].iloc[15:].mean())


def test_what_a_caller_does_to_an_answer_changes_no_later_answer(random_bars: Bars, shelve: Shelve) -> None:
    """A frame that was written to is the caller's own."""
    series = random_bars(20)
    view = AsOfView(shelve(series), lambda: end_of(series, 19))
    for answer in (view.bars(AAA, DAY, 20), view.indicators(AAA, DAY)):
        answer.iloc[:, :] = -1.0
        answer["mine"] = 1.0
    assert view.bars(AAA, DAY, 20).to_numpy().tolist() == series.frame.to_numpy().tolist()
    assert "mine" not in view.indicators(AAA, DAY)


def test_days_are_put_together_from_intraday_bars_of_the_session(intraday_bars: Bars, shelve: Shelve) -> None:
    """Two half-hours of Tuesday, one before the opening left out; Wednesday is unfinished."""
    rows = [
        ("2024-03-05 14:00", 90, 99, 80, 95, 999),
        ("2024-03-05 14:30", 100, 103, 99, 102, 10),
        ("2024-03-05 20:30", 102, 104, 101, 103, 20),
        ("2024-03-06 14:30", 105, 106, 104, 105, 30),
    ]
    series = intraday_bars(Timeframe.MINUTE_30, [(start, *map(float, rest)) for start, *rest in rows])
    view = AsOfView(shelve(series), lambda: datetime(2024, 3, 6, 16, tzinfo=UTC))
    days = view.bars(AAA, DAY, 5)
    assert days.index.tolist() == [pd.Timestamp("2024-03-05 14:30", tz="UTC")]
    assert days.to_numpy().tolist() == [[100.0, 104.0, 99.0, 103.0, 30.0]]
    assert view.feed(AAA, DAY) is Feed.SINGLE_VENUE
    assert len(view.bars(AAA, Timeframe.MINUTE_30, 9)) == 4


def test_a_day_with_a_bar_that_ends_after_the_close_is_seen_only_then(intraday_bars: Bars, shelve: Shelve) -> None:
    """An hour that starts at 20:30 holds prices up to 21:30."""
    series = intraday_bars(Timeframe.HOUR, [("2024-03-05 20:30", 100.0, 103.0, 99.0, 102.0, 10.0)])
    now = [datetime(2024, 3, 5, 21, 29, tzinfo=UTC)]
    view = AsOfView(shelve(series), lambda: now[0])
    assert view.bars(AAA, DAY, 1).empty
    now[0] += timedelta(minutes=1)
    assert len(view.bars(AAA, DAY, 1)) == 1


@pytest.mark.parametrize("count", [1, 3, 4, 8])
def test_a_day_made_of_intraday_bars_is_the_same_whatever_comes_later(
    intraday_bars: Bars, shelve: Shelve, cut: Callable[[BarSeries, datetime], BarSeries], count: int
) -> None:
    """As of every second bar's end, against data cut there."""
    starts = [f"2024-03-{day:02d} {hour:02d}:30" for day in (5, 6, 7) for hour in (14, 16, 20)]
    series = intraday_bars(Timeframe.MINUTE_30, [(s, 100.0 + n, 103.0 + n, 99.0, 102.0 + n, 10.0 + n) for n, s in enumerate(starts)])
    moment = end_of(series, count)
    whole, part = (AsOfView(shelve(one), lambda: moment) for one in (series, cut(series, moment)))
    pd.testing.assert_frame_equal(whole.bars(AAA, DAY, 9), part.bars(AAA, DAY, 9), check_exact=True, check_freq=False)
    assert len(whole.bars(AAA, DAY, 9)) == (count + 1) // 3


def test_round_the_clock_days_are_utc_days(intraday_bars: Bars, shelve: Shelve) -> None:
    """Midnight begins the next one."""
    hours = [f"2024-03-{day:02d} {hour:02d}:00" for day in (9, 10) for hour in range(24)]
    series = intraday_bars(Timeframe.HOUR, [(hour, 1.0, 2.0, 0.5, 1.5, 1.0) for hour in hours])
    view = AsOfView(shelve(series, calendar="24/7"), lambda: datetime(2024, 3, 11, tzinfo=UTC))
    assert view.bars(AAA, DAY, 9)["volume"].tolist() == [24.0, 24.0]


def test_bars_outside_every_session_make_no_day(intraday_bars: Bars, shelve: Shelve) -> None:
    """A Saturday's bar."""
    series = intraday_bars(Timeframe.HOUR, [("2024-03-09 15:00", 1.0, 2.0, 0.5, 1.5, 1.0)])
    assert AsOfView(shelve(series), lambda: datetime(2024, 3, 12, tzinfo=UTC)).bars(AAA, DAY, 9).empty


def test_a_symbol_without_bars_is_no_data(random_bars: Bars, shelve: Shelve) -> None:
    """Missing is not empty."""
    view = AsOfView(shelve(random_bars(20)), lambda: datetime(2024, 3, 11, tzinfo=UTC))
    with pytest.raises(NoDataError, match="has no bars of ZZZ"):
        view.bars(Symbol("ZZZ"), DAY, 1)


NUMBER = st.integers(0, 299)
ACTION = st.tuples(st.integers(1, 299), st.sampled_from(["split", "dividend"]), st.sampled_from(["2", "0.1", "1.5", "10", "0.37"]))


def _actions(series: BarSeries, drawn: list[tuple[int, str, str]]) -> list[CorporateAction]:
    made: list[CorporateAction] = []
    for number, kind, size in sorted(drawn):
        made.append(split(series, number, size) if kind == "split" else dividend(series, number, str(Decimal(size) / 10)))
    return made


@settings(max_examples=40, deadline=None)
@given(now=NUMBER, before=NUMBER, past=st.lists(ACTION, max_size=4), later=st.lists(ACTION, max_size=4), seed=st.integers(0, 99))
def test_no_change_of_the_future_changes_an_answer(  # noqa: PLR0913, PLR0917 - fixtures and draws
    random_bars: Bars,
    shelve: Shelve,
    cut: Callable[[BarSeries, datetime], BarSeries],
    now: int,
    before: int,
    past: list[tuple[int, str, str]],
    later: list[tuple[int, str, str]],
    seed: int,
) -> None:
    """Bars, indicators and snapshot are bit for bit those of data cut at now, whatever comes later and whatever was asked before."""
    series = random_bars()
    moment = end_of(series, now)
    come = [action for action in _actions(series, past) if action.ex <= moment]
    coming = [action for action in _actions(series, later) if action.ex > moment]
    future = series.frame.copy()
    future.iloc[now + 1 :] *= np.random.default_rng(seed).uniform(0.2, 5.0, (299 - now, 5))
    clock = [end_of(series, min(before, now))]
    altered = AsOfView(shelve(replace(series, frame=future), actions=come + coming), lambda: clock[0])
    altered.indicators(AAA, DAY)
    clock[0] = moment
    honest = AsOfView(shelve(cut(series, moment), actions=come), lambda: moment)
    pd.testing.assert_frame_equal(altered.bars(AAA, DAY, 300), honest.bars(AAA, DAY, 300), check_exact=True, check_freq=False)
    pd.testing.assert_frame_equal(altered.indicators(AAA, DAY), honest.indicators(AAA, DAY), check_exact=True, check_freq=False)
    assert take(altered, AAA) == take(honest, AAA)


@settings(max_examples=20, deadline=None)
@given(first=st.integers(1, 300), bad=st.lists(st.integers(0, 299), max_size=3))
def test_indicators_of_a_prefix_are_the_prefix_of_the_indicators(random_bars: Bars, first: int, bad: list[int]) -> None:
    """Bit for bit, with bad bars as well."""
    frame = random_bars(seed=5).frame.copy()
    frame.iloc[bad, 3] = np.nan
    pd.testing.assert_frame_equal(compute(frame.iloc[:first]), compute(frame).iloc[:first], check_exact=True, check_freq=False)
