"""`scoreboard`: what each analyst's plans came to with one and the same stake, net of what asking cost, and how well it knew."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.analysts.scoreboard import Scoreboard
    from trading_bot.ports import Journal

_MODEL_ANALYST = "claude"


@click.command()
@json_option
@click.pass_obj
def scoreboard(context: Context, *, as_json: bool) -> None:
    """Compare Claude and the rules on the same questions: every plan followed with one stake, net of cost; Brier score of confidence."""
    from trading_bot.analysts import scoreboard as scoring
    from trading_bot.bootstrap.tools import open_desk
    from trading_bot.domain.proposals import Decision, Shadow

    context.journal().close()
    with open_desk(context.home, context.operator) as desk:
        journal = desk.bench.journal
        board = scoring.scoreboard(journal.all(Decision), journal.all(Shadow), desk.view, _costs(context, journal))
    if as_json:
        click.echo(json.dumps(board.model_dump(mode="json"), indent=2))
    else:
        _show(board)


def _costs(context: Context, journal: "Journal") -> Mapping[str, Decimal]:
    """What the desk's own questions cost; a person's are not the analyst's."""
    from trading_bot.domain.proposals import Decision

    with context.spending() as ledger:
        total = sum((ledger.cost_of(made.id) for made in journal.all(Decision)), Decimal(0))
    return {_MODEL_ANALYST: total} if total else {}


def _show(board: "Scoreboard") -> None:
    from trading_bot.cli.tables import calibration_table, score_table

    score_table(board)
    calibration_table(board)
