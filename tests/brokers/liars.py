"""Adapters that break the port's promises on accounts and orders, one way each, over the paper venue."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.honest import Honest, changed
from trading_bot.domain.books import Account
from trading_bot.domain.errors import OrderNotFoundError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import ApprovedOrder, Order, OrderClass, OrderRole, OrderState, OrderType
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ClientOrderId, Symbol


class OtherAccount(Honest):
    """Answers for another account."""

    def account(self) -> Account:
        """Not ours."""
        return self.inner.account().model_copy(update={"account_id": "somebody"})


class Rich(Honest):
    """Says more cash than its events do."""

    def account(self) -> Account:
        """A cent too much."""
        found = self.inner.account()
        return found.model_copy(update={"cash": found.cash + Decimal("0.01")})


class Again(Honest):
    """Places an order again under a name of its own."""

    sent = 0

    def submit(self, order: ApprovedOrder) -> Order:
        """Place a new one each time, under the name only the first time."""
        if self.inner.find(order.spec.client_order_id) is None:
            return self.inner.submit(order)
        self.sent += 1
        again = changed(
            order, client_order_id=f"{order.spec.client_order_id[:30]}-{self.sent}", order_class=OrderClass.SIMPLE, stop_loss=None
        )
        made = self.inner.submit(again)
        return made.model_copy(update={"state": OrderState.ACCEPTED})


class Blind(Honest):
    """Finds nothing."""

    def find(self, client_order_id: ClientOrderId) -> Order | None:  # noqa: ARG002 - the port's signature
        """Never."""
        return None


class Dreaming(Honest):
    """Finds what is not there."""

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """A likeness of any other order."""
        found = self.inner.find(client_order_id)
        if found is None:
            told = (e.order for e in self.inner.events(0) if isinstance(e, OrderUpdate))
            found = next(told, None) or _invented(client_order_id)
        return found


def _invented(client_order_id: ClientOrderId) -> Order:
    now = datetime(2024, 3, 5, tzinfo=UTC)
    fields: dict[str, object] = {
        "client_order_id": client_order_id,
        "venue_order_id": "v",
        "symbol": "HAND",
        "side": "buy",
        "type": "market",
    }
    fields |= {"role": "entry", "quantity": 1, "time_in_force": "day", "state": "accepted", "filled_quantity": 0, "average_price": 0}
    return Order.model_validate({**fields, "submitted_at": now, "updated_at": now})


class Misread(Honest):
    """Finds orders with half of what was filled."""

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """Half."""
        found = self.inner.find(client_order_id)
        return None if found is None else found.model_copy(update={"filled_quantity": found.filled_quantity / 2})


class NoCancel(Honest):
    """Cancels nothing but at the end of time."""

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Only looks."""
        if self.inner.find(client_order_id) is None:
            raise OrderNotFoundError(client_order_id)


class LaxCancel(Honest):
    """Has canceled what nobody knows."""

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Never says no."""
        if self.inner.find(client_order_id) is not None:
            self.inner.cancel(client_order_id)


class StrictCancel(Honest):
    """Knows only what works."""

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Raises for what has ended."""
        if client_order_id not in {o.client_order_id for o in self.inner.open_orders()}:
            raise OrderNotFoundError(client_order_id)
        self.inner.cancel(client_order_id)


class WideCancel(Honest):
    """Cancels everything at once."""

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """The one and all others."""
        self.inner.cancel(client_order_id)
        for order in self.inner.open_orders():
            self.inner.cancel(order.client_order_id)


class Adds(Honest):
    """Places a replacement beside the old order, again and again."""

    def replace(self, order: ApprovedOrder) -> Order:
        """Submit."""
        return self.inner.submit(changed(order))


class AddsAgain(Honest):
    """Replaces once, and places another stop the second time."""

    def replace(self, order: ApprovedOrder) -> Order:
        """The second time under another name."""
        if self.inner.find(order.spec.client_order_id) is None:
            return self.inner.replace(order)
        return self.inner.submit(changed(order, client_order_id=f"{order.spec.client_order_id[:30]}-again"))


class Eager(Honest):
    """Places a replacement for what rests no more."""

    def replace(self, order: ApprovedOrder) -> Order:
        """Submit where nothing can be replaced."""
        try:
            return self.inner.replace(order)
        except OrderNotFoundError:
            return self.inner.submit(changed(order))


class Halving(Honest):
    """Replaces a stop by one for half."""

    def replace(self, order: ApprovedOrder) -> Order:
        """Half."""
        return self.inner.replace(changed(order, replaces=order.replaces, quantity=order.spec.quantity / 2))


