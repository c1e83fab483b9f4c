"""Sockets that emulators listen on: loopback alone, and quick to answer."""

import socket

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Return a socket that listens on `port` (0: any free one). OSError if it cannot be had."""
    opened = bound(port)
    try:
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


def bound(port: int) -> socket.socket:
    """Return a socket that has `port` and refuses connections for as long as it does not listen. OSError if it cannot be had.

    It names its protocol, for only then does asyncio switch off Nagle's algorithm: without that an answer in two parts takes 40 ms.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((HOST, port))
    except OSError:
        opened.close()
        raise
    return opened
