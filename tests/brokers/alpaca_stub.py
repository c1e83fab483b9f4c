"""A server of a few scripted answers, for what no real venue can be asked to do; it counts what reaches it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What is sent back. `body`: JSON, or text as it is; `cut`: promise more bytes than are sent; `silent`: say nothing at all."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    silent: bool = False


@dataclass
class Stub:
    """Answers every request in the same way, and keeps each as method and path."""

    url: str
    answer: Answer
    seen: list[str]
    released: threading.Event


@contextmanager
def stub(answer: Answer) -> Iterator[Stub]:
    """A stub on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        def _reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.seen.append(f"{self.command} {self.path}")
            if found.answer.silent:
                found.released.wait(10)
                self.close_connection = True
                return
            body = found.answer.body if isinstance(found.answer.body, str) else json.dumps(found.answer.body)
            self.send_response_only(found.answer.status)
            for name, value in found.answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + (100 if found.answer.cut else 0)))
            self.end_headers()
            self.wfile.write(body.encode())
            self.close_connection = found.answer.cut

        do_GET = do_POST = do_PATCH = do_DELETE = _reply  # noqa: N815 - names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Stub(f"http://127.0.0.1:{server.server_address[1]}", answer, [], threading.Event())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        found.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
