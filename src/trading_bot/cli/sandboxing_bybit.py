"""`sandbox bybit`: the emulated Bybit, which any v5 client can be pointed at."""

import signal
import threading
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.emulated_start import start_of

if TYPE_CHECKING:
    from trading_bot.domain.values import Symbol
    from trading_bot.sandbox.bybit.api import BybitApi
    from trading_bot.sandbox.exchange.market import EmulatedMarket

_FILE = click.Path(path_type=Path, dir_okay=False)
_SPREAD = Decimal(2)


@click.command(name="bybit")
@click.option("--port", default=8102, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML rules of what goes wrong, and when.")
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Emulated seconds for each real one."
)
@click.option("--start", help="Emulated time to begin at, UTC (2024-03-05T14:30). Default: now; with --data needed.")
@click.option("--seed", default=1, show_default=True, help="Of the invented market, of ids and of chance.")
@click.option("--data", "files", multiple=True, type=click.Path(path_type=Path, exists=True), help="Bars instead of an invented market.")
@click.option("--symbols", default="BTCUSDT,ETHUSDT", show_default=True, help="What is traded.")
@click.option("--category", default="both", show_default=True, type=click.Choice(["linear", "spot", "both"]), help="Markets to open.")
@click.option("--cash", default="10000", show_default=True, type=Decimal, help="USDT in the account.")
@click.option("--key", help="The one API key that is let in. Default: any, unsigned.")
@click.option("--secret", default="", help="Its secret.")
@click.option("--read-only", is_flag=True, help="The key may not trade.")
@click.option("--per-second", default=50, show_default=True, type=click.IntRange(1), help="Calls of one endpoint in a second.")
@click.option("--log", type=_FILE, help="Append the venue's own log to this file as JSON lines.")
def bybit(**said: Any) -> None:  # noqa: ANN401 - click's options
    """Serve Bybit v5, REST and streams, until Ctrl-C; GET /__evidence tells what really happened."""
    api = _made(**said)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with api:
        key, secret = said["key"] or "any", said["secret"] or "any"
        category = "spot" if said["category"] == "spot" else "linear"
        click.echo(f"export BYBIT_API_KEY={key}\nexport BYBIT_API_SECRET={secret}")
        settings = f"bybit:\n#   environment: demo\n#   category: {category}\n#   url: {api.url}"
        click.echo(f"# in the configuration:\n# broker:\n#   name: bybit\n# {settings}")
        click.echo(f"# streams: {api.stream_url}/v5/private   what happened: {api.url}/__evidence   end: Ctrl-C", err=True)
        stop.wait()


def _made(  # noqa: PLR0913 - the command's options
    *,
    port: int,
    faults: Path | None,
    speed: float,
    start: str | None,
    seed: int,
    files: Sequence[Path],
    symbols: str,
    category: str,
    cash: Decimal,
    key: str | None,
    secret: str,
    read_only: bool,
    per_second: int,
    log: Path | None,
) -> "BybitApi":
    from trading_bot.domain.values import Symbol
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.sandbox.bybit.api import BybitApi
    from trading_bot.sandbox.bybit.service import Setup
    from trading_bot.sandbox.bybit.signing import Credentials
    from trading_bot.sandbox.exchange.clock import EmulatedClock
    from trading_bot.sandbox.venue_faults import load

    if files and start is None:
        raise click.UsageError("--data needs --start: a time that its bars cover")
    wall = SystemWallClock()
    traded = [Symbol(name.strip()) for name in symbols.split(",") if name.strip()]
    setup = Setup(
        _markets(traded, category, files, seed),
        EmulatedClock.running(wall, start_of(start, UTC), speed),
        wall,
        load(faults, traded) if faults else (),
        Credentials(key, secret, read_only),
        cash,
        seed,
        per_second,
    )
    try:
        return BybitApi(setup, port=port, log=log)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be had ({error.strerror}); --port 0 takes any free one") from error


def _markets(symbols: "Sequence[Symbol]", category: str, files: Sequence[Path], seed: int) -> "dict[str, EmulatedMarket]":
    from trading_bot.market.calendar import open_calendar
    from trading_bot.sandbox.bybit.contracts import instrument_of
    from trading_bot.sandbox.bybit.making import CATEGORIES, invented, recorded
    from trading_bot.settings import FileSettings
    from trading_bot.sources.files import FileSource

    opened = CATEGORIES if category == "both" else (category,)
    if not files:
        return invented(symbols, seed, open_calendar, categories=opened)
    settings = [FileSettings(path=path) for path in files]
    made: dict[str, EmulatedMarket] = {}
    for name in opened:
        source = FileSource(settings, partial(instrument_of, category=name), open_calendar, _SPREAD)
        made |= recorded(source, symbols, seed, open_calendar, category=name)
    return made
