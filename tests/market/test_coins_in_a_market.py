"""The rules of coins through the view: from bars of five minutes to candidates and ideas."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coin_market import COIN, START, Coins, funding, market, series_of, turned_over, walk
from trading_bot.domain.market import Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.research import TradeIdea
from trading_bot.domain.values import Symbol
from trading_bot.market import coins
from trading_bot.market.view import AsOfView

BARS = 900
"""Of five minutes: three days and an hour."""
NOW = START + BARS * Timeframe.MINUTE_5.duration
STEADY = range(1, 60)


def seen_at(source: Coins, moment: datetime = NOW) -> AsOfView:
    """A view that stands still."""
    return AsOfView(source, lambda: moment)


def trending(side: Side) -> tuple[Coins, TradeIdea]:
    """The first walk that leads to a trade of this side."""
    for seed in STEADY:
        source = market(walk(BARS, seed, 0.01 * side.sign))
        found = coins.idea(seen_at(source), [COIN])
        if found.plan is not None and found.plan.side is side:
            return source, found
    pytest.fail(f"no walk of {len(STEADY)} leads to {side}")


def test_three_days_of_history_are_enough_and_two_are_not() -> None:
    """After three days there may be a trade; after two hours and quarters are too few."""
    source, found = trending(Side.BUY)
    assert found.plan is not None
    assert (found.confidence, found.strategy) == (0.4, "coins")
    assert found.thesis.startswith("buy BTCUSDT at ")
    two_days = market(source.series[Timeframe.MINUTE_5].frame.iloc[-576:])
    assert coins.candidates(seen_at(two_days), [COIN]) == ()


@pytest.mark.parametrize("side", list(Side))
def test_a_series_turned_over_leads_to_the_trade_turned_over(side: Side) -> None:
    """From the bars on: the other side, the same score; the stop within half an ATR, for clusters of swings begin at their lowest."""
    source, found = trending(side)
    frame = source.series[Timeframe.MINUTE_5].frame
    turned = coins.idea(seen_at(market(turned_over(frame, float(frame["close"].iloc[-1])))), [COIN])
    assert found.plan is not None
    assert turned.plan is not None
    assert turned.plan.side is side.opposite
    risks = [abs(one.entry - one.stop_loss) for one in (found.plan, turned.plan)]
    assert abs(risks[0] - risks[1]) <= found.plan.noise + Decimal("0.02")
    assert [turned.plan.exposure, turned.confidence] == [found.plan.exposure, found.confidence]


@settings(max_examples=8, deadline=None)
@given(back=st.integers(1, 60), seconds=st.integers(0, 299), seed=st.integers(1, 5), drift=st.sampled_from([-0.01, 0.01]))
def test_no_change_of_the_future_changes_an_idea(back: int, seconds: int, seed: int, drift: float) -> None:
    """Idea and candidates are those of data cut at the moment, fundings included."""
    frame = walk(BARS + 60, seed, drift)
    moment = START + (BARS + 60 - back) * Timeframe.MINUTE_5.duration + timedelta(seconds=seconds)
    closed = BARS + 60 - back
    future = frame.copy()
    future.iloc[closed:] *= np.random.default_rng(seed).uniform(0.5, 2.0, (back, 5))
    whole, known = market(future), market(frame.iloc[:closed])
    whole.paid = (funding(moment - timedelta(hours=3), "0.0001"), funding(moment + timedelta(hours=1), "0.01"))
    known.paid = whole.paid[:1]
    views = [seen_at(source, moment) for source in (whole, known)]
    assert coins.idea(views[0], [COIN]) == coins.idea(views[1], [COIN])
    assert coins.candidates(views[0], [COIN]) == coins.candidates(views[1], [COIN])


def test_who_passes_is_the_same_for_everybody_who_decides() -> None:
    """The coin of the rules' own trade is a candidate, with its quote and noise; none without a quote, or with old bars."""
    source, found = trending(Side.BUY)
    (seen,) = coins.candidates(seen_at(source), [COIN])
    assert found.plan is not None
    assert (seen.symbol, seen.quote.ask, seen.noise) == (COIN, found.plan.entry, found.plan.noise)
    source.quotes = ()
    assert coins.candidates(seen_at(source), [COIN]) == ()
    late, _ = trending(Side.BUY)
    assert coins.look(seen_at(late, NOW + timedelta(minutes=30)), COIN) is not None
    assert coins.look(seen_at(late, NOW + timedelta(minutes=31)), COIN) is None
    nothing = coins.idea(seen_at(late, NOW + timedelta(minutes=31)), [COIN])
    assert nothing == TradeIdea(plan=None, confidence=0.0, thesis="no coin has a quote and bars enough, new enough")


def test_where_nothing_is_worth_a_trade_the_idea_says_what_is_missing() -> None:
    """Of each side; and a coin that there is not is passed over."""
    flat = market(walk(BARS, 3))
    found = coins.idea(seen_at(flat), [COIN])
    assert found.plan is None
    assert found.thesis.startswith("buy BTCUSDT: ")
    assert "; sell BTCUSDT: " in found.thesis
    assert coins.idea(seen_at(Coins({})), [Symbol("NOPE")]).plan is None


def test_of_two_that_are_alike_the_first_by_name_is_opened() -> None:
    """Two coins of one series differ by name alone."""
    source, found = trending(Side.SELL)
    other = Symbol("AAAUSDT")
    quotes = [*source.quotes, source.quotes[-1].model_copy(update={"symbol": other})]
    source.quotes = quotes
    best = coins.idea(seen_at(source), [COIN, other]).plan
    assert best is not None
    assert (best.symbol, best.stop_loss) == (other, found.plan.stop_loss if found.plan else None)


def test_bars_that_make_no_coarser_ones_are_no_reason_to_fail() -> None:
    """Hours alone have no quarters."""
    hours = Coins({Timeframe.HOUR: series_of(walk(99), Timeframe.HOUR)})
    assert coins.candidates(seen_at(hours), [COIN]) == ()
