"""Orders on their way to Alpaca: each sent once, and none called refused that is there.

Promises that a refusal is believed only when Alpaca does not have the order (a second order under one id is refused too), and that a
second send, replacement or cancel changes nothing. Refuses what Alpaca cannot change about a resting order.
"""

from collections.abc import Callable
from typing import Any

from trading_bot.brokers.alpaca import wire
from trading_bot.brokers.alpaca.asking import Asking
from trading_bot.brokers.alpaca.connection import Connection
from trading_bot.brokers.alpaca.reading import Reading
from trading_bot.brokers.alpaca.story import Story
from trading_bot.domain.errors import BrokerUnavailableError, OrderNotFoundError, OrderRejectedError, OutcomeUnknownError
from trading_bot.domain.orders import ApprovedOrder, Order, OrderSpec
from trading_bot.domain.values import ClientOrderId
from trading_bot.network.budget import Purpose

_ENDING = frozenset({*wire.ENDED, "pending_cancel"})


class Ordering:
    """Sends, replaces and cancels."""

    def __init__(self, connection: Connection, reading: Reading, story: Story) -> None:
        self._connection = connection
        self._reading = reading
        self._story = story
        self._asking = Asking(reading, story)

    def submit(self, order: ApprovedOrder) -> Order:
        """Send once."""
        spec = order.spec
        self._story.roster.add(order)
        body, what = wire.order_body(spec), f"order {spec.client_order_id}"
        return self._act(spec, lambda purpose: self._connection.post("/orders", body, what, purpose))

    def replace(self, order: ApprovedOrder) -> Order:
        """Patch the resting order. The old one may fill before the new one is there: then the new one is rejected later, by an event."""
        spec, replaced = order.spec, order.replaces
        self._story.roster.add(order)
        old = None if replaced is None else self._resting(replaced)
        if replaced is None or old is None or old.state.is_final:
            return self._replaced_before(spec, replaced)
        if (spec.symbol, spec.side, spec.type) != (old.symbol, old.side, old.type):
            raise OrderRejectedError(f"{spec.client_order_id}: Alpaca keeps symbol, side and type of a replaced order; nothing was placed")
        venue_id = self._story.venue_id(replaced) or old.venue_order_id
        body, what = wire.replace_body(spec, old), f"replacing {replaced} by {spec.client_order_id}"
        try:
            answer = self._act(spec, lambda purpose: self._connection.patch(f"/orders/{venue_id}", body, what, purpose))
        except OrderRejectedError as error:
            raw = self._reading.ask(venue_id)
            if raw is None or raw["status"] in wire.ENDED:
                raise OrderNotFoundError(f"{replaced} rests no more, so {spec.client_order_id} was not placed") from error
            raise
        self._story.to_ask[venue_id] = None
        return answer

    def cancel(self, identity: ClientOrderId) -> None:
        """Ask to cancel; its end comes as an event. BrokerUnavailableError if Alpaca will not just now (it is being replaced)."""
        if self._story.venue_id(identity) is None and self._asking.lookup(identity) is None:
            raise OrderNotFoundError(f"Alpaca has no order {identity}: nothing was canceled")
        venue_id = self._story.venue_id(identity) or self._foreign(identity)
        try:
            self._connection.delete(f"/orders/{venue_id}", f"canceling {identity}")
        except OrderRejectedError as error:
            raw = self._reading.ask(venue_id)
            if raw is not None and raw["status"] not in _ENDING:
                raise BrokerUnavailableError(f"{identity} is {raw['status']} and cannot be canceled now: {error}") from error
        self._story.to_ask[venue_id] = None

    def _act(self, spec: OrderSpec, send: Callable[[Purpose], dict[str, Any]]) -> Order:
        identity = spec.client_order_id
        try:
            raw = send(Purpose.ORDER if spec.role.adds_risk else Purpose.CANCEL)
        except OrderRejectedError:
            existing = self._existing(identity)
            if existing is None:
                raise
            raw = existing
        return self._asking.answered(raw, identity)

    def _existing(self, identity: ClientOrderId) -> dict[str, Any] | None:
        """The order that was refused, if Alpaca has it already. OutcomeUnknownError if that cannot be found out."""
        try:
            return self._reading.ask_for(identity)
        except BrokerUnavailableError as error:
            raise OutcomeUnknownError(f"{identity} was refused, perhaps since it exists already; it MAY be placed: {error}") from error

    def _replaced_before(self, spec: OrderSpec, replaced: ClientOrderId | None) -> Order:
        """The order that took the place before; OrderNotFoundError if none did."""
        existing = self._reading.ask_for(spec.client_order_id)
        if existing is None:
            raise OrderNotFoundError(f"{replaced or 'no order'} rests no more, so {spec.client_order_id} was not placed")
        return self._asking.answered(existing, spec.client_order_id)

    def _resting(self, identity: ClientOrderId) -> Order | None:
        if self._story.order(identity) is None:
            self._asking.lookup(identity)
        return self._story.order(identity)

    def _foreign(self, identity: ClientOrderId) -> str:
        """Alpaca's id of an order that is not ours."""
        raw = self._asking.lookup(identity)
        if raw is None:
            raise OrderNotFoundError(f"Alpaca has no order {identity}: nothing was canceled")
        return str(raw["id"])
