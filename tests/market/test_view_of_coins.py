"""The as-of view of what trades round the clock: coarser bars put together from finer ones, and the word of a perpetual's venue."""

import gc
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coin_market import COIN, Coins, Telling, funding, quote, series_of, walk
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.market import Contract, Feed, Timeframe
from trading_bot.market.snapshot import take
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries

M5, M15, HOUR, DAY = Timeframe.MINUTE_5, Timeframe.MINUTE_15, Timeframe.HOUR, Timeframe.DAY
NOON = datetime(2025, 10, 10, 12, tzinfo=UTC)


def shelf(*series: BarSeries) -> Coins:
    """A source of these."""
    return Coins({one.timeframe: one for one in series})


def test_a_timeframe_that_the_source_lacks_is_put_together_from_a_finer_one() -> None:
    """Twelve bars of five minutes make an hour: first open, highest high, lowest low, last close, all volume."""
    fine = walk(24)
    view = AsOfView(shelf(series_of(fine)), lambda: datetime(2025, 10, 1, 2, tzinfo=UTC))
    hours = view.bars(COIN, HOUR, 9)
    first = fine.iloc[:12]
    expected = [first["open"].iloc[0], first["high"].max(), first["low"].min(), first["close"].iloc[-1], first["volume"].sum()]
    assert hours.iloc[0].tolist() == expected
    assert hours.index.tolist() == [pd.Timestamp("2025-10-01 00:00Z"), pd.Timestamp("2025-10-01 01:00Z")]
    assert view.feed(COIN, HOUR) is Feed.CONSOLIDATED
    assert len(view.indicators(COIN, HOUR)) == 2


def test_a_coarse_bar_is_seen_from_its_close_on() -> None:
    """Not a microsecond before."""
    now = [datetime(2025, 10, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)]
    view = AsOfView(shelf(series_of(walk(24))), lambda: now[0])
    assert view.bars(COIN, HOUR, 9).empty
    now[0] += timedelta(microseconds=1)
    assert len(view.bars(COIN, HOUR, 9)) == 1


def test_a_coarse_bar_whose_last_part_is_missing_is_seen_once_the_next_one_shows_it() -> None:
    """Bars of 0:55 and 1:00 were never told: until 1:10 nobody can know that 0:55 will not come."""
    fine = walk(24)
    fine = fine.drop(fine.index[[11, 12]])
    now = [datetime(2025, 10, 1, 1, 9, tzinfo=UTC)]
    view = AsOfView(shelf(series_of(fine)), lambda: now[0])
    assert view.bars(COIN, HOUR, 9).empty
    now[0] += timedelta(minutes=1)
    assert view.bars(COIN, HOUR, 9)["close"].tolist() == [fine["close"].iloc[10]]


def test_what_the_source_has_itself_is_not_put_together() -> None:
    """Its own hours differ from those of its minutes, and it is asked for nothing else."""
    own = walk(2).set_axis(pd.date_range("2025-10-01", periods=2, freq="h", tz="UTC"))
    source = shelf(series_of(walk(24)), series_of(own, HOUR))
    view = AsOfView(source, lambda: datetime(2025, 10, 1, 2, tzinfo=UTC))
    assert view.bars(COIN, HOUR, 9).to_numpy().tolist() == own.to_numpy().tolist()
    assert source.asked == [HOUR]


def test_nothing_finer_than_the_source_has_can_be_had() -> None:
    """Hours make no minutes."""
    view = AsOfView(shelf(series_of(walk(2), HOUR)), lambda: NOON)
    with pytest.raises(NoDataError, match="coins has no bars of BTCUSDT that make 5m"):
        view.bars(COIN, M5, 1)


