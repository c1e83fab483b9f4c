"""`backtest list`, `report`, `compare`, `validate`: what came of the runs that were kept."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option, say

if TYPE_CHECKING:
    from trading_bot.backtest.plan import Cell, Result
    from trading_bot.backtest.shelf import Shelf
    from trading_bot.backtest.validation import Validation

_RUN = "RUN is a name of `backtest list`, the beginning of one, or `last`."


def _shelf(context: Context) -> "Shelf":
    from trading_bot.backtest.shelf import Shelf

    return Shelf(context.home.backtests)


@click.command(name="list")
@json_option
@click.pass_obj
def list(context: Context, *, as_json: bool) -> None:  # noqa: A001 - the command's name
    """List the runs that were kept, the newest last."""
    from trading_bot.cli.results_tables import runs_table

    entries = _shelf(context).list()
    if as_json:
        say([entry.model_dump(mode="json") for entry in entries], as_json=True, text="")
    else:
        runs_table(entries)


@click.command(epilog=_RUN)
@click.argument("run")
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it; default: with the home's reports.")
@click.pass_obj
def report(context: Context, run: str, output: Path | None, *, opened: bool) -> None:
    """Write RUN as one page to look at, with everything in it: nothing is fetched when it is opened."""
    from trading_bot.backtest.page import page

    shelf = _shelf(context)
    found = shelf.find(run)
    result, cells = shelf.load(found), shelf.cells(found)
    path = output or context.home.reports / f"backtest_{found}.html"
    text = page(result, _judged(result, cells, None), cells, shelf.bars(found))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        msg = f"the page was not written ({error}): name a place with --output FILE that this user may write, on a disk with room"
        raise click.ClickException(msg) from error
    click.echo(path)
    if opened and not webbrowser.open(path.resolve().as_uri()):
        click.echo("no browser could be started here: open the file yourself", err=True)


@click.command(epilog=_RUN)
@click.argument("a")
@click.argument("b")
@json_option
@click.pass_obj
def compare(context: Context, a: str, b: str, *, as_json: bool) -> None:
    """Set two runs, A and B, side by side: figures, the difference and whether it may be luck, and what they were made from."""
    from trading_bot.backtest.comparing import compare as compare_results
    from trading_bot.cli.results_tables import comparison_table

    shelf = _shelf(context)
    names = (shelf.find(a), shelf.find(b))
    found = compare_results(shelf.load(names[0]), shelf.load(names[1]))
    if as_json:
        say({"a": names[0], "b": names[1], **found.model_dump(mode="json")}, as_json=True, text="")
    else:
        comparison_table(found, *names)


@click.command(epilog=_RUN)
@click.argument("run")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="How many variants were looked at before this one was picked; default: those of the sweep that it came from, else 1.",
)
@json_option
@click.pass_context
def validate(click_context: click.Context, run: str, trials: int | None, *, as_json: bool) -> None:
    """Judge whether RUN deserves trust: verdict, reasons, risk score. Exit status 0 if it passed, 1 if not."""
    from trading_bot.cli.results_tables import validation_table

    context: Context = click_context.obj
    shelf = _shelf(context)
    found = shelf.find(run)
    judged = _judged(shelf.load(found), shelf.cells(found), trials)
    if as_json:
        say({"run": found, **judged.model_dump(mode="json")}, as_json=True, text="")
    else:
        validation_table(judged, found)
    if not judged.passed:
        click_context.exit(1)


def _judged(result: "Result", cells: "tuple[Cell, ...]", trials: int | None) -> "Validation":
    """The verdict; a run that was picked from a grid is the best of as many as that had."""
    from trading_bot.backtest.validation import validate as validate_result

    sharpes = [cell.sharpe for cell in cells if cell.sharpe is not None]
    return validate_result(result, trials=trials or max(1, len(cells)), trial_sharpes=sharpes, seed=result.plan.seed)
