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


@dataclass(frozen=True)
class Report:
    """All promises of one venue, in their order."""

    venue: str
    results: tuple[Result, ...]

    def of(self, standing: Standing) -> tuple[Result, ...]:
        """Results with this standing."""
        return tuple(r for r in self.results if r.standing is standing)

    @property
    def kept(self) -> bool:
        """Whether none was broken."""
        return not self.of(Standing.BROKEN)

    def text(self) -> str:
        """A line for each promise, and the count."""
        lines = [f"{r.number} {r.standing:<14} {r.sentence}{f' [{r.why}]' if r.why else ''}" for r in self.results]
        counts = ", ".join(f"{len(self.of(s))} {s}" for s in Standing)
        return "\n".join([*lines, f"{self.venue}: {counts}"])


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
