"""The command line as tests use it: commands on a home and an operator's folder of their own, and a terminal where one is needed."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pexpect

from trading_bot import config
from trading_bot.domain.mandate import Mode
from trading_bot.risk import mandate as mandates
from trading_bot.risk.operator import PUBLIC_KEY, create_operator_key, sign

PASSPHRASE = "correct horse battery"  # noqa: S105 - of a key that lives as long as its test


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """A home, an operator's folder, and commands on them."""

    home: Path
    operator: Path
    run: Callable[..., Outcome]

    def sign_mandate(self, mode: Mode = Mode.PAPER, issued: datetime | None = None, **flags: Any) -> None:  # noqa: ANN401 - values of settings
        """Sign what the configuration asks for, as `mandate sign` would; `issued` moves its time."""
        settings = config.load(flags={key.replace("__", "."): value for key, value in flags.items()})
        text = mandates.to_text(mandates.propose(settings, settings.broker.account, mode, issued or datetime.now(UTC)))
        if not (self.operator / PUBLIC_KEY).exists():
            create_operator_key(self.operator, PASSPHRASE)
        self.home.mkdir(exist_ok=True)
        (self.home / "mandate.yaml").write_text(text, "utf-8")
        (self.home / "mandate.sig").write_bytes(sign(text.encode(), self.operator, PASSPHRASE))

    @contextmanager
    def at_terminal(self, *arguments: str) -> Iterator[Any]:
        """A command with a person in front of it."""
        environment = {**os.environ, "TRADING_BOT_HOME": str(self.home), "TRADING_BOT_OPERATOR_DIR": str(self.operator)}
        command = ["-m", "trading_bot", *arguments]
        child = pexpect.spawn(sys.executable, command, env=environment, encoding="utf-8", timeout=60, dimensions=(50, 200))
        try:
            yield child
        finally:
            child.close(force=True)
