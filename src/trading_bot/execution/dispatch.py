"""The way of an order out of the desk: durable, compared with its verdict, sent, and asked for until its end is known.

Promises that verdict and intents are durable in one write before anything is sent; that before every send, after a recovery too, the
order is compared with its verdict and the desk's state is read afresh; that a send without an answer stays pending and is resolved by
asking for its id; and that where resting exits hold back what an order would close, they are taken away first and what is left is looked
at again. Refuses to send late what needs a fresh price and an open session, and to send anything under another id.
"""

from collections import Counter
from datetime import datetime, timedelta

from trading_bot.domain.errors import (
    BrokerUnavailableError,
    DataError,
    NotApprovedError,
    OrderNotFoundError,
    OrderRejectedError,
    OutcomeUnknownError,
)
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.records import DeskState, Doubt, Send, SendOutcome
from trading_bot.domain.values import ClientOrderId, Journaled, Symbol
from trading_bot.execution.apart import AWAY, Apart
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Parts
from trading_bot.risk.gate import Ruling

_TOO_LATE = "too late when the venue could be asked: expired, no fresh price, no open session, or nothing left to close"
_MOVED = "what it would close was sold or canceled meanwhile"
_SOON = timedelta(milliseconds=300)
"""A closing order that the venue does not know is sent again so soon, under its own id: the venue takes an id once."""
_LOOKS = 40
"""How often the venue is asked whether an exit is off."""
_ABSENT_TWICE = 2
_MAKES_WAY = frozenset({OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT})
"""Roles of exits that are taken off for another. What a working close holds back was left out of every ruling."""


