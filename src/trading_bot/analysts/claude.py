"""Claude in the analyst's chair: one question a step, asked of a model, held against what the desk knows, and believed or not.

    question -> reply -> read -> sense -> at most one repair -> answer

Promises that every number in an answer was computed by the desk's own code, or passed its checks; that a refusal is respected; and that
nothing a model says raises. Refuses to look after open positions: that stays with the rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Never, TypeVar

from trading_bot.analysts import answers, grounds, sense
from trading_bot.analysts.answers import Graded, Judged, Picks, Plan, Ruling, Said, Trusted, clean
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.analysts.sense import Calls, Grounds
from trading_bot.backtest.facts import Facts
from trading_bot.backtest.lineup import Lineup, assess
from trading_bot.domain.proposals import Outcome, Proposal, Target, Verdict
from trading_bot.domain.research import Analysis, Backtested, Candidate, Elimination, EntryPlan, Opinion, Review, Screening
from trading_bot.domain.tooling import TAINTING
from trading_bot.domain.values import EvidenceId, Record, Symbol, canonical_json
from trading_bot.llm import prompts
from trading_bot.llm.calls import Asker, Ending, Question, Reply
from trading_bot.news.signals import Signals
from trading_bot.ports import Answer, Brief

S = TypeVar("S", bound=Said)
V = TypeVar("V")

ANSWERS: Mapping[str, type[Said]] = {
    "screen": Picks,
    "analyze": Judged,
    "optimize": Plan,
    "review": Graded,
    "backtest": Trusted,
    "approve": Ruling,
}
"""What is expected of each workflow."""

_WANTED = "5"
"""Candidates that a screen is asked for."""
_LONGEST_NOTE = 500
_LONGEST_THESIS = 300


@dataclass(frozen=True)
class Step(Generic[S, V]):
    """One question, how its answer is checked, and what is made of it."""

    workflow: str
    arguments: str
    expected: type[S]
    grounds: Grounds
    check: Callable[[S, Grounds, Calls], list[str]]
    build: Callable[[S], V]


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
        )
        told = self.asker.ask(question)
        heard = told.calls
        said, wrong = _believed(told, step)
        if wrong:
            told = self.asker.ask(replace(question, complaint=". ".join(wrong).translate(prompts.EXPANDED)))
            heard = (*heard, *told.calls)
            said, wrong = _believed(told, step)
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


def _believed(told: Reply, step: Step[S, V]) -> tuple[S | None, tuple[str, ...]]:
    """The answer, and what is wrong with it: neither if there is no answer to be had."""
    if told.ending is not Ending.ANSWERED or answers.abstention(told.output or {}) is not None:
        return None, ()
    said, wrong = answers.read(step.expected, told.output or {})
    return said, wrong if said is None else answers.told(step.check(said, step.grounds, told.calls))


def _evidence(said: Said) -> tuple[EvidenceId, ...]:
    picks = said.candidates if isinstance(said, Picks) else ()
    claims = [*said.claims, *(claim for pick in picks for claim in pick.claims)]
    return tuple(dict.fromkeys(claim.evidence for claim in claims))


def _taint(heard: Calls) -> tuple[str, ...]:
    """Results that go back to texts from outside, whether or not the answer names them: what was read cannot be unread."""
    return tuple(sorted({call.evidence for call in heard if call.tool in TAINTING}))  # calls made at once end in any order


class ClaudeAnalyst:
    """An `Analyst` that asks a model."""

    def __init__(self, asker: Asker, name: str = "claude", signals: Signals | None = None) -> None:
        self.name = name
        self._chair = Chair(asker, name)
        self._rules = RulesAnalyst(signals)

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Have the model choose and order among the symbols that pass the desk's own screen."""
        own = grounds.own_screening(brief)
        known = grounds.of_screen(brief, own)
        return self._chair.ask(brief, Step("screen", _WANTED, Picks, known, sense.of_picks, partial(_screening, own)))

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Have the model judge what the desk's own analysis found. Abstains unasked where that found nothing."""
        own = self._rules.analyze(brief, symbol)
        if own.value is None:
            return self._chair.abstain(own.note)
        known = grounds.of_analysis(brief, own.value)
        said = self._chair.ask(brief, Step("analyze", symbol, Judged, known, sense.of_judged, partial(_analysis, own.value)))
        return replace(said, taint=(*own.taint, *said.taint))

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Have the model choose prices, held to the noise and the quote of the desk's own plan. Abstains unasked where that has none."""
        own = self._rules.optimize(brief, analysis)
        if own.value is None:
            return self._chair.abstain(own.note)
        known = grounds.of_plan(brief, own.value)
        return self._chair.ask(brief, Step("optimize", analysis.symbol, Plan, known, sense.of_plan, partial(_plan, own.value)))

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Leave it to the rules."""
        return self._rules.monitor(brief)

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:
        """Have the model grade the days of `facts`."""
        if not isinstance(facts, Facts):
            return self._chair.abstain("these are no facts of a period")
        days = f"--period {(facts.last - facts.first).days + 1}"
        arguments = days if facts.first == facts.last else f"{days} --detailed"
        return self._chair.ask(brief, Step("review", arguments, Graded, grounds.of_period(brief), sense.of_graded, _review))

    def backtest(self, brief: Brief, lineup: Record) -> Answer[Backtested]:
        """Have the model judge what the desk's own runs found; the figures stay the desk's."""
        if not isinstance(lineup, Lineup):
            return self._chair.abstain("these are no backtests")
        names, symbols = (",".join(words) for words in ([e.strategy for e in lineup.entrants], lineup.symbols))
        arguments, known = f"{names} {symbols} --start {lineup.first} --end {lineup.last}", grounds.of_backtests(brief, lineup)
        return self._chair.ask(brief, Step("backtest", arguments, Trusted, known, sense.of_trusted, partial(_backtested, lineup)))


class ClaudeApprover:
    """An `Approver` that asks a model, in a call of its own."""

    def __init__(self, asker: Asker, name: str = "claude") -> None:
        self.name = name
        self._chair = Chair(asker, name)

    def consider(self, brief: Brief, proposal: Proposal, preview: Verdict) -> Answer[Opinion]:  # noqa: ARG002 - the model asks the gate itself
        """Have the model approve, veto, or say nothing."""
        known = grounds.of_symbol(brief, proposal.symbol)
        return self._chair.ask(brief, Step("approve", _proposed(proposal), Ruling, known, sense.of_ruling, _opinion))


def _screening(own: Screening, said: Picks) -> Screening:
    """The model's choice in its order, with the desk's own scores."""
    scored = {candidate.symbol: candidate for candidate in own.candidates}
    chosen = tuple(_with_reason(scored.pop(pick.symbol), pick.reason) for pick in said.candidates)
    passed_over = tuple(Elimination(symbol=symbol, reason="passes the screen, and was not chosen") for symbol in scored)
    return Screening(regime=own.regime, candidates=chosen, eliminated=own.eliminated + passed_over)


def _with_reason(candidate: Candidate, reason: str) -> Candidate:
    return candidate.model_copy(update={"reasons": (reason, *candidate.reasons)})


def _analysis(own: Analysis, said: Judged) -> Analysis:
    judged = {"recommendation": said.recommendation, "confidence": said.confidence, "thesis": said.thesis}
    return own.model_copy(update=judged)


def _plan(own: EntryPlan, said: Plan) -> EntryPlan:
    return EntryPlan(
        symbol=own.symbol,
        side=own.side,
        style=said.style,
        entry=said.entry,
        stop_loss=said.stop,
        targets=tuple(Target(price=leg.price, fraction=leg.fraction) for leg in said.targets),
        noise=own.noise,
        exposure=said.exposure,
        reason=said.reason,
    )


def _review(said: Graded) -> Review:
    return Review(grade=said.grade, summary=said.summary, observations=said.observations, recommendations=said.recommendations)


def _backtested(own: Lineup, said: Trusted) -> Backtested:
    words = {"verdict": said.verdict, "summary": said.summary, "observations": said.observations, "recommendations": said.recommendations}
    return assess(own).model_copy(update=words)


def _opinion(said: Ruling) -> Opinion:
    return Opinion(judgement=said.judgement, reason=said.reason)


def _proposed(proposal: Proposal) -> str:
    """A proposal as a second judge is told it, by the names under which `check_trade_rules` asks for its parts.

    Its thesis was written by a model: here it names no file and runs nothing.
    """
    told = proposal.model_dump(mode="json", include={"symbol", "side", "style", "entry", "exposure", "confidence"})
    prices = proposal.model_dump(mode="json", include={"stop_loss": True, "targets": {"__all__": {"price"}}})
    thesis = clean(proposal.thesis, _LONGEST_THESIS).translate(prompts.EXPANDED)
    return canonical_json({**told, "stop": prices["stop_loss"], "targets": [t["price"] for t in prices["targets"]], "thesis": thesis})
