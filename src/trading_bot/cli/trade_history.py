"""`history`: closed trades, newest first, each with all that it earned and cost."""

import json
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.domain.values import DecisionId
    from trading_bot.orchestrator.closed_trades import ClosedTrade
    from trading_bot.storage.spending import SpendingPage


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="How many of the newest to show.")
@json_option
@click.pass_obj
def history(context: Context, *, limit: int, as_json: bool) -> None:
    """Closed trades, newest first: why each ended, what it earned after fees and funding, what Claude cost, what is left."""
    found = closed(context, limit)
    if as_json:
        click.echo(json.dumps([trade.model_dump(mode="json") for trade in found], indent=2))
        return
    from trading_bot.cli.trader_tables import history_table

    history_table(found, context.kind.zone)


def closed(context: Context, limit: int) -> "tuple[ClosedTrade, ...]":
    """The `limit` trades of this home that were closed last, newest first."""
    from trading_bot.execution.ledger import Ledger
    from trading_bot.orchestrator.closed_trades import closed_trades

    with context.journal() as journal, context.spending() as page:
        return closed_trades(journal, Ledger(journal), limit, partial(cost_of, page))


def cost_of(page: "SpendingPage", trade: "DecisionId") -> Decimal:
    """USD of all calls about a trade."""
    return sum((call.counted for call in page.of_trade(trade)), Decimal(0))
