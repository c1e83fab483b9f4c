"""`news`: feeds in, scored articles out; who reads, how it goes, what a symbol's news come to, and why.

Works with nothing installed: the queue lies in the home, and the lexicon reads. Looks change nothing and need no reader to run.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option
from trading_bot.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from trading_bot.domain.news import Reading
    from trading_bot.news.as_of import StoredNews

_COMMANDS = {
    "run": ("newsroom_running", "Ask the feeds and read what they bring, until Ctrl-C."),
    "workers": ("newsroom_running", "Read from the queue with several processes; on as many machines as you like, with Redis."),
    "status": ("newsroom", "Queue, rates, lag, feeds, models' health."),
    "top": ("newsroom", "What the news of each symbol come to, the most unusual first."),
    "why": ("newsroom", "Which articles, which scores, how they add up."),
    "arms": ("newsroom", "The A/B test of analyses, with news and without; its result once both arms are full."),
    "dead": ("newsroom", "Articles that nobody could read; --revive gives them back."),
}

_at = click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"]), help="As of then, UTC; default: now.")


@click.group(cls=LazyGroup, table=_COMMANDS)
def news() -> None:
    """The news desk."""


@click.command()
@json_option
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """Queue, rates, lag, feeds, models' health."""
    from trading_bot.bootstrap.newsroom import look

    found = look(context.config(), context.home)
    if as_json:
        click.echo(json.dumps(found.told(), indent=2, default=str))
        return
    from trading_bot.cli.news_tables import status_lines

    status_lines(found.queue, found.rates(), found.feeds, found.models)


@click.command()
@_at
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
@click.pass_obj
def top(context: Context, *, at: datetime | None, limit: int, as_json: bool) -> None:
    """What the news of each symbol come to, the most unusual first."""
    view = _view(context, at)
    readings = sorted((view.reading(symbol) for symbol in context.config().universe.symbols), key=_unusual)[:limit]
    told = [r for r in readings if r.stories or r.mean is not None]
    if as_json:
        click.echo(json.dumps([r.model_dump(mode="json") for r in told], indent=2))
    elif told:
        from trading_bot.cli.news_tables import readings_table

        readings_table(told)
    else:
        click.echo("no news of any symbol of the universe within the window; `news status` says how the feeds do")


@click.command()
@click.argument("symbol")
@_at
@json_option
@click.pass_obj
def why(context: Context, *, symbol: str, at: datetime | None, as_json: bool) -> None:
    """Which articles, which scores, how they add up to the reading of SYMBOL."""
    from trading_bot.domain.values import Symbol
    from trading_bot.news.why import why as taken_apart

    wanted, known = Symbol(symbol.upper()), context.config().universe.symbols
    if wanted not in known:
        raise click.UsageError(f"{wanted} is not in the universe, so nobody looks for it in the news; the universe is {', '.join(known)}")
    view = _view(context, at)
    found = taken_apart(wanted, view, view.scale)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    from trading_bot.cli.news_tables import why_table

    why_table(found)


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--revive", is_flag=True, help="Put them back into the queue.")
@click.pass_obj
def dead(context: Context, *, limit: int, revive: bool) -> None:
    """Articles that nobody could read, with the reason; --revive gives them back to the workers."""
    from trading_bot.bootstrap.newsroom import open_queue
    from trading_bot.cli.news_tables import dead_table
    from trading_bot.tools.envelope import clean

    with open_queue(context.config(), context.home) as queue:
        if revive:
            click.echo(f"{queue.revive()} articles are waiting again")
            return
        dead_table([(raw.feed, clean(why, 200), clean(raw.title, 200)) for raw, why in queue.dead(limit)])


@click.command()
@json_option
@click.pass_obj
def arms(context: Context, *, as_json: bool) -> None:
    """How far the A/B test of analyses is; its result once each arm has its trades, and not before."""
    from trading_bot.backtest.experiment import experiment
    from trading_bot.execution.ledger import Ledger

    settings = context.config().news
    with context.journal() as journal:
        ledger = Ledger(journal)
        closed = [(ledger.strategy_of(trade), trade) for trade in ledger.trades.closed]
    found = experiment(closed, settings.experiment, settings.trades_per_arm)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    for arm in found.arms:
        click.echo(f"{arm.arm:<10} {arm.trades} of {found.size} trades closed, as {arm.strategy}")
    click.echo(found.note)


def _view(context: Context, at: datetime | None) -> "StoredNews":
    from trading_bot.bootstrap.news import NewsDoor
    from trading_bot.execution.clock import SystemWallClock

    wall = SystemWallClock()
    view = NewsDoor(context.config(), context.home, wall.now).view()
    if view is None:
        raise click.ClickException(f"nobody has read news in {context.home.path} yet; `news run` begins")
    return view.frozen(wall.now() if at is None else at.replace(tzinfo=UTC))


def _unusual(reading: "Reading") -> tuple[float, float]:
    return (-abs(reading.deviations or 0.0), -abs(reading.score * reading.confidence))
