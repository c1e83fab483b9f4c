"""`backtest`: research over recorded time."""

import click

from trading_bot.cli.kinds import Table
from trading_bot.cli.lazy import LazyGroup

_COMMANDS: Table = {
    "run": ("researching_run", "One strategy, bar by bar, through the desk's own gate, engine and paper broker."),
    "repeat": ("researching_run", "Run a kept run again by its card: the same result, or what has changed."),
    "strategies": ("researching_run", "Strategies that can be run, with their parameters."),
    "sweep": ("researching_sweeps", "A grid of parameters, vectorised; on many machines with --cluster."),
    "optimize": ("researching_sweeps", "Search parameters with Optuna; a study that was stopped goes on."),
    "walk-forward": ("researching_sweeps", "Optimise on the past, trade the time after it, again and again; only the latter counts."),
    "compare": ("researching_results", "Two runs side by side."),
    "validate": ("researching_results", "Whether a run deserves trust: its verdict, reasons and risk score."),
    "report": ("researching_results", "One run as a page to look at."),
    "list": ("researching_results", "Runs that were kept."),
    "decisions": ("researching_decisions", "The analyst's recorded decisions over their period, free; --blind masks names and dates."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def backtest() -> None:
    """Test strategies, and the analyst's own decisions: fast, exactly, and with how far to trust the result."""
