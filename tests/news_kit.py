"""Fetchers and emulated feeds for tests."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from trading_bot import config
from trading_bot.news.fetch import Fetcher
from trading_bot.news.sockets import Resolve, resolve
from trading_bot.sandbox.news.faults import Rule
from trading_bot.sandbox.news.service import NewsService
from trading_bot.sandbox.news.stories import Story
from trading_bot.settings_news import NewsSettings

NOW = datetime(2026, 3, 9, 14, 30, tzinfo=UTC)
APPLE = Story(
    title="Apple beats estimates & raises its forecast",
    body="Revenue rose <b>8%</b>.",
    url="https://news.example/apple",
    published="2026-03-09T14:00:00+00:00",
    symbols=("AAPL",),
)
COIN = Story(
    title="Bitcoin slips",
    body="It fell 3%.",
    url="https://news.example/bitcoin",
    published="2026-03-09T13:00:00+00:00",
    publisher="Loopback Journal",
    symbols=("BTC/USD", "AAPL"),
)


def settings(**changed: Any) -> NewsSettings:  # noqa: ANN401 - settings by name
    """The desk's own, changed."""
    return NewsSettings.model_validate(config.load().news.model_dump() | changed)


def fetcher(
    *hosts: str,
    resolving: Resolve = resolve,
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    sleep: Callable[[float], object] = time.sleep,
    pause: float = 0,
    steady: Callable[[], float] = time.monotonic,
    **changed: Any,  # noqa: ANN401 - settings by name
) -> Fetcher:
    """A fetcher that may ask `hosts` (host:port), without a pause."""
    made = settings(private_hosts=hosts, **{"timeout_seconds": 5, "max_bytes": 1_000_000} | changed)
    return Fetcher(made, steady, lambda: NOW, sleep, pause=pause, resolving=resolving, tls=tls)


def serving(*faults: Rule, stories: Sequence[Story] = (APPLE, COIN)) -> NewsService:
    """Emulated sources that tell these stories."""
    return NewsService(lambda _: stories, faults, now=lambda: NOW)


@contextmanager
def answering(*answers: bytes, tls: ssl.SSLContext | None = None, drip: float | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """A bare server that gives one raw answer to each connection in turn; yields its host:port and what it was asked."""
    heard: list[bytes] = []
    door = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        for answer in answers:
            try:
                plain, _ = door.accept()
            except OSError:
                return
            with plain, suppress(OSError), _wrapped(plain, tls) as line:
                heard.append(line.recv(65536))
                _send(line, answer, drip, stop)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{door.getsockname()[1]}", heard
    finally:
        stop.set()
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join(5)


def _wrapped(plain: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return plain if tls is None else tls.wrap_socket(plain, server_side=True)


def _send(line: socket.socket, answer: bytes, drip: float | None, stop: threading.Event) -> None:
    if drip is None:
        line.sendall(answer)
        return
    for byte in answer:
        line.sendall(bytes([byte]))
        if stop.wait(drip):
            return


def http(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A raw answer."""
    told = {"content-length": str(len(body)), "connection": "close"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return f"HTTP/1.1 {status}\r\n".encode() + "".join(f"{n}: {v}\r\n" for n, v in told.items()).encode() + b"\r\n" + body
