"""HTTP that ends: servers that drip, hang or never stop are left within the time and the size that were given."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from trading_bot.network.bounded_http import BoundedTransport
from trading_bot.network.deadline import Deadline

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@contextmanager
def serving(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server whose one connection does what `talk` does."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                talk(connection, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        thread.join(timeout=5)


def dripping(start: bytes, piece: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """A byte now and then, without an end."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.01):
            connection.sendall(piece)

    return talk


def get(url: str, seconds: float, most: int = 100_000) -> httpx.Response:
    """One exchange within its limits."""
    left = Deadline(time.monotonic, seconds).left
    with httpx.Client(transport=BoundedTransport(left, most, CONTEXT), timeout=None, trust_env=False) as client:  # noqa: S113 - the transport has one
        return client.get(url)


@pytest.mark.parametrize(
    "talk",
    [
        dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b"a"),
        lambda _, over: over.wait(5),
    ],
    ids=["dripping headers", "dripping body", "silence"],
)
def test_a_server_that_drips_is_left_when_the_time_is_up(talk: Callable[[socket.socket, threading.Event], None]) -> None:
    """Though no single byte of it is late."""
    with serving(talk) as url:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            get(url, 0.15)
        assert time.monotonic() - began < 1


def test_an_answer_is_left_at_its_size() -> None:
    """However fast it comes."""

    def pouring(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 4096)

    with serving(pouring) as url, pytest.raises(httpx.ReadError, match="longer than it may be"):
        get(url, 5, most=20_000)


def test_an_answer_in_time_is_an_answer() -> None:
    """Whole, and once."""
    with serving(lambda connection, _: connection.sendall(HEAD + b"Content-Length: 5\r\n\r\nhello")) as url:
        assert get(url, 5).text == "hello"


def test_a_part_ends_with_the_whole() -> None:
    """Whatever it asked for; what is used up stays so."""
    now = [10.0]
    whole = Deadline(lambda: now[0], 5)
    assert (whole.within(2).left(), whole.within(9).left()) == (2, 5)
    part = whole.within(9)
    now[0] = 16
    assert (whole.left(), part.left()) == (0, 0)
