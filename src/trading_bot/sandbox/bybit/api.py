"""An emulated Bybit v5 on loopback, REST and WebSocket on one port, for any client that can be pointed at it.

Promises that what is told by stream and by REST is the same, and that without a fault each answer is whole. Refuses to listen anywhere
but on loopback. `GET /__evidence?after=N` and `GET /__state` tell auditors what really happened, `POST /__control` is the hand.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from trading_bot.domain.errors import ConfigError
from trading_bot.sandbox.bybit.faults import Manner
from trading_bot.sandbox.bybit.service import Call, Reply, Service, Setup
from trading_bot.sandbox.bybit.signing import admits
from trading_bot.sandbox.bybit.stream import Connection, answer, category_of, pong, subscribe
from trading_bot.sandbox.bybit.wire import Refused, millis
from trading_bot.sandbox.evidence import Evidence
from trading_bot.sandbox.listening import listen

_PULSE = 0.02
"""Seconds between two looks at a clock that runs by itself."""
_PUBLISHED = 5
"""Public streams are told at every so many looks."""
_LATENCY = 0.05
"""Seconds until a subscription is answered, as over a network."""
_EXPECTED = (OSError, RuntimeError, WebSocketDisconnect)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]
"""All are answered; what the venue has no route for, with its own refusal."""


class BybitApi:
    """The exchange; use it as a context, then `url` answers until the block ends."""

    def __init__(self, setup: Setup, *, port: int = 0, log: Path | None = None) -> None:
        self.evidence = Evidence(log)
        self.service = Service(setup, self.evidence)
        self._socket = listen(port)
        self._ready = threading.Event()
        self._streams = 0
        config = uvicorn.Config(
            self._app(), log_config=None, log_level="critical", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="bybit-api", daemon=True)

    def __enter__(self) -> Self:
        """Serve in a thread of its own."""
        self._thread.start()
        self._ready.wait(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every connection."""
        self.service.hub.drop()
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    @property
    def url(self) -> str:
        """Where REST answers; streams are at the same port, `ws://`."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def stream_url(self) -> str:
        """Where streams begin: `/v5/private`, `/v5/public/linear`, `/v5/public/spot`."""
        return self.url.replace("http://", "ws://")

    def advance(self, by: timedelta = timedelta(0)) -> None:
        """Move emulated time ahead, let happen what happens, and tell it."""
        self.service.clock.hand(by)
        self.service.step()
        self.service.publish()

    def control(self, **said: Any) -> dict[str, Any]:  # noqa: ANN401 - what `/__control` takes
        """Do what `POST /__control` does."""
        return self.service.control(said)

    # -- serving ---------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        async def run() -> None:
            pulse = asyncio.create_task(self._pulse())
            self._ready.set()
            try:
                await self._server.serve(sockets=[self._socket])
            finally:
                # A look that went wrong has to be seen.
                failure = pulse.exception() if pulse.done() and not pulse.cancelled() else None
                pulse.cancel()
            if failure is not None:
                raise failure

        asyncio.run(run())

    async def _pulse(self) -> None:
        """Look at a running clock again and again."""
        looks = 0
        while not self.service.clock.driven:
            self.service.step()
            looks += 1
            if looks % _PUBLISHED == 0:
                self.service.publish()
            await asyncio.sleep(_PULSE)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/__evidence", self._evidence),
                Route("/__state", self._state),
                Route("/__control", self._control, methods=["POST"]),
                WebSocketRoute("/v5/{path:path}", self._stream),
                Route("/{path:path}", self._call, methods=_METHODS),
            ]
        )

    async def _call(self, request: Request) -> Response:
        body = await request.body()
        query = request.scope["query_string"].decode("latin-1")
        reply = self.service.answer(Call(request.method, request.url.path, query, body, request.headers))
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.manner is Manner.LOST:
            await _cut(request)
            return Response()
        return _cut_short(request, reply) if reply.manner is Manner.CUT else _whole(reply)

    async def _evidence(self, request: Request) -> Response:
        after = request.query_params.get("after", "0")
        return JSONResponse(self.evidence.after(int(after) if after.isdigit() else 0))

    async def _state(self, _: Request) -> Response:
        return JSONResponse(self.service.state())

    async def _control(self, request: Request) -> Response:
        try:
            said = json.loads(await request.body())
            return JSONResponse(self.service.control(said))
        except (Refused, ConfigError, ValueError, ArithmeticError, AttributeError, KeyError) as error:
            return JSONResponse({"error": str(error)}, 400)

    # -- streams ---------------------------------------------------------------------------------------------------------

    async def _stream(self, websocket: WebSocket) -> None:
        category = category_of(websocket.url.path)
        if category is None or self.service.havoc.active("unreachable", self.service.now):
            await websocket.close()
            return
        await websocket.accept()
        self._streams += 1
        name = f"stream-{self._streams:06d}"
        connection = Connection(name, category, asyncio.get_running_loop(), asyncio.Queue(), authorised=bool(category))
        with self.service.lock:
            self.service.hub.join(connection)
            self.evidence.note("stream", self.service.now, what="connected", stream=name, category=category or "private")
        writer = asyncio.create_task(_write(websocket, connection))
        try:
            async for text in websocket.iter_text():
                self._heard(connection, _object(text))
        except _EXPECTED:
            pass
        finally:
            with self.service.lock:
                self.service.hub.leave(connection)
            connection.close()
            await writer

    def _heard(self, connection: Connection, asked: Mapping[str, Any]) -> None:
        """Answer one message of a client."""
        with self.service.lock:
            self.service.step()
            operation, told = asked.get("op"), asked.get("args")
            arguments = told if isinstance(told, list) else []
            message = dict(asked)
            if operation == "ping":
                connection.send(pong(connection, message, millis(self.service.now)))
            elif operation == "auth" and not connection.category:
                self._authorise(connection, message, arguments)
            elif operation == "subscribe":
                # The venue's own library takes an answer for an error that comes before it has noted its question.
                topics = [str(topic) for topic in arguments]
                connection.loop.call_later(_LATENCY, self._subscribe, connection, message, topics)
            elif operation == "unsubscribe":
                for topic in arguments:
                    connection.topics.pop(str(topic), None)
                connection.send(answer(connection, message))
            else:
                connection.send(answer(connection, message, f"Invalid op: {operation}"))

    def _authorise(self, connection: Connection, message: dict[str, Any], arguments: list[object]) -> None:
        expired = self.service.havoc.active("expired_token", self.service.now)
        connection.authorised = expired is None and admits(self.service.credentials, arguments, self.service.times())
        connection.send(answer(connection, message, "" if connection.authorised else "Params Error"))
        if not connection.authorised:
            connection.close()

    def _subscribe(self, connection: Connection, message: dict[str, Any], topics: list[str]) -> None:
        with self.service.lock:
            problem = subscribe(self.service.engine, connection, topics) if connection.authorised else "Request not authorized"
            connection.send(answer(connection, message, problem))
            self.evidence.note(
                "stream", self.service.now, what="subscribed", stream=connection.id, topics=",".join(topics), problem=problem
            )
            for topic in topics if connection.category and not problem else ():
                self.service.hub.refresh(self.service.engine, connection, topic)


async def _write(websocket: WebSocket, connection: Connection) -> None:
    """Send what waits, until the stream is cut off."""
    try:
        while (text := await connection.queue.get()) is not None:
            await websocket.send_text(text)
        await websocket.close()
    except _EXPECTED:
        pass


def _object(text: str) -> Mapping[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _whole(reply: Reply) -> Response:
    if reply.status == 403:  # noqa: PLR2004 - what the venue's gate says, which is not JSON
        return Response("access too frequent", reply.status, headers=dict(reply.headers))
    return JSONResponse(dict(reply.content), reply.status, headers=dict(reply.headers))


def _cut_short(request: Request, reply: Reply) -> Response:
    """Half of the answer, then nothing."""
    whole = json.dumps(reply.content).encode()

    async def half() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]
        await _cut(request)

    return StreamingResponse(half(), headers={"content-length": str(len(whole)), "content-type": "application/json"})


async def _cut(request: Request) -> None:
    """Hang up without a word, which no response of the framework can say: its cycle holds the transport."""
    getattr(request.receive, "__self__").transport.close()  # noqa: B009 - a bound method, which the type does not promise
    await asyncio.sleep(0.01)
