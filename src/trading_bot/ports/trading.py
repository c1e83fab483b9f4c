"""The venue, and who tells people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal

    from trading_bot.domain.books import Account, Position
    from trading_bot.domain.events import BrokerEvent
    from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent
    from trading_bot.domain.perpetual import MarginState
    from trading_bot.domain.traits import VenueTraits
    from trading_bot.domain.values import ClientOrderId, Symbol


class Broker(Protocol):
    """A venue. What is absent is absent on purpose: no order without an `ApprovedOrder`, no close-position call.

    Every call may raise BrokerUnavailableError (nothing was sent) and BrokerKeysError. `submit`, `replace` and `cancel` may raise
    OutcomeUnknownError (it MAY have happened); they never try twice by themselves. Calls come from one thread at a time.
    """

    name: str
    settles_within: timedelta
    """An order that `find` does not know so long after it was sent was never placed; 0 where every call is a transaction."""
    foresees: bool
    """Whether `next_event_time` knows; else the venue has to be asked again and again."""
    cash_tolerance: Decimal
    """By how much its cash may differ from the sum of what it told, for roundings of its own; 0 where it is exact."""

    def traits(self, symbol: Symbol) -> VenueTraits:
        """How positions in `symbol` are guarded here."""

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Begin, once, before anything else is asked but `account`.

        `intents`: all orders that the desk ever meant to send, `booked`: all events that it has booked, oldest first; so that an adapter
        needs no memory of its own. `ring`: called from any thread when there may be new events. Starts streams, if the venue has any.
        """

    def close(self) -> None:
        """End streams; orders stay as they are."""

    def account(self) -> Account:
        """Cash, equity and buying power now."""

    def positions(self) -> tuple[Position, ...]:
        """Open positions by symbol."""

    def open_orders(self) -> tuple[Order, ...]:
        """Working orders, legs included, by client order id."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Send; the answer is the venue's first word.

        Idempotent: an id that the venue knows returns the order as it is.
        OrderRejectedError means that nothing was placed.
        """

    def replace(self, order: ApprovedOrder) -> Order:
        """Put `order` in the place of the resting `order.replaces`, atomically, links to its siblings kept.

        Idempotent like `submit`.
        OrderNotFoundError if that one rests no more.
        A venue without such a call guards first and cancels then, so that for a moment both rest.
        """

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel a working order; one that is already at its end stays as it is. OrderNotFoundError if unknown."""

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """The order, open or closed, or None if the venue has none under this id."""

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Events with a sequence above `after`, rising, without gaps, all that the venue is known to have done up to now.

        A fill and the order that it belongs to come together, so that at every event the order's filled quantity is the sum of its fills.
        """

    def next_event_time(self, until: datetime) -> datetime | None:
        """When a simulated venue's next event at or before `until` comes if nobody does anything.

        None if none does, or if the venue cannot know. Says nothing of what will happen.
        """


@runtime_checkable
class Margined(Protocol):
    """What a venue has besides that carries positions with leverage and says itself where it would end them."""

    def standing(self) -> Mapping[Symbol, MarginState]:
        """Every leveraged position as the venue reckons it. Errors as for any question."""


class Notifier(Protocol):
    """Tells people what they should know at once. Never raises: who cannot be told must not stop what protects their money."""

    def tell(self, title: str, body: str) -> None:
        """Tell, or note that it failed. Secrets are none of its business."""
