"""`bars import | list`: keep the bars of files in the home, read, repaired and brought to what traded once and for all."""

import json
from pathlib import Path

import click

from trading_bot.cli.context import Context, json_option


@click.group()
def bars() -> None:
    """The home's bar store: Parquet per symbol and timeframe, or tables where a server keeps the journal; `--source store` reads it."""


@bars.command(name="import")
@click.option(
    "--data", "paths", multiple=True, required=True, type=click.Path(path_type=Path), help="File or folder of bars; may be given again."
)
@click.option("--symbols", required=True, help="Comma-separated, e.g. AAPL,SPY.")
@click.pass_obj
def import_(context: Context, paths: tuple[Path, ...], symbols: str) -> None:
    """Read bars with their splits and dividends from files and keep them."""
    from trading_bot.bootstrap.sources import build_source, open_bars
    from trading_bot.domain.values import Symbol
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.market.calendar import open_calendar

    wanted = [Symbol(s.strip().upper()) for s in symbols.split(",") if s.strip()]
    if not wanted:
        raise click.UsageError("--symbols names none; give some, e.g. --symbols AAPL,SPY")
    config = context.config({"source.name": "files", "source.files": [{"path": str(path)} for path in paths]})
    context.home.prepare()
    store = open_bars(context.home)
    source = build_source(config, {name: open_calendar(name) for name in ("XNYS", "24/7")}, SystemWallClock().now, context.home)
    for symbol in wanted:
        for timeframe in source.timeframes(symbol):
            series = source.bars(symbol, timeframe)
            store.write(series)
            click.echo(f"{symbol} {timeframe}: {len(series.frame)} bars to {series.frame.index[-1]:%Y-%m-%d}, {series.basis}")
        store.write_actions(symbol, source.actions(symbol))
    for note in source.notes():
        click.echo(f"note: {note}")


@bars.command()
@click.pass_obj
def hypertable(context: Context) -> None:
    """Let TimescaleDB keep the bars in pieces of a month, where the server has it; a plain table answers the same."""
    from trading_bot.bootstrap.sources import open_bars
    from trading_bot.storage.bars import BarStore

    store = open_bars(context.home)
    if isinstance(store, BarStore):
        raise click.ClickException("this home's bars are files; storage.url names a server to keep them")
    store.partition()
    click.echo("The bars are a hypertable.")


@bars.command(name="list")
@json_option
@click.pass_obj
def list_(context: Context, *, as_json: bool) -> None:
    """What the store holds."""
    from trading_bot.bootstrap.sources import open_bars

    store = open_bars(context.home)
    rows = []
    for symbol in store.symbols():
        for timeframe in store.timeframes(symbol):
            series = store.read(symbol, timeframe)
            first, last = (f"{series.frame.index[end]:%Y-%m-%d}" for end in (0, -1))
            rows.append(
                {"symbol": symbol, "timeframe": timeframe, "bars": len(series.frame), "first": first, "last": last, "basis": series.basis}
            )
    lines = "\n".join(f"{r['symbol']:<10} {r['timeframe']:<4} {r['bars']:>8} bars  {r['first']} to {r['last']}  {r['basis']}" for r in rows)
    click.echo(json.dumps(rows, indent=2) if as_json else lines or "The bar store is empty; `bars import` adds some.")
