"""What systemd wants to hear from a service: that it is up, and that it still goes round. Nothing at all outside systemd."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Systemd:
    """Speaks to the socket in NOTIFY_SOCKET, if there is one."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._address = (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """The service is up."""
        self._say("READY=1")

    def alive(self) -> None:
        """The service goes round; with WatchdogSec systemd restarts one that does not say so."""
        self._say("WATCHDOG=1")

    def _say(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
            door.sendto(state.encode(), address)
