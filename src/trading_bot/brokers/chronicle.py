"""What a venue told, each thing once and numbered: streams and periodic reads pour into it, the desk's books come out.

Promises that an execution, a payment or a split counts once by the venue's own id, however often and in whatever order it is told; that
neither an order nor the events' times go back; and that an order and its fills agree at every event: an order which says more filled
than its executions add up to waits for the rest, and is named by `incomplete`. Refuses nothing and asks nobody: it has no I/O and no clock.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import TRANSITIONS, Fill, Order, OrderState
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol, divided


class Chronicle:
    """Events with a sequence that goes on where the desk's journal stopped. Not safe for threads: its adapter has a lock."""

    def __init__(self, booked: Iterable[BrokerEvent] = ()) -> None:
        self._events: list[BrokerEvent] = []
        self._sequence = 0
        self._newest: datetime | None = None
        self._told: dict[ClientOrderId, Order] = {}
        """Each order as the last event about it says."""
        self._working: dict[ClientOrderId, Order] = {}
        """Those that are not at their end."""
        self._said: dict[ClientOrderId, Order] = {}
        """Each order as the venue last said, where that is ahead of what was told."""
        self._early: dict[ClientOrderId, list[Fill]] = {}
        """Executions of orders that the venue has not described yet."""
        self._known: set[str] = set()
        for event in booked:
            self._remember(event)

    def see_order(self, order: Order) -> None:
        """The venue says that an order is so."""
        identity = order.client_order_id
        if not self._is_news(self._said.get(identity, self._told.get(identity)), order):
            return
        self._said[identity] = order
        for fill in self._early.pop(identity, []):
            self.see_fill(fill)
        self._catch_up(identity)

    def see_fill(self, fill: Fill) -> None:
        """The venue says that something was executed."""
        if fill.execution_id in self._known:
            return
        identity = fill.client_order_id
        base = self._said.get(identity) or self._told.get(identity)
        if base is None:
            held = self._early.setdefault(identity, [])
            if all(f.execution_id != fill.execution_id for f in held):
                held.append(fill)
            return
        before = self._told.get(identity)
        filled = (ZERO if before is None else before.filled_quantity) + fill.quantity
        paid = (ZERO if before is None else before.filled_quantity * before.average_price) + fill.quantity * fill.price
        state = _after_fill(base, before, filled)
        order = base.model_copy(
            update={"state": state, "filled_quantity": filled, "average_price": divided(paid, filled), "updated_at": fill.at}
        )
        self._tell_order(order, fill.at, fill)
        self._catch_up(identity)

    def see_cash(self, reference: str, reason: CashReason, amount: Decimal, at: datetime, symbol: Symbol | None = None) -> None:
        """The venue says that cash moved."""
        if reference not in self._known and amount:
            self._tell(CashUpdate(sequence=self._sequence + 1, at=at, reason=reason, amount=amount, symbol=symbol, reference=reference))

    def see_split(self, reference: str, symbol: Symbol, ratio: Decimal, quantity_after: Decimal, at: datetime) -> None:
        """The venue says that a position was split."""
        if reference not in self._known:
            number = self._sequence + 1
            self._tell(SplitUpdate(sequence=number, at=at, symbol=symbol, ratio=ratio, quantity_after=quantity_after, reference=reference))

    def knows(self, reference: str) -> bool:
        """Whether an execution, a payment or a split was told already."""
        return reference in self._known

    def order(self, client_order_id: ClientOrderId) -> Order | None:
        """The order as the last event about it says."""
        return self._told.get(client_order_id)

    def working(self) -> tuple[Order, ...]:
        """Orders that were told to be working."""
        return tuple(self._working.values())

    def incomplete(self) -> tuple[ClientOrderId, ...]:
        """Orders of which the venue says more than its executions told so far, and executions of orders that it has not described."""
        behind = (i for i, said in self._said.items() if said.filled_quantity > self._filled(i))
        return tuple(dict.fromkeys((*behind, *self._early)))

    def after(self, sequence: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `sequence`."""
        first = self._sequence - len(self._events)
        return tuple(self._events[max(sequence - first, 0) :])

    def forget(self, sequence: int) -> None:
        """Let go of events up to `sequence`, which are in the journal."""
        first = self._sequence - len(self._events)
        del self._events[: max(sequence - first, 0)]

    def _catch_up(self, identity: ClientOrderId) -> None:
        """Tell what the venue said of an order as soon as its executions are complete."""
        said, told = self._said.get(identity), self._told.get(identity)
        if said is None or said.filled_quantity > self._filled(identity):
            return
        del self._said[identity]
        if told is None:
            self._tell_order(said, said.updated_at)
            return
        after = said.model_copy(update={"filled_quantity": told.filled_quantity, "average_price": told.average_price})
        if after.filled_quantity and after.state is OrderState.ACCEPTED:
            after = after.model_copy(update={"state": OrderState.PARTIALLY_FILLED})
        same = after.model_copy(update={"updated_at": told.updated_at, "reason": told.reason}) == told
        if not same and (after.state is told.state or after.state in TRANSITIONS[told.state]):
            self._tell_order(after, after.updated_at)

    def _is_news(self, known: Order | None, order: Order) -> bool:
        if known is None:
            return True
        if known.state.is_final:
            return order.filled_quantity > known.filled_quantity
        return order.state.is_final or order.filled_quantity >= known.filled_quantity

    def _filled(self, identity: ClientOrderId) -> Decimal:
        told = self._told.get(identity)
        return ZERO if told is None else told.filled_quantity

    def _tell_order(self, order: Order, at: datetime, fill: Fill | None = None) -> None:
        self._tell(OrderUpdate(sequence=self._sequence + 1, at=at, order=order, fill=fill))

    def _tell(self, event: BrokerEvent) -> None:
        if self._newest is not None and event.at < self._newest:
            # What is told late stands where it was told; the fill itself keeps its own time.
            event = event.model_copy(update={"at": self._newest})
        self._events.append(event)
        self._remember(event)

    def _remember(self, event: BrokerEvent) -> None:
        self._sequence = event.sequence
        self._newest = event.at
        if isinstance(event, OrderUpdate):
            self._told[event.order.client_order_id] = event.order
            if event.order.state.is_final:
                self._working.pop(event.order.client_order_id, None)
            else:
                self._working[event.order.client_order_id] = event.order
            if event.fill is not None:
                self._known.add(event.fill.execution_id)
        else:
            self._known.add(event.reference)


def _after_fill(base: Order, before: Order | None, filled: Decimal) -> OrderState:
    """State of an order after one more execution; an end that was told stays an end."""
    if filled >= base.quantity:
        return OrderState.FILLED
    if before is not None and before.state.is_final:
        return before.state
    return OrderState.PARTIALLY_FILLED
