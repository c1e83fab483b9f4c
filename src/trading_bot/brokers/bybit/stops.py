"""The one stop that Bybit keeps for a position, told as an order of ours.

Bybit's position stop has a price and no id. It is ours, under the id of our newest stop of that symbol with that price, for as long as the
position and the stop exist; its quantity is the position's. Promises that an order ends only after the position was seen without it twice,
so that executions which come late still find it; what we cancel or replace ourselves ends at once.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.brokers.bybit.wire import POSITION_STOPS, Row, amount, moment, side_of
from trading_bot.brokers.chronicle import Chronicle
from trading_bot.brokers.roster import Card, Roster
from trading_bot.domain.orders import Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol

_MADE_BY_STOPS = frozenset({"CreateByStopLoss", "CreateByTrailingStop"})
_LATE = timedelta(minutes=1)
"""An execution so long after the end of a stop may still be its own."""
Level = tuple[Decimal, Decimal]
"""Stop price and trailing distance; 0 for the one that is not."""


def level(card: Card) -> Level:
    """Where a stop of ours stands."""
    if card.parent_id is not None and card.spec.stop_loss is not None:
        return card.spec.stop_loss.price, ZERO
    return card.spec.stop_price or ZERO, card.spec.trail or ZERO


def closing_side(card: Card) -> Side:
    """Side of a stop of ours."""
    return card.spec.side.opposite if card.parent_id is not None else card.spec.side


class PositionStops:
    """Follows rows of positions and executions."""

    def __init__(self, roster: Roster, chronicle: Chronicle) -> None:
        self._roster = roster
        self._chronicle = chronicle
        self._newest: dict[str, tuple[int, int]] = {}
        self._missing: set[ClientOrderId] = set()
        self._executed: dict[str, ClientOrderId] = {}
        """Our id by the venue's, of stops that have been triggered."""

    def see(self, row: Row, *, read: bool, at_once: bool = False) -> None:
        """A position is so. `read`: asked for, not streamed. `at_once`: what is gone was taken away by ourselves."""
        age = (int(row.get("seq") or 0), int(row.get("updatedTime") or 0))
        if age < self._newest.get(row["symbol"], (0, 0)):
            return
        self._newest[row["symbol"]] = age
        order = self.resting(row)
        if order is not None:
            self._missing.discard(order.client_order_id)
            self._chronicle.see_order(order)
        for old in self._working(Symbol(row["symbol"])):
            if order is None or old.client_order_id != order.client_order_id:
                self._end(old, order, moment(row["updatedTime"]), sure=at_once or order is not None, read=read)

    def flat(self, symbol: Symbol, at: datetime) -> None:
        """There is no position in `symbol`."""
        for old in self._working(symbol):
            self._end(old, None, at, sure=False, read=True)

    def guarded(self) -> set[Symbol]:
        """Symbols in which a stop of ours is taken for working."""
        return {o.symbol for o in self._chronicle.working() if o.role is OrderRole.STOP_LOSS}

    def unsettled(self) -> bool:
        """Whether a stop was missed once, and has to be looked for again."""
        return bool(self._missing)

    def resting(self, row: Row) -> Order | None:
        """Our stop on this position, None if it has none, or none of ours."""
        size = amount(row.get("size"))
        card = self._matching(row) if size else None
        if card is None:
            return None
        known = self._chronicle.order(card.client_order_id)
        filled = ZERO if known is None else known.filled_quantity
        return _record(card, known, size + filled, moment(row["updatedTime"]))

    def executed(self, row: Row) -> ClientOrderId | None:
        """Our id of the stop that an execution without one belongs to; the stop is told as large as the venue says it is."""
        if row.get("stopOrderType") not in POSITION_STOPS and row.get("createType") not in _MADE_BY_STOPS:
            return None
        identity = self._executed.get(row["orderId"]) or self._guess(row)
        card = None if identity is None else self._roster.card(identity)
        if identity is None or card is None:
            return None
        self._executed[row["orderId"]] = identity
        known = self._chronicle.order(identity)
        filled = ZERO if known is None else known.filled_quantity
        size = max(amount(row.get("orderQty")), filled + amount(row["execQty"]))
        if known is None or (known.quantity < size and not known.state.is_final):
            self._chronicle.see_order(_record(card, known, size, moment(row["execTime"])))
        return identity

    def _matching(self, row: Row) -> Card | None:
        """The newest stop of ours that stands where the position's does; a leg does not take the place of one that works there."""
        here, closing = (amount(row.get("stopLoss")), amount(row.get("trailingStop"))), side_of(row["side"]).opposite
        newest = None
        for card in reversed(self._roster.stops(Symbol(row["symbol"]))):
            known = self._chronicle.order(card.client_order_id)
            same = any(mine and mine == theirs for mine, theirs in zip(level(card), here, strict=True))
            if not same or closing_side(card) is not closing or (known is not None and known.state.is_final):
                continue
            if card.parent_id is None or known is not None:
                return card if newest is None or known is not None else newest
            newest = newest or card
        return newest

    def _guess(self, row: Row) -> ClientOrderId | None:
        symbol, closing = Symbol(row["symbol"]), side_of(row["side"])
        working = [o for o in self._working(symbol) if o.side is closing]
        if working:
            return working[-1].client_order_id
        for card in reversed(self._roster.stops(symbol)):
            known = self._chronicle.order(card.client_order_id)
            late = known is not None and known.state.is_final and moment(row["execTime"]) - known.updated_at > _LATE
            if closing_side(card) is closing and not late:
                return card.client_order_id
        return None

    def _working(self, symbol: Symbol) -> list[Order]:
        return [o for o in self._chronicle.working() if o.symbol == symbol and o.role is OrderRole.STOP_LOSS]

    def _end(self, old: Order, new: Order | None, at: datetime, *, sure: bool, read: bool) -> None:
        identity = old.client_order_id
        if not sure and (not read or identity not in self._missing):
            self._missing.add(identity)
            return
        self._missing.discard(identity)
        reason = "the position has this stop no more" if new is None else f"replaced by {new.client_order_id}"
        ended = {"state": OrderState.CANCELED, "reason": reason, "updated_at": at}
        self._chronicle.see_order(old.model_copy(update=ended))


def _record(card: Card, known: Order | None, quantity: Decimal, at: datetime) -> Order:
    """A resting stop of this size; what was told of it before stays."""
    price, _ = level(card)
    return Order(
        client_order_id=card.client_order_id,
        venue_order_id=f"stop-of-{card.spec.symbol}" if known is None else known.venue_order_id,
        parent_id=card.parent_id,
        symbol=card.spec.symbol,
        side=closing_side(card),
        type=OrderType.STOP if price else OrderType.TRAILING_STOP,
        role=OrderRole.STOP_LOSS,
        quantity=quantity,
        stop_price=price or None,
        time_in_force=TimeInForce.GTC,
        state=OrderState.PARTIALLY_FILLED if known is not None and known.filled_quantity else OrderState.ACCEPTED,
        filled_quantity=ZERO if known is None else known.filled_quantity,
        average_price=ZERO if known is None else known.average_price,
        submitted_at=at if known is None else known.submitted_at,
        updated_at=at,
    )
