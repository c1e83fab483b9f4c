"""When tasks are due: holidays, half days, daylight saving, grace, restarts."""

from datetime import UTC, date, datetime, timedelta

import pytest

from trading_bot import config
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.records import Anomaly, AnomalyKind, TaskRun, TaskStatus
from trading_bot.domain.values import Symbol, TaskRunId
from trading_bot.market.calendar import open_calendar
from trading_bot.orchestrator.scheduler import Scheduler, round_the_clock, slots_of
from trading_bot.storage.memory import MemoryJournal

SETTINGS = config.load().schedule
XNYS = open_calendar("XNYS")


def at(text: str) -> datetime:
    """A moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(session: date) -> dict[str, str]:
    """Task to due time (UTC) of one session."""
    return {s.task: f"{s.due:%H:%M}" for s in slots_of(session, XNYS, SETTINGS)}


def scheduler(journal: MemoryJournal, since: str = "2024-03-01 00:00") -> Scheduler:
    """A scheduler of a desk that began at `since`."""
    return Scheduler(XNYS, SETTINGS, journal, at(since))


def test_a_day_is_the_table_of_the_design_in_eastern_time() -> None:
    """Winter: Eastern time is five hours behind."""
    expected = {
        "pre-market": "11:30",
        "market-open": "14:30",
        "monitor-1000": "15:00",
        "monitor-1100": "16:00",
        "monitor-1400": "19:00",
        "end-of-day": "21:05",
    }
    assert day(date(2024, 3, 5)) == expected


def test_daylight_saving_shifts_nothing_on_the_exchange_clock() -> None:
    """The Monday after the change: every task one hour earlier in UTC."""
    before, after = day(date(2024, 3, 7)), day(date(2024, 3, 11))
    assert (before["pre-market"], after["pre-market"]) == ("11:30", "10:30")
    assert (before["end-of-day"], after["end-of-day"]) == ("21:05", "20:05")


def test_a_half_day_closes_early_and_drops_what_comes_after() -> None:
    """2024-11-29 closes at 13:00 Eastern: no 14:00 look, end of day at 13:05, and it is the week's last."""
    slots = day(date(2024, 11, 29))
    assert "monitor-1400" not in slots
    assert (slots["end-of-day"], slots["weekly"]) == ("18:05", "18:10")


def test_the_week_ends_with_its_last_session_even_before_a_holiday() -> None:
    """Good Friday 2024-03-29 is closed, so Thursday ends the week."""
    assert "weekly" in day(date(2024, 3, 28))
    assert "weekly" not in day(date(2024, 3, 27))


def test_nothing_is_due_on_a_holiday_or_weekend() -> None:
    """From Thanksgiving morning the next slot is Friday's."""
    found = scheduler(MemoryJournal("desk01"), "2024-11-28 00:00").next_slot(at("2024-11-28 12:00"))
    assert found is not None
    assert found.session == date(2024, 11, 29)


def test_an_ended_task_does_not_run_again_after_a_restart() -> None:
    """The journal remembers; a new scheduler on it goes on with the next."""
    journal = MemoryJournal("desk01")
    first = scheduler(journal)
    slot = first.next_slot(at("2024-03-05 11:30"))
    assert slot is not None
    now = at("2024-03-05 11:31")
    first.start(slot, now)
    first.end(slot, TaskStatus.DONE, "", now)
    following = scheduler(journal).next_slot(now)
    assert following is not None
    assert (slot.task, following.task) == ("pre-market", "market-open")


def test_a_started_task_is_run_again_after_a_crash() -> None:
    """A start without an end is not an end."""
    journal = MemoryJournal("desk01")
    first = scheduler(journal, "2024-03-05 05:00")
    slot = first.next_slot(at("2024-03-05 11:30"))
    assert slot is not None
    first.start(slot, slot.due)
    assert scheduler(journal, "2024-03-05 05:00").next_slot(at("2024-03-05 11:40")) == slot


