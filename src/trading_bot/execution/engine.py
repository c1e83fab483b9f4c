"""The engine: the only part of the desk that talks to the broker, and only with an `ApprovedOrder`.

Promises: verdict and intents are durable in one write before anything is sent; before every send, after a recovery too, the order is
compared with its verdict and the desk's state is read afresh; a send without an answer stays pending and is resolved by asking for its
id, never by another id; books come from broker events alone; a position without a live stop gets one or is closed.
Refuses to trade its books right: a drift makes the desk reduce-only and is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from trading_bot.domain.errors import BrokerUnavailableError, NotApprovedError, OrderNotFoundError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.events import BookedEvent
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.market import Timeframe
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole
from trading_bot.domain.proposals import Proposal, ProposalKind, Verdict
from trading_bot.domain.records import DeskState, Doubt, Drift, Send, SendOutcome, StrategySuspension
from trading_bot.domain.values import ClientOrderId, DecisionId, Symbol, derive_id
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.protection import naked, open_risk
from trading_bot.execution.reconcile import differences
from trading_bot.ports import Broker, Calendar, Clock, Journal, View, WallClock
from trading_bot.risk.case import Case, Situation
from trading_bot.risk.discipline import losing_strategies
from trading_bot.risk.gate import (
    Exit,
    Ruling,
    rule_on_entry,
    rule_on_exit,
    rule_on_flatten,
    rule_on_protection,
    rule_without_mandate,
    verdict_id,
)
from trading_bot.risk.halt import DeskSwitch

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Authority:
    """The mandate that the desk works under, or why there is none."""

    mandate: Mandate | None
    wall: WallClock
    why_not: str = ""

    @property
    def expired(self) -> bool:
        """Whether the mandate's time is over, by wall time."""
        return self.mandate is not None and self.wall.now() >= self.mandate.expires_at


@dataclass(frozen=True)
class Parts:
    """What an engine is made of."""

    journal: Journal
    broker: Broker
    view: View
    clock: Clock
    switch: DeskSwitch
    authority: Authority
    calendars: Mapping[str, Calendar]
    sectors: Mapping[Symbol, str]


