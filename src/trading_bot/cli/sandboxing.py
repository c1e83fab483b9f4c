"""`sandbox claude-api`: the emulated Claude API, so that anyone can see the desk work offline and without a key."""

import signal
import threading
from pathlib import Path

import click


@click.group()
def sandbox() -> None:
    """Emulated vendors, on loopback alone."""


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
