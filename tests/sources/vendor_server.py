"""A server on loopback that answers as a test says, over HTTP and WebSockets: a vendor of few words, for tests of sources."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

Query = Mapping[str, str]
Greet = Callable[[WebSocket], Awaitable[object]]
_LONGEST = 10.0


class Vendor:
    """Answers `answers[path](query)` as JSON; an answer may be a `Response`. `asked` is what was asked, `told` what streams were told."""

    def __init__(self, greet: Greet) -> None:
        self.answers: dict[str, Callable[[Query], Any]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.told: list[Any] = []
        self._greet = greet
        self._streams: set[WebSocket] = set()
        self._changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._loop: asyncio.AbstractEventLoop | None = None
        routes = [Route("/{path:path}", self._answer), WebSocketRoute("/{path:path}", self._stream)]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_config=None,
            log_level="critical",
            lifespan="off",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="vendor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def count(self, path: str) -> int:
        """How often `path` was asked."""
        return sum(asked == path for asked, _ in self.asked)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, looked at whenever a stream was told something or came or went."""
        with self._changed:
            assert self._changed.wait_for(holds, timeout=_LONGEST)

    def until_streams(self, count: int) -> None:
        """Wait until so many streams are connected and have subscribed."""
        self.until(lambda: len(self._streams) == count)

    def push(self, message: bytes | str) -> None:
        """Send to all streams."""
        self._run(self._send(message))

    def cut(self) -> None:
        """Cut all streams off."""
        self._run(self._cut())

    def _run(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=_LONGEST)

    async def _send(self, message: bytes | str) -> None:
        for stream in list(self._streams):
            await (stream.send_bytes(message) if isinstance(message, bytes) else stream.send_text(message))

    async def _cut(self) -> None:
        for stream in list(self._streams):
            await stream.close(1011)

    def _serve(self) -> None:
        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._socket])

        asyncio.run(run())

    async def _answer(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.asked.append((request.url.path, query))
        answer = self.answers.get(request.url.path)
        if answer is None:
            return JSONResponse({"code": 40410000, "message": f"nothing at {request.url.path}"}, status_code=404)
        said = answer(query)
        return said if isinstance(said, Response) else JSONResponse(said)

    async def _stream(self, stream: WebSocket) -> None:
        await stream.accept()
        try:
            self._note(await self._greet(stream))
            self._streams.add(stream)
            self._note(None)
            while True:
                self._note((await stream.receive()).get("text"))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._streams.discard(stream)
            self._note(None)

    def _note(self, told: object) -> None:
        with self._changed:
            if told is not None:
                self.told.append(json.loads(told) if isinstance(told, str) else told)
            self._changed.notify_all()
