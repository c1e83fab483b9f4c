"""What every kind of desk does beside its questions: asks a second judge, and marks what the account is worth."""

from decimal import Decimal

from trading_bot.domain.proposals import Proposal, VerdictOutcome
from trading_bot.domain.records import EquityPoint
from trading_bot.domain.research import Opinion
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.scheduler import Slot


def second_opinion(desk: Desk, slot: Slot, proposal: Proposal) -> Opinion | None:
    """What a second judge says, where one sits beside the analyst; asked once, and never about what the gate refuses anyway."""
    approver = desk.approver
    if approver is None:
        return None
    preview = desk.engine.judge.preview(proposal)
    if preview.outcome is VerdictOutcome.REJECTED and not desk.has_decided(slot, "approve", proposal.symbol):
        return None
    _, opinion = desk.decide(slot, "approve", proposal.symbol, Opinion, lambda d: approver.consider(desk.brief(d), proposal, preview))
    return opinion


def mark(desk: Desk, slot: Slot, label: str) -> EquityPoint:
    """Journal the account's worth once for each label."""
    known = desk.journal.get(EquityPoint, f"{slot.session.isoformat()}:{label}")
    if known is not None:
        return known
    books, marks = desk.engine.ledger.books, desk.engine.marks()
    opening = desk.calendar.hours(slot.session)[0]
    quotes = {s: desk.view.quote(s) for s in books.positions}
    point = EquityPoint(
        at=desk.clock.now(),
        session=slot.session,
        label=label,
        equity=books.equity(marks),
        cash=books.cash,
        exposure=sum((abs(p.market_value(marks[s])) for s, p in books.positions.items()), Decimal(0)),
        stale=tuple(s for s, q in sorted(quotes.items()) if q is None or q.time < opening),
    )
    desk.journal.append(point)
    desk.engine.ledger.note_equity(point)
    return point
