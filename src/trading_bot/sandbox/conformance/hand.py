"""A desk's stand-in that the promises are tried with: it remembers intents and events as a journal would, and sends what the gate approved.

Promises to leave the account as it found it: flat in the instrument, and without an order of its own.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from trading_bot.domain.books import Books, Position
from trading_bot.domain.errors import BrokerError, BrokerUnavailableError, OrderNotFoundError
from trading_bot.domain.events import BrokerEvent
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent, OrderRole, OrderState
from trading_bot.domain.values import ZERO, ClientOrderId
from trading_bot.sandbox.conformance.asking import Asker, Wish
from trading_bot.sandbox.conformance.bench import Bench
from trading_bot.sandbox.conformance.patient import Patient
from trading_bot.sandbox.conformance.report import BrokenError, hold

_FAR = Decimal("0.8")
_ON_ITS_WAY_S = 3.0


class Hand:
    """Holds one adapter after the other on the bench's account."""

    def __init__(self, bench: Bench, desk: str) -> None:
        self.bench = bench
        self.intents: list[OrderIntent] = []
        self.booked: list[BrokerEvent] = []
        self.books = Books()
        self.heard: list[str] = []
        """Messages of all errors."""
        self.broker = Patient(bench)
        self.ask = Asker(bench, desk, self.broker.traits(bench.instrument.symbol))
        self.broker.open((), (), _ring)
        try:
            self.read()
        except BaseException:  # edge: closed, then raised again
            self.broker.close()
            raise

    # -- acting ------------------------------------------------------------------------------------------------------

    def send(self, order: ApprovedOrder) -> Order:
        """Note the intent, unless it is noted already, and send."""
        if order not in [i.order for i in self.intents]:
            self.intents.append(OrderIntent(at=self.bench.now(), order=order))
        return self.broker.submit(order) if order.replaces is None else self.broker.replace(order)

    def cancel(self, identity: ClientOrderId) -> None:
        """Cancel an order."""
        self.broker.cancel(identity)

    def rest(self, quantity: Decimal | None = None) -> ApprovedOrder:
        """Send an entry far below the price, which rests."""
        limit = self.bench.instrument.round_price(self.bench.quote().mid * _FAR)
        order = self.ask.entry(Wish(quantity or self.bench.quantity, limit=limit))
        self.send(order)
        self.until(lambda: self._rests(order.spec.client_order_id), "an entry far below the price does not rest")
        return order

    def enter(self, *, target: bool = False) -> ApprovedOrder:
        """Buy at the market, with the stop that the venue takes along, and wait for its end."""
        goal = self.bench.instrument.round_price(self.bench.quote().mid * Decimal("1.05")) if target else None
        order = self.ask.entry(Wish(self.bench.quantity, target=goal))
        self.send(order)
        self.until(lambda: self.state(order) is OrderState.FILLED, "an entry at the market is not filled")
        return order

    def bite(self) -> ApprovedOrder:
        """In a thin market, send an entry with a limit above the price, and wait until a part of it is filled and the rest rests."""
        order = self.ask.entry(Wish(self.bench.quantity, limit=self.bench.instrument.round_price(self.bench.quote().mid * Decimal("1.01"))))
        self.send(order)
        self.until(lambda: self.state(order) is OrderState.PARTIALLY_FILLED, "it is not partially filled")
        return order

    def fails(self, call: Callable[[], object], *errors: type[BrokerError]) -> BrokerError:
        """Call, and return the error of one of these kinds. BrokenError if there is none, or another one."""
        names = " or ".join(e.__name__ for e in errors)
        try:
            call()
        except BrokerError as error:
            self.heard.append(str(error))
            hold(isinstance(error, errors), f"it raised {type(error).__name__} ({error}) instead of {names}")
            return error
        raise BrokenError(f"it raised nothing instead of {names}")

    def restart(self, booked: Sequence[BrokerEvent] | None = None) -> None:
        """Close the adapter, and open another with what the journal would hold."""
        self.broker.close()
        if booked is not None:
            self.booked = list(booked)
            self.books = fold(self.booked)
        self.broker = Patient(self.bench)
        self.broker.open(tuple(self.intents), tuple(self.booked), _ring)

    # -- looking -----------------------------------------------------------------------------------------------------

    def read(self) -> Books:
        """Book what the venue told since the last time."""
        for event in self.broker.events(self.books.sequence):
            self.books = self.books.apply(event)
            self.booked.append(event)
        return self.books

    @property
    def ids(self) -> frozenset[str]:
        """Client order ids that are ours, legs included."""
        specs = [i.order.spec for i in self.intents]
        legs = [leg.client_order_id for s in specs for leg in (s.stop_loss, s.take_profit) if leg is not None]
        return frozenset([*(s.client_order_id for s in specs), *legs])

    def working(self) -> tuple[Order, ...]:
        """Working orders in the instrument, as the venue says: nobody else has any in it."""
        return tuple(o for o in self.broker.open_orders() if o.symbol == self.bench.instrument.symbol)

    def held(self) -> Position | None:
        """What is held of the instrument, as the venue says."""
        return next((p for p in self.broker.positions() if p.symbol == self.bench.instrument.symbol), None)

    def holding(self) -> Position:
        """The same, after an entry was filled. BrokenError if nothing is held."""
        held = self.held()
        if held is None:
            raise BrokenError("an entry was filled and nothing is held")
        return held

    def size(self) -> Decimal:
        """Signed quantity held."""
        held = self.held()
        return ZERO if held is None else held.quantity

    def stops(self) -> tuple[Order, ...]:
        """Working stops."""
        return tuple(o for o in self.working() if o.role is OrderRole.STOP_LOSS)

    def state(self, order: ApprovedOrder) -> OrderState | None:
        """State of an order as the venue says, None if it has none."""
        found = self.broker.find(order.spec.client_order_id)
        return None if found is None else found.state

    def differences(self) -> list[str]:
        """Where books folded from events differ from what the venue says."""
        books, account = self.read(), self.broker.account()
        symbol = self.bench.instrument.symbol
        booked = books.positions[symbol].quantity if symbol in books.positions else ZERO
        ours = {o.client_order_id: _essence(o) for o in books.working_orders(symbol)}
        theirs = {o.client_order_id: _essence(o) for o in self.working()}
        found = []
        if abs(books.cash - account.cash) > self.broker.cash_tolerance:
            found.append(f"cash: {books.cash} in the books, {account.cash} at the venue")
        if booked != self.size():
            found.append(f"{symbol}: {booked} in the books, {self.size()} at the venue")
        if ours != theirs:
            found.append(f"working orders: {ours} in the books, {theirs} at the venue")
        return found

    def answers(self) -> bool:
        """Whether the venue can be asked."""
        try:
            self.broker.account()
        except BrokerUnavailableError:
            return False
        return True

    def until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition. BrokenError with `otherwise` if it does not come."""
        hold(self.bench.wait(condition, self.bench.patience), otherwise)

    def agree(self) -> None:
        """Wait until books and venue agree; BrokenError says where they do not."""
        if not self.bench.wait(lambda: not self.differences(), self.bench.patience):
            raise BrokenError("; ".join(self.differences()) or "books and venue agreed only after their time")

    def settle(self) -> None:
        """Wait as long as the venue may need to say that it never had an order."""
        until = self.bench.now() + self.broker.settles_within
        self.bench.wait(lambda: self.bench.now() >= until, self.broker.settles_within / timedelta(seconds=1) + self.bench.patience)

    # -- leaving -----------------------------------------------------------------------------------------------------

    def leave(self, *, hurried: bool = False) -> None:
        """Cancel, close, and wait until nothing is left. `hurried`: what was sent last may not have arrived yet."""
        if hurried:
            self.bench.wait(lambda: all(self.state(i.order) is not None for i in self.intents[-2:]), _ON_ITS_WAY_S)
        self.until(self.answers, "the venue does not answer any more")
        self.cancel_all()
        held = self.held()
        if held is not None:
            self.send(self.ask.close(held))
            self.until(lambda: self.held() is None, f"{self.size()} of {self.bench.instrument.symbol} cannot be closed")
        self.cancel_all()

    def cancel_all(self) -> None:
        """Cancel all that is ours, and wait until it is gone."""
        for order in self.working():
            with suppress(OrderNotFoundError):
                self.broker.cancel(order.client_order_id)
        self.until(lambda: not self.working(), "orders cannot be canceled")

    def _rests(self, identity: ClientOrderId) -> bool:
        return identity in {o.client_order_id for o in self.working()}


def fold(events: Sequence[BrokerEvent]) -> Books:
    """Books after these events."""
    books = Books()
    for event in events:
        books = books.apply(event)
    return books


def _essence(order: Order) -> tuple[object, ...]:
    """What of a working order must be the same in the books and at the venue."""
    return order.symbol, order.side, order.quantity, order.filled_quantity, order.limit_price, order.stop_price, order.state, order.role


def _ring() -> None:
    """Nobody sleeps here."""
