"""A manager in a home of its own, with the real tools' host and the real binary or a program that stands for it."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from claude_kit import binary
from tools import scopes
from trading_bot import config
from trading_bot.analysts.answers import schema
from trading_bot.analysts.claude import ANSWERS
from trading_bot.bootstrap.claude import new_id
from trading_bot.config import Config
from trading_bot.domain.values import DecisionId
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm import prompts
from trading_bot.llm.budget import Budget
from trading_bot.llm.calls import Question, Reply, Session
from trading_bot.llm.cassette import Cassette, Shelf
from trading_bot.llm.claude_manager import ClaudeCodeManager, Surroundings
from trading_bot.llm.prompts import load
from trading_bot.llm.workspace import Workspace
from trading_bot.ports import Brief, ToolHost
from trading_bot.sandbox.claude_api import ClaudeApi
from trading_bot.storage.home import Home
from trading_bot.storage.spending import Spending, SpendingLedger
from trading_bot.tools.host import HttpToolHost

KEY = "made-up-anthropic-key"
QUICK = {"first_byte_seconds": 10, "idle_seconds": 10, "total_seconds": 20}
"""Deadlines that an honest call on a busy machine keeps."""


@dataclass(frozen=True)
class Bench:
    """A manager, and all that it left behind."""

    home: Home
    manager: ClaudeCodeManager
    ledger: SpendingLedger

    def ask(  # noqa: PLR0913 - what tests vary
        self,
        decision: str = "d1",
        workflow: str = "screen",
        arguments: str = "3",
        complaint: str = "",
        *,
        news: bool = False,
        session: Session | None = None,
    ) -> Reply:
        """Put one question. `news`: whether somebody reads news at this desk. `session`: the trade that it is about."""
        return self.manager.ask(self.question(decision, workflow, arguments, complaint, news=news, session=session))

    def question(  # noqa: PLR0913 - what tests vary
        self, decision: str, workflow: str, arguments: str, complaint: str = "", *, news: bool = False, session: Session | None = None
    ) -> Question:
        """The question itself."""
        scope = scopes.scope()
        brief = Brief(DecisionId(decision), scope.view, scopes.books(), scope.universe, scope.news if news else None)
        grant = load(workflow).granted(brief)
        return Question(workflow, arguments, schema(ANSWERS[workflow]), grant, complaint=complaint, session=session)

    def calls(self, decision: str = "d1") -> tuple[Spending, ...]:
        """What the ledger holds of a decision."""
        with self.ledger.reading() as page:
            return page.of_decision(decision)

    def settled(self, decision: str = "d1") -> Decimal:
        """USD that its calls count for."""
        return sum((call.counted for call in self.calls(decision)), Decimal(0))

    def cassettes(self) -> tuple[Cassette, ...]:
        """All records."""
        return Shelf(self.home.cassettes).all()

    def lines(self) -> list[dict[str, Any]]:
        """The log, line by line."""
        return [json.loads(line) for path in sorted(self.home.llm_logs.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]


def settings(budget: Mapping[str, Any], **claude: Any) -> Config:  # noqa: ANN401 - values of settings
    """Defaults with these of `claude` and `budget`."""
    limits = {f"budget.{name}": value for name, value in budget.items()}
    return config.load(flags=limits | {f"claude.{name}": value for name, value in {**QUICK, **claude}.items()})


def outside(url: str, **more: str) -> dict[str, str]:
    """The environment of a desk whose operator pays by key."""
    return {"PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url, **more}


@contextmanager
def bench(  # noqa: PLR0913 - what tests vary
    folder: Path,
    url: str,
    *,
    program: Path | None = None,
    around: Mapping[str, str] | None = None,
    host: ToolHost | None = None,
    commands: Mapping[str, str] | None = None,
    budget: Mapping[str, Any] | None = None,
    session_tokens: int = 30_000,
    **claude: Any,  # noqa: ANN401 - values of settings
) -> Iterator[Bench]:
    """Return a bench in `folder`. `program`: stands for the binary; `around`: the whole outer environment; `commands`: of the workspace."""
    home = Home(folder)
    home.prepare()
    given = settings(budget or {}, binary=str(program or binary()), **claude)
    wall = SystemWallClock()
    served = HttpToolHost(lambda brief: scopes.scope(decision=brief.decision_id))
    outer = outside(url) if around is None else around
    surroundings = Surroundings(
        given.claude,
        outer,
        Workspace(home.claude, prompts.files() if commands is None else commands),
        home.llm_logs,
        session_tokens,
        new_id,
    )
    try:
        with SpendingLedger.open(home.journal) as ledger:
            asked = Budget(ledger, given.budget, wall)
            manager = ClaudeCodeManager(surroundings, asked, host or served, Shelf(home.cassettes), wall)
            yield Bench(home, manager, ledger)
    finally:
        served.close()


def program(folder: Path, *lines: str) -> Path:
    """Write a program that stands for the binary. It knows `say(event)`, `INIT`, `RESULT`, `NONCE` and `ARGS`."""
    path = folder / "claude-in-name-only"
    path.write_text("\n".join((f"#!{sys.executable}", _STANDS_IN, *lines)), "utf-8")
    path.chmod(0o700)
    return path


_STANDS_IN = """
import json, os, signal, subprocess, sys, time
ARGS = sys.argv
def after(flag): return ARGS[ARGS.index(flag) + 1]
SCHEMA = json.loads(after("--json-schema"))
NONCE = SCHEMA["properties"]["nonce"]["const"]
TOOLS = [*(after("--allowedTools").split(",") if "--allowedTools" in ARGS else ()), "StructuredOutput"]
INIT = {"type": "system", "subtype": "init", "tools": TOOLS, "mcp_servers": [{"name": "desk", "status": "connected"}],
        "slash_commands": ["screen", "analyze-trade", "optimize-entry", "review-performance", "second-opinion", "judge-news",
                           "open-trade", "watch-trade"],
        "claude_code_version": "2.1.329"}
WORD = {"type": "assistant", "message": {"model": "claude-haiku-4-5", "content": [{"type": "tool_use", "name": "StructuredOutput"}]}}
RESULT = {"type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "stop_reason": "tool_use", "num_turns": 2,
          "permission_denials": [], "total_cost_usd": 0.01, "structured_output": {"nonce": NONCE, "abstain": "unsure"},
          "modelUsage": {"claude-haiku-4-5": {"inputTokens": 100, "outputTokens": 10}}}
def say(*events):
    for event in events:
        print(json.dumps(event), flush=True)
"""


def charged(api: ClaudeApi) -> Decimal:
    """USD that the API's own ledger holds."""
    return sum((charge.usd for charge in api.charges), Decimal(0))


def conversations(api: ClaudeApi) -> int:
    """How many conversations the API has heard."""
    return len({heard.session for heard in api.heard})


def running(folder: Path) -> list[str]:
    """Command lines of living processes that name a file below `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            found += [line] if f"{folder}{os.sep}" in line and int(path.name) != os.getpid() else []
    return found


def holding(folder: Path, words: Sequence[str]) -> list[str]:
    """Files below `folder` in which one of the words stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [f"{path.relative_to(folder)}: {word}" for path in files for word in words if word.encode() in path.read_bytes()]
