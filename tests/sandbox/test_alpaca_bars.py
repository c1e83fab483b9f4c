"""The emulated Alpaca tells bars of every length, stamped as Alpaca stamps them, and filters its lists as clients ask it to."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.alpaca_kit import Bench, bench


@pytest.fixture(scope="module")
def b() -> Iterator[Bench]:
    """An emulator on a Tuesday morning, with a fill of each class and an order that rests."""
    with bench() as made:
        made.buy()
        made.buy(1, "BTC/USD")
        made.post(client_order_id="rests", type="limit", limit_price="20", symbol="MSFT")
        made.wait(minutes=3)
        yield made


def bars(b: Bench, symbol: str = "AAPL", **query: str) -> list[dict[str, Any]]:
    """Bars of one symbol."""
    path = "/v1beta3/crypto/us/bars" if "/" in symbol else "/v2/stocks/bars"
    told: list[dict[str, Any]] = b.call("GET", path, None, symbols=symbol, **query).json()["bars"].get(symbol, [])
    return told


def test_a_days_bar_begins_at_new_yorks_midnight(b: Bench) -> None:
    """At 05:00 UTC in winter: who turns it into New York's time reads the day itself. Coins have days of UTC."""
    days = bars(b, timeframe="1Day", start="2024-02-28", end="2024-03-04T23:00:00Z")
    assert [bar["t"] for bar in days] == [f"2024-{day}T05:00:00Z" for day in ("02-28", "02-29", "03-01", "03-04")]
    assert bars(b, "BTC/USD", timeframe="1Day", start="2024-03-02", end="2024-03-02")[0]["t"] == "2024-03-02T00:00:00Z"


def test_longer_bars_hold_what_shorter_ones_do(b: Bench) -> None:
    """A week of its days, ten minutes of its minutes."""
    days = bars(b, timeframe="1Day", start="2024-02-26", end="2024-03-02")
    week = bars(b, timeframe="1Week", start="2024-02-26", end="2024-03-02")
    assert [bar["t"] for bar in week] == ["2024-02-26T05:00:00Z"]
    assert (week[0]["o"], week[0]["c"]) == (days[0]["o"], days[-1]["c"])
    assert (week[0]["h"], week[0]["v"]) == (max(d["h"] for d in days), sum(d["v"] for d in days))
    minutes = bars(b, timeframe="1Min", start="2024-03-04T15:00:00Z", end="2024-03-04T15:09:00Z")
    ten = bars(b, timeframe="10Min", start="2024-03-04T15:00:00Z", end="2024-03-04T15:09:00Z")
    assert (len(minutes), len(ten)) == (10, 1)
    assert (ten[0]["t"], ten[0]["l"]) == (minutes[0]["t"], min(m["l"] for m in minutes))


def test_both_ends_of_a_span_count(b: Bench) -> None:
    """A bar that begins at the end is told."""
    told = bars(b, timeframe="5Min", start="2024-03-04T15:00:00Z", end="2024-03-04T15:10:00Z")
    assert [bar["t"][11:16] for bar in told] == ["15:00", "15:05", "15:10"]


@pytest.mark.parametrize("timeframe", ["1Month", "3Month", "2Hour", "45Min", "5T", "1D"])
def test_every_length_of_alpacas_is_told(b: Bench, timeframe: str) -> None:
    """In both spellings."""
    assert bars(b, timeframe=timeframe, start="2023-10-01" if "Month" in timeframe else "2024-03-01")


@pytest.mark.parametrize("timeframe", ["2Day", "61Min", "24Hour", "5Month", "0Min", "Min", "1Year", ""])
def test_other_lengths_are_refused(b: Bench, timeframe: str) -> None:
    """With 400, as the vendor has it."""
    assert b.call("GET", "/v2/stocks/bars", None, symbols="AAPL", timeframe=timeframe).status_code == 400


def test_a_snapshot_shows_the_day_that_goes_on_and_the_one_before(b: Bench) -> None:
    """So that who takes the one from the other reads today's change."""
    told = b.call("GET", "/v2/stocks/AAPL/snapshot").json()
    assert [told[name]["t"][:10] for name in ("dailyBar", "prevDailyBar")] == ["2024-03-05", "2024-03-04"]


def test_lists_are_filtered_as_asked(b: Bench) -> None:
    """By class, by what came before or after, by kind of activity, by exchange; repeated words count as with commas."""
    first = b.call("GET", "/v2/orders", None, status="all", direction="asc").json()[0]["id"]
    counts = {
        "/v2/orders?status=all": 3,
        "/v2/orders?status=all&asset_class=crypto": 1,
        "/v2/orders?status=all&asset_class=crypto&asset_class=us_equity": 3,
        f"/v2/orders?status=all&after_order_id={first}": 2,
        f"/v2/orders?status=all&before_order_id={first}": 0,
        "/v2/account/activities?category=trade_activity": 2,
        "/v2/account/activities?activity_types=FILL&activity_types=CSD": 3,
        "/v2/assets?exchange=NASDAQ": 2,
        "/v2/assets?attributes=has_options": 0,
    }
    assert {path: len(b.call("GET", path).json()) for path in counts} == counts


def test_part_of_a_fraction_can_be_closed() -> None:
    """Rounded down to what can be traded."""
    with bench() as b:
        b.post(qty="0.000003")
        b.post(qty="3.333333")
        assert b.call("DELETE", "/v2/positions/AAPL?percentage=33.3").status_code == 200
