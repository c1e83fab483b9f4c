"""The only place that starts `claude`.

    reserve the budget -> open the tools -> run the binary -> judge how it ended -> settle what it cost -> keep the record

Promises that no run starts without its whole possible cost reserved, that a failed run is paid as reported and a killed one as
reserved, that an answer comes with every proof or not at all, that a trade's questions are put in one
conversation while it lasts, and that each question is kept with its runs before it is answered.
Refuses to argue: one retry where it can help, none after a refusal or a limit.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from trading_bot.domain.errors import BudgetError, StoppedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import ZERO, amount_text, derive_digest
from trading_bot.llm import call_log, invocation, process, prompts
from trading_bot.llm.asking import Asked, Describer, with_nonce
from trading_bot.llm.budget import Budget, Usage
from trading_bot.llm.calls import CallId, Ending, Question, Reply
from trading_bot.llm.cassette import Attempt, Cassette, Request, Shelf
from trading_bot.llm.ending import ANSWER_TOOL, Expected, Judged, bad_start, judge
from trading_bot.llm.prices import maximal_turn
from trading_bot.llm.prompts import Prompt
from trading_bot.llm.sessions import Healthy, Sessions
from trading_bot.llm.stream import Transcript, json_line
from trading_bot.llm.usage import broke_off, heard_in, reported, usage_of
from trading_bot.llm.workspace import SERVER, Workspace
from trading_bot.ports import ToolHost, WallClock
from trading_bot.settings import ClaudeSettings

RETRIED = frozenset(
    {
        Ending.TOOL_MISSING,
        Ending.API_ERROR,
        Ending.SILENT,
        Ending.STALLED,
        Ending.NO_WORK,
        Ending.NO_PROOF,
        Ending.UNPARSEABLE,
        Ending.CRASHED,
        Ending.LOST,
    }
)
"""Endings after which the same question may well be answered."""
_KEPT = frozenset({Ending.ANSWERED, Ending.REFUSED})
"""Endings that a desk which died before it journaled them takes from the record, and does not pay for again."""
_UNSENT = frozenset({Ending.NOT_STARTED, Ending.LOST})
"""Endings before anybody was asked."""
_MOST_HEARD = 32_000_000
"""Bytes of a flood that are heard out, for the bill at its end."""
MOST_CONTEXT_BYTES = 64_000
"""The tools' answers of one run together are shorter; with the prompt they bound what one turn can cost."""

MOST_BYTES_A_TOKEN = 6
"""A report of fewer tokens than the model's words need counts as none: the stream broke off before it told them."""


@dataclass(frozen=True)
class Surroundings:
    """Where and with what the binary runs."""

    settings: ClaudeSettings
    outer: Mapping[str, str]
    """This process's environment; what passes of it stands in `invocation`."""
    workspace: Workspace
    logs: Path
    """Folder of the log."""
    session_tokens: int
    """A conversation about a trade that has grown longer is given up for a fresh one."""
    new_id: Callable[[], str]
    """Draws ids of calls and nonces."""
    load: Callable[[str], Prompt] = prompts.load
    """Gives the prompt of a workflow."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Ends a run at once when the desk is asked to stop."""


@dataclass(frozen=True)
class _Run:
    """One run of the binary, as far as it came."""

    judged: Judged
    calls: tuple[ToolCall, ...] = ()
    said: Transcript = field(default_factory=Transcript)
    was_cut: bool = False
    milliseconds: int = 0


@dataclass(frozen=True)
class _Paid:
    """What a run was settled at."""

    cost_usd: Decimal = ZERO
    usage: Usage | None = None


