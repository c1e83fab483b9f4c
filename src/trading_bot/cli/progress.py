"""How a run shows itself: one line for each task of a simulated day, one bar for recorded years and for whatever takes minutes."""

from datetime import tzinfo
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from trading_bot.cli.times import NEW_YORK, clock_name
from trading_bot.domain.records import TaskStatus
from trading_bot.orchestrator.scheduler import Slot

_MARKS = {
    TaskStatus.DONE: "[green]done[/]",
    TaskStatus.SKIPPED: "[yellow]skipped[/]",
    TaskStatus.MISSED: "[yellow]missed[/]",
    TaskStatus.FAILED: "[red]failed[/]",
}


def bar(console: Console | None = None, *, shown: bool = True) -> Bar:
    """How much is done and how long it takes; on a terminal alone."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Bar(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))


class Progress:
    """Listens to the orchestrator and shows it. `total`: slots to come, 0 if that has no end; `zone`: of the clock to tell times by."""

    def __init__(self, total: int, *, by_session: bool = False, zone: tzinfo = NEW_YORK) -> None:
        self._zone = zone
        self._console = Console(stderr=True)
        self._by_session = by_session
        self._bar = bar(self._console, shown=bool(total))
        self._task = self._bar.add_task("tasks", total=total or None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def tell(self, slot: Slot, status: TaskStatus, reason: str) -> None:
        """Show the start or the end of a slot."""
        if status is TaskStatus.STARTED:
            self._bar.update(self._task, description=f"{slot.session} {slot.task}")
            return
        self._bar.advance(self._task)
        if not self._by_session or status is TaskStatus.FAILED:
            due = f"{slot.due.astimezone(self._zone):%Y-%m-%d %H:%M} {clock_name(self._zone)}"
            self._console.print(f"{due}  {slot.task:<13} {_MARKS[status]}  {escape(reason)}", highlight=False)
