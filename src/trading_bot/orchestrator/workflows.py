"""The workflows of the day: thin functions over the ports. Each returns how it ended and why.

    pre-market   screen, analyse the best three, plan those that pass, keep the proposals for the open
    market-open  look at what is held, then judge each proposal again on fresh quotes and execute
    monitor      profit and loss, exits
    end-of-day   mark to the close, brake, review, report
    look         of a desk that never closes, see `trader`
    weekly       review of the week, backtests of alternatives for what lost in it, report

Numbers come from tools, orders from the engine: nothing here computes or sends.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from trading_bot.domain.errors import BrokerUnavailableError
from trading_bot.domain.proposals import INTERACTIVE, Decision, Outcome, Proposal, ProposalKind, Verdict
from trading_bot.domain.records import CLOSE, TaskStatus
from trading_bot.domain.research import Analysis, EntryPlan, Recommendation, Screening
from trading_bot.domain.values import ProposalId, Symbol, derive_id
from trading_bot.orchestrator.alternatives import try_alternatives
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.judging import mark, second_opinion
from trading_bot.orchestrator.reviewing import report_week, review_day, review_week
from trading_bot.orchestrator.scheduler import LOOK, Slot
from trading_bot.orchestrator.trader import look
from trading_bot.orchestrator.workflow import Event
from trading_bot.risk.gate import verdict_id

Ending = tuple[TaskStatus, str]

_ANALYSED = 3
_HORIZON_DAYS = 20
_KEPT_AFTER_OPEN = timedelta(minutes=30)
_SPREAD_PAUSE = timedelta(seconds=30)
_ENTERS = frozenset({Recommendation.STRONG_BUY, Recommendation.BUY})


def pre_market(desk: Desk, slot: Slot) -> Ending:
    """Screen, analyse, plan; file proposals for the open."""
    desk.workflow.fire(Event.SCREEN)
    screened, screening = desk.decide(slot, "screen", "market", Screening, lambda d: desk.analyst.screen(desk.brief(d)))
    candidates = screening.candidates[:_ANALYSED] if screening is not None else ()
    filed = [p for p in (_research(desk, slot, c.symbol, screened.taint) for c in candidates) if p is not None]
    desk.workflow.fire(Event.FINISH, candidates=str(len(candidates)), proposals=str(len(filed)))
    return TaskStatus.DONE, f"{len(candidates)} analysed, {len(filed)} proposed{_unanswered(desk, slot)}"


def _unanswered(desk: Desk, slot: Slot) -> str:
    """Questions of this task that nobody answered, told where the task is: a desk without answers looks like a quiet market."""
    asked = [d for d in desk.journal.since(Decision, slot.due) if d.task_run == slot.id]
    outcomes = Counter(d.outcome for d in asked if d.outcome is not Outcome.ANSWERED)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    instead = sum(1 for d in asked if d.outcome is Outcome.ANSWERED and d.note)
    said = [f"unanswered: {told}" if told else "", f"{instead} answered by the rules instead" if instead else ""]
    return f"; {', '.join(filter(None, said))} (see `decisions`)" if any(said) else ""


def _research(desk: Desk, slot: Slot, symbol: Symbol, taint: Sequence[str]) -> Proposal | None:
    desk.workflow.fire(Event.ANALYZE, symbol=symbol)
    judged, analysis = desk.decide(slot, "analyze", symbol, Analysis, lambda d: desk.analyst.analyze(desk.brief(d), symbol))
    if analysis is None or analysis.stop is None or analysis.recommendation not in _ENTERS:
        return None
    desk.workflow.fire(Event.OPTIMIZE, symbol=symbol)
    planned, plan = desk.decide(slot, "optimize", symbol, EntryPlan, lambda d: desk.analyst.optimize(desk.brief(d), analysis))
    if plan is None:
        return None
    known = desk.journal.get(Proposal, derive_id("proposal", planned.id))
    if known is not None:
        return known
    proposal = _to_proposal(desk, slot, (judged, analysis), (planned, plan), taint)
    desk.journal.append(proposal)
    return proposal


def _to_proposal(
    desk: Desk, slot: Slot, judgement: tuple[Decision, Analysis], planning: tuple[Decision, EntryPlan], taint: Sequence[str]
) -> Proposal:
    (judged, analysis), (planned, plan) = judgement, planning
    return Proposal(
        at=desk.clock.now(),
        id=ProposalId(derive_id("proposal", planned.id)),
        decision_id=planned.id,
        action=ProposalKind.OPEN,
        symbol=plan.symbol,
        side=plan.side,
        strategy=analysis.strategy,
        style=plan.style,
        entry=plan.entry,
        stop_loss=plan.stop_loss,
        noise=plan.noise,
        targets=plan.targets,
        exposure=plan.exposure,
        confidence=analysis.confidence,
        horizon_days=_HORIZON_DAYS,
        thesis=f"{analysis.thesis} {plan.reason}"[:2000],
        evidence=tuple(dict.fromkeys((*judged.evidence, *planned.evidence))),
        taint=tuple(dict.fromkeys((*taint, *judged.taint, *planned.taint))),
        analyst=planned.analyst,
        expires_at=desk.calendar.hours(slot.session)[0] + _KEPT_AFTER_OPEN,
    )


def market_open(desk: Desk, slot: Slot) -> Ending:
    """Exits first, then the morning's proposals as soon as their quotes are fresh and their spreads sane."""
    desk.workflow.fire(Event.MONITOR)
    exits = _look_after(desk, slot, _with_price(desk))
    desk.workflow.fire(Event.EXECUTE, exits=str(exits))
    filed = _filed(desk, slot)
    _execute(desk, slot, filed)
    mark(desk, slot, slot.task)
    entered = sum(1 for p in filed if (v := desk.journal.get(Verdict, verdict_id(p.id))) is not None and v.digests)
    desk.workflow.fire(Event.FINISH, entered=str(entered))
    return TaskStatus.DONE, f"{exits} exits, {entered} entered"


