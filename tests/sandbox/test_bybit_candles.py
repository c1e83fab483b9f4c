"""The emulated Bybit tells candles of every length that the venue has, and answers where other people's clients look at their start."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.bybit_house import BTC, House, house
from trading_bot.sandbox.bybit.candles import INTERVALS


@pytest.fixture(scope="module")
def venue() -> Iterator[House]:
    """A venue on which nothing happens."""
    with house() as made:
        yield made


def rows(venue: House, interval: str, **more: Any) -> list[list[str]]:  # noqa: ANN401 - as the SDK takes it
    """Candles, newest first."""
    told: list[list[str]] = venue.http.get_kline(category="linear", symbol=BTC, interval=interval, **more)["result"]["list"]
    return told


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_candles_of_every_length_follow_each_other(venue: House, interval: str) -> None:
    """Newest first, each beginning where the length says, the one in progress at the head."""
    told = rows(venue, interval, limit=3)
    starts = [int(row[0]) * 1_000_000 for row in told]
    assert len(told) == 3
    assert [INTERVALS[interval].start(at) for at in starts] == starts
    assert [INTERVALS[interval].end(at) for at in starts[1:]] == starts[:-1]


def test_weeks_begin_on_monday_and_months_on_their_first(venue: House) -> None:
    """By UTC."""
    monday, first = (datetime.fromtimestamp(int(rows(venue, name)[1][0]) / 1000, UTC) for name in ("W", "M"))
    assert (monday.weekday(), monday.hour, first.day, first.hour) == (0, 0, 1, 0)


def test_a_longer_candle_holds_the_shorter_ones(venue: House) -> None:
    """Three minutes of their minutes."""
    whole = rows(venue, "3", limit=2)[1]
    parts = rows(venue, "1", start=int(whole[0]), end=int(whole[0]) + 120_000)
    assert len(parts) == 3
    assert (whole[1], whole[4]) == (parts[-1][1], parts[0][4])
    assert (float(whole[2]), float(whole[3])) == (max(float(p[2]) for p in parts), min(float(p[3]) for p in parts))


@pytest.mark.parametrize("name", ["mark_price", "index_price", "premium_index_price"])
def test_prices_that_are_not_traded_have_candles_without_volume(venue: House, name: str) -> None:
    """Mark and index follow the contract; the premium is none."""
    told = getattr(venue.http, f"get_{name}_kline")(category="linear", symbol=BTC, interval="60", limit=2)["result"]["list"]
    assert [len(row) for row in told] == [5, 5]


def test_statistics_and_empty_lists_are_told(venue: House) -> None:
    """Nobody else is here, nothing was deposited, nothing is in maintenance."""
    interest = venue.http.get_open_interest(category="linear", symbol=BTC, intervalTime="1h", limit=2)["result"]["list"]
    assert len(interest) == 2
    assert venue.http.get_deposit_records()["result"]["rows"] == []
    assert venue.http.get_internal_transfer_records()["result"]["list"] == []
