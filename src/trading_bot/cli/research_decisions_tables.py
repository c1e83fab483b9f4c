"""What `backtest decisions` shows to people. Nothing is computed here."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.backtest.knowledge import Part
from trading_bot.backtest.leak import HORIZON, Gap, LeakScore
from trading_bot.bootstrap.decisions import Replayed
from trading_bot.cli.progress import bar
from trading_bot.cli.research_tables import result_table
from trading_bot.domain.records import TaskStatus
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.trading_orchestrator import Listener

_OUT = Console(highlight=False, markup=False)
_PARTS = {"may_know": "days that it may have read about", "unseen": "days after its training data"}


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
        _OUT.print(f"leak score, {_PARTS[part]}:")
        for line in _leak(found):
            _OUT.print(f"  {line}", soft_wrap=True)
    _OUT.print(f"report {path}", soft_wrap=True)


def _split(run: Replayed) -> None:
    table = Table(box=SIMPLE_HEAD)
    for column in ("", "sessions", "return", "drawdown", "trades", "win rate"):
        table.add_column(column, justify="right" if column else "left")
    for name, part in (("may_know", run.knowledge.may_know), ("unseen", run.knowledge.unseen)):
        table.add_row(_PARTS[name], *_figures(part))
    _OUT.print(table)


def _figures(part: Part) -> tuple[str, ...]:
    shares = (part.total_return, part.max_drawdown)
    written = ["none" if value is None else f"{value:+.2%}" for value in shares]
    return (str(part.sessions), *written, str(part.trades), "none" if part.win_rate is None else f"{part.win_rate:.1%}")


def _leak(score: LeakScore) -> Iterator[str]:
    agreed = "nothing was judged by both" if score.agreement is None else f"{score.agreement:.1%} agree"
    alone = f"{score.lone} in one alone, {score.unmeasured} without {HORIZON} sessions after them"
    yield f"{score.pairs} judgements in both runs ({agreed}), {alone}"
    if score.score is None or score.hits is None:
        yield score.why
        return
    yield f"return of a judgement over {HORIZON} sessions: {_gap(score.score)}"
    yield f"judgements that were right: {_gap(score.hits)}"
    yield _verdict(score.score)


def _gap(gap: Gap) -> str:
    interval = f"{gap.interval.low:+.2%} to {gap.interval.high:+.2%}"
    return f"unmasked {gap.unmasked:+.2%}, masked {gap.masked:+.2%}: leak {gap.difference:+.2%} (95 %: {interval})"


def _verdict(gap: Gap) -> str:
    if gap.interval.low > 0:
        return "LEAK: it earns more where it can recognise what it judges; do not believe the unmasked figures"
    if gap.interval.high < 0:
        return "names distract it: it earns less where it can recognise what it judges"
    return "no leak shows: the interval holds 0, which is no proof that there is none"