def _filed(desk: Desk, slot: Slot) -> list[Proposal]:
    """Proposals to open of the slot's session by the desk's analysts, judged or not; a person's were judged as they came."""
    filed = (p for p in desk.journal.all(Proposal) if p.action is ProposalKind.OPEN and p.analyst != INTERACTIVE)
    return [p for p in filed if p.at.astimezone(desk.calendar.zone).date() == slot.session]


def _execute(desk: Desk, slot: Slot, filed: Sequence[Proposal]) -> None:
    """Have each proposal judged as soon as its market is tradable, at the deadline whatever it is."""
    deadline = slot.due + slot.grace
    waiting = [p for p in filed if desk.journal.get(Verdict, verdict_id(p.id)) is None]
    while waiting:
        late = desk.clock.now() >= deadline
        ready = [p for p in waiting if late or desk.tradable(p.symbol)]
        for proposal in ready:
            if not _handle(desk, slot, proposal, late=late):
                ready = ready[: ready.index(proposal)]
                break
        waiting = [p for p in waiting if p not in ready]
        if waiting:
            desk.wait(min(desk.clock.now() + _SPREAD_PAUSE, deadline))


def _handle(desk: Desk, slot: Slot, proposal: Proposal, *, late: bool) -> bool:
    """Have one proposal judged and carried out; False if the venue is away and there is time to try again."""
    try:
        desk.engine.handle(proposal, second_opinion(desk, slot, proposal))
    except BrokerUnavailableError:
        if late:
            raise
        return False
    return True


def monitor(desk: Desk, slot: Slot) -> Ending:
    """Look after what is held, as far as there are fresh prices."""
    desk.workflow.fire(Event.MONITOR)
    priced = _with_price(desk)
    if not priced:
        desk.workflow.fire(Event.FINISH)
        return TaskStatus.SKIPPED, "no price"
    exits = _look_after(desk, slot, priced)
    mark(desk, slot, slot.task)
    desk.workflow.fire(Event.FINISH, exits=str(exits))
    return TaskStatus.DONE, f"{exits} exits"


def _with_price(desk: Desk) -> list[Symbol]:
    """Universe and holdings that have a fresh quote."""
    return [s for s in sorted({*desk.universe, *desk.engine.ledger.books.positions}) if desk.fresh(s)]


def _look_after(desk: Desk, slot: Slot, priced: Sequence[Symbol]) -> int:
    """Ask the analyst about the positions that have a price, carry out what it proposes, return how many proposals were allowed.

    It is asked without positions too: a desk that is killed after its first entry must not be asked anew about it.
    """
    _, proposals = desk.decide(slot, "monitor", "positions", tuple[Proposal, ...], lambda d: desk.analyst.monitor(desk.brief(d, priced)))
    verdicts = [desk.engine.handle(p) for p in proposals or ()]
    return sum(1 for v in verdicts if v is not None and v.digests)


def end_of_day(desk: Desk, slot: Slot) -> Ending:
    """Mark to the close, compare with the broker, apply the brakes, review, report."""
    desk.workflow.fire(Event.REVIEW_DAY)
    compared = _compare(desk)
    point = mark(desk, slot, CLOSE)
    desk.engine.brake()
    grade = review_day(desk, slot)
    desk.workflow.fire(Event.FINISH, equity=str(point.equity), grade=grade)
    return TaskStatus.DONE, f"equity {point.equity:.2f}, {grade}{compared}"


def _compare(desk: Desk) -> str:
    """Compare with the broker; a broker that is away is told, and does not cost the day its report."""
    try:
        desk.engine.reconcile()
    except BrokerUnavailableError:
        return "; not compared with the broker, which is away"
    return ""


def weekly(desk: Desk, slot: Slot) -> Ending:
    """Review the week, backtest alternatives for what lost in it, report."""
    desk.workflow.fire(Event.REVIEW_WEEK)
    reviewed = review_week(desk, slot)
    desk.workflow.fire(Event.BACKTEST)
    tries = try_alternatives(desk, slot, reviewed.inside.trades)
    report_week(desk, slot, reviewed, tries.alternatives)
    desk.workflow.fire(Event.FINISH, grade=reviewed.grade, backtests=tries.told)
    return TaskStatus.DONE, f"{reviewed.grade}; {tries.told}{_unanswered(desk, slot)}"


WORKFLOWS: dict[str, Callable[[Desk, Slot], Ending]] = {
    "pre-market": pre_market,
    "market-open": market_open,
    "monitor": monitor,
    "end-of-day": end_of_day,
    "weekly": weekly,
    LOOK: look,
}
