"""What else the journal keeps of a desk's life: tasks, transitions, desk states, equity, sends, drift, notes."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from trading_bot.domain.values import (
    Amount,
    ClientOrderId,
    Digest,
    Journaled,
    Record,
    Symbol,
    TaskRunId,
    UtcTime,
    derive_id,
)


class TaskStatus(StrEnum):
    """What became of one scheduled task in one session."""

    STARTED = "started"
    DONE = "done"
    SKIPPED = "skipped"
    """It was due and ran, but had nothing it could do (no price, early close, disabled); the reason is beside it."""
    MISSED = "missed"
    """Nobody was there within its grace."""
    FAILED = "failed"

    @property
    def is_end(self) -> bool:
        """Whether the task will not run again in this session."""
        return self is not TaskStatus.STARTED


class TaskRun(Journaled):
    """One task of one session."""

    kind: ClassVar[str] = "task_run"

    id: TaskRunId
    task: str
    session: date
    due: UtcTime
    status: TaskStatus
    reason: str = ""

    @property
    def key(self) -> str:
        """Task run and status: a start and one end each."""
        return f"{self.id}:{'started' if self.status is TaskStatus.STARTED else 'ended'}"


class Transition(Journaled):
    """One move of the workflow's state machine with its context."""

    kind: ClassVar[str] = "transition"

    task_run: TaskRunId
    number: int
    """Running number within the task run, from 1."""
    before: str
    event: str
    after: str
    context: dict[str, str]

    @property
    def key(self) -> str:
        """Task run and number."""
        return self.key_of(self.task_run, self.number)

    @staticmethod
    def key_of(task_run: TaskRunId, number: int) -> str:
        """The key of a task run's move with this number."""
        return f"{task_run}:{number:03d}"


class DeskState(StrEnum):
    """What the desk may do. Order of severity: running, reduce-only, halted."""

    RUNNING = "running"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"


class DeskStateChange(Journaled):
    """The desk's state from now on, who set it, and why."""

    kind: ClassVar[str] = "desk_state"

    state: DeskState
    by: str
    reason: str
    number: int
    """Running number of changes, from 1."""

    @property
    def key(self) -> str:
        """The number, padded so that text order is number order."""
        return self.key_of(self.number)

    @staticmethod
    def key_of(number: int) -> str:
        """The key of the change with this number."""
        return f"{number:06d}"


CLOSE = "close"
"""Label of the equity point that stands for its session."""


class EquityPoint(Journaled):
    """The account's worth at one moment, at the marks that were visible then."""

    kind: ClassVar[str] = "equity"

    session: date
    label: str
    """Which task took it; `CLOSE` is the session's own."""
    equity: Amount
    cash: Amount
    exposure: Amount
    """Sum of absolute market values."""
    stale: tuple[Symbol, ...] = ()
    """Held symbols marked at a price older than the session."""

    @property
    def key(self) -> str:
        """Session and label."""
        return f"{self.session.isoformat()}:{self.label}"


class SendOutcome(StrEnum):
    """What a send came to."""

    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    """Never reached the venue, and may not be sent any more."""


class Send(Journaled):
    """The one definite end of sending one intent."""

    kind: ClassVar[str] = "send"

    client_order_id: ClientOrderId
    outcome: SendOutcome
    reason: str = ""

    @property
    def key(self) -> str:
        """The client order id."""
        return self.client_order_id


class Doubt(Journaled):
    """An intent whose outcome was unknown for a while, and how that was resolved."""

    kind: ClassVar[str] = "doubt"
    recovery: ClassVar[bool] = True

    client_order_id: ClientOrderId
    number: int
    found: bool
    note: str

    @property
    def key(self) -> str:
        """The client order id and the running number of its doubts."""
        return f"{self.client_order_id}:{self.number:03d}"


class DeskStart(Journaled):
    """A process took the home."""

    kind: ClassVar[str] = "desk_start"
    recovery: ClassVar[bool] = True

    number: int
    mode: str
    version: str

    @property
    def key(self) -> str:
        """The running number of starts."""
        return f"{self.number:06d}"


class MandateInForce(Journaled):
    """The mandate that the desk works under from now on."""

    kind: ClassVar[str] = "mandate"

    digest: Digest
    account: str
    signed: bool
    body: str
    """The mandate as canonical JSON."""

    @property
    def key(self) -> str:
        """Digest and time."""
        return f"{self.at.isoformat()}:{self.digest}"


class Drift(Journaled):
    """Books and broker disagree; the desk went reduce-only and trades nothing to mend it."""

    kind: ClassVar[str] = "drift"

    differences: tuple[str, ...]

    @property
    def key(self) -> str:
        """Time and content."""
        return f"{self.at.isoformat()}:{derive_id(*self.differences)}"


class StrategySuspension(Journaled):
    """A strategy was suspended by discipline (or resumed by a person)."""

    kind: ClassVar[str] = "suspension"

    strategy: str
    suspended: bool
    reason: str

    @property
    def key(self) -> str:
        """Time, strategy, and whether it begins: both can happen while a simulated clock stands still."""
        return f"{self.at.isoformat()}:{self.strategy}:{'suspended' if self.suspended else 'lifted'}"


class AnomalyKind(StrEnum):
    """What can go wrong with a trade between two looks."""

    VOLATILITY = "volatility"
    SPREAD = "spread"
    FUNDING = "funding"
    NEWS = "news"
    LIQUIDATION = "liquidation"


class Anomaly(Journaled):
    """Something passed a threshold while a trade was running, and wakes the analyst early: its task run has the anomaly's id."""

    kind: ClassVar[str] = "anomaly"

    id: TaskRunId
    session: date
    what: AnomalyKind
    symbol: Symbol
    actual: str
    limit: str
    """Both as a person would write them."""

    @property
    def key(self) -> str:
        """The id."""
        return self.id


class Trouble(Journaled):
    """A look of a round-the-clock desk failed, or is the first one after such that did not."""

    kind: ClassVar[str] = "trouble"

    task_run: TaskRunId
    number: int
    """Failed looks in a row up to this one; 0: it goes again."""
    what: str

    @property
    def key(self) -> str:
        """The task run."""
        return self.task_run


class ReportMade(Journaled):
    """A report was written; its digest ties the file to the journal."""

    kind: ClassVar[str] = "report"

    name: str
    session: date
    digest: Digest

    @property
    def key(self) -> str:
        """The file's name."""
        return self.name


class CommandAction(StrEnum):
    """What a person may tell the desk."""

    HALT = "halt"
    FLATTEN = "flatten"
    """Halt, cancel entries, close everything."""
    REDUCE_ONLY = "reduce_only"
    RESUME = "resume"


class Command(Record):
    """An inbox item of kind `command`."""

    action: CommandAction
    by: str
    reason: str
    proof: str = ""
    """For `resume`: the operator's signed statement."""


class CommandDone(Journaled):
    """A command was carried out, or refused."""

    kind: ClassVar[str] = "command"

    item: str
    action: CommandAction
    by: str
    refused: str = ""
    """Why it was not carried out; empty if it was."""

    @property
    def key(self) -> str:
        """The inbox item's id."""
        return self.item
