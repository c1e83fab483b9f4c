"""What goes wrong with emulated news, and when: rules of a YAML file.

    - {fault: http_429, on: rss, times: 2, retry_after: 5}
    - {fault: gzip_bomb, nth: 3}
    - {fault: future}

A rule strikes at every request to its kind of feed (`on`: rss, atom, newsapi, alpha_vantage, alpaca, any), or from the `nth` on, and
`times` often where it says so. Promises that the same requests are struck the same way. Refuses a fault that it does not know
(ConfigError with the line).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_bot.domain.values import Record
from trading_bot.sandbox.news.stories import Story
from trading_bot.sandbox.rule_files import rules_of

Kind = Literal["rss", "atom", "newsapi", "alpha_vantage", "alpaca", "any"]
Seconds = Annotated[float, BeforeValidator(lambda value: float(value) if isinstance(value, str) else value), Field(ge=0, le=3600)]
Telling = Callable[[Sequence[Story], datetime], Sequence[Story]]

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_JOKE = "<channel><item><title>&l9;</title></item></channel>"
_BOMB = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">{_LAUGHS}]><rss version="2.0">{_JOKE}</rss>'


def _dated(moment: Callable[[datetime], datetime]) -> Telling:
    return lambda stories, now: [s.model_copy(update={"published": moment(now).isoformat()}) for s in stories]


TELLING: Mapping[str, Telling] = {
    "empty_title": lambda stories, _: [s.model_copy(update={"title": ""}) for s in stories],
    "huge_body": lambda stories, _: [s.model_copy(update={"body": "lorem ipsum " * 400_000}) for s in stories[:1]],
    "undated": lambda stories, _: [s.model_copy(update={"published": ""}) for s in stories],
    "future": _dated(lambda now: now + timedelta(days=30)),
    "ancient": _dated(lambda now: now.replace(year=1970, month=1, day=1)),
    "silent": lambda _stories, _now: [],
}
"""Faults of what is told."""
WRITING: Mapping[str, Callable[[bytes], bytes]] = {
    "bad_xml": lambda body: body.replace(b"<item>", b"<item>&nothing; <b> & ", 1).replace(b"</channel>", b""),
    "cut_document": lambda body: body[: len(body) // 2],
    "wrong_encoding": lambda body: body.replace(b"Emulated news", "Émulé, naïve".encode("cp1252")),
    "not_a_feed": lambda _: b"<!doctype html><html><body>Please enable JavaScript.</body></html>",
    "entities": lambda _: _BOMB.encode(),
}
"""Faults of the document."""
SENDING = (
    "http_500",
    "http_403",
    "http_429",
    "down",
    "cut",
    "slow",
    "endless",
    "gzip_bomb",
    "redirect_private",
    "redirect_loop",
    "used_up",
)
"""Faults of the answer. `used_up`: Alpha Vantage's way to say 429, key and all."""
FAULTS = (*TELLING, *WRITING, *SENDING)


class Rule(Record):
    """One fault, and when it strikes."""

    fault: str
    on: Kind = "any"
    nth: Annotated[int, Field(ge=1)] = 1
    times: Annotated[int, Field(ge=1)] | None = None
    seconds: Seconds = 0.05
    """Of `slow`: before each byte; of `down`: how long."""
    retry_after: Annotated[int, Field(ge=0)] | None = None
    """Of `http_429` and `http_500`."""
    address: str = "http://169.254.169.254/latest/meta-data/"
    """Of `redirect_private`."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.fault not in FAULTS:
            raise ValueError(f"fault {self.fault} is not known; known are {', '.join(FAULTS)}")
        return self


class Script:
    """Rules, and how many requests each has seen."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._seen = [0] * len(self._rules)

    def strikes(self, kind: str) -> tuple[Rule, ...]:
        """Rules that strike at this request."""
        found = []
        for number, rule in enumerate(self._rules):
            if rule.on in {kind, "any"}:
                self._seen[number] += 1
                past = self._seen[number] - rule.nth
                if past >= 0 and (rule.times is None or past < rule.times):
                    found.append(rule)
        return tuple(found)


def load(path: Path) -> tuple[Rule, ...]:
    """Read the rules of a file. ConfigError names the file and the line of what is wrong."""
    return tuple(rule for _, rule in rules_of(path, Rule, "{fault: http_429, on: rss, times: 2}"))
