"""An adapter that is asked as often as its budget of requests allows: questions wait for their turn, and orders where the bench says so.

Promises that a call is made again only after RateLimitedError, which says that nothing was sent.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from trading_bot.domain.books import Account, Position
from trading_bot.domain.errors import RateLimitedError
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.ports import Broker
from trading_bot.sandbox.conformance.bench import Bench

T = TypeVar("T")
_PAUSES_S = (0.5, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Longer each time: one question may take many requests, and begins again with the first of them. Together over a vendor's minute."""

_ROOM = 3
"""So many calls may follow an order before it is answered."""


class Patient:
    """Stands before the bench's adapter of the moment."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._inner = inner = bench.make()
        self.name, self.settles_within, self.foresees = inner.name, inner.settles_within, inner.foresees
        self.cash_tolerance = inner.cash_tolerance

    def __repr__(self) -> str:
        return repr(self._inner)

    @property
    def inner(self) -> Broker:
        """The adapter itself."""
        return self._inner

    def traits(self, symbol: Symbol) -> VenueTraits:
        """As the adapter says."""
        return self._inner.traits(symbol)

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """As the adapter does; an opening that the budget broke off begins again. An adapter that cannot be opened is closed."""
        try:
            self._in_turn(lambda: self._inner.open(intents, booked, ring), patient=bool(self._bench.pace))
        except BaseException:  # edge: closed, then raised again
            self._inner.close()
            raise

    def close(self) -> None:
        """As the adapter does."""
        self._inner.close()

    def account(self) -> Account:
        """In its turn."""
        return self._in_turn(self._inner.account)

    def positions(self) -> tuple[Position, ...]:
        """In its turn."""
        return self._in_turn(self._inner.positions)

    def open_orders(self) -> tuple[Order, ...]:
        """In its turn."""
        return self._in_turn(self._inner.open_orders)

    def submit(self, order: ApprovedOrder) -> Order:
        """At once, or in the queue."""
        return self._in_queue(lambda: self._inner.submit(order))

    def replace(self, order: ApprovedOrder) -> Order:
        """At once, or in the queue."""
        return self._in_queue(lambda: self._inner.replace(order))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """In its turn."""
        self._in_turn(lambda: self._inner.cancel(client_order_id))

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """In its turn."""
        return self._in_turn(lambda: self._inner.find(client_order_id))

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """In its turn."""
        return self._in_turn(lambda: self._inner.events(after))

    def next_event_time(self, until: datetime) -> datetime | None:
        """As the adapter says."""
        return self._inner.next_event_time(until)

    def _in_queue(self, act: Callable[[], T]) -> T:
        """An order is followed by questions, which the budget lets pass later than orders: once one passed, there is room."""
        if not self._bench.pace:
            return act()
        self.account()
        self._bench.wait(_never, self._bench.pace * _ROOM)
        return self._in_turn(act)

    def _in_turn(self, ask: Callable[[], T], *, patient: bool = True) -> T:
        if self._bench.pace:
            self._bench.wait(_never, self._bench.pace)
        for pause in _PAUSES_S if patient else ():
            try:
                return ask()
            except RateLimitedError:
                self._bench.wait(_never, pause)
        return ask()


def _never() -> bool:
    return False
