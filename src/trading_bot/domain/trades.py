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


def round_trips(events: Iterable[BrokerEvent]) -> tuple[RoundTrip, ...]:
    """Return closed trades in order of their end. A fill larger than the position closes it and opens the other side."""
    running: dict[Symbol, _Open] = {}
    closed: list[RoundTrip] = []
    for event in events:
        if isinstance(event, SplitUpdate) and event.symbol in running:
            running[event.symbol].split(event.ratio, abs(event.quantity_after))
        if isinstance(event, OrderUpdate) and event.fill is not None:
            _book(event.fill, running, closed)
    return tuple(closed)


def _book(fill: Fill, running: dict[Symbol, _Open], closed: list[RoundTrip]) -> None:
    trade = running.setdefault(fill.symbol, _Open(fill))
    overshoot = fill.quantity - trade.quantity if fill.side is not trade.first.side else ZERO
    if overshoot > 0:
        share = (fill.quantity - overshoot) / fill.quantity
        closing = fill.model_copy(update={"quantity": fill.quantity - overshoot, "fee": fill.fee * share})
        opening = fill.model_copy(update={"quantity": overshoot, "fee": fill.fee * (1 - share)})
        _book(closing, running, closed)
        _book(opening, running, closed)
        return
    trade.add(fill)
    if trade.quantity == 0:
        closed.append(running.pop(fill.symbol).finish(fill))
