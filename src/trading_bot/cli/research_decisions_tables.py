"""What `backtest decisions` shows to people. Nothing is computed here."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.backtest.knowledge import Part
from trading_bot.backtest.leak import LeakScore
from trading_bot.bootstrap.decisions import PARTS, Replayed
from trading_bot.cli.progress import bar
from trading_bot.cli.research_tables import result_table
from trading_bot.domain.records import TaskStatus
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.trading_orchestrator import Listener

_OUT = Console(highlight=False, markup=False)


@contextmanager
def listening() -> Iterator[Listener]:
    """A bar that shows the task at work."""
    with bar() as shown:
        task = shown.add_task("decisions", total=None)

        def tell(slot: Slot, status: TaskStatus, _reason: str) -> None:
            shown.update(task, description=f"{slot.session} {slot.task}", advance=int(status is not TaskStatus.STARTED))

        yield tell


def decisions_table(plain: Replayed, blind: Replayed | None, score: Mapping[str, LeakScore], runs: Sequence[str], path: Path) -> None:
    """The run, the masked one beside it, the split at the cut-off, and the leak score."""
    for run, name in zip((plain, blind), runs, strict=False):
        if run is not None:
            result_table(run.result, name)
            _split(run)
    for part, found in score.items():
        _OUT.print(f"leak score, {PARTS[part]}:")
        for line in found.told():
            _OUT.print(f"  {line}", soft_wrap=True)
    _OUT.print(f"report {path}", soft_wrap=True)


def _split(run: Replayed) -> None:
    table = Table(box=SIMPLE_HEAD)
    for column in ("", "sessions", "return", "drawdown", "trades", "win rate"):
        table.add_column(column, justify="right" if column else "left")
    for name, part in (("may_know", run.knowledge.may_know), ("unseen", run.knowledge.unseen)):
        table.add_row(PARTS[name], *_figures(part))
    _OUT.print(table)


def _figures(part: Part) -> tuple[str, ...]:
    shares = (part.total_return, part.max_drawdown)
    written = ["none" if value is None else f"{value:+.2%}" for value in shares]
    return (str(part.sessions), *written, str(part.trades), "none" if part.win_rate is None else f"{part.win_rate:.1%}")
