"""Claude and its surroundings: the manager with its budget, the cassettes, and the analysts that the configuration names.

Promises that `rules` opens neither a ledger nor a socket, and that `replay` can start no binary.
"""

import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources.abc import Traversable

from trading_bot.analysts.chain import FallbackAnalyst
from trading_bot.analysts.claude import ClaudeAnalyst, ClaudeApprover
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.analysts.shadowed import ShadowedAnalyst
from trading_bot.bootstrap.news import signals_of
from trading_bot.bootstrap.setting import Setting
from trading_bot.config import Config
from trading_bot.domain.errors import ReplayMissError
from trading_bot.llm import prompts
from trading_bot.llm.asking import Describer
from trading_bot.llm.budget import Budget
from trading_bot.llm.calls import Asker
from trading_bot.llm.cassette import Player, Shelf
from trading_bot.llm.claude_manager import ClaudeCodeManager, Surroundings
from trading_bot.llm.workspace import Workspace
from trading_bot.ports import Analyst, Approver, ToolHost, WallClock
from trading_bot.storage.home import Home
from trading_bot.storage.spending import SpendingLedger


@dataclass(frozen=True)
class Chair:
    """Who sits in the analyst's chair, and beside it."""

    analyst: Analyst
    approver: Approver | None


def new_id() -> str:
    """A name for a call, or a nonce: drawn from the system, and in no record that is compared."""
    return uuid.uuid4().hex


def shelf_of(config: Config, home: Home) -> Shelf:
    """Where recorded calls are kept, and replayed from."""
    return Shelf(home.cassettes if config.cassettes is None else config.cassettes)


def build_manager(  # noqa: PLR0913, PLR0917 - what it works with
    config: Config,
    home: Home,
    host: ToolHost,
    ledger: SpendingLedger,
    wall: WallClock,
    shelf: Shelf,
    *,
    texts: Traversable = prompts.FOLDER,
    stop: threading.Event | None = None,
) -> ClaudeCodeManager:
    """Return the manager of this home. `texts`: the prompts, laid out like `.claude`. `stop`: ends a run at once."""
    workspace = Workspace(home.claude, prompts.files(texts))
    around = Surroundings(
        config.claude,
        os.environ,
        workspace,
        home.llm_logs,
        config.trader.session_tokens,
        new_id,
        partial(prompts.load, folder=texts),
        stop or threading.Event(),
    )
    return ClaudeCodeManager(around, Budget(ledger, config.budget, wall), host, shelf, wall)


def build_asker(config: Config, setting: Setting, host: ToolHost, wall: WallClock, stop: threading.Event) -> Asker:
    """Return who puts questions to the model: the manager, or the cassettes alone. ReplayMissError if there are none."""
    home = setting.home
    if config.analyst == "replay":
        shelf = shelf_of(config, home)
        recorded = shelf.all()
        if not recorded:
            inside = shelf.folder / "cassettes"
            other = f"name {inside}" if inside.is_dir() else "name another with --cassettes"
            raise ReplayMissError(f"{shelf.folder} holds no recorded call: record a day with `--analyst claude`, or {other}")
        return Player(recorded, Describer(config.claude, host))
    recorded_in = Shelf(setting.cassettes or home.cassettes)
    return build_manager(config, home, host, SpendingLedger.open(home.database), wall, recorded_in, stop=stop)


def build_chair(config: Config, asker: Callable[[], Asker]) -> Chair:
    """Return the analyst that the configuration names, with the rules as its shadow."""
    signals = signals_of(config)
    rules = RulesAnalyst(signals)
    if config.analyst == "rules":
        approver = ClaudeApprover(asker()) if config.claude.approver == "claude" else None
        return Chair(rules, approver)
    asked = asker()
    claude = ClaudeAnalyst(asked, signals=signals)
    chosen = FallbackAnalyst((claude, rules)) if config.analyst == "auto" else claude
    return Chair(ShadowedAnalyst(chosen, rules), ClaudeApprover(asked) if config.claude.approver == "claude" else None)