def test_a_missed_task_runs_late_within_its_grace_and_is_journaled_as_missed_beyond() -> None:
    """Pre-market has two hours; the opening ten minutes."""
    journal = MemoryJournal("desk01")
    late = scheduler(journal, "2024-03-05 05:00")
    slot = late.next_slot(at("2024-03-05 13:30"))
    assert slot is not None
    assert slot.task == "pre-market"
    after = late.next_slot(at("2024-03-05 14:41"))
    assert after is not None
    assert after.task == "monitor-1000"
    missed = [run.task for run in journal.all(TaskRun) if run.status is TaskStatus.MISSED]
    assert missed == ["pre-market", "market-open"]


def test_a_new_desk_owes_nothing_of_the_time_before_it() -> None:
    """Started at noon: the morning is not missed, it was nobody's."""
    journal = MemoryJournal("desk01")
    slot = scheduler(journal, "2024-03-05 18:00").next_slot(at("2024-03-05 18:00"))
    assert slot is not None
    assert slot.task == "monitor-1400"
    assert journal.all(TaskRun) == ()


def test_a_disabled_task_is_not_due_and_an_unknown_one_is_an_error() -> None:
    """Every task can be switched off; a name that is none is a typo."""
    off = {**SETTINGS, "monitor-1100": SETTINGS["monitor-1100"].model_copy(update={"enabled": False})}
    assert "monitor-1100" not in {s.task for s in slots_of(date(2024, 3, 5), XNYS, off)}
    with pytest.raises(ConfigError, match="there is no task brunch"):
        Scheduler(XNYS, {**SETTINGS, "brunch": SETTINGS["weekly"]}, MemoryJournal("desk01"), at("2024-03-05 00:00"))


def test_monitor_means_the_latest_slot_that_is_due() -> None:
    """At 11:30 Eastern it is the 11:00 look, not the 10:00 one."""
    found = scheduler(MemoryJournal("desk01")).latest_due("monitor", at("2024-03-05 16:30"))
    assert found is not None
    assert found.task == "monitor-1100"


def test_a_new_desk_is_not_asked_about_a_week_that_it_never_saw() -> None:
    """Begun on Saturday: Friday's weekly review is within its grace of two days, and nobody's."""
    assert scheduler(MemoryJournal("desk01"), "2024-03-09 12:00").latest_due("weekly", at("2024-03-09 12:00")) is None
    assert scheduler(MemoryJournal("desk01"), "2024-03-08 12:00").latest_due("weekly", at("2024-03-09 12:00")) is not None


def test_slots_of_a_year_are_those_of_its_sessions() -> None:
    """2024 has 252 sessions, 53 of which end a week, three half days without a look at 14:00."""
    slots = scheduler(MemoryJournal("desk01")).slots_between(date(2024, 1, 1), date(2024, 12, 31))
    assert len({s.session for s in slots}) == 252
    assert sum(1 for s in slots if s.task == "weekly") == 52
    assert sum(1 for s in slots if s.task == "monitor-1400") == 249
    assert slots == sorted(slots)
    assert slots[-1].due - slots[0].due < timedelta(days=366)


COINS = open_calendar("24/7")


def round_clock(journal: MemoryJournal, since: str, minutes: int = 15) -> Scheduler:
    """A scheduler of a desk of coins that began at `since`."""
    return Scheduler(COINS, SETTINGS, journal, at(since), round_the_clock(timedelta(minutes=minutes)))


def test_a_market_that_never_closes_is_looked_at_every_quarter_of_an_hour_of_every_day() -> None:
    """96 looks of a Saturday, its review at midnight, none on daylight saving's account."""
    slots = list(slots_of(date(2024, 3, 9), COINS, SETTINGS, round_the_clock(timedelta(minutes=15))))
    assert [f"{s.due:%H:%M}" for s in slots if s.workflow == "look"] == [f"{h:02}:{m:02}" for h in range(24) for m in (0, 15, 30, 45)]
    assert [(s.task, s.due) for s in slots if s.workflow != "look"] == [("end-of-day", at("2024-03-10 00:00"))]


