"""The in-process host: serves granted tools to a model's process over HTTP on loopback, one bearer token a run.

Promises that a token opens exactly the granted tools as of the brief's time, and nothing once its block has ended; that each call is
recorded in order as it was answered; and that tools run one at a time, since they share the view's memory with the desk. Refuses any
other token, host, origin or method, bodies above 1 MB, and grants of what acts.
"""

import hmac
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.ports import Brief, ToolGrant
from trading_bot.tools import wire
from trading_bot.tools.calling import answer
from trading_bot.tools.registry import TOOLS, Tool
from trading_bot.tools.scope import Scope, still

NAME = "desk"
"""Of the one server that headless runs see."""
LARGEST_BODY = 1_000_000
MOST_TOLD = 36_000
"""Bytes that one run may be told before it is refused more; with one result on top it bounds what a turn can cost."""
Answering = Callable[[Tool, Scope, dict[str, Any]], ToolCall]
"""Answers one call of a granted tool; never raises."""

_LOOPBACK = "127.0.0.1"
_TOKEN_BYTES = 32
_RUN = "desk.run"
_UNAUTHORIZED = Response("no open run has this token", 401, {"WWW-Authenticate": "Bearer"})
_NOT_POST = Response("post to this address", 405, {"Allow": "POST"})


class Run:
    """An open grant: `ports.ToolAccess`."""

    def __init__(self, url: str, tools: Sequence[Tool], scope: Scope, turn: threading.Lock, answering: Answering) -> None:
        self.url = url
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.tools = tools
        self._scope = scope
        self._turn = turn
        self._answering = answering
        self._calls: list[ToolCall] = []
        self._told = 0
        self._over = False

    def calls(self) -> tuple[ToolCall, ...]:
        """Every call so far, in order, as it was answered."""
        return tuple(self._calls)

    def call(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        """Answer one call and record it. What comes after the end is refused and not recorded."""
        with self._turn:
            if self._over:
                return wire.refused(self._scope.decision, name, arguments, "this run is over")
            reply = self._answer(name, arguments)
            self._told += len(reply.result.encode())
            self._calls.append(reply)
            return reply

    def _answer(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        decision = self._scope.decision
        if self._told > MOST_TOLD:
            return wire.refused(decision, name, arguments, "this run has read all that it may: answer from what you have, or abstain")
        tool = next((tool for tool in self.tools if tool.name == name), None)
        return wire.unknown(decision, name, arguments, self.tools) if tool is None else self._answering(tool, self._scope, arguments)

    def end(self) -> None:
        """Let the tool that is running finish, and no other begin: from now on the desk has its view to itself."""
        with self._turn:
            self._over = True


class HttpToolHost:
    """`ports.ToolHost`. `scope_for` gives what a brief's tools look at.

    The host makes the brief's view stand still first, and takes from the scope what acts, what shows words of strangers, and all news but
    those of stories that enough feeds back.
    """

    def __init__(self, scope_for: Callable[[Brief], Scope], tools: Sequence[Tool] = TOOLS, answering: Answering = answer) -> None:
        self._scope_for = scope_for
        self._answering = answering
        self._tools = {tool.name: tool for tool in tools}
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._runs: list[Run] = []
        self._door: _Door | None = None

    @contextmanager
    def open(self, grant: ToolGrant) -> Iterator[Run]:
        """Serve the granted tools until the block ends. ToolFailedError for a tool that there is not, or that acts."""
        tools = [self._granted(name) for name in grant.tools]
        brief = replace(grant.brief, view=still(grant.brief.view))
        scope = self._scope_for(brief)
        news = None if scope.news is None else scope.news.backed()
        scope = replace(scope, view=brief.view, propose=None, headlines=False, news=news)
        run = Run(self._address(), tools, scope, self._turn, self._answering)
        self._runs.append(run)
        try:
            yield run
        finally:
            self._runs.remove(run)
            run.end()

    def schemas(self, tools: Sequence[str]) -> list[dict[str, object]]:
        """Name, description and input schema of each tool, as the model is told them."""
        granted = [self._granted(name) for name in tools]
        return [{"name": tool.name, "description": tool.does, "input_schema": wire.input_schema(tool)} for tool in granted]

    def close(self) -> None:
        """Stop serving; a later grant starts anew."""
        with self._starting:
            if self._door is not None:
                self._door.close()
            self._door = None

    def _granted(self, name: str) -> Tool:
        tool = self._tools.get(name)
        if tool is None:
            raise ToolFailedError(f"there is no tool {name}; there are {', '.join(self._tools)}")
        if not tool.read_only:
            raise ToolFailedError(f"{name} acts, and a headless run may only look")
        return tool

    def _address(self) -> str:
        with self._starting:
            if self._door is None:
                self._door = _Door(self._run_of)
            return self._door.url

    def _run_of(self, headers: Sequence[str]) -> Run | None:
        """The open run that these Authorization headers name; every token is compared, each in constant time."""
        said = headers[0].encode() if len(headers) == 1 else b""
        found = [run for run in tuple(self._runs) if hmac.compare_digest(f"Bearer {run.token}".encode(), said)]
        return found[0] if found else None


class _Door:
    """A listening socket on loopback and the thread that serves it."""

    def __init__(self, run_of: Callable[[Sequence[str]], Run | None]) -> None:
        # The socket listens before its server runs, so that a caller who comes at once waits and is not refused.
        # Made for TCP by name: only then does asyncio send answers at once, and not 40 ms later when the peer has acknowledged.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind((_LOOPBACK, 0))
        self._socket.listen()
        port = self._socket.getsockname()[1]
        self.url = f"http://{_LOOPBACK}:{port}/mcp"
        settings = uvicorn.Config(
            _Guard(_application(port), run_of), ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on"
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="tool host", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class _Guard:
    """Lets a request pass that carries the token of an open run, and tells the server whose it is."""

    def __init__(self, application: ASGIApp, run_of: Callable[[Sequence[str]], Run | None]) -> None:
        self._application = application
        self._run_of = run_of

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        if connection["type"] == "http":
            request = Request(connection)
            run = self._run_of(request.headers.getlist("authorization"))
            if run is None or request.method != "POST":
                await (_UNAUTHORIZED if run is None else _NOT_POST)(connection, receive, send)
                return
            connection[_RUN] = run
        await self._application(connection, receive, send)


def _application(port: int) -> ASGIApp:
    names = [f"{host}:{port}" for host in (_LOOPBACK, "localhost")]
    served = wire.server(NAME, lambda context: _run(context).tools, lambda context, name, arguments: _run(context).call(name, arguments))
    return served.streamable_http_app(
        stateless_http=True,
        json_response=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]),
    )


def _run(context: wire.Context) -> Run:
    run: Run = cast("Request", context.request).scope[_RUN]
    return run
