"""The running desk's socket: other processes of the same user ask its tools, and hand it what they may not write themselves.

Promises that a tool looks at the desk's books only while its loop stands aside (`turn`), and that a busy desk says so within seconds.
Refuses other users, requests above 256 kB and who does not finish a sentence in time. One request a connection: a line of JSON,
`{"tool": ..., "arguments": {...}}` or `{"post": {...}}`, and a line back. Linux: peers are known by SO_PEERCRED.
"""

import json
import logging
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from trading_bot.domain.errors import DeskError, ToolFailedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import Record, UtcTime, canonical_json
from trading_bot.ports import InboxItem
from trading_bot.tools.calling import answer
from trading_bot.tools.registry import TOOLS, Tool, Toolset

if TYPE_CHECKING:
    from trading_bot.tools.scope import Scope

NAME = "desk.sock"

_LARGEST = 256_000
_SENTENCE = 5.0
"""Seconds within which a peer says its line, and takes ours."""
_PATIENCE = 2.0
"""Seconds for which a question waits for the desk's loop."""
_ANSWER = 30.0
"""Seconds for which a client waits for an answer."""
_POLL = 0.1
_PEER = struct.Struct("3i")
"""Process, user, group."""
_ROOT = 0
_BUSY = {"error": "busy"}
_log = logging.getLogger(__name__)


class _Item(Record):
    """An inbox item on the wire."""

    id: str = Field(min_length=1, max_length=100)
    kind: Literal["command", "proposal", "approval"]
    body: str
    posted_at: UtcTime


class _Post(Record):
    post: _Item


class _Ask(Record):
    tool: str
    arguments: dict[str, Any]


_REQUEST: TypeAdapter[_Ask | _Post] = TypeAdapter(_Ask | _Post)


class DeskSocket:
    """Serves `HOME/desk.sock` for the owner of the home, from `start` to `close`."""

    def __init__(
        self,
        home: Path,
        scope: "Callable[[], Scope]",
        post: Callable[[InboxItem], None],
        turn: threading.Lock,
        tools: Sequence[Tool] = TOOLS,
    ) -> None:
        self._home = home
        self._scope = scope
        self._post = post
        self._turn = turn
        self._tools = tools
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Serve in a thread. A desk trades without its socket too: where there can be none, a warning is all."""
        try:
            self._server = _Server(self._home, self._respond)
        except OSError as error:
            _log.warning("no socket for other processes in %s, they answer from the journal: %s", self._home, error)
            return
        threading.Thread(target=self._server.serve_forever, args=(_POLL,), name=NAME, daemon=True).start()

    def close(self) -> None:
        """Serve no more, and leave no file."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            (self._home / NAME).unlink(missing_ok=True)
        self._server = None

    def _respond(self, line: bytes) -> dict[str, Any]:
        try:
            request = _REQUEST.validate_json(line)
        except ValidationError:
            return {"error": "not a request"}
        try:
            return self._take(request.post) if isinstance(request, _Post) else self._answer(request)
        except DeskError as error:
            return {"error": str(error)}

    def _take(self, item: _Item) -> dict[str, Any]:
        self._post(InboxItem(item.id, item.kind, item.body, item.posted_at))
        return {"posted": item.id}

    def _answer(self, ask: _Ask) -> dict[str, Any]:
        tool = next((tool for tool in self._tools if tool.name == ask.tool), None)
        if tool is None:
            return {"error": "no such tool"}
        if not self._turn.acquire(timeout=_PATIENCE):
            return _BUSY
        try:
            scope = self._scope()
            call = None if tool.toolset is Toolset.BACKTEST else answer(tool, scope, ask.arguments)
        finally:
            self._turn.release()
        # Research reads no books, and is long: the desk goes on meanwhile.
        return {"call": (call or answer(tool, scope, ask.arguments)).model_dump(mode="json")}


def ask_desk(home: Path, tool: str, arguments: dict[str, Any]) -> ToolCall | None:
    """Ask the desk that runs on `home`; None if none does, or if it is busy. ToolFailedError if it was asked and said nothing."""
    reply = _exchange(home, {"tool": tool, "arguments": arguments})
    return ToolCall.model_validate(reply["call"]) if reply is not None and "call" in reply else None


def post_to_desk(home: Path, item: InboxItem) -> bool:
    """Hand an inbox item to the desk that runs on `home`; False if none does.

    ToolFailedError if the desk would not take it, or took it and said nothing: then it MAY be in the inbox, and the same item may be
    handed over again.
    """
    reply = _exchange(home, {"post": _Item.model_validate(asdict(item)).model_dump(mode="json")})
    if reply is not None and "posted" not in reply:
        raise ToolFailedError(f"the desk did not take it: {reply.get('error')}")
    return reply is not None


def _exchange(home: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    line = socket.socket(socket.AF_UNIX)
    with line:
        line.settimeout(_SENTENCE)
        try:
            with _near(home) as address:
                line.connect(address)
        except OSError:
            return None
        try:
            line.sendall(canonical_json(request).encode() + b"\n")
            line.settimeout(_ANSWER)
            reply: dict[str, Any] = json.loads(line.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise ToolFailedError(
                "the running desk did not answer; what was asked of it MAY have been done; ask again in a moment"
            ) from error
        return reply


@contextmanager
def _near(home: Path) -> Iterator[str]:
    """The socket's address by way of an open folder: the kernel takes 107 bytes, and homes may lie deeper."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


class _Server(socketserver.ThreadingUnixStreamServer):
    """A thread for each peer of the same user."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, home: Path, respond: Callable[[bytes], dict[str, Any]]) -> None:
        self.respond = respond
        self._welcome = {os.geteuid(), _ROOT}
        path = home / NAME
        path.unlink(missing_ok=True)  # of a desk that died: only the owner of the home comes here
        with _near(home) as address:
            super().__init__(address, _Talk, bind_and_activate=False)
            try:
                self.server_bind()
                path.chmod(0o600)  # before it listens, so that nobody else gets in between
                self.server_activate()
            except OSError:
                self.server_close()
                raise

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - the library's words
        """Whether the peer is of the same user, or root."""
        _, user, _ = _PEER.unpack(request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        return user in self._welcome

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - the library's words
        """Keep a peer that failed out of the desk's way."""
        _log.warning("a question at the desk's socket failed", exc_info=True)


class _Talk(socketserver.StreamRequestHandler):
    """A line, and a line back."""

    timeout = _SENTENCE
    server: _Server

    def handle(self) -> None:
        with suppress(TimeoutError, ConnectionError):
            line = self.rfile.readline(_LARGEST + 1)
            reply = self.server.respond(line) if line.endswith(b"\n") else {"error": "not a request"}
            self.wfile.write(canonical_json(reply).encode() + b"\n")