class Dispatch:
    """Sends what the gate approved and cancels what the engine asks for, and nothing else."""

    def __init__(self, parts: Parts, ledger: Ledger) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._broker = parts.broker
        self._ledger = ledger
        self._absent: Counter[ClientOrderId] = Counter()
        self._doubtful_since: dict[ClientOrderId, datetime] = {}
        """When an order was last sent without an answer."""

    def carry_out(self, ruling: Ruling, *cause: Journaled) -> None:
        """Make a ruling durable, together with what it is about, and send its orders."""
        now = self._parts.clock.now()
        intents = tuple(OrderIntent(at=now, order=order) for order in ruling.orders)
        self._journal.append(*cause, ruling.verdict, *intents)
        self._ledger.note_intents(intents)
        try:
            way = all(self._make_way(intent) for intent in intents[:1])
        except AWAY:
            # Nothing was sent: the intents stay pending, and are gone on with as soon as the venue can be asked.
            return
        for intent in intents:
            self._send(intent, way=way)

    def cancel(self, client_order_id: ClientOrderId) -> bool:
        """Ask the venue to cancel; False if that may not have reached it, and has to be asked again."""
        try:
            self._broker.cancel(client_order_id)
        except OrderNotFoundError:
            # One that is gone from the venue cannot fill, and must not hold up what comes after it; the comparison tells of it.
            return True
        except (OutcomeUnknownError, BrokerUnavailableError):
            return False
        return True

    def _send(self, intent: OrderIntent, *, way: bool = True) -> None:
        order = intent.order
        self._verify(order)
        if order.spec.role.adds_risk and self._parts.switch.state() is not DeskState.RUNNING:
            self._end(intent, SendOutcome.ABANDONED, f"the desk is {self._parts.switch.state()}")
            return
        if not way:
            self._end(intent, SendOutcome.ABANDONED, _MOVED)
            return
        try:
            if order.replaces is None:
                self._broker.submit(order)
            else:
                self._broker.replace(order)
        except (OrderRejectedError, OrderNotFoundError) as error:
            self._end(intent, SendOutcome.REJECTED, str(error))
        except OutcomeUnknownError:
            # It may be on the way again, so that earlier answers that it is not there count no more.
            self._doubtful_since[order.spec.client_order_id] = self._parts.clock.now()
            self._absent.pop(order.spec.client_order_id, None)
        except AWAY:
            return
        else:
            self._end(intent, SendOutcome.ACKNOWLEDGED)

    def _make_way(self, intent: OrderIntent) -> bool:
        """Take resting exits off that hold back what an exit would sell; whether as much is held as its ruling said."""
        spec = intent.order.spec
        if spec.role.adds_risk or intent.order.replaces is not None or not self._broker.traits(spec.symbol).exits_reserve:
            return True
        return self._clear(spec.symbol, self._siblings(intent)) and self._still_held(intent)

    def _siblings(self, intent: OrderIntent) -> set[ClientOrderId]:
        """Orders of the same ruling, which may rest already when one of them has to be sent again."""
        verdict = intent.order.verdict_id
        return {i.order.spec.client_order_id for i in self._ledger.intents if i.order.verdict_id == verdict}

    def _clear(self, symbol: Symbol, but: set[ClientOrderId]) -> bool:
        for _ in range(_LOOKS):
            resting = [
                o
                for o in self._broker.open_orders()
                if o.symbol == symbol and o.role in _MAKES_WAY and self._ledger.group(o.client_order_id) not in but
            ]
            if not resting:
                return True
            # One of each pair: its sibling goes with it, and every call is a moment without a stop.
            for identity in {self._ledger.group(o.client_order_id): o.client_order_id for o in resting}.values():
                self.cancel(identity)
            self._parts.breathe()
        return False

    def _still_held(self, intent: OrderIntent) -> bool:
        """Whether the venue holds as much as all orders of the intent's verdict would close."""
        spec = intent.order.spec
        held = next((p for p in self._broker.positions() if p.symbol == spec.symbol), None)
        mine = [i.order.spec for i in self._ledger.pending.values() if i.order.verdict_id == intent.order.verdict_id]
        return held is not None and held.side is spec.side.opposite and abs(held.quantity) >= sum(s.quantity for s in mine)

    def _verify(self, order: ApprovedOrder) -> None:
        verdict = self._journal.get(Verdict, order.verdict_id)
        if verdict is None or not order.is_intact or order.digest not in verdict.digests:
            msg = f"order {order.spec.client_order_id} is not what verdict {order.verdict_id} approved; it was not sent. Run `audit verify`"
            raise NotApprovedError(msg)

    def _end(self, intent: OrderIntent, outcome: SendOutcome, reason: str = "") -> None:
        send = Send(at=self._parts.clock.now(), client_order_id=intent.order.spec.client_order_id, outcome=outcome, reason=reason)
        self._journal.append(send)
        self._ledger.note_send(send)
        self._absent.pop(send.client_order_id, None)
        self._doubtful_since.pop(send.client_order_id, None)

    def resolve(self) -> None:
        """Ask the venue about every intent without an end. Found: acknowledged. Absent for good: sent under its own id, or abandoned."""
        apart = Apart()
        for intent in tuple(self._ledger.pending.values()):
            with apart.one():
                self._resolve(intent)
        apart.end()

    def _resolve(self, intent: OrderIntent) -> None:
        identity = intent.order.spec.client_order_id
        found = self._broker.find(identity)
        if found is None and not self._is_absent(intent):
            return
        self._note_doubt(identity, found)
        if found is not None:
            self._end(intent, SendOutcome.ACKNOWLEDGED)
        elif self._may_still_send(intent):
            self._send(intent, way=self._make_way(intent))
        else:
            self._end(intent, SendOutcome.ABANDONED, _TOO_LATE)

    def _is_absent(self, intent: OrderIntent) -> bool:
        """Whether the venue's not knowing an order means that it was never placed; new risk waits until nothing can be on the way."""
        spec, settles = intent.order.spec, self._broker.settles_within
        if not settles:
            return True
        self._absent[spec.client_order_id] += 1
        patience = settles if spec.role.adds_risk else min(_SOON, settles)
        sent = self._doubtful_since.get(spec.client_order_id, intent.at)
        return self._parts.clock.now() - sent >= patience and (
            not spec.role.adds_risk or self._absent[spec.client_order_id] >= _ABSENT_TWICE
        )

    def _note_doubt(self, identity: ClientOrderId, found: Order | None) -> None:
        number = 1
        while self._journal.get(Doubt, f"{identity}:{number:03d}") is not None:
            number += 1
        note = "the venue has it" if found is not None else "the venue does not have it"
        self._journal.append(Doubt(at=self._parts.clock.now(), client_order_id=identity, number=number, found=found is not None, note=note))

    def failed(self, order: ApprovedOrder) -> bool:
        """Whether the venue refused `order` or lost it, or it was given up."""
        if self._ledger.vanished(order.spec.client_order_id, self._parts.clock.now()):
            return True
        send = self._journal.get(Send, order.spec.client_order_id)
        return send is not None and send.outcome is not SendOutcome.ACKNOWLEDGED

    def _may_still_send(self, intent: OrderIntent) -> bool:
        spec, authority = intent.order.spec, self._parts.authority
        if not spec.role.adds_risk:
            return spec.symbol in self._ledger.books.positions
        if authority.mandate is None or authority.expired:
            return False
        now = self._parts.clock.now()
        proposal = self._journal.get(Proposal, intent.order.proposal_id)
        if proposal is None or now > proposal.expires_at:
            return False
        try:
            calendar, quote = self._parts.view.instrument(spec.symbol).calendar, self._parts.view.quote(spec.symbol)
        except DataError:
            return False
        if self._parts.calendars[calendar].session_at(now) is None:
            return False
        limit = authority.mandate.limits.quote_age_seconds
        return quote is not None and (limit == "none" or now - min(intent.at, quote.time) <= timedelta(seconds=limit))
