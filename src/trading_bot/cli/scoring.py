"""`scoreboard`: what each analyst's plans came to with one and the same stake, net of what asking cost, and how well it knew."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option
from trading_bot.cli.homes import homes_options, known

if TYPE_CHECKING:
    from pathlib import Path

    from trading_bot.analysts.scoreboard import Scoreboard
    from trading_bot.cli.homes import Known
    from trading_bot.ports import Journal
    from trading_bot.storage.home import Home

_MODEL_ANALYST = "claude"


@click.command()
@homes_options
@json_option
@click.pass_obj
def scoreboard(context: Context, *, others: "Sequence[Path] | None", as_json: bool) -> None:
    """Compare Claude and the rules on the same questions: every plan followed with one stake, net of cost; Brier score of confidence."""
    if others is not None:
        desks = [desk for desk in known(context, others) if desk.home.has_journal]
        _tell_all(desks, [_board(desk.home, context.operator) for desk in desks], as_json=as_json)
        return
    context.journal().close()
    board = _board(context.home, context.operator)
    if as_json:
        click.echo(json.dumps(board.model_dump(mode="json"), indent=2))
    else:
        _show(board)


def _board(home: "Home", operator: "Path") -> "Scoreboard":
    from trading_bot.analysts import scoreboard as scoring
    from trading_bot.bootstrap.tools import open_desk
    from trading_bot.domain.proposals import Decision, Shadow

    with open_desk(home, operator) as desk:
        journal = desk.bench.journal
        return scoring.scoreboard(journal.all(Decision), journal.all(Shadow), desk.view, _costs(home, journal))


def _costs(home: "Home", journal: "Journal") -> Mapping[str, Decimal]:
    """What the desk's own questions cost; a person's are not the analyst's."""
    from trading_bot.domain.proposals import Decision
    from trading_bot.storage.spending import SpendingLedger

    with SpendingLedger.open(home.database) as ledger, ledger.reading() as page:
        total = sum((page.cost_of(made.id) for made in journal.all(Decision)), Decimal(0))
    return {_MODEL_ANALYST: total} if total else {}


def _tell_all(desks: "Sequence[Known]", boards: "Sequence[Scoreboard]", *, as_json: bool) -> None:
    """Each desk as by itself, then what each analyst earned on each."""
    pairs = list(zip(desks, boards, strict=True))
    if as_json:
        click.echo(json.dumps([{**desk.told, "scoreboard": board.model_dump(mode="json")} for desk, board in pairs], indent=2))
        return
    from trading_bot.cli.score_tables import net_table

    for desk, board in pairs:
        click.echo(desk.name)
        _show(board)
        click.echo()
    net_table([(desk.kind.desk, board) for desk, board in pairs])


def _show(board: "Scoreboard") -> None:
    from trading_bot.cli.score_tables import calibration_table, score_table

    score_table(board)
    calibration_table(board)
