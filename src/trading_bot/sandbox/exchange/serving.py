"""A server on loopback in a thread of its own, which can cut connections and go away for a while, as real ones do.

Promises that an error in what it serves is not swallowed: it is raised when the server stops. Refuses to listen anywhere but on loopback.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from trading_bot.sandbox.listening import bound, listen

_PUMP = 0.02
_HOST = "127.0.0.1"


class Loopback:
    """Serves an ASGI application. `pump` is called every 20 ms from the server's loop."""

    def __init__(self, app: Any, *, port: int = 0, pump: Callable[[], None] | None = None, name: str = "emulator") -> None:  # noqa: ANN401 - any ASGI application
        self._pump = pump
        self._socket = listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",
            lifespan="off",
            ws="websockets-sansio",
            http="h11",
            ws_ping_interval=None,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(self._config)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._begun = threading.Event()
        self._stopping = False
        self._away = 0.0
        self._kept: socket.socket | None = None
        """Keeps the port while nobody listens, so that no other process gets it."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=name, daemon=True)
        self.failures: list[BaseException] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{_HOST}:{self.port}"

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        self._begun.wait(timeout=10)

    def stop(self) -> None:
        """Let go of every connection; raise what went wrong inside."""
        self._stopping = True
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._hang_up)
        self._thread.join(timeout=10)
        self._socket.close()
        if self.failures:
            raise self.failures[0]

    def vanish(self, seconds: float) -> None:
        """Refuse connections for so long, and cut those that are open. From the server's loop."""
        self._away = max(self._away, seconds)
        self._hang_up()
        if self._kept is None:
            self._socket.close()
            self._kept = bound(self.port)

    def cut(self, client: Any) -> None:  # noqa: ANN401 - an address as Starlette tells it
        """Cut the connection of one client without a word."""
        for connection in list(self._server.server_state.connections):
            if getattr(connection, "client", None) == tuple(client or ()) and connection.transport is not None:
                connection.transport.abort()

    def _hang_up(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        for server in getattr(self._server, "servers", ()):
            server.close()
        for connection in list(self._server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        pumping = asyncio.create_task(self._pumping())
        while not self._stopping:
            await self._server.serve(sockets=[self._socket])
            while self._away > 0 and not self._stopping:
                step, self._away = min(self._away, 0.05), max(self._away - 0.05, 0)
                await asyncio.sleep(step)
            if self._kept is not None:
                self._socket, self._kept = self._kept, None
                self._server = uvicorn.Server(self._config)
        pumping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pumping

    async def _pumping(self) -> None:
        while not self._server.started:  # noqa: ASYNC110 - a flag is all that uvicorn gives
            await asyncio.sleep(0.002)
        self._begun.set()
        while self._pump is not None:
            try:
                self._pump()
            except Exception as error:  # noqa: BLE001  # edge: told when the server stops
                self.failures.append(error)
                return
            await asyncio.sleep(_PUMP)