def test_bars_that_begin_beside_the_clock_make_no_coarser_ones() -> None:
    """The hour from half past three to half past four belongs to no four hours."""
    beside = walk(96).set_axis(pd.date_range("2025-10-01 00:30", periods=96, freq="h", tz="UTC"))
    view = AsOfView(shelf(series_of(beside, HOUR)), lambda: NOON)
    with pytest.raises(NoDataError, match="BTCUSDT: bars of 1h that begin beside the clock make none of 4h"):
        view.bars(COIN, Timeframe.HOUR_4, 1)
    assert len(view.bars(COIN, DAY, 9)) == 4


def test_no_hours_are_made_of_a_session_that_opens_at_half_past(
    intraday_bars: Callable[..., BarSeries], shelve: Callable[..., Any]
) -> None:
    """Of a share's half-hours there are none but those, and days."""
    series = intraday_bars(Timeframe.MINUTE_30, [("2024-03-05 14:30", 1.0, 2.0, 0.5, 1.5, 1.0)])
    view = AsOfView(shelve(series), lambda: NOON)
    with pytest.raises(NoDataError, match="no 1h bars"):
        view.bars(series.symbol, HOUR, 1)
    assert len(view.bars(series.symbol, DAY, 1)) == 1


BARS = 240


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.integers(0, BARS * 300),
    before=st.integers(0, BARS * 300),
    missing=st.sets(st.integers(0, BARS - 1), max_size=40),
    wanted=st.sampled_from([M15, Timeframe.MINUTE_30, HOUR, Timeframe.HOUR_4, DAY]),
    seed=st.integers(0, 99),
)
def test_no_change_of_the_future_changes_a_coarse_answer(
    seconds: int, before: int, missing: set[int], wanted: Timeframe, seed: int
) -> None:
    """Bars, indicators and contract are bit for bit those of data cut at now, with holes, whatever comes later or was asked before."""
    fine = walk(BARS).drop(walk(BARS).index[sorted(missing)])
    start = datetime(2025, 10, 1, tzinfo=UTC)
    moment, earlier = start + timedelta(seconds=seconds), start + timedelta(seconds=min(before, seconds))
    closed = int(np.searchsorted(series_of(fine).ends, np.datetime64(moment.replace(tzinfo=None), "ns"), side="right"))
    future = fine.copy()
    future.iloc[closed:] *= np.random.default_rng(seed).uniform(0.2, 5.0, (len(fine) - closed, 5))
    paid = tuple(funding(start + timedelta(hours=h), str(h)) for h in (4, 12, 20))
    quotes = [quote(str(100 + h), start + timedelta(hours=h)) for h in range(20)]
    clock = [earlier]
    told = Coins({M5: series_of(future)}, paid, quotes)
    known = Coins({M5: series_of(fine.iloc[:closed])}, tuple(f for f in paid if f.at <= moment), [q for q in quotes if q.time <= moment])
    altered, honest = AsOfView(told, lambda: clock[0]), AsOfView(known, lambda: moment)
    altered.indicators(COIN, wanted)
    clock[0] = moment
    assert altered.contract(COIN) == honest.contract(COIN)
    if not closed:
        assert altered.bars(COIN, wanted, 99).empty
        return
    pd.testing.assert_frame_equal(altered.bars(COIN, wanted, 99), honest.bars(COIN, wanted, 99), check_exact=True, check_freq=False)
    pd.testing.assert_frame_equal(altered.indicators(COIN, wanted), honest.indicators(COIN, wanted), check_exact=True, check_freq=False)


