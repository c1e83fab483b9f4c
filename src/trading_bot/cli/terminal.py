"""What only a person may type. Refuses pipes and programs: what is asked here decides about money."""

import getpass
import sys

from trading_bot.domain.errors import NotOnTerminalError


def demand_terminal(what: str) -> None:
    """Raise NotOnTerminalError unless a person sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        msg = f"{what} has to be typed by a person at a terminal; it is not taken from a pipe, a file or the environment"
        raise NotOnTerminalError(msg)


def ask_passphrase(prompt: str) -> str:
    """Ask for a passphrase without showing it."""
    demand_terminal("a passphrase")
    return getpass.getpass(f"{prompt}: ")


def ask_words(prompt: str, words: str) -> None:
    """Return if exactly these words were typed, else raise NotOnTerminalError."""
    demand_terminal(f"'{words}'")
    sys.stderr.write(prompt)
    sys.stderr.flush()
    if sys.stdin.readline().strip() != words:
        raise NotOnTerminalError("other words were typed; nothing was signed and nothing was started")
