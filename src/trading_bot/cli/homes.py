"""Every desk of this machine that is known: the one that a command is about, the other kinds' where they keep house, and what is named.

Promises each home once, and of every home but the command's own the settings that its desk last came up with. Refuses a named folder
in which no desk ever ran: a sum that leaves one out would be a lie.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.context import Context
from trading_bot.cli.kinds import KINDS, Kind

if TYPE_CHECKING:
    from trading_bot.config import Config
    from trading_bot.storage.home import Home


@dataclass(frozen=True)
class Known:
    """A desk of this machine."""

    kind: Kind
    home: "Home"
    config: "Config"

    @property
    def name(self) -> str:
        """For people."""
        return f"Desk of {self.kind.desk} in {self.home.path}"

    @property
    def told(self) -> dict[str, str]:
        """For JSON."""
        return {"desk": self.kind.desk, "home": str(self.home.path)}


def homes_options(function: "Callable[..., Any]") -> "Callable[..., Any]":
    """`--all` and `--also`, which come to the command as `others`: None for its own home alone, else the folders that are named."""

    @click.option("--all", "everywhere", is_flag=True, help="Every desk of this machine: this home, and where the other kind keeps house.")
    @click.option("--also", multiple=True, type=click.Path(path_type=Path), help="Another desk's home, with --all; may be given again.")
    @wraps(function)
    def narrowed(*arguments: Any, everywhere: bool, also: "Sequence[Path]", **flags: Any) -> None:  # noqa: ANN401 - the command's own
        if also and not everywhere:
            raise click.UsageError("--also belongs to --all")
        function(*arguments, others=tuple(also) if everywhere else None, **flags)

    return narrowed


def known(context: Context, others: "Sequence[Path]") -> "list[Known]":
    """The command's own desk first, then those that ever ran elsewhere. ClickException for a named home in which none did."""
    found = {context.home.path.resolve(): Known(context.kind, context.home, context.config())}
    for beside in _elsewhere(context, others):
        if beside.home.path.resolve() not in found:
            found[beside.home.path.resolve()] = _remembered(beside)
    return list(found.values())


def _elsewhere(context: Context, others: "Sequence[Path]") -> "Iterator[Context]":
    """Other homes with a journal."""
    for kind in KINDS.values():
        beside = Context(None, None, kind=kind)
        if kind is not context.kind and beside.home.has_journal:
            yield beside
    for path in others:
        beside = Context(path, None)
        if not beside.home.has_journal:
            raise click.ClickException(f"no desk ever ran in {path}: name its home with --also, or leave it out")
        yield beside


def _remembered(beside: Context) -> Known:
    """A desk as it last came up; where only models were asked so far, as its kind's settings say."""
    from trading_bot.config import recall
    from trading_bot.storage.journal import SqlJournal

    with SqlJournal.look(beside.home.database) as journal:
        known = journal.fact("config")
    config = beside.config() if known is None else recall(known)
    return Known(KINDS[config.desk], beside.home, config)
