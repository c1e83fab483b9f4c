"""One look of a desk that never closes: flat, it looks for a trade; in a trade, it watches it.

    flat        ask for the one trade to open, have the gate judge it, have the engine execute it
    in a trade  ask about the trade, have what comes of it judged and carried out

Promises that whether there is a trade is read from the books; that a look which is run again after a crash goes the way that it went
before; that nobody is asked, and nothing paid, where no new risk could be taken anyway. Numbers come from tools, orders from the engine.
"""

from datetime import timedelta

from trading_bot.domain.proposals import Decision, Outcome, Proposal, ProposalKind, Verdict, VerdictOutcome
from trading_bot.domain.records import Anomaly, DeskState, TaskStatus
from trading_bot.domain.research import EntryPlan, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import DecisionId, ProposalId, Symbol, derive_id
from trading_bot.llm.calls import Ending as CallEnding
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.judging import mark, second_opinion
from trading_bot.orchestrator.running import WATCH
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.workflow import Event
from trading_bot.ports import Answer

OPEN = "open"
_MARKET = "market"
_HORIZON_DAYS = 2
_PROPOSAL_LIFE = timedelta(minutes=5)
"""From its filing on, a second judge's word included: what is judged later rests on prices that are gone."""
_LIMITS = frozenset({CallEnding.OVER_BUDGET, CallEnding.USAGE_LIMIT})
"""Endings that are no failure: nobody could be asked."""
Ending = tuple[TaskStatus, str]


def look(desk: Desk, slot: Slot) -> Ending:
    """Go the way that this look went before, if it did, else the one that the books say."""
    trade, before = desk.round_the_clock.log.trade(), desk.workflow.first_move(slot.id)
    if before is None:
        return _open(desk, slot) if trade is None else _watch(desk, slot, trade, trade.symbol)
    return _watch(desk, slot, trade, Symbol(before.context["symbol"])) if before.event == Event.MONITOR else _open(desk, slot)


# -- flat ------------------------------------------------------------------------------------------------------------


def _open(desk: Desk, slot: Slot) -> Ending:
    desk.workflow.fire(Event.ANALYZE)
    if desk.engine.ledger.equity_newest != desk.engine.ledger.books.cash:
        mark(desk, slot, slot.task)  # a trade has ended since the last look
    priced = [s for s in desk.universe if desk.fresh(s)]
    asked = desk.has_decided(slot, OPEN, _MARKET)
    closed = "" if asked else _closed_door(desk)
    if closed or not (priced or asked):
        desk.workflow.fire(Event.FINISH)
        return (TaskStatus.SKIPPED, closed) if closed else (TaskStatus.FAILED, "no_price: no coin has a fresh price")
    decision, idea = desk.decide(slot, OPEN, _MARKET, TradeIdea, lambda d: desk.analyst.open_trade(desk.brief(d, priced)))
    if idea is None or idea.plan is None:
        desk.workflow.fire(Event.FINISH)
        return _unanswered(decision) if idea is None else (TaskStatus.DONE, "nothing to open")
    desk.workflow.fire(Event.EXECUTE, **_seen(desk, idea.plan.symbol))
    verdict = _execute(desk, slot, _file(desk, decision, idea, idea.plan))
    desk.workflow.fire(Event.FINISH)
    return TaskStatus.DONE, _opened(idea.plan, verdict)


def _closed_door(desk: Desk) -> str:
    """Why no new risk could be taken whatever anybody says, empty if it could."""
    if desk.engine.ledger.pending_entries(desk.clock.now()):
        return "an entry is on its way"
    return desk.engine.judge.closed_door(desk.universe[0])


def _file(desk: Desk, decision: Decision, idea: TradeIdea, plan: EntryPlan) -> Proposal:
    """The proposal of a decision, journaled once."""
    identity = ProposalId(derive_id("proposal", decision.id))
    known = desk.journal.get(Proposal, identity)
    if known is not None:
        return known
    proposal = Proposal(
        at=desk.clock.now(),
        id=identity,
        decision_id=decision.id,
        action=ProposalKind.OPEN,
        symbol=plan.symbol,
        side=plan.side,
        strategy=idea.strategy,
        style=plan.style,
        entry=plan.entry,
        stop_loss=plan.stop_loss,
        noise=plan.noise,
        targets=plan.targets,
        exposure=plan.exposure,
        confidence=idea.confidence,
        horizon_days=_HORIZON_DAYS,
        thesis=f"{idea.thesis} {plan.reason}"[:2000],
        evidence=decision.evidence,
        taint=decision.taint,
        analyst=decision.analyst,
        expires_at=desk.clock.now() + _PROPOSAL_LIFE,
    )
    desk.journal.append(proposal)
    return proposal


