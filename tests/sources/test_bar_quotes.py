"""Quotes that bars publish: what is known when, and around which price."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries
from trading_bot.sources.bar_quotes import BarQuotes, spread_around

_ABC = Symbol("ABC")
_SHARE = Instrument(symbol=_ABC)


def _bars(timeframe: Timeframe, feed: Feed, *rows: tuple[str, str, float, float, float]) -> BarSeries:
    """Rows of start, end, open, close, volume."""
    index = pd.DatetimeIndex([row[0] for row in rows], tz="UTC").as_unit("ns")
    opens, closes, volumes = (np.array([float(row[n]) for row in rows]) for n in (2, 3, 4))
    body = np.stack([opens, closes])
    frame = pd.DataFrame(
        {"open": opens, "high": body.max(axis=0), "low": body.min(axis=0), "close": closes, "volume": volumes}, index=index
    )
    ends = np.array([row[1] for row in rows], dtype="datetime64[ns]")
    return BarSeries(_ABC, timeframe, frame, ends, feed, PriceBasis.AS_TRADED, "test")


_DAILY = _bars(
    Timeframe.DAY,
    Feed.CONSOLIDATED,
    ("2024-01-02T14:30", "2024-01-02T21:00", 100, 110, 50_000),
    ("2024-01-03T14:30", "2024-01-03T21:00", 120, 130, 70_000),
)
_HOURS = _bars(
    Timeframe.HOUR,
    Feed.SINGLE_VENUE,
    ("2024-01-03T14:30", "2024-01-03T15:30", 121, 122, 9_000),
    ("2024-01-03T15:30", "2024-01-03T16:30", 123, 124, 8_000),
)


def _at(quotes: BarQuotes, text: str) -> Quote | None:
    return quotes.at(datetime.fromisoformat(text).replace(tzinfo=UTC))


def _seen(quotes: BarQuotes, text: str) -> tuple[int, str] | None:
    quote = _at(quotes, text)
    return None if quote is None else (int(quote.mid), quote.source)


@pytest.mark.parametrize(
    ("at", "seen"),
    [
        ("2024-01-02T14:29:59", None),
        ("2024-01-02T14:30", (100, "bar-open")),
        ("2024-01-02T20:59:59", (100, "bar-open")),
        ("2024-01-02T21:00", (110, "bar-close")),
        ("2024-01-03T14:29", (110, "bar-close")),
        ("2024-01-03T14:30", (120, "bar-open")),
        ("2025-01-01T00:00", (130, "bar-close")),
    ],
)
def test_a_daily_bar_publishes_its_open_and_its_close(at: str, seen: tuple[int, str] | None) -> None:
    """Nothing between: the open is the only price of the day until the close."""
    assert _seen(BarQuotes([_DAILY], _SHARE, Decimal(2)), at) == seen


@pytest.mark.parametrize(
    ("at", "seen"),
    [
        ("2024-01-02T21:00", (110, "bar-close")),
        ("2024-01-03T14:30", (121, "bar-open")),
        ("2024-01-03T15:30", (123, "bar-open")),
        ("2024-01-03T16:30", (124, "bar-close")),
        ("2024-01-03T21:00", (124, "bar-close")),
    ],
)
def test_intraday_bars_rule_the_days_that_they_cover(at: str, seen: tuple[int, str]) -> None:
    """The daily file fills the other days; at one time an open is newer than the close before it."""
    assert _seen(BarQuotes([_HOURS, _DAILY], _SHARE, Decimal(2)), at) == seen


def test_a_quote_says_time_feed_spread_and_size() -> None:
    """2 bp of 110 are 0.022, half of it outward to the tick; 1 % of the closed bar's volume on each side."""
    assert _at(BarQuotes([_DAILY], _SHARE, Decimal(2)), "2024-01-02T22:00") == Quote(
        symbol=_ABC,
        bid=Decimal("109.98"),
        ask=Decimal("110.02"),
        bid_size=Decimal(500),
        ask_size=Decimal(500),
        time=datetime(2024, 1, 2, 21, tzinfo=UTC),
        source="bar-close",
        feed=Feed.CONSOLIDATED,
    )


def test_the_size_at_an_open_knows_nothing_of_the_bar_that_begins() -> None:
    """It is the last bar's; before the first bar it is 0."""
    quotes = BarQuotes([_DAILY], _SHARE, Decimal(2))
    first, second = _at(quotes, "2024-01-02T15:00"), _at(quotes, "2024-01-03T15:00")
    assert first is not None
    assert second is not None
    assert [first.bid_size, second.bid_size] == [Decimal(0), Decimal(500)]


@given(
    price=st.decimals("0.0001", "5000", places=4),
    bps=st.decimals("0.1", "200", places=1),
    tick=st.sampled_from([Decimal("0.01"), Decimal("0.0001"), Decimal("0.25")]),
)
def test_bid_and_ask_lie_on_the_tick_around_the_price(price: Decimal, bps: Decimal, tick: Decimal) -> None:
    """At least a tick and the spread apart, the bid never at 0, never more than two ticks wider than modelled."""
    bid, ask = spread_around(price, Instrument(symbol=_ABC, tick_size=tick), bps)
    assert bid % tick == ask % tick == 0
    assert 0 < bid < ask
    assert ask >= price
    assert ask - bid >= min(price * bps / 10_000, ask - tick)
    assert ask - bid <= max(price * bps / 10_000, tick) + 2 * tick


def test_a_spread_of_nothing_is_the_price_itself() -> None:
    """Asked for no costs, the quote has none."""
    assert spread_around(Decimal("187.15"), Instrument(symbol=_ABC), Decimal(0)) == (Decimal("187.15"), Decimal("187.15"))
