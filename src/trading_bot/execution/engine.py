"""The engine: judges proposals through the gate, has `dispatch` send what it allows, keeps the books and guards what is held.

Promises that books come from broker events alone; that a position without a live stop gets one or is closed, and one near its liquidation
is closed, whenever and however often the desk was started in between; and that a desk which may take no new risk leaves no entry at the
venue.
Refuses to trade its books right: a drift makes the desk reduce-only and is told.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from trading_bot.domain.approvals import ApprovalEnded, ApprovalRequest
from trading_bot.domain.books import Account
from trading_bot.domain.errors import DataError
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.orders import Order, OrderRole, TimeInForce
from trading_bot.domain.proposals import Proposal, ProposalKind, Verdict, VerdictOutcome
from trading_bot.domain.reconciliation import Difference, Reaction
from trading_bot.domain.records import DeskState, Drift, StrategySuspension
from trading_bot.domain.research import Opinion
from trading_bot.domain.values import ClientOrderId, DecisionId, Journaled, Symbol, derive_id
from trading_bot.execution.apart import Apart
from trading_bot.execution.dispatch import Dispatch
from trading_bot.execution.guard import Guard
from trading_bot.execution.judge import Judge
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.margin import MarginWatch
from trading_bot.execution.parts import Parts
from trading_bot.execution.reconcile import BrokerSide, Ours, differences
from trading_bot.risk.case import Consent
from trading_bot.risk.discipline import losing_strategies
from trading_bot.risk.gate import (
    Ruling,
    approved_verdict_id,
    rule_on_flatten,
    verdict_id,
)

_ENTRY_LIFE = timedelta(days=1)
_ARRIVES_WITHIN = timedelta(seconds=2.5)
"""What an answer of the venue shows already may reach the books so much later; adapters read anew within two seconds."""


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
            account=self._account,
            traits=parts.broker.traits,
        )
        self._guard = Guard(parts, self.ledger, self._dispatch, self.judge)
        self._margin = MarginWatch(parts, self.ledger, self._dispatch, self.judge)
        self._open = False
        self._compared: Account | None = None
        self._ruling_on: Account | None = None
        """The account as the comparison before a new order saw it; None at any other time."""
        self._told: tuple[Difference, ...] = ()
        """Differences that were journaled last."""

    # -- the broker's side ---------------------------------------------------------------------------------------

    def start(self, ring: Callable[[], None] = lambda: None) -> tuple[Difference, ...]:
        """Catch up with the venue after a start; return the differences that remain, having gone reduce-only for them.

        `ring` is called from any thread when the venue has something to tell. BrokerUnavailableError if it cannot be reached: try again.
        """
        if not self._open:
            self._broker.open(self.ledger.intents, self.ledger.events, ring)
            self._open = True
        self.pump()
        self.resolve()
        self.pump()
        return self.reconcile()

    @property
    def restless(self) -> bool:
        """Whether something is under way that should be looked at again soon."""
        return bool(self.ledger.pending) or self._guard.restless

    def pump(self) -> int:
        """Book what the venue told since the last time; guard what is held; return the number of events."""
        events = self._broker.events(self.ledger.books.sequence)
        if events:
            self._journal.append(*(BookedEvent(at=e.at, event=e) for e in events))
            self.ledger.note_events(events)
            self._margin.note(events)
        self.protect()
        return len(events)

    def resolve(self) -> None:
        """Ask the venue about every intent without an end, and send what never arrived and still may be sent."""
        self._dispatch.resolve()

    def reconcile(self) -> tuple[Difference, ...]:
        """Compare books and broker; what still differs after all that is on its way had time to arrive is told.

        Where its kind asks for it, it makes the desk reduce-only.
        """
        first = self.compare()
        if not first or self.ledger.pending:
            self._told = self._told if first else ()
            return ()
        self._await_news(first)
        if self.compare() != first or self.ledger.pending:
            return ()
        self._drifted(first)
        return first

    def _await_news(self, found: tuple[Difference, ...]) -> None:
        """Give a fill time that the venue's positions show before its stream tells it; what was told of before is not waited for."""
        until = self._parts.clock.now() + _ARRIVES_WITHIN
        while True:
            news = self.pump()
            known = found == self._told or self._parts.clock.simulated or self._parts.clock.now() >= until
            if known or (news and self.compare() != found):
                return
            self._parts.breathe()

    def compare(self) -> tuple[Difference, ...]:
        """Books beside broker, read once."""
        broker = self._broker
        side = BrokerSide(broker.account(), broker.positions(), broker.open_orders())
        self._compared = side.account
        ours = Ours(self._journal.desk, self.ledger.ids, self.ledger.traded, broker.cash_tolerance)
        return differences(self.ledger.books, side, ours)

    def _drifted(self, found: tuple[Difference, ...]) -> None:
        now, news = self._parts.clock.now(), found != self._told
        words = tuple(str(difference) for difference in found)
        if news:
            self._told = found
            self._journal.append(Drift(at=now, differences=words))
            self._parts.notifier.tell("Books and broker differ", "\n".join(f"{d} ({d.why}); reaction: {d.reaction}" for d in found))
        serious = [str(d) for d in found if d.reaction is not Reaction.TELL]
        if serious and self._parts.switch.state() is DeskState.RUNNING:
            self._parts.switch.reduce_only("engine", f"books and broker differ: {'; '.join(serious)}", now)

    def protect(self) -> None:
        """Give every naked quantity a stop, or close it where no stop can be; close what comes near its liquidation."""
        apart = Apart()
        with apart.one():
            self._guard.watch()
        self._margin.watch()
        apart.end()

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
        requests = self._requests(proposal, ruling.verdict)
        self._dispatch.carry_out(ruling, *cause, proposal, *requests)
        for request in requests:
            self._ask_person(request, proposal)
        self.pump()
        return ruling.verdict

    def _ask_person(self, request: ApprovalRequest, proposal: Proposal) -> None:
        what = f"{proposal.side} {request.quantity} {request.symbol}, {request.risk} at risk, until {request.expires_at:%H:%M} UTC"
        self._parts.notifier.tell("A proposal waits for you", f"{what}: `approve {proposal.id}` or `deny {proposal.id}`")

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
            self._ruling_on = self._compared
        try:
            return self.judge.rule(proposal, consent)
        finally:
            self._ruling_on = None

    def _account(self) -> Account:
        """What the venue says of the account: what it said a moment ago, while a proposal is judged right after a comparison."""
        return self._ruling_on or self._broker.account()

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
        self._dispatch.cancel(client_order_id)
        self.pump()

    def withdraw(self) -> None:
        """Take resting entries from the venue that may not fill any more.

        While the desk may take no new risk, a fill would be some; and an entry that lives on for its legs' sake ends with its session.
        """
        entries = self._entries()
        if not entries:
            return
        stopped = self._parts.switch.state() is not DeskState.RUNNING
        self._cancel([o.client_order_id for o in entries if stopped or self._outlived(o)])

    def _outlived(self, entry: Order) -> bool:
        """Whether a resting entry's session, or where the market never closes its day, is over, and its venue does not see to that."""
        now = self._parts.clock.now()
        if now - entry.submitted_at >= _ENTRY_LIFE:
            return True
        if entry.time_in_force is not TimeInForce.GTC:
            return False
        try:
            calendar = self._parts.calendars[self._parts.view.instrument(entry.symbol).calendar]
        except DataError:
            return True  # of what nobody knows any more, nothing should be opened
        return calendar.session_at(now) is None

    def flatten(self, command: str) -> None:
        """Cancel working entries and close every position. `command` names who asked; for the same books the same again does nothing."""
        self._cancel([o.client_order_id for o in self._entries()])
        books = self.ledger.books
        for symbol in sorted(books.positions):
            # One of which the market-data source knows nothing is told of by the guard, and holds up no other.
            with suppress(DataError):
                ruling = rule_on_flatten(self.judge.exit(symbol), DecisionId(derive_id("flatten", command, str(books.sequence))))
                if ruling.orders and self._journal.get(Verdict, ruling.verdict.id) is None:
                    self._dispatch.carry_out(ruling)
        self.pump()

    def _entries(self) -> list[Order]:
        return [o for o in self.ledger.books.working_orders() if o.role is OrderRole.ENTRY]

    def _cancel(self, orders: list[ClientOrderId]) -> None:
        if orders:
            for identity in orders:
                self._dispatch.cancel(identity)
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

    def tell(self, title: str, body: str) -> None:
        """Tell a person."""
        self._parts.notifier.tell(title, body)

    def marks(self) -> dict[Symbol, Decimal]:
        """Newest visible price of every held symbol."""
        return self.judge.marks()
