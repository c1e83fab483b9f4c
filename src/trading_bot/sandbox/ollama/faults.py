"""What goes wrong with the emulated Ollama, and when: rules of a YAML file.

    - {fault: out_of_memory, model: llama3.2, call: 1, times: 2}
    - {fault: slow_first, seconds: 5}
    - {fault: busy, on: list}

Promises that a fault depends on the question and its rule alone, and that whatever no rule names is honest. Refuses a fault that it does
not know.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_bot.domain.values import Record
from trading_bot.sandbox.ollama.question import Manner, Reply
from trading_bot.sandbox.rule_files import rules_of

_HTTP: Mapping[str, tuple[int, str]] = {
    "model_missing": (404, "model '{model}' not found"),
    "out_of_memory": (500, "model requires more system memory (5.6 GiB) than is available (3.2 GiB)"),
    "runner_died": (500, "llama runner process has terminated: signal: killed"),
    "busy": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "rate_limited": (429, "Rate limit reached"),
    "no_balance": (402, "Insufficient Balance"),
}
_MANNERS = {m.value: m for m in Manner if m is not Manner.WHOLE}
_TEXTS: Mapping[str, Callable[[str], str]] = {
    "half_json": lambda text: text[: max(len(text) // 2, 1)],
    "wrong_schema": lambda _: json.dumps({"verdict": "buy", "size": 1000}),
    "prose": lambda text: f"Sure! Here is what you asked for:\n\n{text}\n\nLet me know if I can help with anything else.",
    "empty": lambda _: "",
}
FAULTS = (*_HTTP, *_MANNERS, *_TEXTS, "slow_first", "slow_tokens", "wrong_type")
"""Every fault by its name."""

Seconds = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, str) else value), Field(ge=0, le=3600)]


class Rule(Record):
    """One fault, and when it strikes."""

    fault: str
    model: str = "*"
    """Whose questions; `*`: everybody's."""
    on: Literal["answer", "list"] = "answer"
    """Questions to a model, or questions about the models (tags, ps, show, version)."""
    call: Annotated[int, Field(ge=1)] | Literal["every"] = "every"
    """From which question to that model on, counted from 1."""
    times: Annotated[int, Field(ge=1)] = 1
    """So many questions, where `call` is a number."""
    seconds: Seconds = 0.2
    """Of `slow_first` and `slow_tokens`."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.fault not in FAULTS:
            raise ValueError(f"fault {self.fault} is not known; known are {', '.join(FAULTS)}")
        return self

    def strikes(self, model: str, on: str, call: int) -> bool:
        """Whether it is meant for this question."""
        due = self.call == "every" or self.call <= call < self.call + self.times
        return self.on == on and self.model in {"*", model, model.removesuffix(":latest")} and due


def load(path: Path) -> tuple[Rule, ...]:
    """Read the rules of a file. ConfigError names the file and the line of what is wrong."""
    return tuple(rule for _, rule in rules_of(path, Rule, "{fault: out_of_memory, model: llama3.2, call: 1}"))


def spoil(rules: Sequence[Rule], model: str, on: str, call: int, honest: Reply) -> Reply:
    """Return what the rules that strike make of an honest reply."""
    reply = honest
    for rule in rules:
        if rule.strikes(model, on, call):
            reply = _spoiled(rule, model, reply)
    return reply


def _spoiled(rule: Rule, model: str, reply: Reply) -> Reply:
    name = rule.fault
    if name in _HTTP:
        status, text = _HTTP[name]
        return replace(reply, status=status, error=text.format(model=model))
    if name in _TEXTS:
        return replace(reply, text=_TEXTS[name](reply.text))
    if name in _MANNERS:
        return replace(reply, manner=_MANNERS[name])
    plain = {
        "slow_first": replace(reply, first=rule.seconds),
        "slow_tokens": replace(reply, pause=rule.seconds),
        "wrong_type": replace(reply, page="<html><body>Please sign in.</body></html>"),
    }
    return plain[name]
