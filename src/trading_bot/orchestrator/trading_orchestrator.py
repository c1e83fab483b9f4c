"""The orchestrator: takes the next slot, runs its workflow, journals how it ended; for a day or for years.

Promises that a workflow's failure ends in ERROR, is journaled, and is reset without touching positions; that failures of the
journal or the clock stop the desk instead; and that a stop is clean: the step that runs is finished, the next is not begun, and a
task that was only waiting is taken up again by the next start.
"""

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from trading_bot.domain.errors import ClockError, DeskError, NotApprovedError, StoppedError, StorageError
from trading_bot.domain.records import DeskState, TaskStatus
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.lookout import Lookout
from trading_bot.orchestrator.running import Trader
from trading_bot.orchestrator.scheduler import LOOK, Scheduler, Slot
from trading_bot.orchestrator.status import status
from trading_bot.orchestrator.workflow import Event
from trading_bot.orchestrator.workflows import WORKFLOWS, Ending

Listener = Callable[[Slot, TaskStatus, str], None]
_log = structlog.get_logger()
_FATAL = (StorageError, ClockError, NotApprovedError)


class TradingOrchestrator:
    """Runs the day of one desk.

    `until`: no slot that is due after it is run, None for no end. `tell`: hears of the start (STARTED) and the end of each slot.
    `lookout`: of a desk that goes round the clock, looks at the running trade between its slots.
    """

    def __init__(  # noqa: PLR0913 - the loop's own parts
        self,
        desk: Desk,
        scheduler: Scheduler,
        stop: threading.Event,
        *,
        until: datetime | None = None,
        tell: Listener | None = None,
        lookout: Lookout | None = None,
    ) -> None:
        self._lookout = lookout
        self._desk = desk
        self._scheduler = scheduler
        self._stop = stop
        self._until = until
        self._tell = tell or (lambda _slot, _status, _reason: None)
        self._running = False

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run until the end, or until `stop`. `ready`: called once the desk has caught up with venue and inbox."""
        self._running = True
        try:
            self._desk.session.run(self, ready)
        finally:
            self._running = False

    def stop(self) -> None:
        """Ask for a clean stop: the step that runs is finished."""
        self._stop.set()

    def run_slot(self, slot: Slot) -> None:
        """Run one slot unless it has ended. For cron, where nobody runs the loop."""
        if not self._scheduler.has_ended(slot):
            self._run(slot)

    def next_due(self) -> datetime | None:
        """When the next slot is due, or a look between two slots that comes before."""
        slot = self._scheduler.next_slot(self._desk.clock.now())
        if slot is None or (self._until is not None and slot.due > self._until):
            return None
        between = None if self._lookout is None else self._lookout.next_due()
        return slot.due if between is None else min(slot.due, between)

    def run_due(self) -> None:
        """Run the next slot if it is due, else look out."""
        slot = self._scheduler.next_slot(self._desk.clock.now())
        if slot is not None and slot.due <= self._desk.clock.now():
            self._run(slot)
        elif self._lookout is not None:
            self._lookout.look()

    def _run(self, slot: Slot) -> None:
        self._tell(slot, TaskStatus.STARTED, "")
        self._scheduler.start(slot, self._desk.clock.now())
        self._desk.workflow.begin(slot.id)
        try:
            ending, reason = self._guarded(slot)
        except StoppedError:
            return
        self._scheduler.end(slot, ending, reason, self._desk.clock.now())
        if self._desk.trader is not None and slot.workflow == LOOK:
            self._count(self._desk.trader, slot, reason if ending is TaskStatus.FAILED else "")
        self._tell(slot, ending, reason)

    def _count(self, trader: Trader, slot: Slot, failed: str) -> None:
        """Count looks that failed in a row; too many, and the desk takes no new risk until a person has looked."""
        desk, most = self._desk, trader.settings.failures
        if trader.streak.note(slot.id, failed, desk.clock.now()) != most:
            return
        if desk.switch.state() is DeskState.RUNNING:
            desk.switch.reduce_only("trader", f"{most} looks in a row failed, the last: {failed}", desk.clock.now())
        desk.engine.tell(f"{most} looks in a row failed", f"{failed}. Stops rest at the venue; no new risk is taken: `resume`")

    def _guarded(self, slot: Slot) -> Ending:
        try:
            return WORKFLOWS[slot.workflow](self._desk, slot)
        except (StoppedError, *_FATAL):
            raise
        except DeskError as error:
            return self._failed(slot, error.code, str(error))
        except Exception as error:  # noqa: BLE001  # edge: a bug in one workflow must not leave open positions without a desk
            _log.exception("workflow failed", slot=slot.id)
            return self._failed(slot, type(error).__name__, str(error))

    def _failed(self, slot: Slot, code: str, message: str) -> Ending:
        _log.error("workflow failed", slot=slot.id, code=code, message=message)
        self._desk.workflow.fire(Event.FAIL, error=code)
        self._desk.workflow.fire(Event.RESET)
        return TaskStatus.FAILED, f"{code}: {message}"

    def get_status(self) -> dict[str, object]:
        """What the desk is doing now, as plain JSON values; the fields are those of `Status`."""
        desk = self._desk
        return status(
            journal=desk.journal,
            ledger=desk.engine.ledger,
            scheduler=self._scheduler,
            switch=desk.switch,
            calendar=desk.calendar,
            now=desk.clock.now(),
            mode=desk.mode,
            budget=desk.daily_budget,
            spent=desk.spent_today(),
            running=self._running,
        ).model_dump(mode="json")
