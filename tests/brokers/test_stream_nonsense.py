"""Messages on a private stream that cannot be true: cut, tampered with, told again later, about somebody else. No books change by them."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any

from brokers import bybit_kit
from brokers.alpaca_bench import floor, poll
from brokers.alpaca_words import approved, spec
from brokers.bybit_floor import floor as bybit_floor
from trading_bot.domain.books import Books
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import OrderIntent, OrderState
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock

Message = dict[str, Any]
AAPL, BTC = Symbol("AAPL"), Symbol("BTCUSDT")

ALPACA: dict[str, Callable[[Message], object]] = {
    "told again": lambda m: m,
    "another execution of the same": lambda m: m["data"].update(execution_id="made-up"),
    "more than there was": lambda m: m["data"].update(execution_id="made-up", qty="1000"),
    "no number": lambda m: m["data"].update(execution_id="made-up", qty="NaN"),
    "another's order": lambda m: m["data"]["order"].update(id="0000", client_order_id="stranger"),
    "no order": lambda m: m["data"].pop("order"),
    "an order that is a word": lambda m: m["data"].update(order="AAPL"),
    "an order without a state": lambda m: m["data"]["order"].pop("status"),
    "an event that nobody knows": lambda m: m["data"].update(event="teleported"),
    "legs that are none": lambda m: m["data"]["order"].update(legs=["leg"]),
    "nothing": lambda m: m.update(data=None),
    "another stream": lambda m: m.update(stream="gossip"),
    "empty": lambda m: m.clear(),
}
BYBIT: dict[str, Callable[[Message], object]] = {
    "told again": lambda m: m,
    "another execution of the same": lambda m: m["data"][0].update(execId="made-up"),
    "more than there was": lambda m: m["data"][0].update(execId="made-up", execQty="1000"),
    "no number": lambda m: m["data"][0].update(execId="made-up", execQty="many"),
    "another's order": lambda m: m["data"][0].update(execId="made-up", orderId="0000", orderLinkId="stranger"),
    "no id": lambda m: m["data"][0].pop("execId"),
    "a kind that nobody knows": lambda m: m["data"][0].update(execId="made-up", execType="Gift"),
    "rows that are none": lambda m: m.update(data=["row", None]),
    "nothing": lambda m: m.update(data=None),
    "another topic": lambda m: m.update(topic="gossip"),
    "a position of nonsense": lambda m: m.update(topic="position", data=[{"symbol": BTC, "size": "x"}]),
    "empty": lambda m: m.clear(),
}


def tampered(true: Message, how: Callable[[Message], object]) -> Message:
    """A copy that was tampered with."""
    copy = deepcopy(true)
    how(copy)
    return copy


def test_no_message_of_alpaca_changes_books_unless_it_can_be_true() -> None:
    """After each the desk reads, goes on trading, and has every execution once."""
    with floor() as on:
        broker, heard = on.broker(), list[Message]()
        on.emulator.venue.outbox.listeners.append(heard.append)
        orders = [approved(spec("desk-a", quantity=Decimal(10))), approved(spec("desk-b", quantity=Decimal(5)))]
        broker.open([OrderIntent(at=SystemWallClock().now(), order=o) for o in orders], (), lambda: None)

        def books() -> Books:
            found = Books()
            for event in broker.events(0):
                found = found.apply(event)
            return found

        broker.submit(orders[0])
        assert poll(lambda: AAPL in books().positions and books().positions[AAPL].quantity == 10, 5)
        true = next(m for m in heard if m["data"]["event"] == "fill")
        for how in ALPACA.values():
            for tell in on.emulator.venue.outbox.listeners[:1]:
                tell(tampered(true, how))
        broker.submit(orders[1])
        assert poll(lambda: books().positions[AAPL].quantity == 15, 8)
        fills = [e.fill.quantity for e in broker.events(0) if isinstance(e, OrderUpdate) and e.fill is not None]
        assert fills == [10, 5]
        assert poll(lambda: books().cash == broker.account().cash, 5)


def test_no_message_of_bybit_changes_books_unless_it_can_be_true() -> None:
    """The same."""
    with bybit_floor() as venue:
        heard = list[Message]()
        hub = venue.api.service.hub
        spoil = hub._spoil

        def overheard(message: Message) -> Sequence[Message]:
            heard.append(deepcopy(message))
            return spoil(message)

        hub._spoil = overheard
        bybit_kit.until(lambda: any("execution" in connection.topics for connection in hub._connections))
        venue.send(bybit_kit.spec("a-1", quantity="0.01"))
        venue.becomes("a-1", OrderState.FILLED)
        true = next(m for m in heard if m["topic"] == "execution")
        for how in BYBIT.values():
            for connection in hub._connections:
                connection.send(tampered(true, how))
        venue.send(bybit_kit.spec("b-1", quantity="0.02"))
        venue.becomes("b-1", OrderState.FILLED)
        venue.agree()
        assert [f.quantity for f in venue.fills()] == [Decimal("0.01"), Decimal("0.02")]