class ClaudeCodeManager:
    """An `Asker` that runs the real binary."""

    def __init__(self, around: Surroundings, budget: Budget, host: ToolHost, shelf: Shelf, wall: WallClock) -> None:
        self._around = around
        self._settings = around.settings
        self._budget = budget
        self._host = host
        self._shelf = shelf
        self._wall = wall
        self._describe = Describer(around.settings, host, around.load)
        self._sessions = Sessions(around.workspace.absolute, around.session_tokens, wall.now)
        self._keeps = invocation.keeps_conversations(around.settings, around.outer)

    def ask(self, question: Question) -> Reply:
        """Return what came of it: at most two runs, one for a repair. StorageError if it cannot be recorded.

        StoppedError if the desk was asked to stop: the run is over, counted as reserved, and the question is put again by the next start.
        """
        request = self._describe(question)
        decision, number = question.decision_id, 2 if question.complaint else 1
        known = self._shelf.find(decision, number)
        if known is not None and known.ending in _KEPT and known.request == request:
            return known.reply
        run, attempts = self._try(question, request, 1 if question.complaint else 2)
        cassette = Cassette(
            decision_id=decision,
            number=number,
            recorded_at=self._wall.now(),
            request=request,
            ending=run.judged.ending,
            note=run.judged.note,
            output=None if run.judged.output is None else dict(run.judged.output),
            calls=run.calls,
            attempts=tuple(attempts),
        )
        self._shelf.keep(cassette)
        return cassette.reply

    def _try(self, question: Question, request: Request, times: int) -> tuple[_Run, list[Attempt]]:
        """Run until it ended as it should or would so again."""
        attempts: list[Attempt] = []
        while True:
            run, attempt = self._attempt(question, request)
            attempts.append(attempt)
            # A repair is put once; where its conversation is lost, it was not put at all.
            most = 2 if run.judged.ending is Ending.LOST else times
            if run.judged.ending not in RETRIED or len(attempts) >= most:
                return run, attempts

    def _attempt(self, question: Question, request: Request) -> tuple[_Run, Attempt]:
        turn = self._sessions.turn(question) if self._keeps else None
        asked = Asked(CallId(self._around.new_id()), question, request, turn)
        try:
            self._reserve(asked)
        except BudgetError as error:
            # The reply has the reason alone, since it is compared; the record has the sentence with its times and sums.
            run, paid, told = _Run(Judged(Ending.OVER_BUDGET, error.code)), _Paid(), str(error)
        else:
            run = self._run(asked)
            paid, told = self._settle(asked, run), run.judged.note
            self._remember(asked, run, paid)
        self._log(asked, run, paid, told)
        if run.judged.ending is Ending.STOPPED:
            raise StoppedError
        attempt = Attempt(
            call_id=asked.call,
            ending=run.judged.ending,
            note=told,
            cost_usd=paid.cost_usd,
            milliseconds=run.milliseconds,
            version=run.said.version,
            conversation=asked.conversation,
            stream=() if run.judged.ending is Ending.TOO_LONG else tuple(map(json_line, run.said.events)),
        )
        return run, attempt

    def _reserve(self, asked: Asked) -> None:
        session, model = asked.question.session, asked.request.model
        self._budget.reserve(
            asked.call,
            decision_id=asked.question.decision_id,
            workflow=asked.question.workflow,
            model=model,
            amount=reservation(self._settings, model, asked.remembered),
            trade="" if session is None else session.trade,
        )

    def _run(self, asked: Asked) -> _Run:
        question, request, turn = asked.question, asked.request, asked.turn
        nonce, began = self._around.new_id(), time.monotonic()
        said = Transcript()
        names = [f"mcp__{SERVER}__{tool}" for tool in question.grant.tools]
        command, server = self._around.load(question.workflow).command, SERVER if names else ""
        expected = Expected(command, server, frozenset({*names, ANSWER_TOOL}), nonce)
        workspace = self._around.workspace
        folder = workspace.folder()
        if turn is not None:
            self._sessions.begin(turn)
        with workspace.opened(self._host, question.grant) as (servers, called):
            argv = invocation.arguments(
                self._settings.binary,
                prompt=asked.prompt,
                persona=request.persona,
                model=request.model,
                schema=with_nonce(question.schema, nonce),
                tools=names,
                workspace=folder,
                servers=servers,
                cap=self._settings.usd_per_call,
                turns=self._settings.max_turns,
                conversation=invocation.FORGOTTEN if turn is None else turn.option,
            )
            kept = None if turn is None else self._sessions.folder
            environment = invocation.environment(self._settings, self._around.outer, workspace.own_home, servers.parent, kept)
            try:
                end = process.run(
                    argv,
                    environment,
                    folder,
                    self._deadlines(),
                    _reader(said, expected),
                    has_spoken=lambda: said.has_spoken,
                    stop=self._around.stop,
                )
            except (OSError, ValueError) as error:  # ValueError: a character that no command line can hold
                why = error.strerror if isinstance(error, OSError) else "its arguments cannot be passed on"
                return _Run(Judged(Ending.NOT_STARTED, f"the claude binary cannot be started: {why}"))
            calls = called()
        return _Run(judge(end, said, expected), calls, said, end.cut is not None, round((time.monotonic() - began) * 1000))

    def _deadlines(self) -> process.Deadlines:
        given = self._settings
        return process.Deadlines(given.first_byte_seconds, given.idle_seconds, given.total_seconds, _MOST_HEARD)

    def _settle(self, asked: Asked, run: _Run) -> _Paid:
        """Pay what was reported, or what was reserved where nobody can know."""
        ending, result, said = run.judged.ending, run.said.result, run.said
        if ending in _UNSENT:
            self._budget.settle(asked.call, Usage(), ending)
            return _Paid()
        usage = None
        if result is not None and not run.was_cut and not broke_off(result):
            usage = usage_of(result, asked.request.model, said.models(), before=asked.before, heard=heard_in(said.turns()))
        if usage is None or usage.tokens.output * MOST_BYTES_A_TOKEN < said.bytes_said():
            return _Paid(self._budget.forfeit(asked.call, ending))
        self._budget.settle(asked.call, usage, ending, resets_at=said.resets_at() if ending is Ending.USAGE_LIMIT else None)
        return _Paid(usage.cost_usd, usage)

    def _remember(self, asked: Asked, run: _Run, paid: _Paid) -> None:
        """Let a conversation that answered, and whose cost is known, be gone on with."""
        told = None if run.said.result is None else reported(run.said.result)
        if asked.turn is None or run.judged.ending is not Ending.ANSWERED or paid.usage is None or told is None:
            return
        last = heard_in(run.said.turns()[-1:]).prompt or paid.usage.tokens.prompt
        self._sessions.end(asked.turn, Healthy(context=last + paid.usage.tokens.output, reported=told))

    def _log(self, asked: Asked, run: _Run, paid: _Paid, note: str) -> None:
        line = {
            "call_id": asked.call,
            "decision_id": asked.question.decision_id,
            "workflow": asked.question.workflow,
            "conversation": asked.conversation,
            "prompt": asked.prompt,
            "prompts": derive_digest(asked.request.persona, asked.request.command),
            "model": asked.request.model,
            "cli_version": run.said.version,
            "as_of": asked.request.as_of.isoformat(),
            "tools": [c.model_dump(mode="json") for c in run.calls],
            "outcome": run.judged.ending,
            "note": note,
            "output": run.judged.output,
            "usage": None if paid.usage is None else paid.usage.model_dump(mode="json"),
            "cost_usd": amount_text(paid.cost_usd),
            "milliseconds": run.milliseconds,
        }
        call_log.write(self._around.logs, self._wall.now(), line)


def reservation(settings: ClaudeSettings, model: str, remembered: int = 0) -> Decimal:
    """USD that are set aside for one run: the cap and one whole turn, since the cap is looked at between turns.

    `remembered`: tokens of what was said before in its conversation; what that cost does not count for the cap.
    """
    spoken = settings.max_turns * settings.max_output_tokens
    return settings.usd_per_call + maximal_turn(model, MOST_CONTEXT_BYTES + spoken + remembered, settings.max_output_tokens)


def _reader(said: Transcript, expected: Expected) -> process.LineReader:
    """Takes lines in; ends a run whose first event shows that it cannot be believed."""

    def read(line: str) -> str | None:
        event = said.hear(line)
        if event is None or event.get("subtype") != "init":
            return None
        bad = bad_start(event, expected)
        return None if bad is None else bad.note

    return read
