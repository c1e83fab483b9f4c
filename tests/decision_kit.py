"""A model for decision tests without a process: the emulated API's personas on the real tools, recorded as the manager records.

What is left out is the binary and the wire; `test_decision_replay` has those once.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from trading_bot import config
from trading_bot.analysts.claude import ClaudeAnalyst, ClaudeApprover
from trading_bot.bootstrap.blinding import Blinding
from trading_bot.bootstrap.cassettes import begin
from trading_bot.bootstrap.desk import announce, build
from trading_bot.bootstrap.setting import Setting
from trading_bot.config import Config
from trading_bot.domain.mandate import Mode
from trading_bot.llm.asking import Describer, prompt_of
from trading_bot.llm.calls import CallId, Ending, Question, Reply
from trading_bot.llm.cassette import Cassette, Request, Shelf
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.ports import ToolGrant
from trading_bot.sandbox.claude_personas import Script, play
from trading_bot.sandbox.claude_turn import ANSWER_TOOL, Turn
from trading_bot.sandbox.claude_wire import Use
from trading_bot.storage.home import Home
from trading_bot.tools.host import HttpToolHost, Run
from trading_bot.tools.wire import told

AT = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass
class Told:
    """An `Asker` by script that keeps each question, and everything that its model was sent."""

    host: HttpToolHost
    shelf: Shelf
    describe: Describer
    script: Script = play
    sent: list[str] = field(default_factory=list)

    def ask(self, question: Question) -> Reply:
        """Play the persona to its answer."""
        request = self.describe(question)
        assert isinstance(question.grant, ToolGrant)
        with self.host.open(question.grant) as run:
            output = self._answer(question, request, run)
            calls = run.calls()
        number = 2 if question.complaint else 1
        cassette = Cassette(
            decision_id=question.decision_id,
            number=number,
            recorded_at=AT,
            request=request,
            ending=Ending.ANSWERED,
            note="",
            output=output,
            calls=calls,
            attempts=(),
        )
        self.shelf.keep(cassette)
        return Reply(CallId(""), Ending.ANSWERED, output, calls, request.model)

    def _answer(self, question: Question, request: Request, run: Run) -> Mapping[str, Any]:
        tools = [{"name": f"mcp__desk__{t['name']}", **{k: v for k, v in t.items() if k != "name"}} for t in request.tools]
        answer = {"name": ANSWER_TOOL, "input_schema": dict(question.schema)}
        command, _, arguments = prompt_of(question).partition(" ")
        asked = f"<command-name>{command}</command-name><command-args>{arguments}</command-args>"
        body: dict[str, Any] = {"system": request.persona, "tools": [*tools, answer], "messages": [{"role": "user", "content": asked}]}
        while True:
            uses = [block for block in self.script(Turn(body, 0)).blocks if isinstance(block, Use)]
            final = next((use for use in uses if use.name == ANSWER_TOOL), None)
            if final is not None:
                self.sent.append(json.dumps(body))
                return dict(final.input)
            body["messages"] += _turn(uses, run, len(body["messages"]))


def _turn(uses: list[Use], run: Run, number: int) -> list[dict[str, Any]]:
    """The model's calls and their answers."""
    asked, answered = [], []
    for place, use in enumerate(uses):
        identity = f"{number}-{place}"
        asked.append({"type": "tool_use", "id": identity, "name": use.name, "input": dict(use.input)})
        reply = told(run.call(use.name.rpartition("__")[2], dict(use.input)))
        text = "".join(getattr(part, "text", "") for part in reply.content)
        answered.append({"type": "tool_result", "tool_use_id": identity, "content": text, "is_error": reply.is_error})
    return [{"role": "assistant", "content": asked}, {"role": "user", "content": answered}]


def settings(data: Path, symbols: tuple[str, ...], **flags: Any) -> Config:  # noqa: ANN401 - settings by name
    """Daily files of these symbols."""
    files = [{"path": str(data / f"{symbol}.csv")} for symbol in symbols]
    return config.load(flags={"source.name": "files", "source.files": files, "universe.symbols": list(symbols), **flags})


def record(  # noqa: PLR0913 - what a recording is made of
    folder: Path, made: Config, first: date, last: date, *, mask: int | None = None, script: Script = play
) -> Told:
    """Record a period as `backtest decisions --record` does; return who answered."""
    asked = made.model_copy(update={"analyst": "claude"})
    begin(folder, asked, first, last, mask)
    home = Home(folder.parent / f"{folder.name}-home")
    stop = threading.Event()
    setting = Setting(Mode.BACKTEST, simulated=True, home=home, operator=home.path, first=first, last=last)
    # The rules sit in the chair until the script takes it: nothing of the manager is built.
    alone = asked.model_copy(update={"analyst": "rules", "claude": asked.claude.model_copy(update={"approver": "none"})})
    assembly = build(alone, setting, stop)
    blinding = Blinding.of(mask, asked.universe.symbols, assembly.source)
    host = HttpToolHost(assembly.bench.scope, answering=blinding.answering)
    model = Told(host, Shelf(folder), Describer(asked.claude, host), script)
    asker = blinding.over(model)
    approver = ClaudeApprover(asker) if asked.claude.approver == "claude" else None
    desk = replace(assembly.desk, analyst=ClaudeAnalyst(asker), approver=approver)
    announce(assembly, "test")
    slots = assembly.scheduler.slots_between(first, last)
    try:
        TradingOrchestrator(desk, assembly.scheduler, stop, until=slots[-1].due).run()
    finally:
        host.close()
    return model


Memory = Callable[[str, str], bool | None]
"""Whether a symbol rises after a date, by name and ISO day; None for a stranger."""


def knowing(memory: Memory) -> Script:
    """A model that has read the papers: where it recognises symbol and day, it buys only what it remembers rising."""

    def script(turn: Turn) -> Any:  # noqa: ANN401 - a reply
        reply = play(turn)
        final = next((b for b in reply.blocks if isinstance(b, Use) and b.name == ANSWER_TOOL), None)
        if turn.persona != "analyzer" or final is None or "symbol" not in final.input:
            return reply
        day = str(next(r.value["as_of"] for r in turn.results if r.value is not None))[:10]
        remembered = memory(str(final.input["symbol"]), day)
        if remembered is None:
            return reply
        said = "BUY" if remembered and _has_stop(final.input) else "HOLD"
        return replace(reply, blocks=(Use(ANSWER_TOOL, {**final.input, "recommendation": said}),))

    return script


def _has_stop(said: Mapping[str, Any]) -> bool:
    return any(claim["field"] == "stop" for claim in said["claims"])
