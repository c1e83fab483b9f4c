"""The desk's books: a pure fold over broker events. The same events in the same order give the same books.

Promises that every event counts once (a sequence seen before changes nothing) and that a gap in the sequence raises.
Refuses to know prices: equity is asked with marks from outside.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import assert_never

from trading_bot.domain.errors import StorageError
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import Fill, Order, OrderRole, Side, move
from trading_bot.domain.values import ZERO, Amount, ClientOrderId, NonNegative, Record, Symbol, UtcTime, divided

_Changes = dict[str, object]
"""New values of the books' fields."""


class Position(Record):
    """What is held of one symbol; the quantity is negative for a short."""

    symbol: Symbol
    quantity: Amount
    average_price: NonNegative
    opened_at: UtcTime

    @property
    def side(self) -> Side:
        """BUY for a long, SELL for a short: the side that opened it."""
        return Side.BUY if self.quantity > 0 else Side.SELL

    def market_value(self, mark: Decimal) -> Decimal:
        """Signed value at `mark`."""
        return self.quantity * mark


class Account(Record):
    """What the venue says of the account."""

    account_id: str
    currency: str = "USD"
    cash: Amount
    equity: Amount
    buying_power: Amount
    """Available balance: what new positions may still take, each its value by `margin.turns`. A venue that lends for stocks has counted
    that in."""
    maintenance_margin: NonNegative = ZERO


class Books(Record):
    """Cash, positions and orders as of the event with number `sequence`."""

    sequence: int = 0
    cash: Amount = ZERO
    positions: Mapping[Symbol, Position] = {}
    orders: Mapping[ClientOrderId, Order] = {}
    """Orders that are not at their end."""
    stops: Mapping[Symbol, Decimal] = {}
    """Stop price last seen resting for each held symbol: what protection is renewed at."""
    paid: tuple[Symbol, ...] = ()
    """Held symbols of which a target has sold a part, in order."""
    realized: Amount = ZERO
    """Profit and loss of closed quantity, before fees."""
    fees: Amount = ZERO
    income: Amount = ZERO
    """Dividends, borrow and funding: cash that came by neither trade nor deposit."""

    def equity(self, marks: Mapping[Symbol, Decimal]) -> Decimal:
        """Cash and positions at `marks`. KeyError names a held symbol without a mark."""
        return self.cash + sum((p.market_value(marks[s]) for s, p in self.positions.items()), ZERO)

    def working_orders(self, symbol: Symbol | None = None) -> tuple[Order, ...]:
        """Orders that rest at the venue, of one symbol or of all, by id."""
        found = [o for o in self.orders.values() if o.state.is_working and (symbol is None or symbol == o.symbol)]
        return tuple(sorted(found, key=lambda o: o.client_order_id))

    def apply(self, event: BrokerEvent) -> "Books":
        """Return the books after `event`. StorageError if an event before it is missing."""
        if event.sequence <= self.sequence:
            return self
        if event.sequence != self.sequence + 1:
            msg = f"broker event {self.sequence + 1} is missing: the books stop before event {event.sequence}"
            raise StorageError(msg)
        match event:
            case OrderUpdate():
                changed = self._after_order(event)
            case CashUpdate():
                changed = self._after_cash(event)
            case SplitUpdate():
                changed = self._after_split(event)
            case _:
                assert_never(event)
        return self.model_copy(update={**changed, "sequence": event.sequence})

    def _after_order(self, event: OrderUpdate) -> _Changes:
        order = event.order
        known = self.orders.get(order.client_order_id)
        if known is not None and known.state is not order.state:
            move(known.state, order.state)
        orders = {i: o for i, o in self.orders.items() if i != order.client_order_id}
        if not order.state.is_final:
            orders[order.client_order_id] = order
        stops = self.stops
        if order.role is OrderRole.STOP_LOSS and order.state.is_working and order.stop_price is not None:
            stops = {**stops, order.symbol: order.stop_price}
        changed: _Changes = {"orders": orders, "stops": stops}
        return changed if event.fill is None else {**changed, **self._after_fill(event.fill, stops)}

    def _after_fill(self, fill: Fill, stops: Mapping[Symbol, Decimal]) -> _Changes:
        """What one execution changes. `stops`: as its order leaves them."""
        signed = fill.quantity * fill.side.sign
        position, realized = _trade(self.positions.get(fill.symbol), fill, signed - fill.fee_quantity)
        money: _Changes = {
            "cash": self.cash - signed * fill.price - fill.fee,
            "realized": self.realized + realized,
            "fees": self.fees + fill.fee + fill.fee_quantity * fill.price,
        }
        if position is None:
            return {**money, **self._without(fill.symbol, stops)}
        sold = {fill.symbol} if fill.role is OrderRole.TAKE_PROFIT else set()
        return {**money, "positions": {**self.positions, fill.symbol: position}, "paid": tuple(sorted({*self.paid, *sold}))}

    def _after_cash(self, event: CashUpdate) -> _Changes:
        income = self.income if event.reason is CashReason.DEPOSIT else self.income + event.amount
        return {"cash": self.cash + event.amount, "income": income}

    def _after_split(self, event: SplitUpdate) -> _Changes:
        """Shares and their stop change, their cost does not: cash for a fraction comes as income, so all that was paid stays."""
        held = self.positions.get(event.symbol)
        if held is None:
            return {}
        cost = held.quantity * held.average_price
        if event.quantity_after == 0:
            return {**self._without(event.symbol, self.stops), "realized": self.realized - cost}
        update = {"quantity": event.quantity_after, "average_price": divided(cost, event.quantity_after)}
        stops = {s: divided(stop, event.ratio) if s == event.symbol else stop for s, stop in self.stops.items()}
        return {"positions": {**self.positions, event.symbol: held.model_copy(update=update)}, "stops": stops}

    def _without(self, symbol: Symbol, stops: Mapping[Symbol, Decimal]) -> _Changes:
        """What is left without the position in `symbol`, and without what was kept of it."""
        return {
            "positions": {s: position for s, position in self.positions.items() if s != symbol},
            "stops": {s: stop for s, stop in stops.items() if s != symbol},
            "paid": tuple(s for s in self.paid if s != symbol),
        }


def _trade(held: Position | None, fill: Fill, signed: Decimal) -> tuple[Position | None, Decimal]:
    """Position and realized profit after a fill of `signed` quantity, by average cost."""
    if held is None:
        opened = Position(symbol=fill.symbol, quantity=signed, average_price=fill.price, opened_at=fill.at)
        return opened, ZERO
    after = held.quantity + signed
    if (held.quantity > 0) == (signed > 0):
        cost = abs(held.quantity) * held.average_price + fill.quantity * fill.price
        return held.model_copy(update={"quantity": after, "average_price": divided(cost, abs(after))}), ZERO
    closed = min(abs(signed), abs(held.quantity))
    realized = closed * (fill.price - held.average_price) * (1 if held.quantity > 0 else -1)
    if after == 0:
        return None, realized
    if (after > 0) == (held.quantity > 0):
        return held.model_copy(update={"quantity": after}), realized
    return Position(symbol=fill.symbol, quantity=after, average_price=fill.price, opened_at=fill.at), realized
