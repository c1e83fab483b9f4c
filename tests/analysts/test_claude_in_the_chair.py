"""Claude in the analyst's chair: what it proves is believed; a lie is a recorded outcome, no order, and a day that goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysts.asking import DAY, Output, Persona, Twist, called, claim, day_with, ended, ends, morning, slot_of, twisted
from trading_bot.analysts.chain import FallbackAnalyst
from trading_bot.analysts.claude import ClaudeAnalyst
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.analysts.shadowed import ShadowedAnalyst
from trading_bot.bootstrap.desk import Assembly
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Decision, Outcome, Proposal, Shadow
from trading_bot.domain.records import TaskRun, TaskStatus
from trading_bot.domain.research import Screening
from trading_bot.domain.values import DecisionId
from trading_bot.llm.calls import Ending, Question, Reply
from trading_bot.ports import Answer

Told = list[tuple[str, str, str, Outcome]]


def told(assembly: Assembly) -> Told:
    """Every decision: step, subject, who, how it ended."""
    return [(d.workflow, d.subject, d.analyst, d.outcome) for d in assembly.journal.all(Decision)]


def of_step(assembly: Assembly, workflow: str) -> list[Decision]:
    """Decisions of one step."""
    return [d for d in assembly.journal.all(Decision) if d.workflow == workflow]


def traded(assembly: Assembly) -> bool:
    """Whether any order was meant to be sent."""
    return bool(assembly.journal.all(OrderIntent))


def went_on(assembly: Assembly) -> bool:
    """Whether every task of the day ended as it should."""
    runs = {run.task: run.status for run in assembly.journal.all(TaskRun) if run.status is not TaskStatus.STARTED}
    return runs == dict.fromkeys(DAY, TaskStatus.DONE)


def test_an_honest_claude_works_the_desk_and_its_evidence_is_in_every_proposal(tmp_path: Path) -> None:
    """Analysis and plan rest on one tool result each; positions stay with the rules."""
    persona = Persona()
    day = day_with(tmp_path, ClaudeAnalyst(persona))
    answered = [(w, s, a) for w, s, a, outcome in told(day) if outcome is Outcome.ANSWERED]
    assert answered == [
        ("screen", "market", "claude"),
        ("analyze", "AMZN", "claude"),
        ("analyze", "META", "claude"),
        ("optimize", "META", "claude"),
        ("analyze", "TSLA", "claude"),
        ("optimize", "TSLA", "claude"),
        ("monitor", "positions", "rules"),
        ("review", "day", "claude"),
    ]
    proposals = day.journal.all(Proposal)
    evidence = {d.id: d.evidence for d in day.journal.all(Decision)}
    assert [(p.symbol, p.analyst, len(p.evidence), set(evidence[p.decision_id]) <= set(p.evidence)) for p in proposals] == [
        ("META", "claude", 2, True),
        ("TSLA", "claude", 2, True),
    ]
    assert {d.model for d in of_step(day, "analyze")} == {"claude-test"}
    assert traded(day)
    assert went_on(day)


def test_numbers_in_its_answers_are_the_desks_own(tmp_path: Path) -> None:
    """The model chooses and orders; scores and prices are those of the rules."""
    claude = day_with(tmp_path / "a", ClaudeAnalyst(Persona()), ("pre-market",))
    rules = day_with(tmp_path / "b", RulesAnalyst(), ("pre-market",))
    screens = [Screening.model_validate_json(of_step(day, "screen")[0].output) for day in (claude, rules)]
    chosen, ranked = ([(c.symbol, c.score, c.price) for c in s.candidates] for s in screens)
    assert chosen == ranked


def of_first_pick(**changed: object) -> Callable[[Output], Output]:
    """Change the first candidate."""
    return lambda output: {"candidates": [{**output["candidates"][0], **changed}, *output["candidates"][1:]]}


def changed(**fields: object) -> Callable[[Output], Output]:
    """Change fields of the answer."""
    return lambda output: {**output, **fields}


def entering_at(entry: float, stop: float, *targets: float) -> Callable[[Output], Output]:
    """Invent prices, and claim to have read them."""

    def change(output: Output) -> Output:
        claims = [{**c, "value": entry if c["field"] == "entry" else stop} for c in output["claims"]]
        legs = [{"price": t, "fraction": 1 / len(targets)} for t in targets]
        return {**output, "entry": entry, "stop": stop, "targets": legs, "claims": claims}

    return change


def read(entry: float, stop: float, *targets: float) -> Twist:
    """Have a tool repeat invented prices, so that only sense can tell."""

    def twist(question: Question, reply: Reply) -> Reply:
        if question.workflow != "optimize":
            return reply
        call = called("calculate_position_risk", {"symbol": question.arguments, "entry": entry, "stop_loss": stop})
        output = entering_at(entry, stop, *targets)(dict(reply.output or {}))
        claims = [claim(call, "entry", entry), claim(call, "stop_loss", stop)]
        return replace(reply, output={**output, "claims": claims}, calls=(call,))

    return twist


def without_calls(question: Question, reply: Reply) -> Reply:
    """Say what it says without having looked."""
    return reply if question.workflow == "review" else replace(reply, calls=())


def by_failed_calls(question: Question, reply: Reply) -> Reply:
    """Rest on tools that failed."""
    return (
        reply if question.workflow == "review" else replace(reply, calls=tuple(c.model_copy(update={"failed": True}) for c in reply.calls))
    )


THOUSAND = [{"symbol": f"SYM{n}", "reason": "why not", "claims": []} for n in range(1000)]
LIES: dict[str, tuple[str, Twist, str]] = {
    "outside the universe": ("screen", twisted("screen", of_first_pick(symbol="DOGE")), "DOGE is not in the universe"),
    "a path for a symbol": ("screen", twisted("screen", of_first_pick(symbol="../../etc/passwd")), "candidates.0.symbol"),
    "fails the screen": ("screen", twisted("screen", of_first_pick(symbol="NVDA")), "NVDA does not pass the desk's screen"),
    "a thousand candidates": ("screen", twisted("screen", changed(candidates=THOUSAND)), "at most 20 items"),
    "the same twice": ("screen", twisted("screen", lambda o: {"candidates": o["candidates"] * 2}), "AMZN is named twice"),
    "no claim of its score": ("screen", twisted("screen", of_first_pick(claims=[])), "claim the score of AMZN from a result"),
    "no fields": ("screen", twisted("screen", lambda _: {}), "candidates: Field required"),
    "words for a list": ("screen", twisted("screen", changed(candidates="AMZN")), "candidates: Input should be a valid tuple"),
    "never looked": ("screen", without_calls, "no tool result of this run has this evidence id"),
    "a failed tool": ("screen", by_failed_calls, "that tool call failed"),
    "another symbol": ("analyze", twisted("analyze", changed(symbol="MSFT")), "not MSFT"),
    "confidence above one": ("analyze", twisted("analyze", changed(confidence=7)), "confidence: Input should be less than or equal to 1"),
    "confidence that is none": ("analyze", twisted("analyze", changed(confidence=float("nan"))), "confidence"),
    "unknown word": ("analyze", twisted("analyze", changed(recommendation="YOLO")), "recommendation"),
    "another symbol's plan": ("optimize", twisted("optimize", changed(symbol="AAPL")), "not AAPL"),
    "a plan that nobody read": ("optimize", twisted("optimize", entering_at(166, 161, 175)), "that result says"),
    "far from the quote": ("optimize", read(500, 490, 520), "lies too far from the quote"),
    "stop on the wrong side": ("optimize", read(134, 139, 150), "has to lie at least"),
    "target on the wrong side": ("optimize", read(134, 131, 133), "is not above the entry"),
    "off the tick": ("optimize", read(134.001, 131.2, 138), "is not on the tick of 0.01"),
    "fractions": ("optimize", twisted("optimize", lambda o: {**o, "targets": o["targets"][:1]}), "add up to 0.5, not to 1"),
    "no targets": ("optimize", twisted("optimize", changed(targets=[])), "targets"),
    "exposure above one": ("optimize", twisted("optimize", changed(exposure=25)), "exposure"),
    "no exposure": ("optimize", twisted("optimize", changed(exposure=0)), "exposure"),
    "absurd price": ("optimize", twisted("optimize", changed(entry="1e999999")), "entry"),
    "price in words": ("optimize", twisted("optimize", changed(entry="cheap")), "entry: Value error, must be a finite number"),
}


@pytest.mark.parametrize(("workflow", "twist", "note"), LIES.values(), ids=LIES)
def test_a_lie_is_a_recorded_failure_without_an_order_on_a_day_that_goes_on(tmp_path: Path, workflow: str, twist: Twist, note: str) -> None:
    """Each lie is told again when a repair is asked for; then it is over."""
    persona = Persona(twist)
    day = day_with(tmp_path, ClaudeAnalyst(persona))
    lied = of_step(day, workflow)
    assert lied
    assert {(d.outcome, d.output, d.evidence) for d in lied} == {(Outcome.FAILED, "", ())}
    assert all(d.note.startswith("not believed: ") for d in lied)
    assert any(note in d.note for d in lied)
    assert not day.journal.all(Proposal)
    assert not traded(day)
    assert went_on(day)
    asked = [step for step in persona.steps() if step.startswith(workflow)]
    assert len(asked) == 2 * len(lied)


def test_a_purchase_without_a_stop_of_the_desks_own_is_not_believed(tmp_path: Path) -> None:
    """AMZN has no stop outside the noise."""
    day = day_with(tmp_path, ClaudeAnalyst(Persona(twisted("analyze", changed(recommendation="STRONG_BUY")))), ("pre-market",))
    amazon = next(d for d in of_step(day, "analyze") if d.subject == "AMZN")
    assert (amazon.outcome, amazon.note) == (Outcome.FAILED, "not believed: STRONG_BUY needs a stop, and the desk's analysis has none")


def test_one_answer_is_repaired_once_and_then_believed(tmp_path: Path) -> None:
    """The complaint says what to do."""

    def first_wrong(question: Question, reply: Reply) -> Reply:
        return reply if question.complaint else twisted("screen", of_first_pick(symbol="DOGE"))(question, reply)

    persona = Persona(first_wrong)
    day = day_with(tmp_path, ClaudeAnalyst(persona), ("pre-market",))
    assert persona.steps()[:3] == ["screen 5", "screen 5 again", "analyze AMZN"]
    assert "DOGE is not in the universe" in persona.asked[1].complaint
    assert of_step(day, "screen")[0].outcome is Outcome.ANSWERED


def test_a_refusal_is_recorded_and_neither_repaired_nor_passed_on(tmp_path: Path) -> None:
    """Also where the rules stand behind Claude in a chain."""
    persona = Persona(ends("screen", Ending.REFUSED, "I cannot help with trading"))
    day = day_with(tmp_path, FallbackAnalyst((ClaudeAnalyst(persona), RulesAnalyst())))
    screen = of_step(day, "screen")[0]
    assert (screen.outcome, screen.analyst, screen.note) == (Outcome.REFUSED, "claude", "refused: I cannot help with trading")
    assert persona.steps() == ["screen 5", "review --period 1"]
    assert not traded(day)
    assert went_on(day)


def test_a_refusal_to_repair_is_a_refusal(tmp_path: Path) -> None:
    """It counts as one, not as a failure."""

    def wrong_then_refused(question: Question, reply: Reply) -> Reply:
        return ended(Ending.REFUSED) if question.complaint else replace(reply, output={})

    day = day_with(tmp_path, ClaudeAnalyst(Persona(wrong_then_refused)), ("pre-market",))
    assert told(day) == [("screen", "market", "claude", Outcome.REFUSED)]


def test_who_abstains_is_not_asked_again_even_if_it_answers_beside_that(tmp_path: Path) -> None:
    """The stricter of both counts, and its words are cleaned."""
    persona = Persona(twisted("screen", changed(abstain="the scan failed\u202e")))
    day = day_with(tmp_path, FallbackAnalyst((ClaudeAnalyst(persona), RulesAnalyst())), ("pre-market",))
    assert persona.steps() == ["screen 5"]
    assert [(d.outcome, d.note, d.output) for d in day.journal.all(Decision)] == [(Outcome.ABSTAINED, "the scan failed", "")]


def test_a_call_that_failed_is_a_failure_and_not_repaired(tmp_path: Path) -> None:
    """The manager has retried already where that helps. Each ending is the note."""
    brief = morning(tmp_path).desk.brief(DecisionId("decision"))
    failing = [ending for ending in Ending if ending not in {Ending.ANSWERED, Ending.REFUSED}]
    for ending in failing:
        persona = Persona(ends("screen", ending))
        assert ClaudeAnalyst(persona).screen(brief) == Answer(None, Outcome.FAILED, "claude", "claude-test", note=ending.value)
        assert persona.steps() == ["screen 5"]


def test_where_every_link_fails_the_last_one_says_why_for_all(tmp_path: Path) -> None:
    """A chain of models only."""
    brief = morning(tmp_path).desk.brief(DecisionId("decision"))
    links = [ClaudeAnalyst(Persona(ends("screen", ending)), name) for name, ending in (("one", Ending.CRASHED), ("two", Ending.SILENT))]
    answer = FallbackAnalyst(links).screen(brief)
    assert (answer.value, answer.outcome, answer.analyst) == (None, Outcome.FAILED, "two")
    assert answer.note == "one failed: crashed; two failed: silent"


def test_where_claude_fails_the_rules_take_over_and_the_note_says_why(tmp_path: Path) -> None:
    """And where the rules answered there is no shadow."""
    chain = FallbackAnalyst((ClaudeAnalyst(Persona(ends("analyze", Ending.OVER_BUDGET, "budget_spent"))), RulesAnalyst()))
    day = day_with(tmp_path, ShadowedAnalyst(chain, RulesAnalyst()))
    assert {(d.workflow, d.analyst, d.note) for d in of_step(day, "analyze") + of_step(day, "screen")} == {
        ("screen", "claude", ""),
        ("analyze", "rules", "claude failed: over_budget: budget_spent"),
    }
    assert [s.workflow for s in day.journal.all(Shadow)] == ["screen", "optimize", "optimize", "review"]
    assert traded(day)


def test_the_rules_answer_beside_claude_and_nothing_is_traded_on_it(tmp_path: Path) -> None:
    """The shadow is written with the decision that it stands beside."""
    persona = Persona(ends("screen", Ending.CRASHED))
    day = day_with(tmp_path, ShadowedAnalyst(ClaudeAnalyst(persona), RulesAnalyst()))
    shadows = day.journal.all(Shadow)
    assert [(s.workflow, s.analyst, s.outcome) for s in shadows] == [
        ("screen", "rules", Outcome.ANSWERED),
        ("review", "rules", Outcome.ANSWERED),
    ]
    rules = day_with(tmp_path / "rules", RulesAnalyst(), ("pre-market",))
    assert shadows[0].output == of_step(rules, "screen")[0].output
    assert not traded(day)


def test_the_shadow_of_a_plan_is_the_rules_own_plan_whatever_claude_judged(tmp_path: Path) -> None:
    """By their own analysis."""
    day = day_with(tmp_path / "claude", ShadowedAnalyst(ClaudeAnalyst(Persona()), RulesAnalyst()), ("pre-market",))
    rules = day_with(tmp_path / "rules", RulesAnalyst(), ("pre-market",))
    by_rules = {d.subject: d.output for d in of_step(rules, "optimize")}
    assert {s.subject: s.output for s in day.journal.all(Shadow) if s.workflow == "optimize"} == by_rules


def test_a_recorded_decision_is_never_asked_again(tmp_path: Path) -> None:
    """The second asking reads the journal."""
    assembly, persona = morning(tmp_path), Persona()
    desk = replace(assembly.desk, analyst=ClaudeAnalyst(persona))
    slot = slot_of(assembly, "pre-market")
    answers: list[Any] = [desk.decide(slot, "screen", "market", Screening, lambda d: desk.analyst.screen(desk.brief(d))) for _ in range(2)]
    assert answers[0] == answers[1]
    assert persona.steps() == ["screen 5"]


def test_the_same_answers_make_the_same_journal(tmp_path: Path) -> None:
    """Two desks, two homes, one outcome."""
    kinds = (Decision, Shadow, Proposal, OrderIntent)
    days = [day_with(tmp_path / name, ShadowedAnalyst(ClaudeAnalyst(Persona()), RulesAnalyst())) for name in ("a", "b")]
    assert [d.journal.all(k) for k in kinds for d in days[:1]] == [d.journal.all(k) for k in kinds for d in days[1:]]


@pytest.mark.parametrize("step", ["screen", "analyze", "optimize"])
def test_what_any_step_read_of_news_follows_to_the_proposal_even_if_its_answer_was_put_right_without(tmp_path: Path, step: str) -> None:
    """News lie in the first answer alone, which is not believed; the repair looks at none. Nobody can unread them."""
    news = called("get_sentiment", {"sentiment": 0.9})

    def misled(question: Question, reply: Reply) -> Reply:
        tempted = question.workflow == step and not question.complaint
        return replace(reply, output={"nonsense": True}, calls=(*reply.calls, news)) if tempted else reply

    day = day_with(tmp_path, ClaudeAnalyst(Persona(misled)), DAY[:1])
    assert {p.symbol: p.taint for p in day.journal.all(Proposal)} == {"META": (news.evidence,), "TSLA": (news.evidence,)}
