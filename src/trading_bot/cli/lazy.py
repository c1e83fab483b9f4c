"""Groups of commands that are imported when they are used, so that `--help` answers at once."""

import importlib
from typing import Any

import click

Table = dict[str, tuple[str, str]]
"""Commands by name: the module in this room that has them, and what `--help` says."""


class LazyGroup(click.Group):
    """A group that knows its commands by a table and imports them on use."""

    def __init__(self, *args: Any, table: Table, **options: Any) -> None:  # noqa: ANN401 - click's own arguments
        super().__init__(*args, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        if cmd_name not in self._table:
            return None
        module = importlib.import_module(f"trading_bot.cli.{self._table[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._table.items()])
