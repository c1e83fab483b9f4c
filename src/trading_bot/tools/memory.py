"""The desk's memory: what was thought of a symbol, what the gate said, what came of it. As of the scope's time.

Promises that a trade is told beside the proposal whose order opened it, whoever proposed it. Refuses to pass on what a model wrote as
anything but data: theses and notes stay in their envelope.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_bot.domain.proposals import Decision, Effect, Outcome, Proposal, ProposalKind, Verdict
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, ProposalId, client_order_id
from trading_bot.tools import queries
from trading_bot.tools import results_position as results
from trading_bot.tools.envelope import wrap
from trading_bot.tools.looking import Past, journal_age, past
from trading_bot.tools.scope import Scope

_JUDGES = "analyze"
"""The step whose answer says what was thought of a symbol."""
_DAY_ORDER = timedelta(days=1)
"""An entry that rests is gone after its session."""
_ENTRIES = range(1, 5)
"""Numbers of a proposal's entry orders, one for each target."""


@dataclass(frozen=True)
class _Thought:
    """One judgement of a symbol, and the proposal that it led to; or a proposal that stands alone."""

    at: datetime
    symbol: str
    step: str
    analyst: str
    outcome: Outcome
    said: Mapping[str, Any]
    """Recommendation, score, confidence, thesis, as far as they were said."""
    note: str
    proposal: Proposal | None


def history(scope: Scope, query: queries.History) -> results.HistoryTold:
    """Return one page of trades and one of decisions, newest first."""
    known = past(scope)
    trades = [t for t in reversed(known.material.trades) if query.symbol in {None, t.symbol}]
    thoughts = [t for t in _thoughts(known) if query.symbol in {None, t.symbol}]
    after = query.offset + query.limit
    page, verdicts = slice(query.offset, after), {v.proposal_id: v for v in known.material.verdicts}
    return results.HistoryTold(
        as_of=scope.view.now(),
        journal_age_seconds=journal_age(scope),
        trades=tuple(_trade(t) for t in trades[page]),
        trades_total=len(trades),
        decisions=tuple(_told(scope, t, known.material.trades, verdicts) for t in thoughts[page]),
        decisions_total=len(thoughts),
        next_offset=after if after < max(len(trades), len(thoughts)) else None,
    )


def _trade(trade: RoundTrip) -> results.TradeTold:
    return results.TradeTold(
        symbol=trade.symbol,
        side=trade.side,
        quantity=trade.quantity,
        entry_price=round(trade.entry_price, 4),
        exit_price=round(trade.exit_price, 4),
        opened_at=trade.opened_at,
        closed_at=trade.closed_at,
        profit_usd=trade.profit,
        profit_percent=100 * trade.return_on_cost,
        exit=trade.exit_role,
    )


def _thoughts(known: Past) -> Sequence[_Thought]:
    """Every judgement of a symbol with its proposal, and every other proposal, newest first."""
    planned = {d.id: (d.task_run, d.subject) for d in known.decisions}
    led_to = {
        planned[p.decision_id]: p for p in known.material.proposals if p.decision_id in planned and p.symbol == planned[p.decision_id][1]
    }
    judged = [_judged(d, led_to.get((d.task_run, d.subject))) for d in known.decisions if d.workflow == _JUDGES]
    shown = {t.proposal.id for t in judged if t.proposal is not None}
    alone = [_proposed(p) for p in known.material.proposals if p.id not in shown]
    return sorted(judged + alone, key=lambda t: (t.at, t.symbol), reverse=True)


def _judged(decision: Decision, proposal: Proposal | None) -> _Thought:
    said: dict[str, Any] = json.loads(decision.output) if decision.output else {}
    return _Thought(decision.at, decision.subject, _JUDGES, decision.analyst, decision.outcome, said, decision.note, proposal)


def _proposed(proposal: Proposal) -> _Thought:
    said = {"confidence": proposal.confidence, "thesis": proposal.thesis}
    return _Thought(proposal.at, proposal.symbol, proposal.action, proposal.analyst, Outcome.ANSWERED, said, "", proposal)


def _told(scope: Scope, thought: _Thought, trades: Sequence[RoundTrip], verdicts: Mapping[ProposalId, Verdict]) -> results.DecisionTold:
    proposal, thesis = thought.proposal, thought.said.get("thesis")
    verdict = None if proposal is None else verdicts.get(proposal.id)
    earned = [] if proposal is None else [t.profit for t in trades if _opened(proposal, t)]
    return results.DecisionTold(
        at=thought.at,
        symbol=thought.symbol,
        step=thought.step,
        analyst=thought.analyst,
        outcome=thought.outcome,
        recommendation=thought.said.get("recommendation"),
        score=thought.said.get("score"),
        confidence=thought.said.get("confidence"),
        thesis=wrap(thesis) if thesis else None,
        note=wrap(thought.note) if thought.note else None,
        gate=None if verdict is None else verdict.outcome,
        rules=None if verdict is None else tuple(f.rule for f in verdict.findings if f.effect is not Effect.NOTE) or None,
        came_of_it=None if proposal is None else _end(scope, proposal, verdict, earned),
        profit_usd=sum(earned, ZERO) if earned else None,
    )


def _end(scope: Scope, proposal: Proposal, verdict: Verdict | None, earned: Sequence[Decimal]) -> str | None:
    """What became of a proposal to open, None of another."""
    if proposal.action is not ProposalKind.OPEN:
        return None
    if earned:
        return "closed"
    if verdict is not None and verdict.quantity == 0:
        return "not entered"
    held = scope.material.books.positions.get(proposal.symbol)
    if held is not None and proposal.at <= held.opened_at <= proposal.expires_at + _DAY_ORDER:
        return "open"
    if verdict is None:
        return "pending" if scope.view.now() <= proposal.expires_at else "expired"
    return "not entered"


def _opened(proposal: Proposal, trade: RoundTrip) -> bool:
    """Whether the trade's first order carries this proposal's decision in its id."""
    desk = trade.entry_order.rpartition("-")[0]
    return trade.symbol == proposal.symbol and any(
        trade.entry_order == client_order_id(desk, proposal.decision_id, f"entry-{number}", 1) for number in _ENTRIES
    )
