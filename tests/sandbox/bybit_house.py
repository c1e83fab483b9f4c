"""An emulated Bybit whose time and prices a test moves, and its real SDK on the other side of a socket."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP, WebSocket

from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.bybit.api import BybitApi
from trading_bot.sandbox.bybit.making import invented
from trading_bot.sandbox.bybit.service import Setup
from trading_bot.sandbox.bybit.signing import Credentials
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.venue_faults import Rule

START = datetime(2025, 3, 4, 12, tzinfo=UTC)
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
KEYS = Credentials("KEY-of-the-account", "its-secret")
DEADLINE = 10.0


class Stream(WebSocket):  # type: ignore[misc]  # pybit has no types
    """The SDK's stream, whose address stands fixed in its code."""

    base = ""

    def _connect(self, url: str) -> None:
        path = url.partition("/v5/")[2]
        super()._connect(url if self.base in url else f"{self.base}/v5/{path}")


@dataclass
class Ears:
    """What streams said, in order."""

    heard: list[dict[str, Any]] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message."""
        with self._news:
            self.heard.append(message)
            self._news.notify_all()

    def rows(self, topic: str) -> list[dict[str, Any]]:
        """All rows of a topic."""
        with self._news:
            return [row for message in self.heard if message["topic"] == topic for row in message["data"]]

    def wait(self, topic: str, found: Callable[[list[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
        """Rows of a topic, once they are as they should be."""
        deadline = time.monotonic() + DEADLINE
        with self._news:
            while not found(rows := self.rows(topic)):
                if not self._news.wait(timeout=deadline - time.monotonic()):
                    pytest.fail(f"{topic} said only {rows}")
        return rows

    def statuses(self, link: str) -> list[str]:
        """Life of an order as the stream told it."""
        return [row["orderStatus"] for row in self.rows("order") if row["orderLinkId"] == link]


@dataclass
class House:
    """One venue and one client."""

    api: BybitApi
    http: Any
    sent: int = 0

    def client(self, key: str | None = KEYS.key, secret: str = KEYS.secret, **more: Any) -> Any:  # noqa: ANN401 - pybit has no types
        """Another client of the SDK; it asks once and no more."""
        made = HTTP(api_key=key, api_secret=secret, max_retries=1, retry_codes={-1}, **more)
        made.endpoint = self.api.url
        return made

    def price(self, price: str, symbol: str = BTC, *, spread: str = "0") -> None:
        """Hold a price from now on, and let happen what it brings."""
        half = Decimal(spread) / 2
        self.api.control(do="quote", symbol=symbol, bid=str(Decimal(price) - half), ask=str(Decimal(price) + half))
        self.go(1)

    def go(self, seconds: float = 0) -> None:
        """Let time pass."""
        self.api.advance(timedelta(seconds=seconds))

    def order(self, side: str = "Buy", qty: str = "0.01", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as the SDK takes it
        """Send an order, a linear market one where nothing else is said; the acknowledgement."""
        said = {"category": "linear", "symbol": BTC, "orderType": "Limit" if "price" in more else "Market"} | more
        return dict(self.http.place_order(side=side, qty=qty, **said)["result"])

    def trade(self, side: str = "Buy", qty: str = "0.01", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as the SDK takes it
        """The same, and what the venue makes of it at once."""
        sent = self.order(side, qty, **more)
        self.go()
        return self.find(sent["orderId"], more.get("category", "linear"))

    def find(self, order_id: str, category: str = "linear") -> dict[str, Any]:
        """An order as it is listed."""
        rows = self.http.get_open_orders(category=category, orderId=order_id)["result"]["list"]
        return dict(rows[0]) if rows else {}

    def working(self, category: str = "linear", symbol: str = BTC) -> list[dict[str, Any]]:
        """Open orders."""
        return list(self.http.get_open_orders(category=category, symbol=symbol)["result"]["list"])

    def position(self, symbol: str = BTC) -> dict[str, Any]:
        """The position."""
        return dict(self.http.get_positions(category="linear", symbol=symbol)["result"]["list"][0])

    def coin(self, coin: str = "USDT") -> dict[str, Any]:
        """A coin of the wallet."""
        return dict(self.http.get_wallet_balance(accountType="UNIFIED", coin=coin)["result"]["list"][0]["coin"][0])

    def executions(self, category: str = "linear", **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as the SDK takes it
        """Executions, oldest first."""
        return list(reversed(self.http.get_executions(category=category, **more)["result"]["list"]))

    def fault(self, **rule: Any) -> None:  # noqa: ANN401 - a rule's keys
        """Add a rule to the fault script."""
        self.api.control(do="fault", rule=rule)

    @contextmanager
    def listening(self, channel: str = "private") -> Iterator[tuple[Ears, Any]]:
        """The SDK's stream; the private one hears all its topics once the block begins."""
        Stream.base = self.api.stream_url
        ears, keys = Ears(), {"api_key": KEYS.key, "api_secret": KEYS.secret} if channel == "private" else {}
        stream = Stream(channel, testnet=False, private_auth_expire=10, restart_on_error=False, **keys)
        # It forgets to close its end where the venue hung up first.
        socket = stream.ws.sock.sock
        try:
            if channel == "private":
                for name in ("order", "execution", "position", "wallet"):
                    getattr(stream, f"{name}_stream")(ears.hear)
                self.until(lambda: len(self.subscribed()) >= 4)
            yield ears, stream
        finally:
            # The SDK's thread sleeps up to ten seconds on a socket that it closed itself; one that was closed by the venue wakes it.
            stream.exited = True
            self.api.control(do="drop")
            stream.wst.join(timeout=DEADLINE)
            stream.exit()
            socket.close()

    def subscribed(self) -> list[Any]:
        """Subscriptions that the venue has noted since its newest private stream."""
        notes = self.api.evidence.of("stream")
        newest = max((n for n, note in enumerate(notes) if note["what"] == "connected" and note["category"] == "private"), default=0)
        return [note for note in notes[newest:] if note["what"] == "subscribed"]

    @staticmethod
    def until(true: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        deadline, pause = time.monotonic() + DEADLINE, threading.Event()
        while not true():
            if time.monotonic() > deadline:
                pytest.fail("it did not come true in time")
            pause.wait(0.005)


@contextmanager
def house(*faults: dict[str, Any], clock: EmulatedClock | None = None, log: Path | None = None, **more: Any) -> Iterator[House]:  # noqa: ANN401 - fields of a Setup
    """A venue at 60,000 for a bitcoin; its time stands until it is moved."""
    markets = invented((BTC, ETH), 1, open_calendar, size=more.pop("size", Decimal(1000)))
    rules = tuple(Rule.model_validate(rule) for rule in faults)
    more = {"credentials": KEYS} | more
    setup = Setup(markets, clock or EmulatedClock.standing(START), SystemWallClock(), rules, **more)
    with BybitApi(setup, log=log) as api:
        made = House(api, None)
        made.http = made.client()
        made.price("60000")
        made.price("3000", ETH)
        yield made
        made.http.client.close()


def refused(call: Callable[..., Any], *said: Any, **more: Any) -> int:  # noqa: ANN401 - any call
    """The code with which a call was refused."""
    with pytest.raises(InvalidRequestError) as caught:
        call(*said, **more)
    return int(caught.value.status_code)
