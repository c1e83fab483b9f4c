"""`sandbox ollama`: the emulated Ollama, for trying local models and DeepSeek's client without either."""

import signal
import threading
from pathlib import Path

import click


@click.command(name="ollama")
@click.option("--port", default=8104, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option(
    "--script", default="reader", show_default=True, type=click.Choice(["reader", "obeying", "contrary"]), help="What the models are like."
)
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="YAML rules of what goes wrong, and when.")
@click.option("--models", default="llama3.2,mistral,phi3", show_default=True, help="What is there, with commas.")
@click.option("--key", help="The only key that DeepSeek's door lets in; left out: any.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Append each question to this file as a JSON line.")
def ollama(port: int, script: str, faults: Path | None, models: str, key: str | None, log: Path | None) -> None:  # noqa: PLR0913, PLR0917 - click's options
    """Serve Ollama's API, and OpenAI's below /v1, with a scripted model until Ctrl-C."""
    from trading_bot.sandbox.ollama.faults import load
    from trading_bot.sandbox.ollama.scripts import SCRIPTS
    from trading_bot.sandbox.ollama.server import EmulatedOllama

    there = tuple(name.strip() for name in models.split(",") if name.strip())
    rules = load(faults) if faults else ()
    try:
        emulator = EmulatedOllama(SCRIPTS[script], rules, models=there, key=key, port=port, log=log)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be had ({error.strerror}); --port 0 takes any free one") from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with emulator:
        click.echo(f"# in the configuration:\n# ollama:\n#   url: {emulator.url}\n#   models: [{', '.join(there)}]")
        click.echo(f"# deepseek:\n#   url: {emulator.url}/v1\nexport DEEPSEEK_API_KEY={key or 'offline'}")
        click.echo("# end: Ctrl-C", err=True)
        stop.wait()