class Stiff(Honest):
    """Has stops that trail, and takes them for stops that stand still."""

    def replace(self, order: ApprovedOrder) -> Order:
        """Where the old one stands."""
        if order.spec.type is OrderType.TRAILING_STOP:
            old = next(o for o in self.inner.open_orders() if o.client_order_id == order.replaces)
            order = changed(order, replaces=order.replaces, type=OrderType.STOP, trail=None, stop_price=old.stop_price)
        return self.inner.replace(order)


class Disorderly(Honest):
    """Answers in an order of its own."""

    def open_orders(self) -> tuple[Order, ...]:
        """Backwards, with one that sorts first at the end."""
        found = self.inner.open_orders()
        return (*found, *(o.model_copy(update={"client_order_id": ClientOrderId("a")}) for o in found[:1]))


class Prophet(Honest):
    """Foresees the past."""

    def next_event_time(self, until: datetime) -> datetime | None:
        """Yesterday."""
        return until - timedelta(days=1)


class Bare(Honest):
    """Sends entries without their legs."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Without."""
        return self.inner.submit(changed(order, order_class=OrderClass.SIMPLE, stop_loss=None, take_profit=None))


class Untargeted(Honest):
    """Forgets targets."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Without one."""
        return self.inner.submit(changed(order, take_profit=None))


class Wild(Honest):
    """Sends exits that may open."""

    def submit(self, order: ApprovedOrder) -> Order:
        """As an entry."""
        return self.inner.submit(changed(order, role=OrderRole.ENTRY))


class Timid(Honest):
    """Closes one lot less, and guards one lot less."""

    def submit(self, order: ApprovedOrder) -> Order:
        """A little less."""
        spec = order.spec
        less = spec.quantity - Decimal("0.01") if spec.role is not OrderRole.ENTRY else spec.quantity
        return self.inner.submit(changed(order, quantity=less))


class Shy(Honest):
    """Sells nothing short, without a word."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Turned into a buy."""
        side = order.spec.side.BUY if order.spec.role is OrderRole.ENTRY else order.spec.side
        bare = changed(order, side=side, order_class=OrderClass.SIMPLE, stop_loss=None, take_profit=None)
        return self.inner.submit(bare)


class Impatient(Honest):
    """Takes a partial fill for the end."""

    def find(self, client_order_id: ClientOrderId) -> Order | None:
        """Filled at once."""
        found = self.inner.find(client_order_id)
        part = found is not None and found.state is OrderState.PARTIALLY_FILLED
        return found.model_copy(update={"state": OrderState.FILLED}) if found is not None and part else found


class Rounding(Honest):
    """Rounds and changes what the venue would refuse."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Make it fit."""
        spec = order.spec
        limit = None if spec.limit_price is None else spec.limit_price.quantize(Decimal("0.01"))
        quantity = min(max(spec.quantity.quantize(Decimal("0.01")), Decimal("0.5")), Decimal(500))
        side = spec.side.BUY if spec.role is OrderRole.ENTRY else spec.side
        bare: dict[str, Any] = {
            "order_class": OrderClass.SIMPLE,
            "stop_loss": None,
            "take_profit": None,
            "symbol": Symbol("HAND"),
            "side": side,
        }
        return self.inner.submit(changed(order, limit_price=limit, quantity=quantity, **bare))


class Blunt(Honest):
    """Refuses without a reason."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Only its kind is left of an error."""
        try:
            return self.inner.submit(order)
        except Exception as error:
            raise type(error)("no") from error


def trait(**told: Any) -> type[Honest]:  # noqa: ANN401 - fields of the traits
    """An adapter that is wrong about a trait."""

    class Boasting(Honest):
        """Says so."""

        def traits(self, symbol: Symbol) -> VenueTraits:
            """Not true."""
            return self.inner.traits(symbol).model_copy(update=told)

    Boasting.__name__ = f"Boasting{'_'.join(told)}"
    return Boasting


LATE, BESIDE, RESERVED = trait(legs_wake_late=True), trait(stop_beside_entry=False), trait(exits_reserve=True)
JUMPED = trait(stop_type=OrderType.STOP_LIMIT)


class OneStop(Honest):
    """Gives the second entry no stop."""

    def submit(self, order: ApprovedOrder) -> Order:
        """Without legs, once something is held."""
        if self.inner.positions() and order.spec.role is OrderRole.ENTRY:
            order = changed(order, order_class=OrderClass.SIMPLE, stop_loss=None, take_profit=None)
        return self.inner.submit(order)
