"""Sockets to public addresses alone, each of which ends with its deadline.

Promises that a name is resolved once for a connection, that every address it has is looked at, and that the connection goes to an address
that was looked at: a name which means another machine a moment later gains nothing. TLS still demands a certificate for the name.
Refuses what is private, loopback, link-local, reserved, multicast or a cloud's own service, in whatever spelling, unless `host:port` is
one of the hosts that the configuration names.
"""

import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore
import httpx

from trading_bot.domain.errors import SourceFailedError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Left = Callable[[], float]
"""Seconds until the deadline, 0 or less once it is over."""

_TRANSLATED = IPv6Network("64:ff9b::/96")
_CLOUD = frozenset({ip_address("168.63.129.16")})
"""Public by its number, and yet answered by the machine's own cloud (Azure)."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of `host` as the machine knows it. OSError if there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Whether anybody may be asked at `address`; one that carries another is as public as that."""
    if isinstance(address, IPv6Address):
        teredo = address.teredo
        translated = IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else None
        carried = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or translated
        if carried is not None:
            return is_public(carried)
    return address.is_global and not address.is_multicast and not address.is_reserved and address not in _CLOUD


def demand_public(host: str, addresses: Iterable[str]) -> None:
    """Raise SourceFailedError unless all of `addresses` are public: a name with one that is not has been made to mislead."""
    for address in addresses:
        if not is_public(ip_address(address.partition("%")[0])):
            raise SourceFailedError(
                f"{host} is in a private network or reserved ({address}), and was not asked; add it as host:port to news.private_hosts"
                " if it is a feed of your own"
            )


class Transport(httpx.HTTPTransport):
    """Connects to what may be asked, for as long as there is time."""

    def __init__(self, tls: ssl.SSLContext, private: Collection[str], left: Left, resolving: Resolve) -> None:
        super().__init__(verify=tls)
        self._pool = httpcore.ConnectionPool(ssl_context=tls, max_keepalive_connections=0, network_backend=_Door(private, left, resolving))


class _Door(httpcore.NetworkBackend):
    def __init__(self, private: Collection[str], left: Left, resolving: Resolve) -> None:
        self._private = private
        self._left = left
        self._resolve = resolving
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline stands for all of them
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("its name cannot be resolved") from error
        if f"{host.strip('[]').lower()}:{port}" not in self._private:
            demand_public(host, addresses)
        failure = httpcore.ConnectError("its name has no address")
        for address in addresses:
            try:
                return _Timed(self._plain.connect_tcp(address, port, remaining(self._left), local_address, socket_options), self._left)
            except httpcore.ConnectError as error:
                failure = error
        raise failure


class _Timed(httpcore.NetworkStream):
    """A stream all of whose waits end with the deadline, however small the pieces are in which it is fed."""

    def __init__(self, stream: httpcore.NetworkStream, left: Left) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        return self._stream.read(max_bytes, remaining(self._left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        self._stream.write(buffer, remaining(self._left))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None) -> "_Timed":  # noqa: ARG002 - as above
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, remaining(self._left)), self._left)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's own signature
        return self._stream.get_extra_info(info)


def remaining(left: Left) -> float:
    """Seconds for one more wait. Raises the library's time-out if there are none."""
    seconds = left()
    if seconds <= 0:
        raise httpcore.ReadTimeout("its time is over")
    return seconds