def test_of_a_series_that_grows_the_newest_alone_is_kept() -> None:
    """Some bars later no frame of an earlier one is left, in the view or in a frozen one; and each answer is the newest."""
    whole = walk(700)
    source = shelf(series_of(whole.iloc[:100]))
    now = [datetime(2025, 10, 1, tzinfo=UTC)]
    view = AsOfView(source, lambda: now[0])
    seen: list[weakref.ref[pd.DataFrame]] = []
    for count in range(100, 700, 15):
        source.series[M5] = series_of(whole.iloc[max(0, count - 200) : count].copy())
        now[0] = datetime(2025, 10, 1, tzinfo=UTC) + count * M5.duration
        still = view.frozen(now[0])
        for timeframe in (M5, M15):
            assert still.indicators(COIN, timeframe).index[-1] == view.bars(COIN, timeframe, 1).index[-1]
        assert view.bars(COIN, M15, 1)["close"].iloc[0] == whole["close"].iloc[count // 3 * 3 - 1]
        seen.append(weakref.ref(source.series[M5].frame))
    gc.collect()
    assert [frame() is None for frame in seen] == [True] * (len(seen) - 1) + [False]


def test_frozen_views_share_what_was_computed() -> None:
    """A brief's view at the same cut holds the very same table."""
    view = AsOfView(shelf(series_of(walk(900))), lambda: datetime(2025, 10, 4, tzinfo=UTC))
    tables = [one.indicators(COIN, M15).to_numpy() for one in (view, view.frozen(view.now()), view.frozen(view.now()))]
    assert all(np.shares_memory(tables[0], table) for table in tables)
    assert take(view, COIN, M15) == take(view.frozen(view.now()), COIN, M15)


def test_what_its_venue_says_of_a_perpetual_is_believed() -> None:
    """Mark and funding as told, once they were told; before, nothing."""
    word = Contract(symbol=COIN, mark=Decimal(99), funding_rate=Decimal("0.0003"), next_funding_at=NOON + timedelta(hours=1), time=NOON)
    source = Telling({}, word=word, quotes=[quote("100", NOON - timedelta(hours=2))])
    now = [NOON]
    view = AsOfView(source, lambda: now[0])
    assert view.contract(COIN) == word
    assert view.frozen(NOON - timedelta(seconds=1)).contract(COIN) is None


def test_where_no_venue_tells_the_mark_is_the_middle_of_the_quote_and_the_rate_the_last_one() -> None:
    """At noon, between the fundings of 8 and 16 o'clock; before the first funding the rate is 0."""
    paid = (funding(NOON.replace(hour=8), "0.0001"), funding(NOON.replace(hour=16), "0.0005"))
    source = Coins({}, paid, [quote("100", NOON.replace(hour=7))])
    said = Contract(
        symbol=COIN,
        mark=Decimal(100),
        funding_rate=Decimal("0.0001"),
        next_funding_at=NOON.replace(hour=16),
        time=NOON.replace(hour=7),
    )
    view = AsOfView(source, lambda: NOON)
    assert view.contract(COIN) == said
    assert view.frozen(NOON.replace(hour=7, minute=59)).contract(COIN) == said.model_copy(
        update={"funding_rate": Decimal(0), "next_funding_at": NOON.replace(hour=8)}
    )
    assert view.frozen(NOON.replace(hour=6)).contract(COIN) is None


def test_the_next_funding_is_at_the_next_eight_hour_mark() -> None:
    """At the mark itself it is the one after; late in the evening, tomorrow's first."""
    view = AsOfView(Coins({}, (), [quote("100", NOON - timedelta(days=1))]), lambda: NOON + timedelta(days=1))

    def following(moment: datetime) -> datetime:
        contract = view.frozen(moment).contract(COIN)
        assert contract is not None
        return contract.next_funding_at

    assert following(NOON.replace(hour=8)) == NOON.replace(hour=16)
    assert following(NOON.replace(hour=23, minute=59)) == datetime(2025, 10, 11, tzinfo=UTC)


@pytest.mark.parametrize("kind", [AssetClass.EQUITY, AssetClass.CRYPTO_SPOT])
def test_what_is_no_perpetual_has_no_contract(kind: AssetClass) -> None:
    """A share, a coin."""
    word = Contract(symbol=COIN, mark=Decimal(99), funding_rate=Decimal(0), next_funding_at=NOON, time=NOON)
    source = Telling({}, quotes=[quote("100", NOON)], kind=kind, word=word)
    assert AsOfView(source, lambda: NOON).contract(COIN) is None
