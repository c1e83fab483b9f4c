"""`sandbox`: emulated vendors, so that anyone can see the desk work offline and without a key."""

import signal
import threading
from pathlib import Path
from typing import Any

import click

from trading_bot.cli.sandboxing_bybit import bybit
from trading_bot.cli.sandboxing_chaos import chaos
from trading_bot.cli.sandboxing_conformance import conformance
from trading_bot.cli.sandboxing_news import news
from trading_bot.cli.sandboxing_ollama import ollama


@click.group()
def sandbox() -> None:
    """Emulated vendors, on loopback alone."""


sandbox.add_command(bybit)
sandbox.add_command(chaos)
sandbox.add_command(conformance)
sandbox.add_command(news)
sandbox.add_command(ollama)


@sandbox.command(name="claude-api")
@click.option("--port", default=8099, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML rules of what goes wrong, and when.")
@click.option(
    "--log", type=click.Path(path_type=Path, dir_okay=False), help="Append each request to this file as a JSON line, keys left out."
)
def claude_api(port: int, faults: Path | None, log: Path | None) -> None:
    """Serve the Messages API with a scripted model until Ctrl-C; GET /__ledger tells what was charged."""
    from trading_bot.sandbox.claude_api import ClaudeApi
    from trading_bot.sandbox.claude_faults import load

    rules = load(faults) if faults else ()
    try:
        api = ClaudeApi(faults=rules, port=port, log=log)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be had ({error.strerror}); --port 0 takes any free one") from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with api:
        click.echo(f"export ANTHROPIC_BASE_URL={api.url}\nexport ANTHROPIC_API_KEY=offline")
        click.echo(f"# what was charged: {api.url}/__ledger   end: Ctrl-C", err=True)
        stop.wait()


@sandbox.command(name="alpaca")
@click.option("--port", default=8101, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML rules of what goes wrong, and when.")
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Emulated seconds for each real one."
)
@click.option("--start", help="Emulated time at the start, by New York's clock (2024-03-05T09:30); left out: now.")
@click.option("--seed", default=0, show_default=True, help="Of prices and of faults by chance.")
@click.option(
    "--data", multiple=True, type=click.Path(path_type=Path, exists=True), help="Files of bars to trade on; left out: invented prices."
)
@click.option("--symbols", help="What is traded, with commas; coins with a slash (BTC/USD).")
@click.option("--always-open", is_flag=True, help="Stocks trade round the clock.")
@click.option("--cash", default="100000", show_default=True, help="Of the account.")
@click.option("--key", help="The only key that is let in; left out: any.")
@click.option("--secret", help="Its secret.")
@click.option("--live-account", is_flag=True, help="The account looks like one with real money.")
@click.option("--requests-per-minute", default=200, show_default=True, type=click.IntRange(1), help="What a key may ask for.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Append what really happens to this file, as JSON lines.")
def alpaca(port: int, faults: Path | None, log: Path | None, **told: Any) -> None:  # noqa: ANN401 - click's options
    """Serve an emulated Alpaca (REST and streams on one port) until Ctrl-C; GET /__evidence tells what really happened."""
    from trading_bot.cli.emulating import alpaca_emulator

    try:
        emulator = alpaca_emulator(port, faults, log, told)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be had ({error.strerror}); --port 0 takes any free one") from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with emulator:
        key, secret = told["key"] or "PKEMULATED", told["secret"] or "offline"
        click.echo(f"export ALPACA_API_KEY={key}\nexport ALPACA_SECRET_KEY={secret}")
        environment = "live" if told["live_account"] else "paper"
        click.echo(
            f"# in the configuration:\n# broker:\n#   name: alpaca\n# alpaca:\n#   environment: {environment}\n#   url: {emulator.url}"
        )
        click.echo(f"# streams: {emulator.stream_url}   what happened: {emulator.url}/__evidence   end: Ctrl-C", err=True)
        stop.wait()
