"""The streams of the emulated Alpaca, heard through the vendor's own clients, and what faults do to them."""

import asyncio
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.client import connect

from sandbox.alpaca_kit import Bench, bench

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK uses the websockets library's old client
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.trading.stream import TradingStream

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PATIENCE = 5.0


class Ear:
    """What a stream told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._news = threading.Condition()

    async def hear(self, message: Any) -> None:  # noqa: ANN401 - whatever the SDK makes of it
        """Note a message."""
        with self._news:
            self.heard.append(message)
            self._news.notify_all()

    def wait(self, count: int) -> list[Any]:
        """The first messages, as soon as there are so many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, PATIENCE), f"only {self.heard}"
            return list(self.heard)


@contextmanager
def running(stream: Any) -> Iterator[None]:  # noqa: ANN401 - any of the SDK's streams
    """Run a stream of the SDK in a thread, and end it."""
    thread = threading.Thread(target=lambda: asyncio.run(stream._run_forever()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream._should_run = False
        stream._stop_stream_event.set()
        asyncio.run_coroutine_threadsafe(stream._ws.close(), stream._loop)
        thread.join(8)


def until(meets: Callable[[], object]) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + PATIENCE
    while not meets():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@contextmanager
def listening(b: Bench, secret: str = "secret") -> Iterator[Any]:  # noqa: S107 - invented
    """A plain client of the trade updates that has said what it wants."""
    with connect(b.emulator.stream_url) as socket:
        socket.send(json.dumps({"action": "authenticate", "data": {"key_id": "key", "secret_key": secret}}))
        said = json.loads(socket.recv(PATIENCE))
        if said["data"]["status"] == "authorized":
            socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            assert json.loads(socket.recv(PATIENCE)) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        yield socket


def told(socket: Any, count: int) -> list[str]:  # noqa: ANN401 - a socket
    """The next events by name."""
    return [json.loads(socket.recv(PATIENCE))["data"]["event"] for _ in range(count)]


def test_the_sdk_hears_of_orders_fills_and_ends() -> None:
    """With the execution's own id and the position afterwards."""
    with bench() as b:
        ear, stream = Ear(), TradingStream("key", "secret", url_override=b.emulator.stream_url)
        stream.subscribe_trade_updates(ear.hear)
        with running(stream):
            until(lambda: b.emulator.evidence.of("stream")[1:])
            b.post(client_order_id="a")
            new, fill = ear.wait(2)
            assert (new.event, fill.event, fill.position_qty, fill.qty, fill.price) == ("new", "fill", 10, 10, 100.02)
            assert str(fill.execution_id) == b.emulator.evidence.of("fill")[0]["execution_id"]
            order = b.post(client_order_id="b", type="limit", limit_price="90").json()
            b.call("DELETE", f"/v2/orders/{order['id']}")
            b.emulator.advance()
            assert [m.event for m in ear.wait(5)[2:]] == ["new", "pending_cancel", "canceled"]


def test_wrong_keys_are_not_let_in() -> None:
    """And hear nothing."""
    with bench(key="key", secret="secret") as b, listening(b, "wrong") as socket:  # noqa: S106 - invented
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(socket.recv(PATIENCE))["data"] == {"status": "unauthorized", "action": "listen"}


def test_events_are_doubled_swapped_and_early() -> None:
    """As the script says."""
    with bench([{"fault": "duplicate_event", "nth": 1}]) as b, listening(b) as socket:
        b.post()
        assert told(socket, 3) == ["new", "new", "fill"]
    with bench([{"fault": "out_of_order", "nth": 1}]) as b, listening(b) as socket:
        b.post()
        assert told(socket, 2) == ["fill", "new"]
    with bench([{"fault": "fill_before_acceptance"}]) as b, listening(b) as socket:
        b.post()
        assert told(socket, 2) == ["fill", "new"]


def test_a_late_fill_is_told_after_the_end() -> None:
    """The worst order for who books by events."""
    with bench([{"fault": "late_fill_after_cancel"}]) as b, listening(b) as socket:
        order = b.post(type="limit", limit_price="90").json()
        b.call("DELETE", f"/v2/orders/{order['id']}")
        b.emulator.advance()
        assert told(socket, 4) == ["new", "pending_cancel", "canceled", "partial_fill"]


def test_a_mute_stream_is_connected_and_says_nothing() -> None:
    """What happened meanwhile is never told there."""
    with bench([{"fault": "mute_stream", "seconds": 30}]) as b, listening(b) as socket:
        b.post(client_order_id="a")
        assert b.status("a") == "filled"
        b.wait(seconds=31)
        b.post()
        assert told(socket, 2) == ["new", "fill"]
        assert len(b.emulator.evidence.of("fill")) == 2


def test_a_dropped_stream_is_cut_without_a_word() -> None:
    """The client has to come again."""
    with bench() as b, listening(b) as socket:
        b.emulator.do("drop_stream")
        with pytest.raises(Exception, match=r"no close frame|closed|EOF"):
            socket.recv(PATIENCE)


def test_the_sdk_hears_quotes_trades_and_bars() -> None:
    """Of stocks and of coins, in msgpack."""
    with bench() as b:
        for kind, symbol, feed in ((StockDataStream, "AAPL", "v2/iex"), (CryptoDataStream, "BTC/USD", "v1beta3/crypto/us")):
            quotes, bars = Ear(), Ear()
            stream = kind("key", "secret", url_override=b.emulator.data_stream_url(feed))
            stream.subscribe_quotes(quotes.hear, symbol)
            stream.subscribe_bars(bars.hear, symbol)
            with running(stream):
                until(lambda: any(s.wants.get("bars") for s in b.emulator._data.sessions))
                b.emulator.advance()
                b.wait(minutes=1)
                assert quotes.wait(2)[-1].symbol == symbol
                bar = bars.wait(1)[0]
                assert bar.low <= bar.open <= bar.high


def test_a_plain_client_may_speak_json_on_the_data_stream() -> None:
    """And is told when its keys are missing."""
    with bench() as b, connect(b.emulator.data_stream_url()) as socket:
        assert json.loads(socket.recv(PATIENCE)) == [{"T": "success", "msg": "connected"}]
        socket.send(json.dumps({"action": "subscribe", "quotes": ["AAPL"]}))
        assert json.loads(socket.recv(PATIENCE))[0]["code"] == 401
        socket.send(json.dumps({"action": "auth", "key": "key", "secret": "secret"}))
        assert json.loads(socket.recv(PATIENCE)) == [{"T": "success", "msg": "authenticated"}]
        socket.send(json.dumps({"action": "subscribe", "quotes": ["AAPL"]}))
        assert json.loads(socket.recv(PATIENCE))[0]["quotes"] == ["AAPL"]
        b.price(101)
        quote = json.loads(socket.recv(PATIENCE))[0]
        assert (quote["T"], quote["S"], quote["bp"]) == ("q", "AAPL", 101.0)
