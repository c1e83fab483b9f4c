"""What every command starts from: kind of desk, home, configuration, output. The only place that reads environment and folder defaults."""

import getpass
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trading_bot.cli.kinds import STOCKS, Kind

if TYPE_CHECKING:
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.config import Config
    from trading_bot.domain.mandate import Mode
    from trading_bot.storage.home import Home
    from trading_bot.storage.journal import SqlJournal
    from trading_bot.storage.spending import SpendingPage

OPERATOR_VARIABLE = "TRADING_BOT_OPERATOR_DIR"


@dataclass(frozen=True)
class Context:
    """Kind of desk, home and configuration as the command line names them."""

    named: Path | None
    """The home, if it was named."""
    config_path: Path | None
    typed: tuple[str, ...] = ()
    """The whole command line after the program's name."""
    kind: Kind = STOCKS
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Settings that hold for everything that this command looks at."""

    @cached_property
    def home_path(self) -> Path:
        """The home's folder."""
        return self.named or Path(os.environ.get(self.kind.variable) or self.kind.home)

    def config(self, flags: Mapping[str, Any] | None = None) -> "Config":
        """Return the configuration with these flags on top."""
        from trading_bot.config import load

        path = self.config_path or (self.kind.config if self.kind.config.is_file() else None)
        return load(path, os.environ, {**self.kind.flags, **self.flags, **(flags or {})})

    @cached_property
    def home(self) -> "Home":
        """The desk's home."""
        from trading_bot.storage.home import Home

        return Home.configured(self.home_path, self.config)

    @property
    def operator(self) -> Path:
        """Folder of the operator's keys, outside the home."""
        given = os.environ.get(OPERATOR_VARIABLE)
        return Path(given) if given else Path.home() / ".config" / "trading-bot"

    def setting(self, mode: "Mode", *, simulated: bool) -> "Setting":
        """Return the setting of a desk that is no backtest."""
        from trading_bot.bootstrap.setting import Setting

        return Setting(mode, simulated, self.home, self.operator)

    def journal(self) -> "SqlJournal":
        """Open the desk's journal to read it. Says what to do if there is none."""
        from trading_bot.storage.journal import SqlJournal

        if not self.home.has_journal:
            msg = f"{self.home_path} has no journal yet: start a desk with `orchestrator`, or name its home with --home or TRADING_BOT_HOME"
            raise click.ClickException(msg)
        return SqlJournal.look(self.home.database)

    @contextmanager
    def spending(self) -> "Iterator[SpendingPage]":
        """The ledger of model calls at one moment; the home has to have a journal."""
        from trading_bot.storage.spending import SpendingLedger

        with SpendingLedger.open(self.home.database) as ledger, ledger.reading() as page:
            yield page


def person() -> str:
    """Who types, for the journal; a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def say(value: object, *, as_json: bool, text: str) -> None:
    """Print `value` as JSON, or `text`."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, default=str) if as_json else text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
