"""Round trips: what was bought and sold, paired from fills. Pure; the same fills give the same trades.

A round trip runs from flat to flat in one symbol. Splits inside it are followed, so that quantities of both sides agree.
"""

from collections.abc import Iterable
from decimal import Decimal

from trading_bot.domain.events import BrokerEvent, OrderUpdate, SplitUpdate
from trading_bot.domain.orders import Fill, OrderRole, Side
from trading_bot.domain.values import ZERO, Amount, ClientOrderId, Positive, Record, Symbol, UtcTime


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
        self.quantity = self.peak = ZERO
        self.entry_value = self.exit_value = self.exited = self.fees = ZERO

    def add(self, fill: Fill) -> None:
        self.fees += fill.fee
        value = fill.quantity * fill.price
        if fill.side is self.first.side:
            self.quantity += fill.quantity
            self.peak += fill.quantity
            self.entry_value += value
        else:
            self.quantity -= fill.quantity
            self.exited += fill.quantity
            self.exit_value += value

    def split(self, ratio: Decimal, quantity_after: Decimal) -> None:
        self.peak *= ratio
        self.exited *= ratio
        self.peak -= self.quantity * ratio - quantity_after
        self.quantity = quantity_after

    def finish(self, last: Fill) -> RoundTrip:
        gross = (self.exit_value - self.entry_value) * self.first.side.sign
        return RoundTrip(
            symbol=self.first.symbol,
            side=self.first.side,
            quantity=self.peak,
            entry_price=_rounded(self.entry_value / self.peak),
            exit_price=_rounded(self.exit_value / self.exited),
            opened_at=self.first.at,
            closed_at=last.at,
            profit=gross - self.fees,
            fees=self.fees,
            entry_order=self.first.client_order_id,
            exit_role=last.role,
        )


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(Decimal("1e-8"))


class TradeLedger:
    """Pairs fills into round trips as events come; `closed` grows in order of the trades' ends."""

    def __init__(self) -> None:
        self.closed: list[RoundTrip] = []
        self._running: dict[Symbol, _Open] = {}

    def add(self, event: BrokerEvent) -> None:
        """Take in the next event."""
        if isinstance(event, SplitUpdate) and event.symbol in self._running:
            self._running[event.symbol].split(event.ratio, abs(event.quantity_after))
        if isinstance(event, OrderUpdate) and event.fill is not None:
            self._book(event.fill)

    def entry_order(self, symbol: Symbol) -> ClientOrderId | None:
        """The order that opened the running trade in `symbol`."""
        running = self._running.get(symbol)
        return None if running is None else running.first.client_order_id

    def _book(self, fill: Fill) -> None:
        trade = self._running.setdefault(fill.symbol, _Open(fill))
        overshoot = fill.quantity - trade.quantity if fill.side is not trade.first.side else ZERO
        if overshoot > 0:
            share = (fill.quantity - overshoot) / fill.quantity
            self._book(fill.model_copy(update={"quantity": fill.quantity - overshoot, "fee": fill.fee * share}))
            self._book(fill.model_copy(update={"quantity": overshoot, "fee": fill.fee * (1 - share)}))
            return
        trade.add(fill)
        if trade.quantity == 0:
            self.closed.append(self._running.pop(fill.symbol).finish(fill))


def round_trips(events: Iterable[BrokerEvent]) -> tuple[RoundTrip, ...]:
    """Return closed trades in order of their end. A fill larger than the position closes it and opens the other side."""
    ledger = TradeLedger()
    for event in events:
        ledger.add(event)
    return tuple(ledger.closed)
