"""An emulated Messages API on loopback, for the real `claude` binary: offline, without a key, the same every time.

Promises public answers (streamed or whole), usage counted from each request's real size, and a ledger of all that it charged. What the
model says comes from a script, what goes wrong from fault rules; it has no clock and no chance of its own. Refuses to listen anywhere
but on loopback.
"""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trading_bot.sandbox import claude_wire as wire
from trading_bot.sandbox.claude_faults import Rule, spoil
from trading_bot.sandbox.claude_ledger import Charge, summary
from trading_bot.sandbox.claude_personas import Script, play
from trading_bot.sandbox.claude_turn import ANSWER_TOOL, PERSONAS, Turn
from trading_bot.sandbox.listening import listen

_SECRET = frozenset({"authorization", "x-api-key", "cookie"})
_SESSION = "x-claude-code-session-id"
_MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")


@dataclass(frozen=True)
class Heard:
    """One request as it came, its keys blacked out."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    size: int
    """Bytes of the body."""
    persona: str
    session: str

    def line(self) -> str:
        """JSON on one line."""
        return wire.compact(vars(self) | {"headers": dict(self.headers)})


class ClaudeApi:
    """The API; use it as a context, then `url` answers until the block ends."""

    def __init__(self, script: Script = play, faults: Sequence[Rule] = (), *, port: int = 0, log: Path | None = None) -> None:
        self._script = script
        self._faults = tuple(faults)
        self._log = log
        self._heard: list[Heard] = []
        self._charges: list[Charge] = []
        self._failures = 0
        self._sessions: dict[str, list[str]] = defaultdict(list)
        self._answers: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        self._socket = listen(port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        config = uvicorn.Config(self._app(), log_config=None, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="claude-api", daemon=True)

    def __enter__(self) -> Self:
        """Serve in a thread of its own."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every connection, hanging ones too."""
        self._server.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout=10)
        self._socket.close()

    @property
    def url(self) -> str:
        """For `ANTHROPIC_BASE_URL`."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def heard(self) -> tuple[Heard, ...]:
        """Requests for messages so far, in order."""
        return tuple(self._heard)

    @property
    def requests(self) -> tuple[Mapping[str, Any], ...]:
        """Their bodies."""
        return tuple(heard.body for heard in self._heard)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What was charged so far, in order."""
        return tuple(self._charges)

    def ledger(self) -> dict[str, Any]:
        """Totals, and the same by model and by persona."""
        return summary(self._charges, self._failures)

    def _serve(self) -> None:
        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._socket])

        asyncio.run(run())

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", _alive, methods=["GET", "HEAD"]),
                Route("/__ledger", self._told(self.ledger)),
                Route("/v1/models", self._told(_models)),
                Route("/v1/messages/count_tokens", _count, methods=["POST"]),
                Route("/v1/messages", self._messages, methods=["POST"]),
            ]
        )

    @staticmethod
    def _told(answer: Callable[[], dict[str, Any]]) -> Callable[[Request], Any]:
        async def endpoint(_: Request) -> Response:
            return JSONResponse(answer())

        return endpoint

    async def _messages(self, request: Request) -> Response:
        raw = await request.body()
        body = _object(raw)
        if body is None:
            return _refused(wire.Failure(400, "invalid_request_error", "the body is not a JSON object"))
        session = request.headers.get(_SESSION) or _digest(body)
        turn = Turn(body, len(raw), session)
        call = self._call(turn)
        turn = Turn(body, len(raw), session, tuple(said for asked, said in self._answers[turn.persona] if asked != session))
        self._hear(request, turn)
        outcome = spoil(self._faults, turn, call, self._script(turn))
        if isinstance(outcome, wire.Failure):
            self._failures += 1
            return _refused(outcome)
        return await self._answer(request, turn, outcome)

    async def _answer(self, request: Request, turn: Turn, reply: wire.Reply) -> Response:
        if reply.manner is wire.Manner.SILENT:
            await self._until_gone(request)
            return Response(status_code=503)
        model = str(turn.body.get("model"))
        envelope = wire.Envelope(f"msg_{len(self._heard):06d}", model, wire.tokens(turn.size))
        self._charges.append(Charge(turn.session, turn.persona, model, reply.manner is wire.Manner.WHOLE, wire.usage(reply, envelope)))
        self._remember(turn, reply)
        if not turn.body.get("stream"):
            return JSONResponse(wire.message(reply, envelope), headers=dict(reply.headers))
        stream = self._stream(request, reply, envelope)
        return StreamingResponse(stream, media_type="text/event-stream", headers=dict(reply.headers))

    async def _stream(self, request: Request, reply: wire.Reply, envelope: wire.Envelope) -> AsyncIterator[bytes]:
        events = list(wire.events(reply, envelope))
        sent = events if reply.manner is wire.Manner.WHOLE else events[: len(events) // 2]
        for event in sent:
            if reply.pause:
                await asyncio.sleep(reply.pause)
            yield event
        if reply.manner is wire.Manner.STALLED:
            await self._until_gone(request)
        if reply.manner is wire.Manner.DROPPED:
            msg = "broken off, as the fault rule says"
            raise ConnectionAbortedError(msg)

    async def _until_gone(self, request: Request) -> None:
        """Wait until the other side has hung up, or the API closes."""
        waits = [asyncio.ensure_future(request.receive()), asyncio.ensure_future(self._closing.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def _call(self, turn: Turn) -> int:
        """Return which conversation of its persona this is, from 1 on."""
        known = self._sessions[turn.persona]
        if turn.session not in known:
            known.append(turn.session)
        return known.index(turn.session) + 1

    def _remember(self, turn: Turn, reply: wire.Reply) -> None:
        said = [(turn.session, b.input) for b in reply.blocks if isinstance(b, wire.Use) and b.name == ANSWER_TOOL]
        self._answers[turn.persona].extend(said)

    def _hear(self, request: Request, turn: Turn) -> None:
        headers = {name: "***" if name in _SECRET else value for name, value in request.headers.items()}
        heard = Heard(request.url.path, headers, turn.body, turn.size, turn.persona, turn.session)
        self._heard.append(heard)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(heard.line() + "\n")


async def _alive(_: Request) -> Response:
    return Response()


async def _count(request: Request) -> Response:
    return JSONResponse({"input_tokens": wire.tokens(len(await request.body()))})


def _models() -> dict[str, Any]:
    listed = [{"type": "model", "id": name, "display_name": name, "created_at": "2025-11-01T00:00:00Z"} for name in _MODELS]
    return {"data": listed, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}


def _refused(failure: wire.Failure) -> Response:
    return JSONResponse(failure.body, failure.status, headers=dict(failure.headers))


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _digest(body: Mapping[str, Any]) -> str:
    """Name a conversation that has no session id by its first message."""
    return wire.compact([body.get("system"), *list(body.get("messages") or ())[:1]])


__all__ = ["PERSONAS", "ClaudeApi", "Heard", "Rule", "Script", "play"]
