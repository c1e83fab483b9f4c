"""The only place that starts `claude`.

    reserve the budget -> open the tools -> run the binary -> judge how it ended -> settle what it cost -> keep the record

Promises that no run starts without its whole possible cost reserved, that a failed run is paid as reported and a killed one as
reserved, that an answer comes with every proof or not at all, and that each question is kept with its runs before it is answered.
Refuses to argue: one retry where it can help, none after a refusal or a limit.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_bot.domain.errors import BudgetError, StoppedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import ZERO, amount_text, derive_digest
from trading_bot.llm import call_log, invocation, process, prompts
from trading_bot.llm.budget import Budget, Usage
from trading_bot.llm.calls import CallId, Ending, Question, Reply
from trading_bot.llm.cassette import Attempt, Cassette, Request, Shelf
from trading_bot.llm.ending import ANSWER_TOOL, Expected, Judged, bad_start, judge
from trading_bot.llm.prices import maximal_turn
from trading_bot.llm.prompts import Prompt
from trading_bot.llm.stream import Transcript, json_line
from trading_bot.llm.usage import broke_off, usage_of
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
    }
)
"""Endings after which the same question may well be answered."""
_KEPT = frozenset({Ending.ANSWERED, Ending.REFUSED})
"""Endings that a desk which died before it journaled them takes from the record, and does not pay for again."""
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


class Describer:
    """Turns a question into the whole request that it stands for."""

    def __init__(self, settings: ClaudeSettings, host: ToolHost, load: Callable[[str], Prompt] = prompts.load) -> None:
        self._settings = settings
        self._host = host
        self._load = load

    def __call__(self, question: Question) -> Request:
        """Return all of `question` that could change its answer; the nonce could not."""
        prompt = self._load(question.workflow)
        return Request(
            workflow=question.workflow,
            arguments=question.arguments,
            complaint=question.complaint,
            model=self._settings.models.get(question.workflow, self._settings.model),
            persona=prompt.persona_with(question.grant.tools),
            command=prompt.command_text,
            output_schema=dict(question.schema),
            tools=tuple(self._host.schemas(question.grant.tools)),
            as_of=question.as_of,
            grounds=question.grounds,
            mask=question.mask,
        )


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
        for _ in range(times):
            run, attempt = self._attempt(question, request)
            attempts.append(attempt)
            if run.judged.ending not in RETRIED:
                break
        return run, attempts

    def _attempt(self, question: Question, request: Request) -> tuple[_Run, Attempt]:
        call = CallId(self._around.new_id())
        try:
            self._reserve(call, question, request)
        except BudgetError as error:
            # The reply has the reason alone, since it is compared; the record has the sentence with its times and sums.
            run, paid, told = _Run(Judged(Ending.OVER_BUDGET, error.code)), _Paid(), str(error)
        else:
            run = self._run(question, request)
            paid, told = self._settle(call, request.model, run), run.judged.note
        self._log(call, question, request, run, paid, told)
        if run.judged.ending is Ending.STOPPED:
            raise StoppedError
        attempt = Attempt(
            call_id=call,
            ending=run.judged.ending,
            note=told,
            cost_usd=paid.cost_usd,
            milliseconds=run.milliseconds,
            version=run.said.version,
            stream=() if run.judged.ending is Ending.TOO_LONG else tuple(map(json_line, run.said.events)),
        )
        return run, attempt

    def _reserve(self, call: CallId, question: Question, request: Request) -> None:
        amount = reservation(self._settings, request.model)
        self._budget.reserve(call, decision_id=question.decision_id, workflow=question.workflow, model=request.model, amount=amount)

    def _run(self, question: Question, request: Request) -> _Run:
        nonce, began = self._around.new_id(), time.monotonic()
        said = Transcript()
        names = [f"mcp__{SERVER}__{tool}" for tool in question.grant.tools]
        command, server = self._around.load(question.workflow).command, SERVER if names else ""
        expected = Expected(command, server, frozenset({*names, ANSWER_TOOL}), nonce)
        folder = self._around.workspace.folder()
        with self._around.workspace.opened(self._host, question.grant) as (servers, asked):
            argv = invocation.arguments(
                self._settings.binary,
                prompt=prompt_of(question),
                persona=request.persona,
                model=request.model,
                schema=with_nonce(question.schema, nonce),
                tools=names,
                workspace=folder,
                servers=servers,
                cap=self._settings.usd_per_call,
                turns=self._settings.max_turns,
            )
            environment = invocation.environment(self._settings, self._around.outer, self._around.workspace.own_home)
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
            calls = asked()
        return _Run(judge(end, said, expected), calls, said, end.cut is not None, round((time.monotonic() - began) * 1000))

    def _deadlines(self) -> process.Deadlines:
        given = self._settings
        return process.Deadlines(given.first_byte_seconds, given.idle_seconds, given.total_seconds, _MOST_HEARD)

    def _settle(self, call: CallId, model: str, run: _Run) -> _Paid:
        """Pay what was reported, or what was reserved where nobody can know."""
        ending = run.judged.ending
        if ending is Ending.NOT_STARTED:
            self._budget.settle(call, Usage(), ending)
            return _Paid()
        result = run.said.result
        usage = None if result is None or run.was_cut or broke_off(result) else usage_of(result, model, run.said.models())
        if usage is None or usage.tokens.output * MOST_BYTES_A_TOKEN < run.said.bytes_said():
            return _Paid(self._budget.forfeit(call, ending))
        self._budget.settle(call, usage, ending, resets_at=run.said.resets_at() if ending is Ending.USAGE_LIMIT else None)
        return _Paid(usage.cost_usd, usage)

    def _log(self, call: CallId, question: Question, request: Request, run: _Run, paid: _Paid, note: str) -> None:  # noqa: PLR0913, PLR0917 - a line's own parts
        line = {
            "call_id": call,
            "decision_id": question.decision_id,
            "workflow": question.workflow,
            "prompt": prompt_of(question),
            "prompts": derive_digest(request.persona, request.command),
            "model": request.model,
            "cli_version": run.said.version,
            "as_of": request.as_of.isoformat(),
            "tools": [c.model_dump(mode="json") for c in run.calls],
            "outcome": run.judged.ending,
            "note": note,
            "output": run.judged.output,
            "usage": None if paid.usage is None else paid.usage.model_dump(mode="json"),
            "cost_usd": amount_text(paid.cost_usd),
            "milliseconds": run.milliseconds,
        }
        call_log.write(self._around.logs, self._wall.now(), line)


def reservation(settings: ClaudeSettings, model: str) -> Decimal:
    """USD that are set aside for one run: the cap and one whole turn, since the cap is looked at between turns."""
    spoken = settings.max_turns * settings.max_output_tokens
    return settings.usd_per_call + maximal_turn(model, MOST_CONTEXT_BYTES + spoken, settings.max_output_tokens)


def prompt_of(question: Question) -> str:
    """The slash command as it is typed, with what was wrong before."""
    asked = f"/{prompts.WORKFLOWS[question.workflow].command} {question.arguments}".rstrip()
    return f"{asked}\nYour last answer was refused: {question.complaint}" if question.complaint else asked


def with_nonce(schema: Mapping[str, Any], nonce: str) -> dict[str, Any]:
    """The answer's schema, with the nonce that has to come back."""
    return {**schema, "properties": {"nonce": {"const": nonce}, **schema["properties"]}, "required": ["nonce", *schema.get("required", ())]}


def _reader(said: Transcript, expected: Expected) -> process.LineReader:
    """Takes lines in; ends a run whose first event shows that it cannot be believed."""

    def read(line: str) -> str | None:
        event = said.hear(line)
        if event is None or event.get("subtype") != "init":
            return None
        bad = bad_start(event, expected)
        return None if bad is None else bad.note

    return read
