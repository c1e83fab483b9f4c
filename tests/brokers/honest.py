"""An adapter over the paper venue that passes everything on, to be bent by others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from trading_bot.domain.books import Account, Position
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.ports import Broker
from trading_bot.sandbox.conformance import Bench
from trading_bot.sandbox.conformance.paper_bench import paper_bench


class Honest:
    """Passes everything on."""

    def __init__(self, inner: Broker) -> None:
        self.inner = inner
        self.name, self.settles_within, self.foresees = inner.name, inner.settles_within, inner.foresees
        self.cash_tolerance = inner.cash_tolerance

    def traits(self, symbol: Symbol) -> VenueTraits:
        """As inside."""
        return self.inner.traits(symbol)

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """As inside."""
        self.inner.open(intents, booked, ring)

    def close(self) -> None:
        """As inside."""
        self.inner.close()

    def account(self) -> Account:
        """As inside."""
        return self.inner.account()

    def positions(self) -> tuple[Position, ...]:
        """As inside."""
        return self.inner.positions()

    def open_orders(self) -> tuple[Order, ...]:
        """As inside."""
        return self.inner.open_orders()

    def submit(self, order: ApprovedOrder) -> Order:
        """As inside."""
        return self.inner.submit(order)

    def replace(self, order: ApprovedOrder) -> Order:
        """As inside."""
        return self.inner.replace(order)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """As inside."""
        self.inner.cancel(client_order_id)

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """As inside."""
        return self.inner.find(client_order_id)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """As inside."""
        return self.inner.events(after)

    def next_event_time(self, until: datetime) -> datetime | None:
        """As inside."""
        return self.inner.next_event_time(until)


def changed(order: ApprovedOrder, *, replaces: ClientOrderId | None = None, **fields: object) -> ApprovedOrder:
    """The order with other words in its specification."""
    return order.model_copy(update={"spec": order.spec.model_copy(update=fields), "replaces": replaces})


def bench_of(kind: type[Honest], base: Bench | None = None) -> Bench:
    """The paper venue behind such an adapter."""
    plain = base or paper_bench()
    return replace(plain, make=lambda: kind(plain.make()), name=kind.__name__)
