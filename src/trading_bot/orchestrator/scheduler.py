"""When what is due: the table of the day, read against the calendar of its market.

Promises that a task runs once in a session across restarts (the journal remembers), that nothing is due on a holiday, that a task
after an early close is not due at all, that daylight saving shifts nothing, and that a missed task runs late only within its grace; that
who is woken by an anomaly is asked once, across restarts too. Refuses to keep time: the caller brings it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile

from trading_bot.domain.errors import ConfigError
from trading_bot.domain.records import Anomaly, TaskRun, TaskStatus
from trading_bot.domain.values import TaskRunId
from trading_bot.ports import Calendar, Journal
from trading_bot.settings import TaskSettings

_LOOK_BACK = timedelta(days=6)
_LOOK_AHEAD = timedelta(days=12)
_MOMENT = timedelta(seconds=1)


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
class Every:
    """Every so often from the opening on, until the close: a run each, told apart by its time."""

    interval: timedelta


When = At | FromOpen | FromClose | Every


@dataclass(frozen=True)
class Task:
    """One row of the day's table."""

    name: str
    workflow: str
    when: When


STOCK_DAY: tuple[Task, ...] = (
    Task("pre-market", "pre-market", At(time(6, 30))),
    Task("market-open", "market-open", FromOpen(timedelta(0))),
    Task("monitor-1000", "monitor", At(time(10))),
    Task("monitor-1100", "monitor", At(time(11))),
    Task("monitor-1400", "monitor", At(time(14))),
    Task("end-of-day", "end-of-day", FromClose(timedelta(minutes=5))),
    Task("weekly", "weekly", FromClose(timedelta(minutes=10), weekly=True)),
)
LOOK = "look"


def round_the_clock(interval: timedelta) -> tuple[Task, ...]:
    """The table of a market that never closes: its session is a UTC day, and the day's review comes before the next day's first look."""
    return (
        Task(LOOK, LOOK, Every(interval)),
        Task("end-of-day", "end-of-day", FromClose(timedelta(0))),
        Task("weekly", "weekly", FromClose(timedelta(minutes=1), weekly=True)),
    )


TASKS = frozenset(task.name for task in (*STOCK_DAY, *round_the_clock(timedelta(minutes=15))))
"""Names of all tasks of all tables: what a schedule may set."""


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
    for task in table:
        setting = settings[task.name]
        grace = timedelta(minutes=setting.grace_minutes)
        if isinstance(task.when, Every):
            grace = min(grace, task.when.interval - _MOMENT)  # the next one looks at the same, and later
        for name, due in _due(task, session, calendar) if setting.enabled else ():
            yield Slot(due, name, task.workflow, session, grace)


