"""`sandbox conformance`: does an adapter keep the broker port's promises? On paper money alone, and only after asking."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context

if TYPE_CHECKING:
    from trading_bot.sandbox.conformance import Promise, Report, Result

_PER_PROMISE_S = 15
"""What one takes at 200 requests a minute."""


@click.command()
@click.option("--venue", required=True, type=click.Choice(["paper", "alpaca", "bybit"]), help="Whose adapter.")
@click.option("--symbol", help="What is traded: an instrument that is flat and has no orders.")
@click.option("--quantity", type=Decimal, help="Of each order; left out: about the least that the venue takes.")
@click.option("--only", help="Numbers of promises, with commas (P01,P02); left out: all.")
@click.option("--report", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to this file too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def conformance(  # noqa: PLR0913, PLR0917 - the options of the command
    context: Context, venue: str, symbol: str | None, quantity: Decimal | None, only: str | None, path: Path | None, *, yes: bool
) -> None:
    """Try every promise with tiny orders on the paper account or test net that the keys open, and clean up; Ctrl-C cleans up too."""
    from trading_bot.sandbox.conformance import check
    from trading_bot.sandbox.conformance.paper_bench import paper_bench

    promises = _chosen(only)
    told: tuple[str, ...] = ("the paper venue inside the program",)
    if venue == "paper":
        with _shown(len(promises)) as tell:
            report = check(paper_bench(), promises, tell=tell)
    else:
        told, report = _on_a_real_account(context, venue, symbol, quantity, promises, yes=yes)
    if path is not None:
        path.write_text("\n".join([*told, report.text(), ""]), "utf-8")
    click.echo(report.count())
    if not report.kept:
        raise SystemExit(1)


def _on_a_real_account(  # noqa: PLR0913 - the options of the command
    context: Context, venue: str, symbol: str | None, quantity: Decimal | None, promises: "Sequence[Promise]", *, yes: bool
) -> "tuple[tuple[str, ...], Report]":
    from trading_bot.bootstrap.brokers import demand_mode
    from trading_bot.bootstrap.trying import FINEST, facts, real_bench
    from trading_bot.domain.mandate import Mode
    from trading_bot.domain.values import Symbol, derive_id
    from trading_bot.sandbox.conformance import check

    if symbol is None:
        raise click.UsageError("--symbol is needed: an instrument that is flat and has no orders")
    grid = {"tick_size": str(FINEST), "lot_size": str(FINEST)}
    said = {"broker.name": venue, "source.name": venue, "universe.symbols": [symbol], "universe.instruments": {symbol: grid}}
    config, stop = context.config(said), threading.Event()
    demand_mode(config, Mode.PAPER)
    with real_bench(config, context.setting(Mode.PAPER, simulated=False), Symbol(symbol), quantity, stop) as bench:
        if not yes:
            minutes = len(promises) * _PER_PROMISE_S // 60 + 1
            click.confirm(
                f"Trade {bench.quantity.normalize():f} {symbol} on the paper account at {venue} for some {minutes} min?", abort=True
            )
        told = facts(config, bench)
        click.echo("\n".join(told))
        with _shown(len(promises)) as tell, _stoppable(stop):
            return told, check(bench, promises, run=f"c{derive_id(bench.now().isoformat(), length=5)}", tell=tell)


def _chosen(only: str | None) -> "tuple[Promise, ...]":
    """The promises with these numbers, all of them if none is named."""
    from trading_bot.sandbox.conformance import PROMISES

    numbers = [n.strip().upper() for n in (only or "").split(",") if n.strip()]
    known = {p.number for p in PROMISES}
    if unknown := [n for n in numbers if n not in known]:
        raise click.UsageError(f"--only: there is no promise {', '.join(unknown)}; they are {', '.join(sorted(known))}")
    return tuple(p for p in PROMISES if not numbers or p.number in numbers)


@contextmanager
def _shown(total: int) -> "Iterator[Callable[[Result], None]]":
    """A line for each promise, and a bar on a terminal."""
    from trading_bot.cli.progress import bar

    with bar() as shown:
        task = shown.add_task("promises", total=total)

        def tell(result: "Result") -> None:
            click.echo(result.text())
            shown.advance(task)

        yield tell


@contextmanager
def _stoppable(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask the suite to stop: between two calls, and with a flat account."""

    def ask(*_: object) -> None:
        click.echo("stopping: orders are canceled, and what is held is closed", err=True)
        stop.set()

    old = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
