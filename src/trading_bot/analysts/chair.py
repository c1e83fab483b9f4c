"""The chair that a model sits in: one question a step, held against what the desk knows, and believed or not.

    question -> reply -> read -> sense -> at most one repair -> answer

Promises that a refusal is respected, that an answer comes with the evidence that it rests on and the taint of all that was read for it,
and that nothing a model says raises. Refuses a second repair.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Never, TypeVar

from trading_bot.analysts import answers
from trading_bot.analysts.answers import Picks, Said, clean
from trading_bot.analysts.sense import Calls, Grounds
from trading_bot.domain.proposals import Outcome
from trading_bot.domain.tooling import TAINTING
from trading_bot.domain.values import EvidenceId
from trading_bot.llm import prompts
from trading_bot.llm.calls import Asker, Ending, Question, Reply, Session
from trading_bot.ports import Answer, Brief

S = TypeVar("S", bound=Said)
V = TypeVar("V")

_LONGEST_NOTE = 500


@dataclass(frozen=True)
class Step(Generic[S, V]):
    """One question, how its answer is checked, and what is made of it."""

    workflow: str
    arguments: str
    expected: type[S]
    grounds: Grounds
    check: Callable[[S, Grounds, Calls], list[str]]
    build: Callable[[S], V]
    session: Session | None = None
    """The conversation that it belongs to, None for one of its own."""


@dataclass(frozen=True)
class Chair:
    """Puts a step's question, and once more if its answer cannot be believed."""

    asker: Asker
    name: str

    def ask(self, brief: Brief, step: Step[S, V]) -> Answer[V]:
        """Return what came of it."""
        question = Question(
            workflow=step.workflow,
            arguments=step.arguments,
            schema=answers.schema(step.expected),
            grant=prompts.load(step.workflow).granted(brief),
            grounds=step.grounds.canonical(),
            session=step.session,
        )
        told = self.asker.ask(question)
        heard = told.calls
        said, wrong = _believed(told, step, heard)
        if wrong:
            told = self.asker.ask(replace(question, complaint=". ".join(wrong).translate(prompts.EXPANDED)))
            heard = (*heard, *told.calls)
            said, wrong = _believed(told, step, heard)
        if said is None or wrong:
            return self._nothing(told, wrong)
        return Answer(step.build(said), Outcome.ANSWERED, self.name, told.model, _evidence(said), _taint(heard))

    def abstain(self, note: str) -> Answer[Never]:
        """Have no answer, without asking."""
        return Answer(None, Outcome.ABSTAINED, self.name, note=note)

    def _nothing(self, told: Reply, wrong: tuple[str, ...]) -> Answer[Never]:
        outcome, note = Outcome.FAILED, f"{told.ending}: {told.note}" if told.note else f"{told.ending}"
        if told.ending is Ending.REFUSED:
            outcome = Outcome.REFUSED
        elif told.ending is Ending.ANSWERED:
            reason = answers.abstention(told.output or {})
            outcome, note = (Outcome.FAILED, f"not believed: {'; '.join(wrong)}") if reason is None else (Outcome.ABSTAINED, reason)
        return Answer(None, outcome, self.name, told.model, note=clean(note, _LONGEST_NOTE))


def _believed(told: Reply, step: Step[S, V], heard: Calls) -> tuple[S | None, tuple[str, ...]]:
    """The answer, and what is wrong with it: neither if there is no answer to be had. A repair may rest on what was heard before it."""
    if told.ending is not Ending.ANSWERED or answers.abstention(told.output or {}) is not None:
        return None, ()
    said, wrong = answers.read(step.expected, told.output or {})
    return said, wrong if said is None else answers.told(step.check(said, step.grounds, heard))


def _evidence(said: Said) -> tuple[EvidenceId, ...]:
    picks = said.candidates if isinstance(said, Picks) else ()
    claims = [*said.claims, *(claim for pick in picks for claim in pick.claims)]
    return tuple(dict.fromkeys(claim.evidence for claim in claims))


def _taint(heard: Calls) -> tuple[str, ...]:
    """Results that go back to texts from outside, whether or not the answer names them: what was read cannot be unread."""
    return tuple(sorted({call.evidence for call in heard if call.tool in TAINTING}))  # calls made at once end in any order