def _due(task: Task, session: date, calendar: Calendar) -> Iterator[tuple[str, datetime]]:
    """Name and time of each run of `task` in one session."""
    opening, close = calendar.hours(session)
    match task.when:
        case At(local):
            moment = datetime.combine(session, local, calendar.zone).astimezone(UTC)
            if moment < close:
                yield task.name, moment
        case FromOpen(delay):
            yield task.name, opening + delay
        case FromClose(delay, weekly):
            last = calendar.next_session(session).isocalendar()[:2] != session.isocalendar()[:2]
            if last or not weekly:
                yield task.name, close + delay
        case Every(interval):
            for number in range(-((opening - close) // interval)):
                moment = opening + number * interval
                yield f"{task.name}-{moment:%H%M}", moment


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
        unknown = sorted(set(settings) - TASKS)
        if unknown:
            msg = f"schedule: there is no task {unknown[0]}; tasks are {', '.join(t.name for t in table)}"
            raise ConfigError(msg)
        self._calendar = calendar
        self._settings = settings
        self._journal = journal
        self._table = table
        self._since = since
        self._window: tuple[date, list[Slot]] | None = None
        self._open: list[Slot] = []
        """Those of the window that have not ended, and the wakes, by time."""
        self._wakes = [slot for anomaly in journal.all(Anomaly) if not self.has_ended(slot := self._wake_slot(anomaly))]

    def next_slot(self, now: datetime) -> Slot | None:
        """The earliest slot that has not ended and can still run; slots past their grace are journaled as missed."""
        self._slots(now.date())
        for slot in tuple(takewhile(lambda s: s.due <= now, self._open)):
            if slot.due + slot.grace >= now:
                return slot
            self.end(slot, TaskStatus.MISSED, f"nobody was there within {slot.grace}", now)
        return self._open[0] if self._open else None

    def wake(self, anomaly: Anomaly) -> None:
        """Put in a look of its own for an anomaly that has just been journaled."""
        slot = self._wake_slot(anomaly)
        self._wakes.append(slot)
        insort(self._open, slot)

    def _wake_slot(self, anomaly: Anomaly) -> Slot:
        name = anomaly.id.partition(":")[2]
        return Slot(anomaly.at, name, LOOK, anomaly.session, timedelta(minutes=self._settings[LOOK].grace_minutes))

    def latest_due(self, workflow: str, now: datetime) -> Slot | None:
        """The latest slot of `workflow` that is due and within its grace, ended or not."""
        ours = (s for s in self._slots(now.date()) if s.workflow == workflow and self._is_ours(s))
        due = [s for s in ours if s.due <= now <= s.due + s.grace]
        return due[-1] if due else None

    def upcoming(self, now: datetime, workflow: str | None = None) -> Slot | None:
        """The first slot that is due after `now`, of one workflow or of any; journals nothing."""
        slots = self._slots(now.date())
        later = slots[bisect_left(slots, now, key=lambda s: s.due) :]
        return next((s for s in later if workflow in {None, s.workflow} and not self.has_ended(s)), None)

    def slots_between(self, first: date, last: date) -> list[Slot]:
        """All slots of the sessions from `first` to `last`, by time."""
        sessions = self._calendar.sessions(first, last)
        return sorted(slot for session in sessions for slot in slots_of(session, self._calendar, self._settings, self._table))

    def first_slots(self, sessions: int) -> list[Slot]:
        """All slots, ended or not, of the desk's first `sessions` sessions."""
        day = self._since.astimezone(self._calendar.zone).date()
        ahead = self._calendar.sessions(day, day + _LOOK_AHEAD + timedelta(days=2 * sessions))
        return self.slots_between(day, ahead[sessions - 1])

    def has_ended(self, slot: Slot) -> bool:
        """Whether the slot has its end in the journal."""
        return self._journal.get(TaskRun, f"{slot.id}:ended") is not None

    def start(self, slot: Slot, now: datetime) -> None:
        """Journal the start of a slot; again after a crash, which changes nothing."""
        if self._journal.get(TaskRun, f"{slot.id}:started") is None:
            self._journal.append(self._run(slot, TaskStatus.STARTED, "", now))

    def end(self, slot: Slot, status: TaskStatus, reason: str, now: datetime) -> None:
        """Journal the end of a slot."""
        self._journal.append(self._run(slot, status, reason, now))
        for slots in (self._open, self._wakes):
            if slot in slots:
                slots.remove(slot)

    def _is_ours(self, slot: Slot) -> bool:
        return slot.session >= self._since.astimezone(self._calendar.zone).date() and slot.due + slot.grace >= self._since

    def _run(self, slot: Slot, status: TaskStatus, reason: str, now: datetime) -> TaskRun:
        return TaskRun(at=now, id=slot.id, task=slot.task, session=slot.session, due=slot.due, status=status, reason=reason)

    def _slots(self, day: date) -> list[Slot]:
        if self._window is None or self._window[0] != day:
            sessions = self._calendar.sessions(day - _LOOK_BACK, day + _LOOK_AHEAD)
            slots = (slot for session in sessions for slot in slots_of(session, self._calendar, self._settings, self._table))
            self._window = (day, sorted(slots))
            ended = {run.id for run in self._journal.since(TaskRun, datetime.combine(day - _LOOK_BACK, time(), UTC)) if run.status.is_end}
            self._open = sorted([s for s in self._window[1] if self._is_ours(s) and s.id not in ended] + self._wakes)
        return self._window[1]
