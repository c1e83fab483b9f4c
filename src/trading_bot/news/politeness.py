"""One request to a host at a time, a pause after each, and a host that asks to be left alone is left alone.

Promises to wait no longer than its caller has time for. Refuses, without asking the host, what would have to wait longer.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from trading_bot.domain.errors import SourceFailedError

_MANY = 1000
"""Hosts that are remembered: a feed may send us to any number of them."""
_LONGEST = 86_400.0
"""Seconds for which a host's word to wait is taken."""


@dataclass
class _Host:
    free_at: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class Politeness:
    """Turns of hosts. `steady`: a counter of seconds; `sleep`: waits that long, or less where somebody wants to stop."""

    def __init__(self, steady: Callable[[], float], sleep: Callable[[float], object], pause: float) -> None:
        self._steady = steady
        self._sleep = sleep
        self._pause = pause
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str, left: Callable[[], float]) -> Iterator[None]:
        """Have `host` for oneself. SourceFailedError if that takes longer than there is time `left`."""
        mine = self._host(host)
        if not mine.lock.acquire(timeout=max(left(), 0)):
            raise SourceFailedError(f"{host} is still busy with another feed's request; it is asked again in the next round")
        try:
            wait = mine.free_at - self._steady()
            if wait > left():
                raise SourceFailedError(f"{host} wants to be left alone for {wait:.0f} s more; raise its every_seconds in news.feeds")
            if wait > 0:
                self._sleep(wait)
            yield
        finally:
            mine.free_at = max(mine.free_at, self._steady() + self._pause)
            mine.lock.release()

    def leave_alone(self, host: str, seconds: float) -> None:
        """Let nobody ask `host` for so long."""
        mine = self._host(host)
        mine.free_at = max(mine.free_at, self._steady() + min(seconds, _LONGEST))

    def _host(self, host: str) -> _Host:
        with self._lock:
            if len(self._hosts) >= _MANY:
                now = self._steady()
                self._hosts = {name: one for name, one in self._hosts.items() if one.lock.locked() or one.free_at > now}
            return self._hosts.setdefault(host, _Host(self._steady()))
