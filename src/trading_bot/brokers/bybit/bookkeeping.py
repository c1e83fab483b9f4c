"""From what Bybit tells, streamed or asked for, to the events of the desk's books.

Streams and reads go through the same four functions (`order`, `execution`, `position`, `cash`). Promises that what was there before the
desk came, and what was done by hand, is in no event; and that what the venue does to a position of ours by itself (liquidation,
auto-deleveraging) is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from trading_bot.brokers.bybit.stops import PositionStops
from trading_bot.brokers.bybit.wire import VENUE_CLOSES, Row, amount, fill_of, identity_of, is_trade, moment, order_of, side_of
from trading_bot.brokers.chronicle import Chronicle
from trading_bot.brokers.roster import Card, Roster
from trading_bot.domain.books import Books
from trading_bot.domain.errors import BrokerUnavailableError
from trading_bot.domain.events import BrokerEvent, CashReason
from trading_bot.domain.orders import Order, OrderRole, OrderState, OrderType, TimeInForce
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol

REASONS: dict[str, CashReason | None] = {
    **dict.fromkeys(("TRADE", "LIQUIDATION", "ADL", "DELIVERY"), None),  # in the executions already
    "SETTLEMENT": CashReason.FUNDING,
    "TRANSFER_IN": CashReason.DEPOSIT,
    "TRANSFER_OUT": CashReason.DEPOSIT,
    "INTEREST": CashReason.BORROW,
    "FEE_REFUND": CashReason.FEE,
}
"""By the type of a row in the log of cash; any other is OTHER. None: no cash of its own."""
_LIQUIDATION = ("CreateByLiq", "CreateByTakeOver", "CreateByAdl", "CreateBySettle")


class Bookkeeper:
    """Books of one category. Not safe for threads."""

    def __init__(self, category: str, roster: Roster, booked: Sequence[BrokerEvent]) -> None:
        self._category = category
        self.guards = category == "linear"
        """Whether stops belong to positions."""
        self._roster = roster
        self.chronicle = Chronicle(booked)
        self.stops = PositionStops(roster, self.chronicle)
        self.born: datetime | None = booked[0].at if booked else None
        """What happened up to then is in the first event."""
        self._folded = Books()
        for event in booked:
            self._folded = self._folded.apply(event)
        self._early: dict[str, Row] = {}
        """Streamed positions whose executions were not told yet, by symbol."""
        self.funding_seen = False
        """Whether a funding payment was announced, which only the log of cash tells in full."""

    def begin(self, cash: Decimal, at: datetime) -> None:
        """Open the books with what the account holds."""
        self.born = at
        self.chronicle.see_cash("opening", CashReason.DEPOSIT, cash, at)

    @property
    def books(self) -> Books:
        """What all that was told adds up to."""
        for event in self.chronicle.after(self._folded.sequence):
            self._folded = self._folded.apply(event)
        return self._folded

    def message(self, message: Row) -> None:
        """Take in one message of the private stream."""
        takes: dict[str, Callable[[Row], object]] = {"order": self.order, "execution": self.execution, "position": self._streamed_position}
        take = takes.get(message["topic"])
        if take is None:
            return
        for row in message.get("data", ()):
            if row.get("category", self._category) == self._category:
                take(row)

    def order(self, row: Row) -> Order | None:
        """An order is so; the record if it is ours."""
        identity = identity_of(row)
        card, known = self._roster.card(identity), self.chronicle.order(identity)
        if card is None and known is None:
            return None
        order = order_of(row, card)
        if card is None and known is not None:
            order = order.model_copy(update={"role": known.role})
        if order.state is not OrderState.SUBMITTED:
            self.chronicle.see_order(order)
        return order

    def execution(self, row: Row) -> None:
        """Something was executed."""
        if not is_trade(row):
            self.funding_seen = self.funding_seen or row.get("execType") == "Funding"
            return
        if self.chronicle.knows(row["execId"]) or (self.born is not None and moment(row["execTime"]) <= self.born):
            return
        card = self._roster.card(identity_of(row))
        identity = self._other_owner(row) if card is None else card.client_order_id
        if identity is None:
            return
        self._doubt_more_than_ordered(row, card)
        owner = card or self._roster.card(identity)
        role = OrderRole.CLOSE if owner is None else owner.role
        self.chronicle.see_fill(fill_of({"category": self._category, **row}, identity, role))
        early = self._early.pop(row["symbol"], None)
        if early is not None:
            self._streamed_position(early)

    def position(self, row: Row, *, at_once: bool = False) -> None:
        """A position was found so."""
        self._early.pop(row["symbol"], None)
        self.stops.see(row, read=True, at_once=at_once)

    def forget_early(self) -> None:
        """All positions were read."""
        self._early.clear()

    def cash(self, row: Row) -> None:
        """The log of cash has this row."""
        at, kind = moment(row["transactionTime"]), row["type"]
        reason = REASONS.get(kind, CashReason.OTHER)
        if reason is None or (self.born is not None and at <= self.born):
            return
        name = row.get("id") or row.get("tradeId") or f"{kind}-{row['transactionTime']}-{row.get('symbol', '')}"
        symbol = Symbol(row["symbol"]) if row.get("symbol") else None
        self.chronicle.see_cash(f"log-{name}", reason, amount(row.get("change")), at, symbol)

    def unsettled(self) -> bool:
        """Whether something has to be asked for again soon."""
        return bool(self.chronicle.incomplete() or self._early) or self.stops.unsettled()

    def absent_from(self, listed: set[ClientOrderId]) -> tuple[ClientOrderId, ...]:
        """Orders that we take for working, other than position stops, and that are not in this list of working orders."""
        working = (o for o in self.chronicle.working() if not (self.guards and o.role is OrderRole.STOP_LOSS))
        return tuple(o.client_order_id for o in working if o.client_order_id not in listed)

    def _streamed_position(self, row: Row) -> None:
        """Believe a position once its executions are booked: a stop is told after what it guards, in its size."""
        held = self.books.positions.get(Symbol(row["symbol"]))
        if amount(row.get("size")) == (ZERO if held is None else abs(held.quantity)):
            self.stops.see(row, read=False)
        else:
            self._early[row["symbol"]] = row

    def _doubt_more_than_ordered(self, row: Row, card: Card | None) -> None:
        """BrokerUnavailableError for an execution under our id that is more than we ever asked for."""
        known = None if card is None else self.chronicle.order(card.client_order_id)
        filled = (ZERO if known is None else known.filled_quantity) + amount(row["execQty"])
        if card is not None and filled > card.spec.quantity:
            raise BrokerUnavailableError(
                f"Bybit tells of {filled} executed of {card.client_order_id}, which was for {card.spec.quantity}: look at the account"
            )

    def _other_owner(self, row: Row) -> ClientOrderId | None:
        """Whose execution this is, if it carries no id of ours: a position stop's, the venue's own, or None for a hand's."""
        if row.get("orderLinkId"):
            return None
        identity = self.stops.executed(row) if self.guards else None
        if identity is not None:
            return identity
        if row.get("execType") not in VENUE_CLOSES and not str(row.get("createType", "")).startswith(_LIQUIDATION):
            return None
        identity = identity_of(row)
        known = self.chronicle.order(identity)
        filled = ZERO if known is None else known.filled_quantity
        self.chronicle.see_order(_closed_by_venue(row, identity, max(amount(row.get("orderQty")), filled + amount(row["execQty"]))))
        return identity


def _closed_by_venue(row: Row, identity: ClientOrderId, quantity: Decimal) -> Order:
    """The order by which the venue closes a position, as one of its executions shows it."""
    at = moment(row["execTime"])
    return Order(
        client_order_id=identity,
        venue_order_id=row["orderId"],
        symbol=Symbol(row["symbol"]),
        side=side_of(row["side"]),
        type=OrderType.MARKET,
        role=OrderRole.CLOSE,
        quantity=quantity,
        time_in_force=TimeInForce.GTC,
        state=OrderState.ACCEPTED,
        filled_quantity=ZERO,
        average_price=ZERO,
        submitted_at=at,
        updated_at=at,
        reason=row.get("execType", ""),
    )
