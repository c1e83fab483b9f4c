"""A desk's side of an emulated Bybit, over real sockets: a broker, what it told, and hands on the venue."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from brokers.bybit_kit import BTC, KEYS, approved, perpetual, settings, until
from trading_bot.brokers.bybit import BybitBroker
from trading_bot.domain.books import Books
from trading_bot.domain.events import BrokerEvent, OrderUpdate
from trading_bot.domain.orders import ApprovedOrder, Fill, Order, OrderIntent, OrderSpec, OrderState
from trading_bot.domain.values import ClientOrderId
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.bybit.api import BybitApi
from trading_bot.sandbox.bybit.making import invented
from trading_bot.sandbox.bybit.service import Setup
from trading_bot.sandbox.bybit.signing import Credentials
from trading_bot.sandbox.exchange.clock import EmulatedClock

PRICE = Decimal(50_000)


@dataclass
class Floor:
    """One venue and the adapter of one desk."""

    api: BybitApi
    changed: dict[str, Any]
    booked: list[BrokerEvent] = field(default_factory=list)
    intents: list[OrderIntent] = field(default_factory=list)
    rung: threading.Event = field(default_factory=threading.Event)
    broker: BybitBroker = field(init=False)

    def start(self, **more: Any) -> BybitBroker:  # noqa: ANN401 - arguments of the broker
        """An adapter that knows what was meant and booked, opened."""
        self.broker = self.adapter(**more)
        self.broker.open(tuple(self.intents), tuple(self.booked), self.rung.set)
        return self.broker

    def adapter(self, **more: Any) -> BybitBroker:  # noqa: ANN401 - arguments of the broker
        """An adapter that is not opened."""
        keys, account = more.pop("keys", KEYS), more.pop("account", "")
        wanted = settings(more.pop("url", self.api.url), **self.changed)
        clock = RealClock(threading.Event())
        return BybitBroker(wanted, keys, account, perpetual, clock, time.monotonic, random.Random(1).random, **more)

    def restart(self, booked: int | None = None) -> None:
        """Another adapter, which knows the first `booked` events."""
        self.broker.close()
        del self.booked[len(self.booked) if booked is None else booked :]
        self.start()

    def send(self, spec: OrderSpec, replaces: str | None = None) -> Order:
        """Mean it, and send it."""
        order = approved(spec, replaces)
        self.mean(order)
        return self.broker.submit(order) if replaces is None else self.broker.replace(order)

    def mean(self, order: ApprovedOrder) -> None:
        """Write the intent down."""
        self.intents.append(OrderIntent(at=SystemWallClock().now(), order=order))

    def look(self) -> Books:
        """Book what is new; the books."""
        self.booked += self.broker.events(len(self.booked))
        books = Books()
        for event in self.booked:
            books = books.apply(event)
        return books

    def state(self, identity: str) -> OrderState | None:
        """The last word that was booked on an order."""
        self.look()
        found = self.told(identity)
        return found[-1].state if found else None

    def told(self, identity: str) -> list[Order]:
        """Everything that was booked on an order."""
        return [e.order for e in self.booked if isinstance(e, OrderUpdate) and e.order.client_order_id == ClientOrderId(identity)]

    def fills(self) -> list[Fill]:
        """All executions that were booked."""
        return [e.fill for e in self.booked if isinstance(e, OrderUpdate) and e.fill is not None]

    def held(self) -> Decimal:
        """What the books hold of BTC."""
        position = self.look().positions.get(BTC)
        return Decimal(0) if position is None else position.quantity

    def becomes(self, identity: str, state: OrderState) -> None:
        """Wait until an order is so in the books."""
        until(lambda: self.state(identity) is state)

    def price(self, middle: Decimal | int) -> None:
        """Bring the price there."""
        self.api.control(do="quote", symbol=BTC, bid=str(Decimal(middle) - 1), ask=str(Decimal(middle) + 1))

    def fault(self, **rule: Any) -> None:  # noqa: ANN401 - of the fault script
        """Let something go wrong."""
        self.api.control(do="fault", rule=rule)

    def sent(self, path: str, identity: str = "") -> int:
        """How many calls the venue saw."""
        rows = [r for r in self.api.evidence.after(0) if r["kind"] == "request" and r["path"] == path]
        return len([r for r in rows if not identity or r["client_id"] == identity])

    def agree(self) -> None:
        """Wait until books and venue are one: cash, positions, working orders."""
        until(self._agrees)

    def _agrees(self) -> bool:
        books, account = self.look(), self.broker.account()
        held = {p.symbol: p.quantity for p in self.broker.positions()}
        working = {o.client_order_id: (o.state, o.remaining) for o in self.broker.open_orders()}
        return (
            abs(books.cash - account.cash) <= self.broker.cash_tolerance
            and {s: p.quantity for s, p in books.positions.items()} == held
            and {o.client_order_id: (o.state, o.remaining) for o in books.working_orders()} == working
        )


@contextmanager
def floor(**changed: Any) -> Iterator[Floor]:  # noqa: ANN401 - settings, and a limit of the venue
    """An emulated Bybit at 50,000 a bitcoin, and an opened adapter."""
    per_second = changed.pop("per_second", None)
    markets = invented((BTC,), 1, open_calendar, tick_ns=100_000_000)
    wall = SystemWallClock()
    clock = EmulatedClock.running(wall)
    setup = Setup(markets, clock, wall, credentials=Credentials(KEYS.key, KEYS.secret), per_second=per_second)
    with BybitApi(setup) as api:
        made = Floor(api, changed)
        made.price(PRICE)
        made.start()
        try:
            yield made
        finally:
            made.broker.close()