def test_an_interval_that_does_not_divide_the_day_begins_anew_at_midnight() -> None:
    """Every 7 hours: four looks, the next at midnight."""
    due = [f"{s.due:%d %H:%M}" for s in slots_of(date(2024, 3, 9), COINS, SETTINGS, round_the_clock(timedelta(hours=7)))]
    assert due == ["09 00:00", "09 07:00", "09 14:00", "09 21:00", "10 00:00"]


def test_the_week_of_a_market_that_never_closes_ends_with_sunday() -> None:
    """A minute after the day's review."""
    weekly = round_clock(MemoryJournal("desk01"), "2024-03-01 00:00").slots_between(date(2024, 3, 4), date(2024, 3, 10))
    assert [(s.task, s.due) for s in weekly if s.task == "weekly"] == [("weekly", at("2024-03-11 00:01"))]


def test_the_days_review_comes_before_the_next_days_first_look() -> None:
    """Both are due at midnight."""
    journal = MemoryJournal("desk01")
    found = round_clock(journal, "2024-03-09 23:59", minutes=1440)
    first = found.next_slot(at("2024-03-10 00:00"))
    assert first is not None
    found.end(first, TaskStatus.DONE, "", at("2024-03-10 00:00"))
    second = found.next_slot(at("2024-03-10 00:00"))
    assert second is not None
    assert (first.task, second.task) == ("end-of-day", "look-0000")


def test_looks_that_nobody_was_there_for_are_journaled_as_missed_and_not_made_up_for() -> None:
    """Two hours away: eight are missed, the newest runs."""
    journal = MemoryJournal("desk01")
    found = round_clock(journal, "2024-03-09 10:00").next_slot(at("2024-03-09 12:03"))
    assert found is not None
    assert found.task == "look-1200"
    assert [r.task for r in journal.all(TaskRun) if r.status is TaskStatus.MISSED] == [
        f"look-{h}{m:02}" for h in (10, 11) for m in (0, 15, 30, 45)
    ]


def anomaly(moment: str) -> Anomaly:
    """Something unusual."""
    when = at(moment)
    identity = TaskRunId(f"{when.date()}:wake-{when:%H%M%S}")
    return Anomaly(
        at=when, id=identity, session=when.date(), what=AnomalyKind.SPREAD, symbol=Symbol("BTCUSDT"), actual="wide", limit="narrow"
    )


def test_who_is_woken_is_asked_once_across_restarts() -> None:
    """A wake comes before the next look, after a restart too, and not again once it has ended."""
    journal, found = MemoryJournal("desk01"), anomaly("2024-03-09 10:07")
    journal.append(found)
    first = round_clock(journal, "2024-03-09 10:01")
    slot = first.next_slot(at("2024-03-09 10:08"))
    assert slot is not None
    assert (slot.task, slot.workflow) == ("wake-100700", "look")
    first.end(slot, TaskStatus.DONE, "", at("2024-03-09 10:08"))
    after = round_clock(journal, "2024-03-09 10:01").next_slot(at("2024-03-09 10:08"))
    assert after is not None
    assert after.task == "look-1015"


def test_a_wake_that_comes_while_the_desk_runs_is_next() -> None:
    """Put in by the lookout."""
    journal = MemoryJournal("desk01")
    found = round_clock(journal, "2024-03-09 10:01")
    assert found.next_slot(at("2024-03-09 10:05")) is not None
    found.wake(anomaly("2024-03-09 10:07"))
    slot = found.next_slot(at("2024-03-09 10:07"))
    assert slot is not None
    assert slot.task == "wake-100700"


def test_of_looks_that_follow_each_other_quickly_the_newest_alone_is_made_up_for() -> None:
    """Every minute, and a start that comes late: the one before looks at the same, and earlier."""
    found = round_clock(MemoryJournal("desk01"), "2024-03-09 10:00", minutes=1).next_slot(at("2024-03-09 10:04"))
    assert found is not None
    assert found.task == "look-1004"
