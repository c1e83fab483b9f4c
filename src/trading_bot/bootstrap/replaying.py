"""One decision answered again from what was recorded of it, without a model: the same checks, on the same books and the same market.

Promises the books that the analyst was shown, found by the decision's own digest, and the recorded replies, whatever the prompts say
today. Refuses to replay on a market that has changed since: the grounds would differ, and the difference is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from trading_bot.analysts.claude import ClaudeAnalyst
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.backtest.facts import Facts, facts
from trading_bot.bootstrap.bench import material_of
from trading_bot.bootstrap.tools import IdleDesk, open_desk
from trading_bot.domain.books import Books
from trading_bot.domain.errors import NoDataError, ReplayMissError
from trading_bot.domain.proposals import Decision, Outcome, Proposal
from trading_bot.domain.research import Analysis, Backtested, EntryPlan, Review, Screening
from trading_bot.domain.values import Symbol, canonical_json, derive_digest
from trading_bot.llm.calls import Question
from trading_bot.llm.cassette import Cassette, Player, Request
from trading_bot.market.calendar import NEW_YORK
from trading_bot.news.signals import Signals
from trading_bot.orchestrator.alternatives import alternatives
from trading_bot.orchestrator.dossier import Dossier
from trading_bot.ports import Analyst, Answer, Brief
from trading_bot.storage.home import Home

_KINDS: Mapping[str, TypeAdapter[object]] = {
    "screen": TypeAdapter(Screening),
    "analyze": TypeAdapter(Analysis),
    "optimize": TypeAdapter(EntryPlan),
    "monitor": TypeAdapter(tuple[Proposal, ...]),
    "review": TypeAdapter(Review),
    "backtest": TypeAdapter(Backtested),
}


@dataclass(frozen=True)
class Answered:
    """An answer as the journal would keep it."""

    outcome: Outcome
    note: str
    output: str
    """Canonical JSON, empty if there is none."""


def replayed(home: Home, operator: Path, found: Dossier) -> str:
    """Return the output of the decision answered again, empty if there is none. ReplayMissError if it was asked about something else."""
    decision = found.decision
    if decision.workflow not in _KINDS:
        raise NoDataError(f"a decision of {decision.workflow} is not replayed by itself; `decision {decision.id}` shows all of it")
    with open_desk(home, operator) as desk:
        return answered(_analyst(found, desk.signals), desk, brief_of(desk, decision), decision).output


def brief_of(desk: IdleDesk, decision: Decision) -> Brief:
    """What the analyst was given: the market as of then, and the books that the decision's digest names."""
    return Brief(decision.id, desk.view.frozen(decision.at), _books_of(desk, decision), desk.universe, desk.news.view(decision.at))


def answered(analyst: Analyst, desk: IdleDesk, brief: Brief, decision: Decision) -> Answered:
    """Put the decision's question to `analyst`."""
    answer = _ask(analyst, desk, brief, decision)
    output = "" if answer.value is None else canonical_json(_KINDS[decision.workflow].dump_python(answer.value, mode="json"))
    return Answered(answer.outcome, answer.note, output)


def _analyst(found: Dossier, signals: Signals) -> Analyst:
    """Who answered, with nobody to ask but the records."""
    if found.decision.analyst == RulesAnalyst.name:
        return RulesAnalyst(signals)
    return ClaudeAnalyst(Player(found.questions, _as_recorded(found.questions)), found.decision.analyst, signals)


def _as_recorded(questions: Sequence[Cassette]) -> Callable[[Question], Request]:
    """Takes from the question what the desk made of market and books, and all that is prompt from the record."""

    def describe(question: Question) -> Request:
        same = [c.request for c in questions if bool(c.request.complaint) == bool(question.complaint)]
        if not same:
            raise ReplayMissError("the recorded answer is not believed today, and no repair of it was recorded")
        now = question.as_of
        asked = {"arguments": question.arguments, "complaint": question.complaint, "as_of": now, "grounds": question.grounds}
        return same[0].model_copy(update=asked)

    return describe


def _ask(analyst: Analyst, desk: IdleDesk, brief: Brief, decision: Decision) -> Answer[object]:
    steps: Mapping[str, Callable[[], Answer[object]]] = {
        "screen": lambda: analyst.screen(brief),
        "analyze": lambda: analyst.analyze(brief, Symbol(decision.subject)),
        "optimize": lambda: analyst.optimize(brief, _analysis_of(desk, decision)),
        "monitor": lambda: analyst.monitor(brief),
        "review": lambda: analyst.review(brief, _facts_of(desk, brief.books, decision)),
        "backtest": lambda: analyst.backtest(brief, alternatives(desk.bench.lab, Symbol(decision.subject), decision.at)),
    }
    return steps[decision.workflow]()


def _books_of(desk: IdleDesk, decision: Decision) -> Books:
    """The books that the analyst was shown."""
    books = Books()
    events = iter(desk.bench.ledger.events)
    while decision.inputs != derive_digest(decision.task_run, decision.workflow, decision.subject, books.canonical()):
        event = next(events, None)
        if event is None:
            raise ReplayMissError("the journal's books never were what this decision was shown; run `audit verify`")
        books = books.apply(event)
    return books


def _analysis_of(desk: IdleDesk, decision: Decision) -> Analysis:
    """The analysis of the same task that the plan was made from."""
    made = desk.bench.journal.all(Decision)
    same = (d for d in made if (d.task_run, d.workflow, d.subject) == (decision.task_run, "analyze", decision.subject) and d.output)
    found = next(same, None)
    if found is None:
        raise ReplayMissError(f"the analysis of {decision.subject} before this plan is not in the journal")
    return Analysis.model_validate_json(found.output)


def _facts_of(desk: IdleDesk, books: Books, decision: Decision) -> Facts:
    session = date.fromisoformat(decision.task_run.partition(":")[0])
    first = session if decision.subject == "day" else session - timedelta(days=session.weekday())
    return facts(material_of(desk.bench.journal, desk.bench.ledger, books), first, session, NEW_YORK)
