"""The command line, `python -m trading_bot` and `claude-trader`. Wraps errors at its edge; what is heavy is imported where it is needed.

Exit status: 0 done, 1 failed (the same command may do better later) or something is not as it should be, 2 the command line is wrong,
78 (EX_CONFIG of sysexits.h) it will fail again until a person changes something. So a service manager knows what to start again.
"""

import sys
from typing import NoReturn

import click

from trading_bot.cli import root
from trading_bot.domain.errors import DeskError

FAILED, FOR_A_PERSON = 1, 78


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a desk's error, or one of the system, ends with its code, its message and its exit status."""
    _run(root.cli, arguments)


def trader(arguments: list[str] | None = None) -> None:
    """The same, for the desk of coins."""
    _run(root.trader, arguments)


def _run(group: click.Group, arguments: list[str] | None) -> None:
    try:
        typed = sys.argv[1:] if arguments is None else arguments
        group.main(typed, standalone_mode=True, obj=tuple(typed))
    except DeskError as error:
        _fail(error.code, str(error), FOR_A_PERSON if error.requires_human and not error.retryable else FAILED)
    except OSError as error:
        _fail("system", f"{error}; check that path, its permissions and the free space", FAILED)


def _fail(code: str, message: str, status: int) -> NoReturn:
    sys.stderr.write(f"error [{code}]: {message}\n")
    sys.exit(status)
