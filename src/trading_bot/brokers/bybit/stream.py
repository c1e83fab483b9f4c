"""Bybit's private stream: what it says goes into a queue, and the desk is rung.

Promises to connect again by itself, with growing pauses, for as long as it is open, and to say when it did, so that what was missed is
read. Understands nothing of what it carries. pybit's own reconnecting is off: it gives up, and ends its thread with an exception.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from socket import SHUT_RDWR
from typing import Any

from pybit.unified_trading import WebSocket

from trading_bot.network.backoff import Backoff
from trading_bot.network.keys import Keys
from trading_bot.settings import BybitEnvironment, BybitSettings

TOPICS = ("order", "execution", "position", "wallet")
_PING_SECONDS, _PONG_SECONDS = 20, 10
_SILENT_SECONDS = 45.0
_JOIN_SECONDS = 5.0


class _Socket(WebSocket):  # type: ignore[misc]  # pybit ships no types
    """pybit's private socket; `address` takes the place of the one that is fixed in its code."""

    def __init__(self, address: str | None, lost: Callable[[], None], heard: Callable[[], None], **options: Any) -> None:  # noqa: ANN401 - pybit's
        self._address = address
        self._lost = lost
        self._heard = heard
        super().__init__("private", **options)

    def _connect(self, url: str) -> None:
        super()._connect(self._address or url)

    def _on_message(self, message: str) -> None:
        self._heard()
        super()._on_message(message)

    def _on_pong(self) -> None:
        self._heard()
        super()._on_pong()

    def _on_error(self, error: Exception) -> None:  # noqa: ARG002 - pybit's signature
        if self.ws.sock is not None:
            self.ws.sock.shutdown()  # the library itself leaves it open where the server closed first
        self._lost()

    def _on_close(self) -> None:
        self._lost()


class PrivateStream:
    """`ring` is called from the stream's threads. `steady` counts seconds."""

    def __init__(
        self, settings: BybitSettings, keys: Keys, ring: Callable[[], None], draw: Callable[[], float], steady: Callable[[], float]
    ) -> None:
        self._options = {
            "testnet": settings.environment is BybitEnvironment.TESTNET,
            "demo": settings.environment is BybitEnvironment.DEMO,
            "api_key": keys.key,
            "api_secret": keys.secret,
            "private_auth_expire": settings.receive_window_ms // 1000,
            "restart_on_error": False,
            "retries": 2,  # with 1 it takes even a good connection for a failure
            "ping_interval": _PING_SECONDS,
            "ping_timeout": _PONG_SECONDS,
        }
        self._address = None if settings.url is None else settings.url.replace("http", "ws", 1) + "/v5/private"
        self._ring = ring
        self._steady = steady
        self._backoff = Backoff(draw)
        self._told: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._closed = threading.Event()
        self._lost = threading.Event()
        self._subscribed = threading.Event()
        self.connections = 0
        """How often it has connected; one more than last time means that something may have been missed."""
        self.heard_at = steady()
        """Counter at the last word of any kind, pongs included."""
        self._thread = threading.Thread(target=self._run, name="bybit-stream", daemon=True)

    def start(self) -> None:
        """Connect in the background."""
        self._thread.start()

    @property
    def live(self) -> bool:
        """Whether it is connected and subscribed, and answers pings."""
        speaks = self._steady() - self.heard_at < _SILENT_SECONDS
        return self._subscribed.is_set() and not self._lost.is_set() and speaks

    def take(self) -> tuple[dict[str, Any], ...]:
        """All messages since the last time, in the order in which they came."""
        taken = []
        while True:
            try:
                taken.append(self._told.get_nowait())
            except Empty:
                return tuple(taken)

    def close(self) -> None:
        """Disconnect and wait for the threads to end."""
        self._closed.set()
        self._lost.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._lost.clear()
            self._subscribed.clear()
            socket = self._connected()
            if socket is not None:
                if not self._closed.is_set():
                    self._lost.wait()
                self._end(socket)
            self._subscribed.clear()
            if not self._closed.is_set():
                self._closed.wait(self._backoff.wait())

    def _connected(self) -> _Socket | None:
        try:
            socket = _Socket(self._address, self._lost.set, self._note_word, callback_function=self._take_in, **self._options)
        except Exception:  # noqa: BLE001  # edge: whatever the vendor's socket raises, the stream is down and tries again
            return None
        try:
            socket.ws.send(json.dumps({"op": "subscribe", "req_id": "desk", "args": list(TOPICS)}))
        except Exception:  # noqa: BLE001  # edge: as above
            self._lost.set()
        return socket

    def _end(self, socket: _Socket) -> None:
        """End the socket and its thread, which would sleep on a socket that is closed under it, and wakes when it is shut down."""
        try:
            socket.ws.keep_running = False
            with suppress(OSError, AttributeError):  # it is closed already
                socket.ws.sock.sock.shutdown(SHUT_RDWR)
            socket.wst.join(_JOIN_SECONDS)
            socket.exit()
        except Exception:  # noqa: BLE001  # edge: a socket that cannot even be closed is let go of
            return

    def _note_word(self) -> None:
        self.heard_at = self._steady()

    def _take_in(self, message: dict[str, Any]) -> None:
        if message.get("success") is False:
            self._lost.set()
        elif message.get("op") == "subscribe":
            self._backoff.succeeded()
            self.connections += 1
            self._subscribed.set()
            self._ring()
        elif "topic" in message:
            self._told.put(message)
            self._ring()