def _execute(desk: Desk, slot: Slot, proposal: Proposal) -> Verdict | None:
    verdict = desk.engine.handle(proposal, second_opinion(desk, slot, proposal))
    mark(desk, slot, slot.task)
    return verdict


def _opened(plan: EntryPlan, verdict: Verdict | None) -> str:
    what = f"{plan.side} {plan.symbol} at {plan.entry}, stop {plan.stop_loss}"
    if verdict is None or verdict.outcome is VerdictOutcome.REJECTED:
        spoke = "" if verdict is None else ", ".join(f"{f.rule}: {f.actual}" for f in verdict.findings)
        return f"rejected: {what} ({spoke})"
    return f"{verdict.outcome}: {verdict.quantity:f} {what}"


# -- in a trade ------------------------------------------------------------------------------------------------------


def _watch(desk: Desk, slot: Slot, trade: RunningTrade | None, symbol: Symbol) -> Ending:
    """Look after the trade in `symbol`; None if it ended after a process died that had looked at it."""
    desk.workflow.fire(Event.MONITOR, **_seen(desk, symbol))
    asked = desk.has_decided(slot, WATCH, symbol)
    if not asked and (trade is None or not desk.fresh(symbol)):
        desk.workflow.fire(Event.FINISH)
        over = TaskStatus.DONE, "the trade is over"
        return over if trade is None else (TaskStatus.FAILED, f"no_price: {symbol} has no fresh price; its stop rests at the venue")
    woken = _why_woken(desk, slot)

    def ask(decision: DecisionId) -> Answer[tuple[Proposal, ...]]:
        assert trade is not None, "it is asked about a trade that runs"  # noqa: S101 - what was decided is not asked again
        return desk.analyst.watch_trade(desk.brief(decision, woken_by=woken), trade)

    decision, proposals = desk.decide(slot, WATCH, symbol, tuple[Proposal, ...], ask)
    told = [_carry_out(desk, proposal, symbol) for proposal in proposals or ()]
    desk.round_the_clock.log.note(decision)
    mark(desk, slot, slot.task)
    if woken and decision.outcome is Outcome.FAILED:
        _nobody_there(desk, symbol, woken)
    desk.workflow.fire(Event.FINISH)
    return _unanswered(decision) if proposals is None else (TaskStatus.DONE, "; ".join(told) or f"hold {symbol}")


def _why_woken(desk: Desk, slot: Slot) -> str:
    """What woke who is asked, empty at a look of its own time."""
    anomaly = desk.journal.get(Anomaly, slot.id)
    return "" if anomaly is None else f"{anomaly.what}: {anomaly.actual}, limit {anomaly.limit}"


def _carry_out(desk: Desk, proposal: Proposal, symbol: Symbol) -> str:
    """Have one proposal about the trade judged; one about anything else, or that would add risk, is none."""
    if proposal.symbol != symbol or proposal.action is ProposalKind.OPEN:
        return f"{proposal.action} {proposal.symbol} is not about the trade: not done"
    verdict = desk.engine.handle(proposal)
    return f"{proposal.action} {proposal.symbol}: {'hold' if verdict is None else verdict.outcome}"


def _nobody_there(desk: Desk, symbol: Symbol, woken: str) -> None:
    """An anomaly that nobody answered: the position stays guarded, and no new risk is taken until a person has looked."""
    if desk.switch.state() is DeskState.RUNNING:
        desk.switch.reduce_only("trader", f"{symbol}: {woken}, and nobody could be asked", desk.clock.now())
        desk.engine.tell("An anomaly, and nobody to ask", f"{symbol}: {woken}. The stop rests; the desk takes no new risk: `resume`")


def _unanswered(decision: Decision) -> Ending:
    """How a look ends to which there is no answer: refused and abstained are words, a limit is none's failure, all else is one."""
    if decision.outcome is not Outcome.FAILED:
        return TaskStatus.DONE, f"{decision.outcome}: {decision.note}"
    limited = decision.note.partition(":")[0] in _LIMITS
    return TaskStatus.SKIPPED if limited else TaskStatus.FAILED, f"nobody answered: {decision.note}"


def _seen(desk: Desk, symbol: Symbol) -> dict[str, str]:
    """What this look is about, with the funding rate of the moment, for who compares."""
    contract = desk.view.contract(symbol)
    rate = "" if contract is None else f"{contract.funding_rate:f}"
    desk.round_the_clock.log.note_rate(symbol, rate)
    return {"symbol": symbol, "funding": rate}
