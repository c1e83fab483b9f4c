"""Alpaca's word on one order, found by our id: an order by itself, a leg by its parent.

Promises that None means that Alpaca does not have it, or that it is a leg which sleeps.
"""

from typing import Any

from trading_bot.brokers.alpaca import wire
from trading_bot.brokers.alpaca.reading import Reading
from trading_bot.brokers.alpaca.story import Story
from trading_bot.domain.errors import OutcomeUnknownError
from trading_bot.domain.orders import Order
from trading_bot.domain.values import ClientOrderId


class Asking:
    """Asks about one order at a time."""

    def __init__(self, reading: Reading, story: Story) -> None:
        self._reading = reading
        self._story = story

    def find(self, identity: ClientOrderId) -> Order | None:
        """The order, open or closed."""
        raw = self.lookup(identity)
        return None if raw is None else self._record(raw, identity)

    def lookup(self, identity: ClientOrderId) -> dict[str, Any] | None:
        """The same in Alpaca's words, taken in."""
        card = self._story.roster.card(identity)
        if card is not None and card.parent_id is not None and self._story.order(identity) is None:
            self.lookup(card.parent_id)
            if self._story.order(identity) is None:
                return None
        known = self._story.venue_id(identity)
        return self._reading.ask_for(identity) if known is None else self._reading.ask(known)

    def answered(self, raw: dict[str, Any], identity: ClientOrderId) -> Order:
        """What an answer to an order says, taken in. OutcomeUnknownError if it says nothing that we understand."""
        try:
            self._story.see(raw)
            return self._record(raw, identity)
        except (KeyError, ValueError, ArithmeticError) as error:
            raise OutcomeUnknownError(f"{identity}: Alpaca's answer cannot be read ({error!r}); it MAY have been placed") from error

    def _record(self, raw: dict[str, Any], identity: ClientOrderId) -> Order:
        return self._story.order(identity) or wire.order_of(raw, identity, self._story.roster.card(identity))