class Engine:
    """Judges proposals through the gate, sends what it allows, and keeps the books."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._broker = parts.broker
        self.ledger = Ledger(parts.journal)

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
        if not events:
            return 0
        self._journal.append(*(BookedEvent(at=e.at, event=e) for e in events))
        self.ledger.note_events(events)
        self.protect()
        return len(events)

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
            cause = DecisionId(derive_id("protect", symbol, str(self.ledger.books.sequence)))
            ruling = rule_on_protection(self._exit(symbol), cause, quantity, self.ledger.books.stops.get(symbol))
            self._carry_out(ruling)

    # -- the analyst's side --------------------------------------------------------------------------------------

    def handle(self, proposal: Proposal) -> Verdict | None:
        """Judge a proposal and send what is allowed; None for `hold`. The same proposal again gets the same verdict and no new order."""
        if proposal.action is ProposalKind.HOLD:
            return None
        known = self._journal.get(Verdict, verdict_id(proposal.id))
        if known is not None:
            self.resolve()
            return known
        self._journal.append(proposal)
        self.ledger.note_proposal(proposal)
        ruling = self._judge(proposal)
        self._carry_out(ruling)
        self.pump()
        return ruling.verdict

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a working order and book what comes of it."""
        self._broker.cancel(client_order_id)
        self.pump()

    def flatten(self, command: str) -> None:
        """Cancel working entries and close every position. `command` names who asked, once: the same again does nothing."""
        for order in self.ledger.books.working_orders():
            if order.role is OrderRole.ENTRY:
                self.cancel(order.client_order_id)
        for symbol in sorted(self.ledger.books.positions):
            decision = DecisionId(derive_id("flatten", command))
            self._carry_out(rule_on_flatten(self._exit(symbol), decision))
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

    def resumed(self, by: str) -> None:
        """A person let the desk go on: suspended strategies trade again, drawdown counts from here."""
        self.ledger.note_resume()
        for strategy in sorted(self.ledger.suspended):
            self._suspend(strategy, suspended=False, reason=f"resumed by {by}")

    def _suspend(self, strategy: str, *, suspended: bool, reason: str) -> None:
        record = StrategySuspension(at=self._parts.clock.now(), strategy=strategy, suspended=suspended, reason=reason)
        self._journal.append(record)
        self.ledger.note_suspension(record)

    def marks(self) -> dict[Symbol, Decimal]:
        """Newest visible price of every held symbol: the quote's middle, else the last close, else the average price."""
        return {s: self._price(s) or p.average_price for s, p in self.ledger.books.positions.items()}

    def _judge(self, proposal: Proposal) -> Ruling:
        if proposal.action is not ProposalKind.OPEN:
            return rule_on_exit(proposal, self._exit(proposal.symbol))
        mandate = self._parts.authority.mandate
        if mandate is None:
            return rule_without_mandate(proposal, self._parts.clock.now(), self._parts.authority.why_not)
        self.reconcile()
        view = self._parts.view
        instrument = view.instrument(proposal.symbol)
        case = Case(proposal, self._situation(mandate, instrument.calendar, proposal.symbol), instrument, view.quote(proposal.symbol))
        return rule_on_entry(case, self._journal.desk)

    def _carry_out(self, ruling: Ruling) -> None:
        now = self._parts.clock.now()
        intents = tuple(OrderIntent(at=now, order=order) for order in ruling.orders)
        self._journal.append(ruling.verdict, *intents)
        self.ledger.note_intents(intents)
        for intent in intents:
            self._send(intent)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _send(self, intent: OrderIntent) -> None:
        order = intent.order
        self._verify(order)
        if order.spec.role.adds_risk and self._parts.switch.state() is not DeskState.RUNNING:
            self._end(intent, SendOutcome.ABANDONED, f"the desk is {self._parts.switch.state()}")
            return
        try:
            if order.replaces is None:
                self._broker.submit(order)
            else:
                self._broker.replace(order)
        except (OrderRejectedError, OrderNotFoundError) as error:
            self._end(intent, SendOutcome.REJECTED, str(error))
        except (OutcomeUnknownError, BrokerUnavailableError):
            return
        else:
            self._end(intent, SendOutcome.ACKNOWLEDGED)

    def _verify(self, order: ApprovedOrder) -> None:
        verdict = self._journal.get(Verdict, order.verdict_id)
        if verdict is None or not order.is_intact or order.digest not in verdict.digests:
            msg = f"order {order.spec.client_order_id} is not what verdict {order.verdict_id} approved; it was not sent. Run `audit verify`"
            raise NotApprovedError(msg)

    def _end(self, intent: OrderIntent, outcome: SendOutcome, reason: str = "") -> None:
        send = Send(at=self._parts.clock.now(), client_order_id=intent.order.spec.client_order_id, outcome=outcome, reason=reason)
        self._journal.append(send)
        self.ledger.note_send(send)

    def resolve(self) -> None:
        """Ask the venue about every intent without an end. Found: acknowledged. Absent for good: sent under its own id, or abandoned."""
        for identity, intent in tuple(self.ledger.pending.items()):
            found = self._broker.find(identity)
            now = self._parts.clock.now()
            if found is None and now - intent.at < self._broker.settles_within:
                continue
            self._note_doubt(identity, found)
            if found is not None:
                self._end(intent, SendOutcome.ACKNOWLEDGED)
            elif self._may_still_send(intent):
                self._send(intent)
            else:
                self._end(intent, SendOutcome.ABANDONED, "its price was no longer fresh when the venue could be asked")

    def _note_doubt(self, identity: ClientOrderId, found: Order | None) -> None:
        number = 1
        while self._journal.get(Doubt, f"{identity}:{number:03d}") is not None:
            number += 1
        note = "the venue has it" if found is not None else "the venue does not have it"
        self._journal.append(Doubt(at=self._parts.clock.now(), client_order_id=identity, number=number, found=found is not None, note=note))

    def _may_still_send(self, intent: OrderIntent) -> bool:
        mandate = self._parts.authority.mandate
        if not intent.order.spec.role.adds_risk:
            return intent.order.spec.symbol in self.ledger.books.positions
        if mandate is None or self._parts.authority.expired:
            return False
        limit = mandate.limits.quote_age_seconds
        return limit == "none" or self._parts.clock.now() - intent.at <= timedelta(seconds=limit)

    # -- what the gate looks at --------------------------------------------------------------------------------------

    def _exit(self, symbol: Symbol) -> Exit:
        return Exit(
            desk=self._journal.desk,
            now=self._parts.clock.now(),
            instrument=self._parts.view.instrument(symbol),
            position=self.ledger.books.positions.get(symbol),
            working=self.ledger.books.working_orders(symbol),
            price=self._price(symbol),
        )

    def _price(self, symbol: Symbol) -> Decimal | None:
        quote = self._parts.view.quote(symbol)
        if quote is not None:
            return quote.mid
        bars = self._parts.view.bars(symbol, Timeframe.DAY, 1)
        return None if bars.empty else self._parts.view.instrument(symbol).round_price(float(bars["close"].iloc[-1]))

    def _situation(self, mandate: Mandate, calendar: str, symbol: Symbol) -> Situation:
        ledger, parts = self.ledger, self._parts
        now = parts.clock.now()
        session = parts.calendars[calendar].session_at(now)
        pending = ledger.pending_entries()
        opened = now if session is None else parts.calendars[calendar].hours(session)[0]
        return Situation(
            now=now,
            session=session,
            mandate=mandate,
            mandate_expired=parts.authority.expired,
            desk_state=parts.switch.state(),
            books=ledger.books,
            account=self._broker.account(),
            marks=self.marks(),
            sectors={s: parts.sectors.get(s, "unknown") for s in {symbol, *ledger.books.positions, *pending}},
            open_risk=open_risk(ledger.books) + sum((risk for _, risk in pending.values()), Decimal(0)),
            pending={s: value for s, (value, _) in pending.items()},
            history=tuple(ledger.trades.closed),
            day_trades=ledger.day_trades(now),
            entries_today=ledger.entries_since(opened),
            orders_last_minute=ledger.orders_since(now - _MINUTE),
            equity_high=ledger.equity_high,
            equity_last_close=ledger.equity_last_close,
            suspended=frozenset(ledger.suspended),
        )
