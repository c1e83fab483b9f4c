"""Which of a venue's orders are ours, and what each is for: remembered from intents, since a venue knows neither roles nor our legs' ids.

Promises that what the desk meant to send is found again by its client order id after any restart. Knows nothing of the venue.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from trading_bot.domain.orders import ApprovedOrder, OrderIntent, OrderRole, OrderSpec
from trading_bot.domain.values import ClientOrderId, Symbol


@dataclass(frozen=True)
class Card:
    """One order that the desk meant to send, or a leg of it."""

    client_order_id: ClientOrderId
    role: OrderRole
    spec: OrderSpec
    """Of the order, or of the one whose leg this is."""
    parent_id: ClientOrderId | None = None
    replaces: ClientOrderId | None = None


class Roster:
    """Cards by client order id, in the order in which they came."""

    def __init__(self) -> None:
        self._cards: dict[ClientOrderId, Card] = {}
        self._stops: dict[Symbol, list[Card]] = {}
        self._successors: dict[ClientOrderId, Card] = {}
        """By the id of what each replaces, the newest."""

    def remember(self, intents: Iterable[OrderIntent]) -> None:
        """Take in what was meant to be sent."""
        for intent in intents:
            self.add(intent.order)

    def add(self, order: ApprovedOrder) -> None:
        """Take in an order that is about to be sent."""
        spec = order.spec
        self._keep(Card(spec.client_order_id, spec.role, spec, None, order.replaces))
        for leg, role in ((spec.stop_loss, OrderRole.STOP_LOSS), (spec.take_profit, OrderRole.TAKE_PROFIT)):
            if leg is not None:
                self._keep(Card(leg.client_order_id, role, spec, spec.client_order_id))

    def _keep(self, card: Card) -> None:
        if card.client_order_id in self._cards:
            return
        self._cards[card.client_order_id] = card
        if card.role is OrderRole.STOP_LOSS:
            self._stops.setdefault(card.spec.symbol, []).append(card)
        if card.replaces is not None:
            self._successors[card.replaces] = card

    def card(self, client_order_id: str) -> Card | None:
        """What is known under this id, None if it is not ours."""
        return self._cards.get(ClientOrderId(client_order_id))

    def leg(self, parent: ClientOrderId, role: OrderRole) -> ClientOrderId | None:
        """The id that we gave to a leg of `parent`."""
        card = self._cards.get(parent)
        leg = None if card is None else (card.spec.stop_loss if role is OrderRole.STOP_LOSS else card.spec.take_profit)
        return None if leg is None else leg.client_order_id

    def stops(self, symbol: Symbol) -> tuple[Card, ...]:
        """Stops of a symbol, the newest last."""
        return tuple(self._stops.get(symbol, ()))

    def replaced_by(self, client_order_id: ClientOrderId) -> Card | None:
        """The order that took, or was to take, the place of this one."""
        return self._successors.get(client_order_id)
