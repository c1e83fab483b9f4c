"""What a run of the suite found, promise by promise."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class BrokenError(Exception):
    """A promise was not kept; the message says how. No error of the desk: only the suite raises and catches it."""


class NotHereError(Exception):
    """A promise says nothing here; the message says why."""


class Standing(StrEnum):
    """How a promise stands."""

    HELD = "held"
    BROKEN = "broken"
    NOT_HERE = "does not apply"


@dataclass(frozen=True)
class Result:
    """One promise, tried once."""

    number: str
    sentence: str
    standing: Standing
    why: str = ""

    def text(self) -> str:
        """On one line."""
        return f"{self.number} {self.standing:<14} {self.sentence}{f' [{self.why}]' if self.why else ''}"


@dataclass(frozen=True)
class Report:
    """All promises of one venue, in their order."""

    venue: str
    results: tuple[Result, ...]
    stopped: str = ""
    """Where it was stopped, and what was left behind; empty if it went to its end."""

    def of(self, standing: Standing) -> tuple[Result, ...]:
        """Results with this standing."""
        return tuple(r for r in self.results if r.standing is standing)

    @property
    def kept(self) -> bool:
        """Whether none was broken, and it was not stopped."""
        return not self.of(Standing.BROKEN) and not self.stopped

    def text(self) -> str:
        """A line for each promise, and the count."""
        return "\n".join([*(r.text() for r in self.results), self.count()])

    def count(self) -> str:
        """How many stand how."""
        counts = ", ".join(f"{len(self.of(s))} {s}" for s in Standing)
        return f"{self.venue}: {counts}{f'; {self.stopped}' if self.stopped else ''}"


def hold(condition: object, otherwise: str) -> None:
    """Raise BrokenError with `otherwise` unless the condition holds."""
    if not condition:
        raise BrokenError(otherwise)


def needed(value: T | None, why: str) -> T:
    """Return what the bench has, or raise NotHereError with `why` if it has none."""
    if value is None:
        raise NotHereError(why)
    return value


def needs(condition: object, why: str) -> None:
    """Raise NotHereError with `why` unless the condition holds."""
    if not condition:
        raise NotHereError(why)
