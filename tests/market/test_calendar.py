"""Calendars: sessions, half days, daylight saving, the market that never closes."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.errors import ConfigError, NoDataError
from trading_bot.market.calendar import last_closed, open_calendar

NEW_YORK = open_calendar("XNYS")
ALWAYS = open_calendar("24/7")
DAYS = st.dates(date(1999, 1, 1), date(2039, 1, 1))


def test_new_york_agrees_with_the_recorded_sessions_of_seven_years(shared: Path) -> None:
    """Days, openings, closes and half days of 2020 to 2026 are the recorded ones."""
    recorded = pd.read_csv(shared / "data/us_calendar/nyse_sessions_2020_2026.csv")
    days = [date.fromisoformat(day) for day in recorded["session"]]
    hours = list(zip(pd.to_datetime(recorded["open"]), pd.to_datetime(recorded["close"]), strict=True))
    assert list(NEW_YORK.sessions(date(2020, 1, 1), date(2026, 12, 31))) == days
    assert [NEW_YORK.hours(day) for day in days] == hours


def test_a_half_day_ends_at_its_early_close() -> None:
    """The day after Thanksgiving closes at 13:00 in New York."""
    assert NEW_YORK.hours(date(2024, 11, 29)) == (
        datetime(2024, 11, 29, 14, 30, tzinfo=UTC),
        datetime(2024, 11, 29, 18, 0, tzinfo=UTC),
    )


def test_daylight_saving_moves_the_session_by_an_hour_in_utc() -> None:
    """Friday before and Monday after the clocks change."""
    assert NEW_YORK.hours(date(2024, 3, 8))[0].hour == 14
    assert NEW_YORK.hours(date(2024, 3, 11))[0].hour == 13


def test_a_session_includes_its_opening_and_excludes_its_close() -> None:
    """Both ends of 2024-03-05."""
    opening, close = NEW_YORK.hours(date(2024, 3, 5))
    assert NEW_YORK.session_at(opening) == date(2024, 3, 5)
    assert NEW_YORK.session_at(close) is None
    assert NEW_YORK.session_at(opening - timedelta(microseconds=1)) is None


@pytest.mark.parametrize("day", [date(2024, 3, 9), date(2024, 12, 25), date(2025, 1, 9), date(1985, 1, 2)])
def test_a_day_without_session_has_no_hours(day: date) -> None:
    """A Saturday, Christmas, a day of mourning, and a day before the calendar."""
    assert not NEW_YORK.is_session(day)
    with pytest.raises(NoDataError, match=str(day)):
        NEW_YORK.hours(day)


def test_the_calendar_says_where_it_ends() -> None:
    """No session is invented before the first or after the last."""
    with pytest.raises(NoDataError, match="reaches from 1986-01-02"):
        NEW_YORK.previous_session(date(1986, 1, 2))
    with pytest.raises(NoDataError, match="knows no session after"):
        NEW_YORK.next_session(date(2041, 1, 1))


@given(DAYS)
def test_next_and_previous_sessions_enclose_a_day(day: date) -> None:
    """No session lies strictly between a day and its neighbours."""
    before, after = NEW_YORK.previous_session(day), NEW_YORK.next_session(day)
    between = NEW_YORK.sessions(before, after)
    assert between in {(before, after), (before, day, after)}


@given(DAYS)
def test_the_last_closed_session_closed_and_the_next_has_not(day: date) -> None:
    """At noon UTC of any day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    closed = last_closed(NEW_YORK, noon)
    assert NEW_YORK.hours(closed)[1] <= noon < NEW_YORK.hours(NEW_YORK.next_session(closed))[1]


@given(DAYS)
def test_a_market_that_never_closes_has_a_session_every_utc_day(day: date) -> None:
    """From midnight to midnight."""
    opening, close = ALWAYS.hours(day)
    assert ALWAYS.is_session(day)
    assert ALWAYS.session_at(opening) == ALWAYS.session_at(close - timedelta(microseconds=1)) == day
    assert ALWAYS.session_at(close) == ALWAYS.next_session(day)
    assert ALWAYS.sessions(ALWAYS.previous_session(day), day) == (day - timedelta(days=1), day)


def test_a_session_counts_as_closed_from_its_closing_time_on() -> None:
    """At 21:00 UTC, not a microsecond before."""
    close = NEW_YORK.hours(date(2024, 3, 5))[1]
    assert last_closed(NEW_YORK, close) == date(2024, 3, 5)
    assert last_closed(NEW_YORK, close - timedelta(microseconds=1)) == date(2024, 3, 4)


def test_a_calendar_is_built_once_and_an_unknown_one_is_refused() -> None:
    """The same object again; a typo names the choices."""
    assert open_calendar("XNYS") is NEW_YORK
    with pytest.raises(ConfigError, match="use one of XNYS, 24/7"):
        open_calendar("NYSE")
