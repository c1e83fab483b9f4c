"""The command line, `python -m trading_bot`. Wraps errors at its edge; everything heavy is imported by the command that needs it."""

import sys
from typing import NoReturn

from trading_bot.cli.root import cli
from trading_bot.domain.errors import DeskError


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a desk's error, or one of the system, ends with its code, its message and exit status 1."""
    try:
        typed = sys.argv[1:] if arguments is None else arguments
        cli.main(typed, standalone_mode=True, obj=tuple(typed))
    except DeskError as error:
        _fail(error.code, str(error))
    except OSError as error:
        _fail("system", f"{error}; check that path, its permissions and the free space")


def _fail(code: str, message: str) -> NoReturn:
    sys.stderr.write(f"error [{code}]: {message}\n")
    sys.exit(1)
