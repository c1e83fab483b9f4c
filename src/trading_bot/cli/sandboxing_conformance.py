"""`sandbox conformance`: does an adapter keep the broker port's promises? On paper money alone, and only after asking."""

from decimal import Decimal
from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading_bot.sandbox.conformance import Report, Result


@click.command()
@click.option("--venue", required=True, type=click.Choice(["paper", "alpaca", "bybit"]), help="Whose adapter.")
@click.option("--symbol", help="What is traded: an instrument that is flat and has no orders.")
@click.option("--quantity", type=Decimal, help="Of each order; left out: about the least that the venue takes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def conformance(context: Context, venue: str, symbol: str | None, quantity: Decimal | None, *, yes: bool) -> None:
    """Try every promise with tiny orders on the paper account or test net that the keys open, and clean up."""
    from trading_bot.sandbox.conformance import check
    from trading_bot.sandbox.conformance.paper_bench import paper_bench

    def tell(result: "Result") -> None:
        click.echo(f"{result.number} {result.standing:<14} {result.sentence}{f' [{result.why}]' if result.why else ''}")

    if venue == "paper":
        report = check(paper_bench(), tell=tell)
    else:
        report = _on_a_real_account(context, venue, symbol, quantity, yes=yes, tell=tell)
    click.echo(report.text().splitlines()[-1])
    if not report.kept:
        raise SystemExit(1)


def _on_a_real_account(  # noqa: PLR0913 - the options of the command
    context: Context, venue: str, symbol: str | None, quantity: Decimal | None, *, yes: bool, tell: "Callable[[Result], None]"
) -> "Report":
    from trading_bot.bootstrap.brokers import demand_mode
    from trading_bot.bootstrap.trying import real_bench
    from trading_bot.domain.mandate import Mode
    from trading_bot.domain.values import Symbol, derive_id
    from trading_bot.sandbox.conformance import check

    if symbol is None:
        raise click.UsageError("--symbol is needed: an instrument that is flat and has no orders")
    config = context.config({"broker.name": venue, "source.name": venue, "universe.symbols": [symbol]})
    demand_mode(config, Mode.PAPER)
    with real_bench(config, context.setting(Mode.PAPER, simulated=False), Symbol(symbol), quantity) as bench:
        if not yes:
            click.confirm(f"Send about a hundred orders for {bench.quantity} {symbol} to the paper account at {venue}?", abort=True)
        return check(bench, run=f"c{derive_id(bench.now().isoformat(), length=5)}", tell=tell)
