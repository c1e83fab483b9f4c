"""`escalations`: what climbed to a better reader of news, why, what it cost, what it changed, and what that was worth later."""

import json
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.news.worth import Account


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3660))
@click.option("--all", "every", is_flag=True, help="Those that were spared too: not worth it, capped, without budget.")
@json_option
@click.pass_obj
def escalations(context: Context, *, days: int, every: bool, as_json: bool) -> None:
    """What climbed, why, what it cost, what it changed, and what that was worth a day later."""
    from trading_bot.bootstrap.news import has_news
    from trading_bot.bootstrap.tools import open_desk
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.news.escalation import ASKED
    from trading_bot.news.horizons import prices
    from trading_bot.news.worth import account, worth
    from trading_bot.storage.news import NewsStore

    if not has_news(context.home):
        raise click.ClickException(f"nobody has read news in {context.home.path} yet, so nothing climbed; `news run` begins")
    now = SystemWallClock().now()
    since = now - timedelta(days=days)
    with NewsStore.open(context.home.news) as store, store.reading() as page:
        found = page.escalations(since, now)
    with open_desk(context.home, context.operator) as desk:
        of = cache(lambda symbol: prices(desk.view, symbol, since))

        judged = {e.id: worth(e, of, now) for e in found}
        total = account(found, of, now)
    shown = [e for e in found if every or e.end in ASKED]
    if as_json:
        rows = [{**e.model_dump(mode="json"), "worth": None if (w := judged[e.id]) is None else w.model_dump(mode="json")} for e in shown]
        click.echo(json.dumps({"escalations": rows, "account": total.model_dump(mode="json")}, indent=2))
        return
    from trading_bot.cli.news_tables import escalation_lines

    if shown:
        escalation_lines([(e, "?" if (w := judged[e.id]) is None else f"{w.worth:+.4f}") for e in shown])
    click.echo(_sum(total, days))


def _sum(total: "Account", days: int) -> str:
    right = "?" if total.right is None else f"{total.right:.0%}"
    judged = f"{total.judged} judged a day later: worth {total.worth:+.4f} USD after their cost, {right} pointed the right way"
    return f"{days} days: {total.climbed} wished to climb, {total.answered} were answered for {total.cost:.4f} USD; {judged}"
