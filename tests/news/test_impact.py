"""What prices did after stories, by hand, over bars as a view shows them."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from news.readings import AAPL, NOW, scored
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Split, Timeframe
from trading_bot.domain.news import ArticleId, Scored
from trading_bot.domain.values import Symbol
from trading_bot.market.view import AsOfView
from trading_bot.news.horizons import a_day, an_hour, prices
from trading_bot.news.impact import StoryImpact, ToneImpact, impact
from trading_bot.ports import BarSeries

HOUR = timedelta(hours=1)
HORIZONS = {"1 hour": an_hour, "1 day": a_day}


class Market:
    """A source whose price is given by hour, from 20 days before NOW on; it knows the future."""

    name = "by hand"

    def __init__(self, closes: dict[Timeframe, list[float]], split: Split | None = None) -> None:
        self._closes = closes
        self._split = split

    def instrument(self, symbol: Symbol) -> Instrument:
        """Open day and night."""
        return Instrument(symbol=symbol, calendar="24/7")

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:  # noqa: ARG002 - all are alike
        """As given."""
        return tuple(self._closes)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """Newest ends an hour after NOW."""
        if timeframe not in self._closes:
            raise NoDataError("no such bars")
        closes = self._closes[timeframe]
        last = pd.Timestamp(NOW + HOUR) - timeframe.duration
        index = pd.date_range(end=last, periods=len(closes), freq=timeframe.duration)
        frame = pd.DataFrame({c: np.array(closes) for c in ("open", "high", "low", "close", "volume")}, index=index)
        ends = (index + timeframe.duration).tz_localize(None).to_numpy(dtype="datetime64[ns]")
        return BarSeries(symbol, timeframe, frame, ends, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, self.name)

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - all are alike
        """The split, if there is one."""
        return (self._split,) if self._split else ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:  # noqa: ARG002 - none is asked for
        """None."""
        return None

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


def market(*closes: float, split: Split | None = None) -> AsOfView:
    """A view at NOW of hourly closes, of which the last lies an hour ahead."""
    return AsOfView(Market({Timeframe.HOUR: list(closes)}, split), lambda: NOW)


def rising(share: float, hours: int = 480) -> AsOfView:
    """Grows by so much every hour."""
    return market(*(100 * (1 + share) ** n for n in range(hours)))


def test_what_followed_a_story_is_told_up_to_horizons_that_are_over() -> None:
    """By hand: a story two hours old, closes 100, 110, 99 from then on: 10 % within the hour, and its day is not over."""
    price = prices(market(90, 100, 110, 99, 500), AAPL, NOW - 2 * HOUR)
    found = impact(AAPL, NOW, [scored("a", 0.5, ago=2 * HOUR)], {}, price, HORIZONS)
    (story,) = found.stories
    assert story.model_dump(exclude={"moved"}) == StoryImpact(
        story=ArticleId("a"), first=NOW - 2 * HOUR, score=0.5, feeds=1, moved={}
    ).model_dump(exclude={"moved"})
    assert story.moved == {"1 hour": pytest.approx(0.1), "1 day": None}


def test_a_mean_is_told_of_ten_stories_and_not_of_nine() -> None:
    """By tone and horizon, with counts."""
    price = prices(rising(0.01), AAPL, NOW - 480 * HOUR)
    good = [scored(f"good{n}", 0.5, ago=(30 + n) * HOUR) for n in range(10)]
    bad = [scored(f"bad{n}", -0.5, ago=(30 + n) * HOUR) for n in range(9)]
    found = impact(AAPL, NOW, [*good, *bad], {}, price, {"1 hour": an_hour})
    positive, neutral, negative = found.tones
    assert positive.mean == pytest.approx(0.01)
    assert (positive.stories, positive.rose, positive.note) == (10, 1.0, "")
    few = "9 negative stories are too few to say anything; 10 are needed"
    assert negative == ToneImpact(tone="negative", horizon="1 hour", stories=9, mean=None, rose=None, note=few)
    assert (neutral.stories, neutral.mean) == (0, None)


def test_a_story_counts_once_from_its_first_telling_and_a_quarantined_one_never() -> None:
    """Forty copies are one story."""
    price = prices(rising(0.01), AAPL, NOW - 480 * HOUR)
    copies = [scored(f"copy{n}", 0.5, story="copy0", feed=f"feed{n}", ago=timedelta(hours=80 - n)) for n in range(40)]
    held = scored("evil", 1.0, ago=50 * HOUR, quarantined=True)
    (story,) = impact(AAPL, NOW, [*copies, held], {}, price, {"1 hour": an_hour}).stories
    assert (story.story, story.first, story.feeds) == ("copy0", NOW - 80 * HOUR, 40)


def test_nothing_of_after_now_shows_through() -> None:
    """Neither bars, nor articles, nor scores of later."""
    view = market(*([100.0] * 50), 900)
    told = [scored("a", 0.5, ago=HOUR), scored("b", 0.5, ago=-HOUR), scored("c", 0.5, ago=HOUR, late=2 * HOUR)]
    (story,) = impact(AAPL, NOW, told, {}, prices(view, AAPL, NOW - 40 * HOUR), HORIZONS).stories
    assert (story.story, story.moved) == ("a", {"1 hour": 0, "1 day": None})


def test_without_bars_or_with_stale_ones_a_return_is_unknown() -> None:
    """And a symbol without bars has no prices."""
    view = AsOfView(Market({}), lambda: NOW)
    assert prices(view, AAPL, NOW) is None
    (story,) = impact(AAPL, NOW, [scored("a", ago=3 * HOUR)], {}, None, {"1 hour": an_hour}).stories
    assert story.moved == {"1 hour": None}
    early = prices(market(100, 100), AAPL, NOW)
    assert early is not None
    assert (early(NOW - HOUR), early(NOW), early(NOW + timedelta(days=5))) == (None, 100, None)


def test_a_split_between_story_and_horizon_moves_nothing() -> None:
    """Both prices are told in shares of now."""
    split = Split(symbol=AAPL, ex=NOW - 2 * HOUR, ratio=Decimal(2))
    price = prices(market(100, 100, 50, 50, 50, split=split), AAPL, NOW - 3 * HOUR)
    (story,) = impact(AAPL, NOW, [scored("a", ago=2 * HOUR)], {}, price, {"1 hour": an_hour}).stories
    assert story.moved == {"1 hour": pytest.approx(0)}


@pytest.mark.parametrize(("since", "last"), [(timedelta(minutes=2), 3.0), (timedelta(hours=2), 2.0), (timedelta(days=9), 2.0)])
def test_prices_come_from_the_finest_bars_that_reach_back_far_enough(since: timedelta, last: float) -> None:
    """Else from those that reach furthest."""
    view = AsOfView(Market({Timeframe.MINUTE: [3.0] * 70, Timeframe.HOUR: [2.0] * 30}), lambda: NOW)
    price = prices(view, AAPL, NOW - since)
    assert price is not None
    assert price(NOW) == last


def test_stories_that_nobody_is_sure_of_are_left_out() -> None:
    """Their tone is unknown."""
    unsure: list[Scored] = [scored("a", 0.0, confidence=0.0, ago=3 * HOUR)]
    assert impact(AAPL, NOW, unsure, {}, None, HORIZONS).stories == ()
