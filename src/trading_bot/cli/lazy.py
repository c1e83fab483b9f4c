"""Groups of commands that are imported when they are used, so that `--help` answers at once."""

import importlib
from typing import Any

import click

from trading_bot.cli.kinds import Table


class LazyGroup(click.Group):
    """A group that knows its commands by a table and imports them on use."""

    def __init__(self, *args: Any, table: Table, **options: Any) -> None:  # noqa: ANN401 - click's own arguments
        super().__init__(*args, **options)
        self._table = table

    def table(self, ctx: click.Context) -> Table:  # noqa: ARG002 - for groups that choose
        """The table that holds here."""
        return self._table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.table(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        known = self.table(ctx).get(cmd_name)
        if known is None:
            return None
        module = importlib.import_module(f"trading_bot.cli.{known[0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table(ctx).items()])
