"""What a desk is doing, from its journal: the same answer from inside the running desk and from any other process."""

from datetime import datetime
from decimal import Decimal

from trading_bot.domain.approvals import ApprovalRequest
from trading_bot.domain.mandate import Mode
from trading_bot.domain.records import DeskState, Transition
from trading_bot.domain.values import ZERO, Amount, NonNegative, Record, Symbol, UtcTime
from trading_bot.execution.approvals import waiting
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.protection import guarded
from trading_bot.orchestrator.scheduler import Scheduler
from trading_bot.orchestrator.workflow import WorkflowState
from trading_bot.ports import Calendar, Journal
from trading_bot.risk.halt import DeskSwitch


class NextTask(Record):
    """What comes next."""

    task: str
    due: UtcTime


class HeldPosition(Record):
    """A position and how much of it has a live stop."""

    symbol: Symbol
    quantity: Amount
    average_price: NonNegative
    stop: Amount | None
    protected: NonNegative


class Status(Record):
    """State of a desk at trading time `time`."""

    running: bool
    mode: Mode
    time: UtcTime
    workflow_state: WorkflowState
    desk_state: DeskState
    desk_state_reason: str
    daily_cost: NonNegative
    """USD spent on models, or reserved for them, on this UTC day by wall time."""
    budget_remaining: NonNegative
    trades_today: int
    """Positions entered in today's session, or on a day without one in the last."""
    next_task: NextTask | None
    equity: Amount
    """At the newest equity mark."""
    cash: Amount
    positions: tuple[HeldPosition, ...]
    unresolved: int
    """Orders whose outcome is not known yet."""
    approvals: tuple[ApprovalRequest, ...]
    """Proposals that wait for a person."""


def status(  # noqa: PLR0913 - everything that a status tells of
    *,
    journal: Journal,
    ledger: Ledger,
    scheduler: Scheduler,
    switch: DeskSwitch,
    calendar: Calendar,
    now: datetime,
    mode: Mode,
    budget: Decimal,
    spent: Decimal,
    running: bool,
) -> Status:
    """Return the state of the desk that keeps `journal`. `budget`, `spent`: USD of today for models."""
    moves = journal.all(Transition)
    today = now.astimezone(calendar.zone).date()
    session = today if calendar.is_session(today) else calendar.previous_session(today)
    upcoming = scheduler.upcoming(now)
    state, reason = switch.explain()
    return Status(
        running=running,
        mode=mode,
        time=now,
        workflow_state=WorkflowState(moves[-1].after) if moves and running else WorkflowState.IDLE,
        desk_state=state,
        desk_state_reason=reason,
        daily_cost=spent,
        budget_remaining=max(budget - spent, ZERO),
        trades_today=ledger.entries_since(calendar.hours(session)[0]),
        next_task=None if upcoming is None else NextTask(task=upcoming.task, due=upcoming.due),
        equity=ledger.equity_newest,
        cash=ledger.books.cash,
        positions=_positions(ledger),
        unresolved=len(ledger.pending),
        approvals=tuple(r for r in waiting(journal) if now <= r.expires_at),
    )


def _positions(ledger: Ledger) -> tuple[HeldPosition, ...]:
    books = ledger.books
    return tuple(
        HeldPosition(
            symbol=symbol,
            quantity=position.quantity,
            average_price=position.average_price,
            stop=books.stops.get(symbol),
            protected=guarded(books, symbol),
        )
        for symbol, position in sorted(books.positions.items())
    )
