"""Recorded questions with their answers, one file each: what a decision rests on, and what replays it without a model.

Promises that a record is whole or not there, that nonce, ids of calls and wall times lie outside a question's fingerprint, and that
a question which was put twice gets its answers in their order. Refuses to ask anybody: a miss is an error that shows the difference.
"""

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from trading_bot.domain.errors import ReplayMissError, StorageError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import DecisionId, Digest, NonNegative, Record, UtcTime, derive_digest
from trading_bot.llm.calls import CallId, Ending, Question, Reply

_SHOWN_LINES = 12
Describe = Callable[[Question], "Request"]
"""Returns all of a question that could change its answer; made by who knows prompts, models and tools."""


class Request(Record):
    """All of a question that could change its answer."""

    workflow: str
    arguments: str
    complaint: str
    model: str
    persona: str
    command: str
    """Text of the slash command."""
    output_schema: dict[str, Any]
    tools: tuple[dict[str, Any], ...]
    as_of: UtcTime
    grounds: str
    mask: str = ""
    """Of a blind model; its arguments are masked, `as_of` and `grounds`, which it is not told, are not."""
    trade: str = ""
    """Whose conversation it belongs to; empty: to none. Whether that was begun or gone on with is the attempt's, not the question's."""
    briefing: str = ""

    def fingerprint(self) -> Digest:
        """Digest of the whole request."""
        return derive_digest(self.canonical())


class Attempt(Record):
    """One run of the binary for a question."""

    call_id: str
    ending: Ending
    note: str
    cost_usd: NonNegative
    milliseconds: int
    version: str
    conversation: Literal["alone", "begun", "resumed"] = "alone"
    """`alone`: forgotten at its end."""
    stream: tuple[str, ...] = ()
    """Its lines, as they came."""


class Cassette(Record):
    """One question, what was run for it, and what came of it."""

    version: int = Field(default=1, ge=1, le=1)
    decision_id: DecisionId
    number: int
    """1 for a decision's question, 2 for its repair."""
    recorded_at: UtcTime
    """Wall time; outside the fingerprint."""
    request: Request
    ending: Ending
    note: str
    output: dict[str, Any] | None
    calls: tuple[ToolCall, ...]
    attempts: tuple[Attempt, ...]

    @property
    def reply(self) -> Reply:
        """What the asker was told."""
        call = self.attempts[-1].call_id if self.attempts else ""
        return Reply(CallId(call), self.ending, self.output, self.calls, self.request.model, self.note)


@dataclass(frozen=True)
class Shelf:
    """A folder of cassettes."""

    folder: Path

    def path(self, decision: DecisionId, number: int) -> Path:
        """Where a decision's question is kept."""
        return self.folder / f"{decision}-{number}.json"

    def keep(self, cassette: Cassette) -> None:
        """Write a record, whole or not at all, readable by this user alone. StorageError if that is impossible."""
        target = self.path(cassette.decision_id, cassette.number)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=self.folder, suffix=".draft")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(cassette.canonical())
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(target)
        except OSError as error:
            msg = f"{target} could not be written, so the call is not used: {error}"
            raise StorageError(msg) from error

    def find(self, decision: DecisionId, number: int) -> Cassette | None:
        """The record of a decision's question, None if there is none."""
        path = self.path(decision, number)
        return _read(path) if path.exists() else None

    def of(self, decision: DecisionId) -> tuple[Cassette, ...]:
        """A decision's question and its repair, as far as they were put."""
        return tuple(c for c in (self.find(decision, 1), self.find(decision, 2)) if c is not None)

    def all(self) -> tuple[Cassette, ...]:
        """Every record, in the order in which they were made."""
        return tuple(sorted(map(_read, self.folder.glob("*.json")), key=lambda c: (c.recorded_at, c.decision_id, c.number)))


class Player:
    """An `Asker` that answers from records alone."""

    def __init__(self, cassettes: Sequence[Cassette], describe: Describe) -> None:
        self._known: dict[Digest, list[Cassette]] = defaultdict(list)
        self._asked: dict[Digest, int] = defaultdict(int)
        self._describe = describe
        for cassette in cassettes:
            self._known[cassette.request.fingerprint()].append(cassette)

    def ask(self, question: Question) -> Reply:
        """Return the recorded reply. ReplayMissError if this very question was never put, or not so often."""
        request = self._describe(question)
        fingerprint = request.fingerprint()
        recorded = self._known.get(fingerprint, [])
        number = self._asked[fingerprint]
        if number >= len(recorded):
            raise ReplayMissError(self._explain(request, len(recorded)))
        self._asked[fingerprint] += 1
        return recorded[number].reply

    def _explain(self, request: Request, times: int) -> str:
        what = f"/{request.workflow} {request.arguments} as of {request.as_of.isoformat()}"
        if times:
            return f"the cassettes hold {what} {times} times, and it was asked once more"
        same = [c.request for group in self._known.values() for c in group if c.request.workflow == request.workflow]
        if not same:
            return f"the cassettes hold no {request.workflow} at all; record one with `--analyst claude`"
        nearest = min(same, key=lambda r: _distance(r, request))
        return f"the cassettes do not hold {what}. The nearest record differs:\n{_difference(nearest, request)}"


def _read(path: Path) -> Cassette:
    try:
        return Cassette.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{path} is no cassette that this version can read; remove it, or update the program"
        raise StorageError(msg) from error


def _distance(one: Request, other: Request) -> tuple[int, float]:
    mine, others = one.model_dump(mode="json"), other.model_dump(mode="json")
    apart = abs((one.as_of - other.as_of).total_seconds())
    return sum(mine[key] != others[key] for key in mine), apart


def _difference(recorded: Request, asked: Request) -> str:
    lines = unified_diff(_lines(recorded), _lines(asked), "recorded", "asked", lineterm="", n=0)
    shown = [line[:200] for line in lines][: _SHOWN_LINES + 1]
    return "\n".join(shown[:_SHOWN_LINES] + (["..."] if len(shown) > _SHOWN_LINES else []))


def _lines(request: Request) -> list[str]:
    values: Mapping[str, Any] = request.model_dump(mode="json")
    return [f"{name}: {line}" for name, value in values.items() for line in _text(value).splitlines()]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, indent=1)
