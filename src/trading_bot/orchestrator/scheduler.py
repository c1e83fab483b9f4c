"""When what is due: the table of the day, read against the exchange calendar.

Promises that a task runs once in a session across restarts (the journal remembers), that nothing is due on a holiday, that a task
after an early close is not due at all, that daylight saving shifts nothing, and that a missed task runs late only within its grace.
Refuses to keep time: the caller brings it.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.records import TaskRun, TaskStatus
from trading_bot.domain.values import TaskRunId
from trading_bot.ports import Calendar, Journal
from trading_bot.settings import TaskSettings

NEW_YORK = ZoneInfo("America/New_York")
_LOOK_BACK = timedelta(days=6)
_LOOK_AHEAD = timedelta(days=12)


@dataclass(frozen=True)
class At:
    """A time of day on the exchange's clock; not due if the session has closed by then."""

    local: time


@dataclass(frozen=True)
class FromOpen:
    """So long after the opening."""

    delay: timedelta


@dataclass(frozen=True)
class FromClose:
    """So long after the close, early or not; `weekly`: only after the week's last close."""

    delay: timedelta
    weekly: bool = False


@dataclass(frozen=True)
class Task:
    """One row of the day's table."""

    name: str
    workflow: str
    when: At | FromOpen | FromClose


STOCK_DAY: tuple[Task, ...] = (
    Task("pre-market", "pre-market", At(time(6, 30))),
    Task("market-open", "market-open", FromOpen(timedelta(0))),
    Task("monitor-1000", "monitor", At(time(10))),
    Task("monitor-1100", "monitor", At(time(11))),
    Task("monitor-1400", "monitor", At(time(14))),
    Task("end-of-day", "end-of-day", FromClose(timedelta(minutes=5))),
    Task("weekly", "weekly", FromClose(timedelta(minutes=10), weekly=True)),
)


@dataclass(frozen=True, order=True)
class Slot:
    """One task of one session."""

    due: datetime
    task: str
    workflow: str
    session: date
    grace: timedelta

    @property
    def id(self) -> TaskRunId:
        """Id of the task run; a pure function of task and session."""
        return TaskRunId(f"{self.session.isoformat()}:{self.task}")


def slots_of(
    session: date, calendar: Calendar, settings: Mapping[str, TaskSettings], table: tuple[Task, ...] = STOCK_DAY
) -> Iterator[Slot]:
    """Yield the slots of one session; disabled tasks and those after an early close are left out."""
    opening, close = calendar.hours(session)
    for task in table:
        setting = settings[task.name]
        due = _due(task.when, session, opening, close, calendar)
        if setting.enabled and due is not None:
            yield Slot(due, task.name, task.workflow, session, timedelta(minutes=setting.grace_minutes))


def _due(when: At | FromOpen | FromClose, session: date, opening: datetime, close: datetime, calendar: Calendar) -> datetime | None:
    match when:
        case At(local):
            moment = datetime.combine(session, local, NEW_YORK).astimezone(UTC)
            return moment if moment < close else None
        case FromOpen(delay):
            return opening + delay
        case FromClose(delay, weekly):
            last = calendar.next_session(session).isocalendar()[:2] != session.isocalendar()[:2]
            return close + delay if last or not weekly else None


class Scheduler:
    """The slots of one desk, and which of them have ended.

    `since`: when the desk began. What was due before belongs to nobody, but for what is still in its grace on that day.
    """

    def __init__(
        self,
        calendar: Calendar,
        settings: Mapping[str, TaskSettings],
        journal: Journal,
        since: datetime,
        table: tuple[Task, ...] = STOCK_DAY,
    ) -> None:
        unknown = sorted(set(settings) - {t.name for t in table})
        if unknown:
            msg = f"schedule: there is no task {unknown[0]}; tasks are {', '.join(t.name for t in table)}"
            raise ConfigError(msg)
        self._calendar = calendar
        self._settings = settings
        self._journal = journal
        self._table = table
        self._since = since
        self._ended = {run.id for run in journal.all(TaskRun) if run.status.is_end}
        self._window: tuple[date, list[Slot]] | None = None

    def next_slot(self, now: datetime) -> Slot | None:
        """The earliest slot that has not ended and can still run; slots past their grace are journaled as missed."""
        for slot in self._slots(now.date()):
            if slot.id in self._ended or not self._is_ours(slot):
                continue
            if slot.due + slot.grace < now:
                self.end(slot, TaskStatus.MISSED, f"nobody was there within {slot.grace}", now)
                continue
            return slot
        return None

    def latest_due(self, workflow: str, now: datetime) -> Slot | None:
        """The latest slot of `workflow` that is due and within its grace, ended or not."""
        ours = (s for s in self._slots(now.date()) if s.workflow == workflow and self._is_ours(s))
        due = [s for s in ours if s.due <= now <= s.due + s.grace]
        return due[-1] if due else None

    def upcoming(self, now: datetime, workflow: str | None = None) -> Slot | None:
        """The first slot that is due after `now`, of one workflow or of any; journals nothing."""
        slots = self._slots(now.date())
        later = slots[bisect_left(slots, now, key=lambda s: s.due) :]
        return next((s for s in later if s.id not in self._ended and workflow in {None, s.workflow}), None)

    def slots_between(self, first: date, last: date) -> list[Slot]:
        """All slots of the sessions from `first` to `last`, by time."""
        sessions = self._calendar.sessions(first, last)
        return sorted(slot for session in sessions for slot in slots_of(session, self._calendar, self._settings, self._table))

    def first_slots(self, sessions: int) -> list[Slot]:
        """All slots, ended or not, of the desk's first `sessions` sessions."""
        day = self._since.astimezone(NEW_YORK).date()
        ahead = self._calendar.sessions(day, day + _LOOK_AHEAD + timedelta(days=2 * sessions))
        return self.slots_between(day, ahead[sessions - 1])

    def has_ended(self, slot: Slot) -> bool:
        """Whether the slot has its end in the journal."""
        return slot.id in self._ended

    def start(self, slot: Slot, now: datetime) -> None:
        """Journal the start of a slot; again after a crash, which changes nothing."""
        if self._journal.get(TaskRun, f"{slot.id}:started") is None:
            self._journal.append(self._run(slot, TaskStatus.STARTED, "", now))

    def end(self, slot: Slot, status: TaskStatus, reason: str, now: datetime) -> None:
        """Journal the end of a slot."""
        self._journal.append(self._run(slot, status, reason, now))
        self._ended.add(slot.id)

    def _is_ours(self, slot: Slot) -> bool:
        return slot.session >= self._since.astimezone(NEW_YORK).date() and slot.due + slot.grace >= self._since

    def _run(self, slot: Slot, status: TaskStatus, reason: str, now: datetime) -> TaskRun:
        return TaskRun(at=now, id=slot.id, task=slot.task, session=slot.session, due=slot.due, status=status, reason=reason)

    def _slots(self, day: date) -> list[Slot]:
        if self._window is None or self._window[0] != day:
            sessions = self._calendar.sessions(day - _LOOK_BACK, day + _LOOK_AHEAD)
            slots = (slot for session in sessions for slot in slots_of(session, self._calendar, self._settings, self._table))
            self._window = (day, sorted(slots))
        return self._window[1]
