"""The command line, `python -m trading_bot`. Wraps errors at its edge; everything heavy is imported by the command that needs it."""

import sys

from trading_bot.cli.root import cli
from trading_bot.domain.errors import DeskError


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a desk's error ends with its code, its message and exit status 1."""
    try:
        cli.main(arguments, standalone_mode=True)
    except DeskError as error:
        sys.stderr.write(f"error [{error.code}]: {error}\n")
        sys.exit(1)
