"""`sandbox news`: emulated feeds of news, which any reader can be pointed at."""

import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_bot.sandbox.news.stories import Stories

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(name="news")
@click.option("--port", default=8103, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--articles", type=_FILE, help="CSV or YAML of title, body, url, published, publisher, symbols; left out: invented ones.")
@click.option("--faults", type=_FILE, help="YAML rules of what goes wrong, and when.")
@click.option("--seed", default=0, show_default=True, help="Of invented articles.")
@click.option("--symbols", default="AAPL,MSFT,NVDA,TSLA,BTC/USD", show_default=True, help="What invented articles are about.")
@click.option("--every", default=10.0, show_default=True, type=click.FloatRange(0.001), help="Seconds between two invented articles.")
def news(port: int, articles: Path | None, faults: Path | None, seed: int, symbols: str, every: float) -> None:  # noqa: PLR0913, PLR0917 - its options
    """Serve RSS, Atom, NewsAPI, Alpha Vantage and Alpaca news until Ctrl-C; GET /__evidence tells what was asked."""
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.sandbox.news.faults import load
    from trading_bot.sandbox.news.service import NewsService

    now = SystemWallClock().now
    rules = load(faults) if faults else ()
    try:
        service = NewsService(_stories(articles, seed, symbols, timedelta(seconds=every)), rules, now=now, port=port)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be had ({error.strerror}); --port 0 takes any free one") from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with service:
        click.echo("export NEWSAPI_KEY=offline ALPHAVANTAGE_API_KEY=offline")
        click.echo(f'# in the configuration:\n# news:\n#   private_hosts: ["{service.host}"]\n#   feeds:')
        for name, kind, path in (
            ("wire", "rss", "/rss"),
            ("paper", "rss", "/atom"),
            ("search", "newsapi", ""),
            ("vantage", "alpha_vantage", ""),
        ):
            click.echo(f"#     - {{name: {name}, kind: {kind}, url: '{service.url}{path}', every_seconds: 5}}")
        click.echo(f"# more articles: POST {service.url}/__articles   what was asked: {service.url}/__evidence   end: Ctrl-C", err=True)
        stop.wait()


def _stories(articles: Path | None, seed: int, symbols: str, every: timedelta) -> "Stories":
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.sandbox.news.stories import Invented, load

    if articles is not None:
        told = load(articles)
        return lambda _: told
    names = [name.strip() for name in symbols.split(",") if name.strip()]
    if not names:
        raise click.UsageError("--symbols needs at least one")
    return Invented(seed, names, SystemWallClock().now(), every)
