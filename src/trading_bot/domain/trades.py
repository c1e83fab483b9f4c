"""Round trips: what was bought and sold, paired from fills. Pure; the same fills give the same trades.

A round trip runs from flat to flat in one symbol. Splits inside it are followed, so that quantities of both sides agree. Refuses
to make a trade of a position that a reverse split paid out whole: nothing was sold, and the cash is income in the books.
"""

from decimal import Decimal

from trading_bot.domain.events import BrokerEvent, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import Fill, OrderRole, Side
from trading_bot.domain.values import ZERO, Amount, ClientOrderId, Positive, Record, Symbol, UtcTime, divided


class RoundTrip(Record):
    """A closed trade. Quantities and prices are in shares as of the exit."""

    symbol: Symbol
    side: Side
    quantity: Positive
    entry_price: Positive
    exit_price: Positive
    opened_at: UtcTime
    closed_at: UtcTime
    profit: Amount
    """After fees."""
    fees: Amount
    entry_order: ClientOrderId
    exit_role: OrderRole
    """Of the last exit."""

    @property
    def return_on_cost(self) -> float:
        """Profit as a share of the cost of entry."""
        return float(self.profit / (self.entry_price * self.quantity))


class _Open:
    """Accumulator of one unfinished round trip."""

    def __init__(self, fill: Fill) -> None:
        self.first = fill
        self.entered = self.exited = ZERO
        self.entry_value = self.exit_value = self.fees = ZERO

    @property
    def quantity(self) -> Decimal:
        return self.entered - self.exited

    def add(self, fill: Fill) -> None:
        self.fees += fill.fee
        value = fill.quantity * fill.price
        if fill.side is self.first.side:
            self.entered += fill.quantity - fill.fee_quantity
            self.entry_value += value
        else:
            self.exited += fill.quantity
            self.exit_value += value

    def split(self, ratio: Decimal, quantity_after: Decimal) -> None:
        self.exited *= ratio
        self.entered = self.exited + quantity_after

    def finish(self, last: Fill) -> RoundTrip:
        gross = (self.exit_value - self.entry_value) * self.first.side.sign
        return RoundTrip(
            symbol=self.first.symbol,
            side=self.first.side,
            quantity=self.entered,
            entry_price=divided(self.entry_value, self.entered),
            exit_price=divided(self.exit_value, self.exited),
            opened_at=self.first.at,
            closed_at=last.at,
            profit=gross - self.fees,
            fees=self.fees,
            entry_order=self.first.client_order_id,
            exit_role=last.role,
        )


class TradeLedger:
    """Pairs fills into round trips as events come; `closed` grows in order of the trades' ends.

    A fill larger than the position closes it and opens the other side.
    """

    def __init__(self) -> None:
        self.closed: list[RoundTrip] = []
        self._running: dict[Symbol, _Open] = {}

    def add(self, event: BrokerEvent) -> None:
        """Take in the next event."""
        if isinstance(event, SplitUpdate) and event.symbol in self._running:
            self._split(event)
        if isinstance(event, OrderUpdate) and event.fill is not None:
            self.book(event.fill)

    def progress(self, symbol: Symbol) -> tuple[Decimal, Decimal]:
        """Quantity entered and quantity exited of the trade that runs in `symbol`; 0 and 0 if none does."""
        running = self._running.get(symbol)
        return (ZERO, ZERO) if running is None else (running.entered, running.exited)

    def _split(self, event: SplitUpdate) -> None:
        if event.quantity_after == 0:
            del self._running[event.symbol]
        else:
            self._running[event.symbol].split(event.ratio, abs(event.quantity_after))

    def book(self, fill: Fill) -> None:
        """Take in the next fill by itself."""
        trade = self._running.setdefault(fill.symbol, _Open(fill))
        overshoot = fill.quantity - trade.quantity if fill.side is not trade.first.side else ZERO
        if overshoot > 0:
            fee = divided(fill.fee * trade.quantity, fill.quantity)
            self.book(fill.model_copy(update={"quantity": trade.quantity, "fee": fee}))
            self.book(fill.model_copy(update={"quantity": overshoot, "fee": fill.fee - fee}))
            return
        trade.add(fill)
        if trade.quantity == 0:
            self.closed.append(self._running.pop(fill.symbol).finish(fill))
