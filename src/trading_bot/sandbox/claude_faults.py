"""What goes wrong with the emulated API, and when: rules of a YAML file, each a persona, a conversation and a fault by name.

    - {persona: screener, call: 1, fault: http_429, retry_after: 1}
    - {persona: "*", call: every, turn: 2, fault: hang_mid}

Promises that a fault depends on the request and its rule alone, and that every conversation which no rule names is honest. Refuses a
fault that it does not know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_bot.domain.values import Record
from trading_bot.sandbox.claude_lies import ANSWERS, DEEDS, SPEECH, Lie, answer_of
from trading_bot.sandbox.claude_turn import COMMANDS, PERSONAS, Turn
from trading_bot.sandbox.claude_wire import Failure, Manner, Reply
from trading_bot.sandbox.rule_files import rules_of

_HTTP: Mapping[str, tuple[int, str, str]] = {
    "http_400": (400, "invalid_request_error", "scripted: the request is invalid"),
    "http_401": (401, "authentication_error", "invalid x-api-key"),
    "http_429": (429, "rate_limit_error", "scripted: too many requests"),
    "http_500": (500, "api_error", "scripted: internal server error"),
    "http_529": (529, "overloaded_error", "Overloaded"),
}
_MANNERS = {"hang_first": Manner.SILENT, "hang_mid": Manner.STALLED, "drop_mid": Manner.DROPPED}
_PLAIN = ("slow", "cached", "limits")
FAULTS = (*_HTTP, *_MANNERS, *_PLAIN, *SPEECH, *ANSWERS, *DEEDS)
"""Every fault by its name."""

Call = Annotated[int, Field(ge=1)] | Literal["every"]
Seconds = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, str) else value), Field(ge=0, le=3600)]


class Rule(Record):
    """One fault, and when it strikes."""

    fault: str
    persona: str = "*"
    """Whose conversations: screener, analyzer, optimizer, reviewer, approver, trader, fallback, or `*` for all."""
    command: str = "*"
    """Which slash command of theirs, `watch-trade` for one, or `*` for all."""
    call: Call = "every"
    """Which conversation of that persona, from 1 on."""
    turn: Annotated[int, Field(ge=1)] | None = None
    """In which turn of the conversation. Left out: wrong answers at the answer, everything else in every turn."""
    seconds: Seconds = 0.2
    """Of `slow`: before each event."""
    retry_after: Annotated[int, Field(ge=0)] | None = None
    """Of errors: seconds, told in a header."""
    limit: Literal["allowed", "allowed_warning", "rejected"] | None = None
    """Usage limit of a subscription, told in headers; of `http_429` and `limits`."""
    resets_at: Annotated[int, Field(ge=0)] | None = None
    """When that limit ends: epoch seconds."""
    read: Annotated[int, Field(ge=0)] = 0
    write: Annotated[int, Field(ge=0)] = 0
    """Of `cached`: tokens read from and written to a cache."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.fault not in FAULTS:
            raise ValueError(f"fault {self.fault} is not known; known are {', '.join(FAULTS)}")
        if self.persona not in {*PERSONAS, "*"}:
            raise ValueError(f"persona {self.persona} is not known; known are {', '.join(PERSONAS)} and *")
        if self.command not in {*COMMANDS, "*"}:
            raise ValueError(f"command {self.command} is not known; known are {', '.join(COMMANDS)} and *")
        return self

    def strikes(self, turn: Turn, call: int) -> bool:
        """Whether it is meant for this request."""
        meant = self.persona in {"*", turn.persona} and self.command in {"*", turn.command}
        return meant and self.call in {"every", call} and self.turn in {None, turn.number}

    def headers(self) -> dict[str, str]:
        """What the answer's headers tell of limits."""
        told: dict[str, int | str | None] = {"retry-after": self.retry_after, "anthropic-ratelimit-unified-status": self.limit}
        if self.limit is not None:
            claim = "anthropic-ratelimit-unified-representative-claim"
            told |= {"anthropic-ratelimit-unified-reset": self.resets_at, claim: "five_hour"}
            told |= {"anthropic-ratelimit-unified-5h-status": self.limit, "anthropic-ratelimit-unified-5h-reset": self.resets_at}
        return {name: str(value) for name, value in told.items() if value is not None}


def load(path: Path) -> tuple[Rule, ...]:
    """Read the rules of a file. ConfigError names the file and the line of what is wrong."""
    return tuple(rule for _, rule in rules_of(path, Rule, "{persona: screener, call: 1, fault: http_529}"))


def spoil(rules: Sequence[Rule], turn: Turn, call: int, honest: Reply) -> Reply | Failure:
    """Return what the first rules that strike make of an honest reply. `call`: number of the conversation."""
    reply = honest
    for rule in rules:
        if not rule.strikes(turn, call):
            continue
        if rule.fault in _HTTP:
            return Failure(*_HTTP[rule.fault], rule.headers())
        reply = _spoiled(rule, turn, reply)
    return reply


def _spoiled(rule: Rule, turn: Turn, reply: Reply) -> Reply:
    """Change one reply; wrong answers wait for an answer, unless the rule names a turn."""
    name = rule.fault
    if name in DEEDS:
        return DEEDS[name](turn, reply)
    if name in SPEECH:
        return SPEECH[name](turn, reply) if rule.turn is not None or answer_of(turn, reply) is not None else reply
    if name in ANSWERS:
        return _lied(ANSWERS[name], turn, reply)
    plain = {
        "slow": replace(reply, pause=rule.seconds),
        "cached": replace(reply, cache_read=rule.read, cache_write=rule.write),
        "limits": replace(reply, headers=rule.headers()),
    }
    return plain[name] if name in plain else replace(reply, manner=_MANNERS[name])


def _lied(lie: Lie, turn: Turn, reply: Reply) -> Reply:
    said = answer_of(turn, reply)
    if said is None or said.tool is None:
        return reply
    return replace(reply, blocks=(replace(said.tool, input=lie(turn, dict(said.tool.input))),))
