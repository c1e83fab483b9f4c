"""Dates of articles: read by stated rules, or marked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.news import Mark
from trading_bot.news.dates import read

RECEIVED = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
EVENING = datetime(2026, 3, 8, 22, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 08 Mar 2026 22:16 GMT",
        "Sun, 08 Mar 2026 22:16:00 +0000",
        "Sun,8 Mar 2026 22:16:00 Z",
        "08 Mar 26 18:16 EDT",
        "Sun, 08 Mar 2026 15:16:00 PT",
        "2026-03-08T22:16:00Z",
        "2026-03-08T22:16:00.123+00:00",
        "2026-03-09T03:46+0530",
        "20260308T221600Z",
        "2026-03-08 22:16:00 UTC",
        "March 8, 2026, 6:16 p.m. ET",
        "Mar 8 2026 at 10:16 PM GMT",
        "Sunday, 08-Mar-2026 23:16:00 CET",
    ],
)
def test_one_moment_is_one_moment_however_it_is_written(text: str) -> None:
    """Feeds, agencies and Americans."""
    assert read(text, RECEIVED) == (EVENING, ())


@pytest.mark.parametrize(
    ("text", "at", "marks"),
    [
        ("2026-03-08T22:16:00", EVENING, (Mark.ASSUMED_ZONE,)),
        ("Sun, 08 Mar 2026 22:16:00 IST", EVENING, (Mark.ASSUMED_ZONE,)),
        ("2026-03-08", datetime(2026, 3, 8, tzinfo=UTC), (Mark.ASSUMED_ZONE,)),
        ("2026-03-09T00:05:00Z", RECEIVED + timedelta(minutes=5), ()),
        ("2026-03-09T00:05:01Z", RECEIVED, (Mark.FUTURE,)),
        ("9998-01-01", RECEIVED, (Mark.FUTURE, Mark.ASSUMED_ZONE)),
        ("2026-02-07T00:00:00Z", RECEIVED - timedelta(days=30), ()),
        ("Thu, 01 Jan 1970 00:00:00 GMT", datetime(1970, 1, 1, tzinfo=UTC), (Mark.ANCIENT,)),
        ("", RECEIVED, (Mark.UNDATED,)),
        ("2 hours ago", RECEIVED, (Mark.UNDATED,)),
        ("1772999999", RECEIVED, (Mark.UNDATED,)),
        ("Sun, 32 Mar 2026 22:16 GMT", RECEIVED, (Mark.UNDATED,)),
        ("March 8, 2026 13:00 PM GMT", RECEIVED, (Mark.UNDATED,)),
        ("0001-01-01T00:00:00+14:00", RECEIVED, (Mark.UNDATED,)),
    ],
)
def test_what_is_wrong_with_a_date_is_marked_by_rule(text: str, at: datetime, marks: tuple[Mark, ...]) -> None:
    """No zone, the future, the past, nothing."""
    assert read(text, RECEIVED) == (at, marks)


@given(st.text(max_size=60) | st.from_regex(r"\d{1,4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?", fullmatch=True))
def test_no_text_breaks_it_and_no_date_is_later_than_it_may_be(text: str) -> None:
    """An aware time in UTC, whatever stands there."""
    at, _ = read(text, RECEIVED)
    assert at.tzinfo is UTC
    assert at <= RECEIVED + timedelta(minutes=5)
