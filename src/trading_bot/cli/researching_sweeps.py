"""`backtest sweep`, `backtest optimize` and `backtest walk-forward`: many runs, and what the best of them is worth."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context, json_option, say
from trading_bot.cli.researching_run import assigned_values, command_line, plan_options, study_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from trading_bot.backtest.plan import Cell, Result
    from trading_bot.backtest.sweep import Estimate
    from trading_bot.bootstrap.searching import Quest, Swept, Tell
    from trading_bot.bootstrap.studies import Study

_MOST_KEPT = 100_000
"""Cells that are kept beside a run; a greater grid goes to --output alone."""
_OBJECTIVES = ("sharpe", "calmar", "total_return", "profit_factor")
_GOAL = (
    click.option("--objective", type=click.Choice(_OBJECTIVES), default="sharpe", show_default=True, help="What is looked for."),
    click.option("--least-trades", type=click.IntRange(min=1), default=5, show_default=True, help="Fewer trades have no score."),
)
_GRID = "Ranges first:last:step and lists a;b;c, e.g. fast=5:50:5,slow=20;50;200."
_SPACE = "Ranges to search, e.g. fast=5:50,slow=20:200:10; left out: all that the strategy allows."
_TOP = click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="So many of the best are shown.")
_OUTPUT = click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write all cells to a .csv or .json file.")


def _goal_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators
    for option in reversed(_GOAL):
        command = option(command)
    return command


@click.command()
@click.argument("strategy")
@plan_options
@click.option("--grid", "text", required=True, help=_GRID)
@_goal_options
@click.option("--jobs", type=click.IntRange(min=1), default=lambda: len(os.sched_getaffinity(0)), help="Processes of this machine.")
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler, e.g. tcp://10.0.0.5:8786, instead of this machine.")
@_TOP
@_OUTPUT
@click.option("--yes", is_flag=True, help="Begin without asking, however long it takes.")
@json_option
@click.pass_obj
def sweep(context: Context, /, strategy: str, text: str, *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - the shared options
    """Reckon every combination of a grid of STRATEGY's parameters with the vector engine, and keep the best one's run.

    The best of many is lucky: what is shown says by how much. Positions are under --share, --risk and --reserve alone.
    """
    from trading_bot.backtest.sweep import Crew

    output = _writable(flags["output"])
    quest = _quest(context, strategy, flags)
    with _shown(f"{strategy} {quest.study.plan.first} to {quest.study.plan.last}") as (bar, tell):
        found = quest.sweep(text, Crew(flags["jobs"], flags["cluster"]), lambda estimate: _agree(estimate, bar, yes=flags["yes"]), tell)
    _told(_Telling(context, quest.study, output, flags["top"], command_line(), as_json), found)


@click.command()
@click.argument("strategy")
@plan_options
@click.option("--space", "text", help=_SPACE)
@click.option("--trials", type=click.IntRange(min=1), default=500, show_default=True, help="Of the study in all, earlier ones included.")
@_goal_options
@click.option("--storage", help="Database of studies, e.g. postgresql+psycopg://user@host/db for several machines; default: the home's.")
@click.option("--study", "name", help="Name of the study; default: one that means strategy, data, settings and ranges.")
@_TOP
@_OUTPUT
@json_option
@click.pass_obj
def optimize(context: Context, /, strategy: str, text: str | None, trials: int, *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - the shared options
    """Search STRATEGY's parameters with Optuna (a seeded tree-structured Parzen estimator), and keep the best trial's run.

    A study that was stopped goes on where it was; several processes on one --storage share it. What it finds is in-sample.
    """
    from trading_bot.cli.guarding import stoppable

    output = _writable(flags["output"])
    quest = _quest(context, strategy, flags)
    context.home.prepare()
    place = quest.place(text, context.home, flags["storage"], flags["name"])
    with stoppable() as stop, _shown(f"study {place.name}") as (_, tell):
        searched, found = quest.search(text, trials, place, stop, tell)
    made = len(searched.cells)
    held = f"study {place.name}: {made} trials, {searched.earlier} of them from before; {len(searched.distinct)} combinations"
    # A study grows, and its best with it: the same command makes another run then.
    typed = f"{command_line()}  # {made} trials of study {place.name}"
    _told(_Telling(context, quest.study, output, flags["top"], typed, as_json), found, held)


@click.command(name="walk-forward")
@click.argument("strategy")
@plan_options
@click.option("--grid", help=_GRID)
@click.option("--trials", type=click.IntRange(min=1), help="Instead of --grid: so many trials of a search in each window.")
@click.option("--space", help=_SPACE)
@click.option("--train", type=click.IntRange(min=2), default=500, show_default=True, help="Sessions that parameters are chosen on.")
@click.option("--test", type=click.IntRange(min=2), default=125, show_default=True, help="Sessions that they are traded on after it.")
@click.option("--embargo", type=click.IntRange(min=0), default=0, show_default=True, help="Sessions left out between the two.")
@click.option("--anchored", is_flag=True, help="Every train window begins with the first session.")
@_goal_options
@json_option
@click.pass_obj
def walk_forward(context: Context, /, strategy: str, *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - the shared options
    """Choose STRATEGY's parameters on a window of the past, trade the window after it, and so on; keep what the latter make together.

    Nothing after a window's end decides anything in it. Positions are closed at each window's border.
    """
    from trading_bot.backtest.walk_forward import Lengths
    from trading_bot.cli.research_tables import result_table
    from trading_bot.cli.sweep_tables import windows_table

    grid, trials = flags["grid"], flags["trials"]
    if (grid is None) == (trials is None):
        raise click.UsageError("give either --grid, which is tried in each window, or --trials of a search in each window")
    lengths = Lengths(flags["train"], flags["test"], flags["embargo"], flags["anchored"])
    quest = _quest(context, strategy, flags)
    with _shown("windows") as (_, tell):
        by_grid = grid is not None
        found = quest.walk_by_grid(grid, lengths, tell) if by_grid else quest.walk_by_search(flags["space"], trials, lengths, tell)
    result, kept = _kept(context, quest.study, found.result, (), command_line())
    if as_json:
        windows = [window.model_dump(mode="json") for window in found.windows]
        say({"run": kept, "windows": windows, "efficiency": found.efficiency, **result.model_dump(mode="json")}, as_json=True, text="")
        return
    windows_table(found)
    result_table(result, kept)


def _quest(context: Context, strategy: str, flags: dict[str, Any]) -> "Quest":
    from trading_bot.backtest.ranking import Objective
    from trading_bot.bootstrap.searching import Goal, Quest

    goal = Goal(assigned_values(flags["assigned"]), Objective(flags["objective"]), flags["least_trades"])
    return Quest(study_of(context, strategy, **flags), goal)


@contextmanager
def _shown(what: str) -> "Iterator[tuple[Progress, Tell]]":
    from trading_bot.cli.progress import bar

    with bar() as shown:
        task = shown.add_task(what, total=None)
        yield shown, lambda done, total: shown.update(task, completed=done, total=total)


def _agree(estimate: "Estimate", bar: "Progress", *, yes: bool) -> None:
    """Ask a person before what takes long; without one, refuse."""
    from trading_bot.domain.errors import NotOnTerminalError

    if yes or not estimate.is_long:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotOnTerminalError(f"{estimate}. Nobody can be asked whether it may begin: give --yes, or a smaller grid")
    bar.stop()
    click.confirm(f"{estimate}. Begin?", abort=True, err=True)
    bar.start()


def _writable(output: Path | None) -> Path | None:
    """Told before hours of work, not after them."""
    if output is not None and output.suffix not in {".csv", ".json"}:
        raise click.UsageError(f"--output {output}: name a file that ends in .csv or .json")
    if output is not None and not output.resolve().parent.is_dir():
        raise click.UsageError(f"--output {output}: there is no folder {output.parent}; make it first")
    return output


def _kept(context: Context, study: "Study", result: "Result", cells: "Sequence[Cell]", typed: str) -> "tuple[Result, str]":
    from trading_bot.backtest.shelf import Shelf
    from trading_bot.execution.clock import SystemWallClock

    carded = study.carded(result, typed)
    context.home.prepare()
    return carded, Shelf(context.home.backtests).save(carded, SystemWallClock().now(), cells, study.bars())


@dataclass(frozen=True)
class _Telling:
    """Where what came of many runs goes."""

    context: Context
    study: "Study"
    output: Path | None
    top: int
    typed: str
    as_json: bool


def _told(to: _Telling, found: "Swept", first: str = "") -> None:
    """Keep the best run, write the cells, and say what came of it."""
    from trading_bot.cli.sweep_tables import swept_table, write_cells

    if to.output is not None:
        write_cells(to.output, found.cells)
    cells = found.cells[:] if len(found.cells) <= _MOST_KEPT else ()
    kept = None if found.result is None else _kept(to.context, to.study, found.result, cells, to.typed)[1]
    if to.as_json:
        best = [found.cells[n].model_dump(mode="json") for n in found.order[: to.top]]
        say({"run": kept, "best": best, "hindsight": found.hindsight.model_dump(mode="json")}, as_json=True, text="")
    else:
        swept_table(found, to.top, kept, first)
