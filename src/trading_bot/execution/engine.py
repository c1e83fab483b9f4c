"""The engine: judges proposals through the gate, has `dispatch` send what it allows, keeps the books and guards what is held.

Promises that books come from broker events alone; that a position without a live stop gets one or is closed, whenever and however often
the desk was started in between; and that a desk which may take no new risk leaves no entry at the venue.
Refuses to trade its books right: a drift makes the desk reduce-only and is told.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from trading_bot.domain.approvals import ApprovalEnded, ApprovalRequest
from trading_bot.domain.errors import OrderNotFoundError
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.proposals import Proposal, ProposalKind, Verdict, VerdictOutcome
from trading_bot.domain.records import DeskState, Drift, StrategySuspension
from trading_bot.domain.research import Opinion
from trading_bot.domain.values import ClientOrderId, DecisionId, Journaled, Symbol, derive_id
from trading_bot.execution.dispatch import Dispatch
from trading_bot.execution.judge import Judge
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Parts
from trading_bot.execution.protection import naked
from trading_bot.execution.reconcile import differences
from trading_bot.risk.case import Consent
from trading_bot.risk.discipline import losing_strategies
from trading_bot.risk.gate import (
    Ruling,
    approved_verdict_id,
    rule_on_flatten,
    rule_on_protection,
    verdict_id,
)

_MINUTE = timedelta(minutes=1)


class Engine:
    """Judges proposals through the gate, sends what it allows, and keeps the books."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._broker = parts.broker
        self.ledger = Ledger(parts.journal)
        self._dispatch = Dispatch(parts, self.ledger)
        self.judge = Judge(
            desk=parts.journal.desk,
            ledger=self.ledger,
            view=parts.view,
            clock=parts.clock,
            switch=parts.switch,
            authority=parts.authority,
            calendars=parts.calendars,
            sectors=parts.sectors,
            account=parts.broker.account,
        )

    # -- the broker's side ---------------------------------------------------------------------------------------

    def start(self) -> tuple[str, ...]:
        """Catch up with the venue after a start; return the differences that remain, having gone reduce-only for them."""
        self.pump()
        self.resolve()
        self.pump()
        return self.reconcile()

    def pump(self) -> int:
        """Book what the venue told since the last time; cure naked positions; return the number of events."""
        events = self._broker.events(self.ledger.books.sequence)
        if events:
            self._journal.append(*(BookedEvent(at=e.at, event=e) for e in events))
            self.ledger.note_events(events)
        self.protect()
        return len(events)

    def resolve(self) -> None:
        """Ask the venue about every intent without an end, and send what never arrived and still may be sent."""
        self._dispatch.resolve()

    def reconcile(self) -> tuple[str, ...]:
        """Compare books and broker; two reads that agree on a difference make the desk reduce-only."""
        first = self._compare()
        if not first or self.ledger.pending:
            return ()
        self.pump()
        second = self._compare()
        if first != second:
            return ()
        now = self._parts.clock.now()
        self._journal.append(Drift(at=now, differences=second))
        if self._parts.switch.state() is DeskState.RUNNING:
            self._parts.switch.reduce_only("engine", f"books and broker differ: {'; '.join(second)}", now)
        return second

    def _compare(self) -> tuple[str, ...]:
        broker = self._broker
        return differences(self.ledger.books, broker.account(), broker.positions(), broker.open_orders())

    def protect(self) -> None:
        """Give every naked quantity a stop, or close it where no stop can be."""
        in_flight = {i.order.spec.symbol for i in self.ledger.pending.values()}
        for symbol, quantity in naked(self.ledger.books).items():
            if symbol in in_flight:
                continue
            self._protect(symbol, quantity)

    def _protect(self, symbol: Symbol, quantity: Decimal) -> None:
        """Ask for a stop; if the venue refused that, for a market exit; if that too, leave it to a person. Each once for the same books."""
        books = self.ledger.books
        for attempt, stop in (("stop", books.stops.get(symbol)), ("exit", None)):
            cause = DecisionId(derive_id("protect", attempt, symbol, str(books.sequence)))
            ruling = rule_on_protection(self.judge.exit(symbol), cause, quantity, stop)
            if self._journal.get(Verdict, ruling.verdict.id) is None:
                self._dispatch.carry_out(ruling)
            if not all(self._dispatch.failed(order) for order in ruling.orders):
                return
        if self._parts.switch.state() is DeskState.RUNNING:
            reason = f"the venue refuses every exit for {quantity} of {symbol}: look at the position there"
            self._parts.switch.reduce_only("engine", reason, self._parts.clock.now())

    # -- the analyst's side --------------------------------------------------------------------------------------

    def handle(self, proposal: Proposal, opinion: Opinion | None = None, *cause: Journaled) -> Verdict | None:
        """Judge a proposal and send what is allowed; None for `hold`. The same proposal again gets the same verdict and no new order.

        `opinion`: what a second judge said. `cause`: what is written together with it. What needs a person's approval waits for it,
        until it expires.
        """
        if proposal.action is ProposalKind.HOLD:
            return None
        known = self._journal.get(Verdict, verdict_id(proposal.id))
        if known is not None:
            self.resolve()
            return known
        ruling = self._rule(proposal, Consent(opinion=opinion))
        self.ledger.note_proposal(proposal)
        self._dispatch.carry_out(ruling, *cause, proposal, *self._requests(proposal, ruling.verdict))
        self.pump()
        return ruling.verdict

    def handle_approved(self, proposal: Proposal, granted: ApprovalEnded) -> Verdict:
        """Judge a proposal that a person approved again, by fresh prices and every rule, and send what is allowed; once.

        `granted`: the person's word, written together with what came of it.
        """
        known = self._journal.get(Verdict, approved_verdict_id(proposal.id))
        if known is not None:
            self.resolve()
            return known
        ruling = self._rule(proposal, Consent(person=True))
        self._dispatch.carry_out(ruling, granted)
        self.pump()
        return ruling.verdict

    def _rule(self, proposal: Proposal, consent: Consent) -> Ruling:
        if proposal.action is ProposalKind.OPEN and self._parts.authority.mandate is not None:
            self.reconcile()
        return self.judge.rule(proposal, consent)

    def _requests(self, proposal: Proposal, verdict: Verdict) -> tuple[ApprovalRequest, ...]:
        """What asks a person, if the verdict needs one."""
        if verdict.outcome is not VerdictOutcome.NEEDS_APPROVAL:
            return ()
        now = self._parts.clock.now()
        until = min(proposal.expires_at, now + self._parts.approval_time)
        asked = self.judge.rule(proposal, Consent(person=True)).verdict
        request = ApprovalRequest(
            at=now, proposal_id=proposal.id, symbol=proposal.symbol, quantity=asked.quantity, risk=asked.risk, expires_at=until
        )
        return (request,)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a working order and book what comes of it."""
        self._broker.cancel(client_order_id)
        self.pump()

    def withdraw(self) -> None:
        """Take resting entries from the venue while the desk may take no new risk: a fill after a halt would be some."""
        if self._entries() and self._parts.switch.state() is not DeskState.RUNNING:
            self._cancel_entries()

    def flatten(self, command: str) -> None:
        """Cancel working entries and close every position. `command` names who asked, once: the same again does nothing."""
        self._cancel_entries()
        for symbol in sorted(self.ledger.books.positions):
            ruling = rule_on_flatten(self.judge.exit(symbol), DecisionId(derive_id("flatten", command)))
            if self._journal.get(Verdict, ruling.verdict.id) is None:
                self._dispatch.carry_out(ruling)
        self.pump()

    def _entries(self) -> list[ClientOrderId]:
        return [o.client_order_id for o in self.ledger.books.working_orders() if o.role is OrderRole.ENTRY]

    def _cancel_entries(self) -> None:
        for identity in self._entries():
            # One that is gone from the venue cannot fill, and must not hold up what comes after it; the comparison tells of it.
            with suppress(OrderNotFoundError):
                self.cancel(identity)
        self.pump()

    def brake(self) -> None:
        """Act on what the session's close shows: suspend strategies that keep losing, stop new risk at the greatest drawdown."""
        mandate = self._parts.authority.mandate
        if mandate is None:
            return
        now = self._parts.clock.now()
        days = mandate.discipline.suspend_days
        for strategy, since in tuple(self.ledger.suspended.items()):
            if days != "none" and now - since >= timedelta(days=days):
                self._suspend(strategy, suspended=False, reason=f"{days} days are over")
        for strategy, losses in losing_strategies(self.ledger.trades_at_stake(), mandate.discipline).items():
            if strategy not in self.ledger.suspended:
                self._suspend(strategy, suspended=True, reason=f"{losses} losses in a row")
        limit, high = mandate.limits.drawdown, self.ledger.equity_high
        reached = limit != "none" and high > 0 and 1 - self.ledger.equity_last_close / high >= limit
        if reached and self._parts.switch.state() is DeskState.RUNNING:
            self._parts.switch.reduce_only("engine", f"drawdown of {limit} reached", now)

    def lifted(self, by: str) -> tuple[StrategySuspension, ...]:
        """What ends every suspension, to be written together with a resume."""
        now = self._parts.clock.now()
        reason = f"resumed by {by}"
        return tuple(StrategySuspension(at=now, strategy=s, suspended=False, reason=reason) for s in sorted(self.ledger.suspended))

    def resumed(self, lifted: Iterable[StrategySuspension]) -> None:
        """A person let the desk go on: suspended strategies trade again, drawdown counts from here."""
        self.ledger.note_resume(self._parts.clock.now())
        for suspension in lifted:
            self.ledger.note_suspension(suspension)

    def _suspend(self, strategy: str, *, suspended: bool, reason: str) -> None:
        record = StrategySuspension(at=self._parts.clock.now(), strategy=strategy, suspended=suspended, reason=reason)
        self._journal.append(record)
        self.ledger.note_suspension(record)

    def marks(self) -> dict[Symbol, Decimal]:
        """Newest visible price of every held symbol."""
        return self.judge.marks()
