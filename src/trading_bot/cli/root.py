"""The tree of commands. Modules of commands are imported when they are used, so that `--help` answers at once.

`claude-trader` is the same tree with another kind of desk: the few commands that only a desk of coins has, and all that both have.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from trading_bot.cli.context import Context
from trading_bot.cli.kinds import COINS, KINDS, STOCKS, Kind, Table
from trading_bot.cli.lazy import LazyGroup
from trading_bot.domain.errors import DeskError

Command = Callable[..., None]


class DeskGroup(LazyGroup):
    """Commands of one kind of desk, whose errors name commands as its user types them."""

    def table(self, ctx: click.Context) -> Table:
        """That of the kind of desk that was asked for."""
        return KINDS[ctx.params["desk"]].commands if "desk" in ctx.params else super().table(ctx)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command."""
        try:
            return super().invoke(ctx)
        except DeskError as error:
            error.args = (_told(ctx, str(error)),)
            raise
        except click.UsageError:
            raise
        except click.ClickException as error:
            raise click.ClickException(_told(ctx, error.message)) from error


def _told(ctx: click.Context, message: str) -> str:
    return ctx.obj.kind.told(message) if isinstance(ctx.obj, Context) else message


_HELP = {"help_option_names": ["-h", "--help"]}


def _shared(kind: Kind) -> Callable[[Command], Command]:
    """Options that name home and settings."""

    def decorate(function: Command) -> Command:
        home = f"The desk's home.  [default: {kind.home}, or {kind.variable}]"
        settings = click.Path(path_type=Path, exists=True, dir_okay=False)
        for option in (
            click.pass_context,
            click.version_option(package_name="trading-bot"),
            click.option("--config", "config_path", type=settings, help=f"Settings; default: {kind.config} in this folder, if there."),
            click.option("--home", type=click.Path(path_type=Path), help=home),
        ):
            function = option(function)
        return function

    return decorate


@click.group(cls=DeskGroup, table=STOCKS.commands, context_settings=_HELP)
@_shared(STOCKS)
@click.option("--desk", type=click.Choice(list(KINDS)), default=STOCKS.desk, is_eager=True, help="`coins` is the same as `trader`.")
def cli(context: click.Context, home: Path | None, config_path: Path | None, desk: str) -> None:
    """A trading desk: analysts propose; an engine bound by a mandate decides and trades. Paper is the default."""
    context.obj = Context(home, config_path, context.obj or (), KINDS[desk])


@click.group(cls=DeskGroup, table=COINS.commands, context_settings=_HELP)
@_shared(COINS)
def trader(context: click.Context, home: Path | None, config_path: Path | None) -> None:
    """A desk of coins that goes round the clock: Claude opens, watches and closes one trade at a time; the engine decides and guards."""
    above = context.obj if isinstance(context.obj, Context) else Context(None, None, context.obj or ())
    context.obj = Context(home or above.named, config_path or above.config_path, above.typed, COINS)
