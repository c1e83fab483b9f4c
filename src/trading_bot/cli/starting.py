"""`start`: the round-the-clock desk on the real clock, as `orchestrator` runs a desk of stocks."""

from typing import TYPE_CHECKING

import click

from trading_bot.cli.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from trading_bot.bootstrap.desk import Assembly
    from trading_bot.orchestrator.scheduler import Slot

VENUES: "dict[str | None, dict[str, str]]" = {
    None: {},
    "paper": {"broker.name": "paper"},
    "bybit": {"broker.name": "bybit", "source.name": "bybit"},
}
"""What `--venue` sets. The paper venue trades at the prices of the source that the settings name: Bybit's, if they name none."""


def venue_option(function: "Callable[..., None]") -> "Callable[..., None]":
    """Which venue it is about."""
    text = "Whose orders: the home's own paper venue, or Bybit's.  [default: what the settings name, else paper]"
    return click.option("--venue", type=click.Choice(["paper", "bybit"]), help=text)(function)


def rhythm_options(function: "Callable[..., None]") -> "Callable[..., None]":
    """Options of whoever goes round the clock."""
    for option in (
        click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random."),
        click.option("--analyst", type=click.Choice(["rules", "claude", "auto"]), help="Who proposes."),
        click.option("--symbols", help="Comma-separated coins, e.g. BTCUSDT,ETHUSDT."),
        click.option("--interval", type=click.IntRange(1, 1440), help="Minutes between two looks, counted from midnight UTC."),
    ):
        function = option(function)
    return function


def rhythm_settings(interval: int | None = None, **flags: "Any") -> "dict[str, Any]":  # noqa: ANN401 - values of flags
    """Settings of the flags that were given."""
    from trading_bot.cli.running import to_settings

    return to_settings(**flags) | ({} if interval is None else {"trader.interval_minutes": interval})


@click.command()
@venue_option
@click.option("--live", is_flag=True, help="Real money: Bybit's live environment. Asks for words typed by a person.")
@rhythm_options
@click.pass_obj
def start(context: Context, /, *, venue: str | None, live: bool, **flags: "Any") -> None:  # noqa: ANN401 - options shared with `simulate`
    """Run the desk until it is stopped: flat it looks for a trade, in one it watches it. Needs a signed mandate; paper is the default."""
    from trading_bot.cli.guarding import demand_all
    from trading_bot.cli.running import trade
    from trading_bot.domain.mandate import Mode

    config = context.config(VENUES[venue] | rhythm_settings(**flags))
    setting = context.setting(Mode.LIVE if live else Mode.PAPER, simulated=False)
    demand_all(config, setting)
    if config.risk_digest() != context.config().risk_digest():
        click.echo(f"note: the guardian reads the settings alone: write into {context.kind.config} what --venue and --symbols say here")
    trade(config, setting, tell_end=_tell_end)


def _tell_end(assembly: "Assembly", _slots: "Sequence[Slot]", _stopped: bool) -> None:  # noqa: FBT001 - as `trade` tells it
    from trading_bot.cli.trader_tables import round_table

    round_table(assembly)
