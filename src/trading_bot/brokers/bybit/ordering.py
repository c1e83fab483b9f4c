"""Sending an order to Bybit's book, and taking one from it: each call once.

Promises that an id which is in use already is looked up and not sent again, and that an order which the venue does not find any more is
looked for where closed orders are. Knows nothing of positions' stops.
"""

from collections.abc import Callable

from trading_bot.brokers.bybit.connection import Connection, Row
from trading_bot.brokers.bybit.errors import Meaning, RefusedError
from trading_bot.brokers.bybit.reading import Reader
from trading_bot.brokers.bybit.wire import acknowledged, moment, request
from trading_bot.domain.errors import BrokerUnavailableError, OutcomeUnknownError
from trading_bot.domain.orders import Order, OrderSpec, OrderType
from trading_bot.domain.values import ClientOrderId
from trading_bot.network.budget import Purpose


class Ordering:
    """`find` asks for an order by its client id."""

    def __init__(self, line: Connection, reader: Reader, category: str, find: Callable[[ClientOrderId], Order | None]) -> None:
        self._line = line
        self._reader = reader
        self._category = category
        self._find = find

    def create(self, spec: OrderSpec) -> Order:
        """Send; the answer is an acknowledgement, or the order if the venue has it already."""
        purpose = Purpose.ORDER if spec.role.adds_risk else Purpose.CANCEL
        try:
            result = self._line.act("place_order", purpose, **request(spec, self._category))
        except RefusedError as error:
            if error.meaning is not Meaning.KNOWN:
                raise
            found = self._find(spec.client_order_id)
            if found is None:
                raise OutcomeUnknownError(f"Bybit has {spec.client_order_id} already, and does not show it: ask again") from error
            return found
        return acknowledged(spec, str(result.get("orderId", "")), moment(self._reader.milliseconds))

    def cancel(self, order: Order) -> None:
        """Cancel an order of the book. What the venue does not find any more is looked for where closed orders are."""
        wanted: Row = {"category": self._category, "symbol": order.symbol, "orderId": order.venue_order_id}
        if self._category == "spot":
            wanted["orderFilter"] = "StopOrder" if order.type in {OrderType.STOP, OrderType.STOP_LIMIT} else "Order"
        try:
            self._line.act("cancel_order", Purpose.CANCEL, **wanted)
        except RefusedError as error:
            if error.meaning not in {Meaning.ABSENT, Meaning.ENDED}:
                raise BrokerUnavailableError(f"Bybit does not cancel {order.client_order_id} now: {error}") from error
            found = self._find(order.client_order_id)
            if found is None or not found.state.is_final:
                raise OutcomeUnknownError(f"Bybit neither cancels {order.client_order_id} nor shows its end: ask again") from error
