"""`news run` and `news workers`: the news desk at work."""

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context, json_option

if TYPE_CHECKING:
    from trading_bot.bootstrap.newsroom_running import Ears, Newsroom
    from trading_bot.domain.news import Escalation
    from trading_bot.storage.news import ReadArticle

_RESTART_SECONDS = 2.0


@click.command()
@click.option("--once", is_flag=True, help="Ask each feed once, read what came, and end; for cron.")
@json_option
@click.pass_obj
def run(context: Context, *, once: bool, as_json: bool) -> None:
    """Ask the feeds and read what they bring, until Ctrl-C."""
    with _newsroom(context, as_json=as_json) as room:
        click.echo(f"feeds: {', '.join(feed.name for feed in room.feeds) or 'none (news.feeds)'}; home {context.home.path}", err=True)
        if len(room.feeds) < (needed := context.config().news.corroboration):
            click.echo(f"{needed} feeds have to tell a story before it moves anything or climbs (news.corroboration)", err=True)
        if once:
            room.once()
        else:
            room.run(_until_told())


@click.command()
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes on this machine.")
@json_option
@click.pass_obj
def workers(context: Context, *, count: int, as_json: bool) -> None:
    """Read from the queue until Ctrl-C; with Redis and PostgreSQL on as many machines as you like. A worker that dies is started again."""
    stop = _until_told()
    if count > 1:
        _tend([*_own_command(context), "news", "workers", *(["--json"] if as_json else [])], count, stop)
        return
    with _newsroom(context, as_json=as_json) as room:
        room.work(stop)


def _newsroom(context: Context, *, as_json: bool) -> "Newsroom":
    from trading_bot.bootstrap.newsroom_running import Newsroom

    return Newsroom(context.config(), context.home, context.operator, os.environ, _ears(as_json=as_json))


def _ears(*, as_json: bool) -> "Ears":
    from trading_bot.bootstrap.newsroom_running import Ears
    from trading_bot.cli.news_tables import article_line

    def article(read: "ReadArticle") -> None:
        scores = [s.model_dump(mode="json") for s in read.scores]
        told = {**read.article.model_dump(mode="json"), "story": read.telling.story, "scores": scores}
        click.echo(json.dumps(told) if as_json else article_line(read.article, read.scores))

    def escalation(climbed: "Escalation") -> None:
        told = f"{climbed.symbol} {climbed.rule} -> {climbed.tier}: {climbed.end} ({climbed.note or climbed.detail})"
        click.echo(json.dumps({"escalation": climbed.model_dump(mode="json")}) if as_json else f"climbs    {told}")

    return Ears(article, escalation, lambda told: click.echo(told, err=True))


def _own_command(context: Context) -> list[str]:
    config = [] if context.config_path is None else ["--config", str(context.config_path)]
    return [sys.executable, "-m", "trading_bot", "--home", str(context.home_path), *config]


def _tend(command: list[str], count: int, stop: threading.Event) -> None:
    """Keep `count` processes running."""
    running = [subprocess.Popen(command) for _ in range(count)]  # noqa: S603 - our own command
    while not stop.wait(_RESTART_SECONDS):
        for place, worker in enumerate(running):
            if worker.poll() is not None:
                click.echo(f"worker {worker.pid} ended with {worker.returncode}; another takes its place", err=True)
                running[place] = subprocess.Popen(command)  # noqa: S603 - our own command
    for worker in running:
        worker.terminate()
    for worker in running:
        worker.wait()


def _until_told() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
