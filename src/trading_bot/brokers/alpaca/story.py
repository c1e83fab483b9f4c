"""What Alpaca tells of our orders, put together: whose id an order has, which leg it is, and whether that leg is awake.

Promises that answers, listings, messages and activities may come in any order and as often as they like. A leg gets Alpaca's own client
id, so it is known by its parent and kind; it exists for us once its entry is completely filled. An order that the venue itself put in the
place of ours (at a corporate action, or when the stop of a bracket triggers) keeps our id. Refuses to ask: it says what should be asked.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from trading_bot.brokers.alpaca import wire
from trading_bot.brokers.alpaca.activities import execution_id
from trading_bot.brokers.alpaca.coins import coin_fee, fits, is_purchase
from trading_bot.brokers.alpaca.wire import Raw, is_coin
from trading_bot.brokers.chronicle import Chronicle
from trading_bot.brokers.roster import Card, Roster
from trading_bot.domain.books import Books
from trading_bot.domain.events import BrokerEvent, OrderUpdate
from trading_bot.domain.orders import Fill, Order, OrderClass, OrderRole, OrderState
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol


class Story:
    """One account's. `booked`: what the desk's journal has of it."""

    def __init__(self, roster: Roster, booked: Iterable[BrokerEvent] = ()) -> None:
        booked = tuple(booked)
        self.roster = roster
        self.chronicle = Chronicle(booked)
        self.to_ask: dict[str, None] = {}
        """Orders, by the venue's id, that should be asked for with their legs."""
        self.owes_fee = False
        """Whether coins were sold, whose fee in money comes as an activity."""
        self._books = Books()
        self._names: dict[str, ClientOrderId] = {}
        self._venue_ids: dict[ClientOrderId, str] = {}
        self._orders: dict[ClientOrderId, Order] = {}
        self._statuses: dict[ClientOrderId, str] = {}
        self._waiting: dict[ClientOrderId, dict[ClientOrderId, Order]] = {}
        """Legs that are awake, by their parent, whose last execution was not told yet: they are told after it."""
        for event in booked:
            self._books = self._books.apply(event)
            if isinstance(event, OrderUpdate):
                self._name(event.order.venue_order_id, event.order.client_order_id)
                self._orders[event.order.client_order_id] = event.order
        self._ask_unbooked_legs()

    # -- what is known -----------------------------------------------------------------------------------------------

    def order(self, identity: ClientOrderId) -> Order | None:
        """The order as the venue last said; None for a leg that sleeps."""
        return self._orders.get(identity)

    def venue_id(self, identity: ClientOrderId) -> str | None:
        """Alpaca's id of an order, a sleeping leg's too; the newest, if the venue replaced it."""
        return self._venue_ids.get(identity)

    def named(self, venue_id: str) -> ClientOrderId | None:
        """Our id of an order."""
        return self._names.get(venue_id)

    def books(self) -> Books:
        """The books after all that was told so far."""
        for event in self.chronicle.after(self._books.sequence):
            self._books = self._books.apply(event)
        return self._books

    def held(self, symbol: Symbol) -> Decimal:
        """Quantity in the books."""
        position = self.books().positions.get(symbol)
        return ZERO if position is None else position.quantity

    def working(self) -> tuple[Order, ...]:
        """Our orders that rest, as the venue last said."""
        return tuple(o for o in self._orders.values() if o.state.is_working)

    def missing_from(self, listed: Iterable[str]) -> tuple[str, ...]:
        """Venue ids of orders that work for all we know, and that a listing of open orders does not have.

        Alpaca may leave out the waiting stop of a pair: it is believed to wait for as long as its target is listed.
        """
        seen = set(listed)
        beside = {self._head(card) for venue_id in seen if (card := self._card(self._names.get(venue_id))) is not None}
        working = {o.client_order_id: o for o in (*self.chronicle.working(), *self.working())}
        waiting = {i for i, o in working.items() if self._statuses.get(i) == wire.ASLEEP and (o.parent_id or i) in beside}
        return tuple(self._venue_ids[i] for i in working if i not in waiting and self._venue_ids[i] not in seen)

    # -- what comes in -----------------------------------------------------------------------------------------------

    def see(self, raw: Raw, parent: ClientOrderId | None = None) -> Order | None:
        """Take in an order and its legs. None if it is not ours, or a leg that sleeps."""
        identity = self._identify(raw, parent)
        if identity is None:
            return None
        self._name(raw["id"], identity)
        seen = self._take(raw, identity)
        for leg in raw.get("legs") or ():
            self.see(leg, identity)
        return seen

    def hear(self, message: Raw) -> None:
        """Take in a message of the stream."""
        order = self.see(message["order"])
        if order is None or not wire.EVENTS.get(message["event"], False):
            return
        if wire.amount(message, "qty") > order.filled_quantity:
            raise ValueError(f"an execution of {order.client_order_id} is greater than all that is filled of it")
        self._ask_family(order)
        execution = str(message["execution_id"])
        if self.chronicle.knows(execution):
            return
        told = self.chronicle.order(order.client_order_id)
        if (ZERO if told is None else told.filled_quantity) + wire.amount(message, "qty") > order.quantity:
            raise ValueError(f"more is executed of {order.client_order_id} than was ordered")
        fee = ZERO
        if is_purchase(order):
            after = message.get("position_qty")
            if after is None or not self._is_next(order, message):
                return  # its fee cannot be told apart from here: the next read brings it
            course = self.held(order.symbol), wire.amount(message, "qty"), Decimal(str(after))
            if not fits(*course):
                return  # something else happened to the position before, and was not told yet
            fee = coin_fee(*course)
        self.owes_fee |= is_coin(order.symbol) and not is_purchase(order)
        self.book(wire.fill_of(execution, message, order, message["timestamp"], fee))

    def book(self, fill: Fill) -> None:
        """Take in an execution, and with an entry's last one the legs that it woke."""
        self.chronicle.see_fill(fill)
        order = self.chronicle.order(fill.client_order_id)
        if order is not None and order.state is OrderState.FILLED:
            for leg in self._waiting.pop(order.client_order_id, {}).values():
                self.chronicle.see_order(leg)

    def fill_of(self, activity: Raw) -> Fill | None:
        """The execution that a FILL activity tells of; None if its order is unknown or not ours."""
        identity = self._names.get(activity["order_id"])
        order = None if identity is None else self._orders.get(identity)
        return None if order is None else wire.fill_of(execution_id(activity), activity, order, activity["transaction_time"])

    # -- inside ------------------------------------------------------------------------------------------------------

    def _take(self, raw: Raw, identity: ClientOrderId) -> Order | None:
        card = self._card(identity)
        successor = raw.get("replaced_by")
        if raw["status"] == wire.REPLACED and successor and self._belongs_to_venue(identity, successor):
            self._name(successor, identity)
            self.to_ask[successor] = None
            return self._orders.get(identity)
        if self._venue_ids.get(identity) != raw["id"]:
            return self._orders.get(identity)  # an older shape of an order that the venue replaced
        if not self._awake(card, raw):
            return None
        order = wire.order_of(raw, identity, card)
        before = self._orders.get(identity)
        if before is None or not before.state.is_final or order.filled_quantity > before.filled_quantity:
            self._orders[identity] = order
            self._statuses[identity] = raw["status"]
        if order.state.is_final and (before is None or not before.state.is_final):
            self._ask_family(order)
        self._tell(order, card)
        return order

    def _tell(self, order: Order, card: Card | None) -> None:
        parent = None if card is None or card.parent_id is None else self.roster.card(card.parent_id)
        if parent is not None and parent.spec.order_class is OrderClass.BRACKET:
            entry = self.chronicle.order(parent.client_order_id)
            if entry is None or entry.state is not OrderState.FILLED:
                self._waiting.setdefault(parent.client_order_id, {})[order.client_order_id] = order
                return
        self.chronicle.see_order(order)

    def _identify(self, raw: Raw, parent: ClientOrderId | None) -> ClientOrderId | None:
        own = self.roster.card(raw["client_order_id"])
        if own is not None:
            return own.client_order_id
        if raw["id"] in self._names or parent is None:
            return self._names.get(raw["id"])
        return self.roster.leg(parent, OrderRole.STOP_LOSS if raw["type"] in wire.STOPS else OrderRole.TAKE_PROFIT)

    def _name(self, venue_id: str, identity: ClientOrderId) -> None:
        if self._names.get(venue_id) is None:
            self._names[venue_id] = identity
            self._venue_ids[identity] = venue_id

    def _card(self, identity: ClientOrderId | None) -> Card | None:
        """The card; of an order in the place of a leg, as a leg of the same parent."""
        card = found = None if identity is None else self.roster.card(identity)
        while found is not None and found.parent_id is None and found.replaces is not None:
            found = self.roster.card(found.replaces)
        return card if card is None or found is None else replace(card, parent_id=found.parent_id)

    @staticmethod
    def _head(card: Card) -> ClientOrderId:
        return card.parent_id or card.client_order_id

    def _belongs_to_venue(self, identity: ClientOrderId, successor: str) -> bool:
        """Whether the venue replaced an order by itself: we did not, and it is no leg that we know under another id."""
        return self.roster.replaced_by(identity) is None and self._names.get(successor, identity) == identity

    def _awake(self, card: Card | None, raw: Raw) -> bool:
        if card is None or card.parent_id is None or raw["status"] not in {wire.ASLEEP, "pending_cancel", *wire.ENDED}:
            return True
        parent, entry = self.roster.card(card.parent_id), self._orders.get(card.parent_id)
        resting = parent is not None and parent.spec.order_class is OrderClass.OCO
        filled = entry is not None and entry.state is OrderState.FILLED
        return resting or filled or card.client_order_id in self._orders

    def _ask_family(self, order: Order) -> None:
        """A leg wakes, waits or dies without a word of the stream when its sibling or its parent does something."""
        head = order.parent_id or order.client_order_id
        card = self.roster.card(head)
        venue_id = self._venue_ids.get(head)
        if venue_id is not None and card is not None and card.spec.order_class is not OrderClass.SIMPLE:
            self.to_ask[venue_id] = None

    def _ask_unbooked_legs(self) -> None:
        """A leg may have woken when nobody was there to book it. Those of an entry that ended unfilled never will."""
        for order in tuple(self._orders.values()):
            if order.state.is_final and order.state is not OrderState.FILLED:
                continue
            legs = (self.roster.leg(order.client_order_id, role) for role in (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT))
            if any(leg is not None and leg not in self._orders for leg in legs):
                self._ask_family(order)

    def _is_next(self, order: Order, message: Raw) -> bool:
        """Whether nothing is missing before this execution, so that the position before it is known."""
        told = self.chronicle.order(order.client_order_id)
        before = ZERO if told is None else told.filled_quantity
        return before + wire.amount(message, "qty") == wire.amount(message["order"], "filled_qty")
