"""Alpaca's stream of trade updates, in a thread with a loop of its own, for as long as it is not closed.

Promises that every message waits in order until it is taken, that a lost connection comes back with growing pauses, and that it says of
itself whether it can be believed. Refuses to interpret: what a message means is said elsewhere.
"""

import asyncio
import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from alpaca.trading.stream import TradingStream

from trading_bot.network.backoff import Backoff
from trading_bot.network.keys import Keys

_PING = {"ping_interval": 5, "ping_timeout": 10, "open_timeout": 10, "close_timeout": 1, "max_queue": 1024}
"""Of the WebSocket: a peer that does not answer pings for so long is gone."""
_STABLE_SECONDS = 10.0
"""A connection that has held for so long counts as success."""
_JOIN_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


class Updates:
    """Connects at once; `ring` is called from its thread at each message and each connection. `url`: of an emulator."""

    def __init__(self, keys: Keys, *, paper: bool, url: str | None, backoff: Backoff, ring: Callable[[], None]) -> None:
        self._keys = keys
        self._paper = paper
        self._url = None if url is None else f"{url.replace('http', 'ws', 1)}/stream"
        self._backoff = backoff
        self._ring = ring
        self._messages: deque[dict[str, Any]] = deque()
        self._connections = 0
        self._live = False
        self._doubted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="alpaca-trade-updates", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How often it has connected: who sees it grow has to read what happened in between."""
        return self._connections

    @property
    def mute(self) -> bool:
        """Whether it is down, or was found to have kept something back and has not spoken since."""
        return self._doubted or not self._live

    def doubt(self) -> None:
        """A read brought what the stream should have told."""
        self._doubted = True

    def drain(self) -> list[dict[str, Any]]:
        """Messages since the last call, in order."""
        found = []
        while self._messages:
            found.append(self._messages.popleft())
        return found

    def renew(self) -> None:
        """Drop the connection and make another."""
        self._cancel()

    def close(self) -> None:
        """End it; the thread has ended when this returns."""
        self._closed = True
        self._cancel()
        self._thread.join(_JOIN_SECONDS)

    def _cancel(self) -> None:
        with self._lock:
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            with self._lock:
                self._loop = runner.get_loop()
            runner.run(self._keep_connected())
            with self._lock:
                self._loop = None

    async def _keep_connected(self) -> None:
        while not self._closed:
            with self._lock:
                self._task = asyncio.ensure_future(self._listen())
            if self._closed:
                self._task.cancel()
            try:
                await self._task
            except asyncio.CancelledError:
                continue
            except Exception as error:  # noqa: BLE001  # edge: whatever ends a connection, the next one is tried
                _LOG.warning("alpaca trade updates: %s", self._keys.hide(f"{type(error).__name__}: {error}"))
            finally:
                self._live = False
            await self._pause()

    async def _pause(self) -> None:
        with self._lock:
            self._task = asyncio.ensure_future(asyncio.sleep(self._backoff.wait()))
        if not self._closed:
            await asyncio.wait({self._task})

    async def _listen(self) -> None:
        url: Any = self._url  # None is what the SDK wants, though it does not say so
        sdk = TradingStream(self._keys.key, self._keys.secret, self._paper, raw_data=True, url_override=url, websocket_params=_PING)
        sdk.subscribe_trade_updates(self._take)
        loop = asyncio.get_running_loop()
        try:
            # The SDK's own loop logs, waits and reconnects in ways of its own; its steps are used one by one.
            await sdk._start_ws()  # type: ignore[no-untyped-call] # noqa: SLF001 - connects, logs in and subscribes
            self._connections += 1
            self._live, self._doubted, since = True, False, loop.time()
            self._ring()
            while True:
                message = json.loads(await sdk._ws.recv())  # type: ignore[attr-defined] # noqa: SLF001 - untyped
                if loop.time() - since > _STABLE_SECONDS:
                    self._backoff.succeeded()
                await sdk._dispatch(message)  # noqa: SLF001 - to the handler
        finally:
            await sdk.close()

    async def _take(self, message: dict[str, Any]) -> None:
        self._doubted = False
        self._messages.append(message["data"])
        self._ring()
