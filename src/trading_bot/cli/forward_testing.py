"""`forward-test`: what a paper desk did over its first sessions, collected into a page."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option, say

if TYPE_CHECKING:
    from trading_bot.backtest.forward import Forward
    from trading_bot.domain.proposals import Decision


@click.command(name="forward-test")
@click.option("--sessions", type=click.IntRange(min=1), default=15, show_default=True, help="How many sessions the test has.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the page here, e.g. docs/forward_test_results.md.")
@json_option
@click.pass_obj
def forward_test(context: Context, *, sessions: int, output: Path | None, as_json: bool) -> None:
    """Collect profit, accuracy, cost and errors of this home's paper desk over its first SESSIONS; exit code 1 until they are whole."""
    from trading_bot.backtest.forward import page

    found = _found(context, sessions)
    text = page(found, f"python -m trading_bot forward-test --sessions {sessions}")
    if output is not None:
        output.write_text(text, "utf-8")
    say(found.model_dump(mode="json"), as_json=as_json, text=text if output is None else str(output))
    if not found.is_whole:
        raise SystemExit(1)


def _found(context: Context, sessions: int) -> "Forward":
    from trading_bot import __version__
    from trading_bot.backtest.forward import Kept, Told, forward
    from trading_bot.bootstrap.bench import material_of
    from trading_bot.config import recall
    from trading_bot.domain.mandate import Mode
    from trading_bot.domain.proposals import Decision
    from trading_bot.domain.records import DeskStateChange, Drift, Send, TaskRun
    from trading_bot.execution.ledger import Ledger
    from trading_bot.market.calendar import NEW_YORK

    with context.journal() as journal:
        ledger = Ledger(journal)
        mode = Mode(journal.fact("mode") or Mode.PAPER)
        if mode is Mode.LIVE:
            raise click.ClickException("this home's desk trades real money: a forward test is one with paper money; name another --home")
        told = Told(
            mode=mode,
            simulated=journal.fact("clock kind") == "simulated",
            source=recall(journal.fact("config")).source.name,
            version=__version__,
        )
        kept = Kept(journal.all(TaskRun), journal.all(Decision), journal.all(Send), journal.all(Drift), journal.all(DeskStateChange))
        material = material_of(journal, ledger, ledger.books)
    return forward(material, kept, told, _cost(context, kept.decisions), sessions, NEW_YORK)


def _cost(context: Context, decisions: "Iterable[Decision]") -> Decimal:
    """What the desk's own questions cost."""
    with context.spending() as ledger:
        return sum((ledger.cost_of(made.id) for made in decisions), Decimal(0))
