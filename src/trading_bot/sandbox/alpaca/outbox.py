"""What goes out on the trade_updates stream, and how the fault script disturbs it.

Promises that without a fault every message is sent once, in order. A muted stream loses what it would have told, as the real one does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from trading_bot.sandbox.alpaca.assets import stable_id
from trading_bot.sandbox.alpaca.orders import AlpacaOrder, iso
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.venue_faults import FaultScript

Message = dict[str, Any]


class Outbox:
    """Messages on their way; `listeners` get each."""

    def __init__(self, script: FaultScript, clock: EmulatedClock) -> None:
        self._script, self._clock = script, clock
        self._held: list[Message] = []
        """Overtaken by the next message, or sent at the next turn."""
        self._late: list[Message] = []
        self._is_late = False
        self._number = 0
        self.listeners: list[Callable[[Message], None]] = []

    def tell(self, event: str, order: AlpacaOrder, at: datetime, **more: object) -> None:
        """Send an event about an order."""
        self._number += 1
        data = {
            "event": event,
            "event_id": stable_id("event", self._number),
            "at": iso(at),
            "timestamp": iso(at),
            "order": order.json(),
            **more,
        }
        message = {"stream": "trade_updates", "data": {"execution_id": stable_id("event", order.id, self._number)} | data}
        if self._is_late:
            self._late.append(message)
            return
        faults = {rule.fault for rule in self._script.strikes("stream", order.symbol, self._clock.now())}
        if "out_of_order" in faults:
            self._held.append(message)
            return
        self._send(message)
        if "duplicate_event" in faults:
            self._send(message)
        self._send_held()

    @contextmanager
    def later(self) -> Iterator[None]:
        """Keep what is told inside until `flush(late=True)`."""
        self._is_late = True
        yield
        self._is_late = False

    def flush(self, *, late: bool = False) -> None:
        """Send what was held back."""
        self._send_held()
        if late:
            late_ones, self._late = self._late, []
            for message in late_ones:
                self._send(message)

    def _send_held(self) -> None:
        held, self._held = self._held, []
        for message in held:
            self._send(message)

    def _send(self, message: Message) -> None:
        if self._script.active("mute_stream", self._clock.now()) is None:
            for listener in self.listeners:
                listener(message)
