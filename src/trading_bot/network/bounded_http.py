"""HTTP that ends in time and within its size, however slowly or endlessly the other side talks.

httpx limits each wait for the next bytes; a server that sends one byte a second is never late for it. Promises that connecting, sending
and every byte of an answer share one deadline, and that no more bytes are read than allowed. Refuses to follow the environment's
proxies. Raises httpx's own errors: ReadTimeout where the time is up, ReadError where the bytes are.
"""

import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx


class BoundedTransport(httpx.HTTPTransport):
    """For one exchange. `left` tells the seconds that it still has; `most`: bytes that may be read in all."""

    def __init__(self, left: Callable[[], float], most: int, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=_Backend(left, most))


class _Backend(httpcore.NetworkBackend):
    def __init__(self, left: Callable[[], float], most: int) -> None:
        self._inner = httpcore.SyncBackend()
        self._left = left
        self._most = most

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = _seconds(self._left, timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, seconds, local_address, socket_options), self._left, self._most)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, left: Callable[[], float], most: int) -> None:
        self._inner = inner
        self._left = left
        self._most = most

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        found = self._inner.read(max_bytes, _seconds(self._left, timeout, httpcore.ReadTimeout))
        self._most -= len(found)
        if self._most < 0:
            raise httpcore.ReadError("the answer is longer than it may be")
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _seconds(self._left, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _seconds(self._left, timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds), self._left, self._most)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        return self._inner.get_extra_info(info)


def _seconds(left: Callable[[], float], timeout: float | None, late: type[Exception]) -> float:
    seconds = left()
    if seconds <= 0:
        raise late("the time for the whole exchange is up")
    return seconds if timeout is None else min(seconds, timeout)
