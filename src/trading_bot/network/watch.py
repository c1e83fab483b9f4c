"""A watermark for a stream: when it last said something, whether it has fallen silent, whether something may have been missed.

Promises that a connection which is open but mute looks silent, that every reconnection and every jump in the stream's own
numbers counts as a gap until somebody says that it was filled, and that it may be touched from several threads. Refuses to
read a clock: it needs a steady counter of seconds from outside. Does no I/O.
"""

import threading
from collections.abc import Callable


class Watch:
    """The watermark of one stream; `patience`: seconds without a word after which it counts as silent."""

    def __init__(self, steady: Callable[[], float], patience: float) -> None:
        self._steady = steady
        self._patience = patience
        self._lock = threading.Lock()
        self._connected = False
        self._opened = 0
        self._since = steady()
        self._heard: float | None = None
        self._mark: int | None = None
        self._gaps = 0
        self._filled = 0

    def opened(self) -> None:
        """Connected and subscribed: what was said before cannot be known, so that there is a gap."""
        with self._lock:
            self._connected = True
            self._opened += 1
            self._since = self._steady()
            self._mark = None
            self._gaps += 1

    def lost(self) -> None:
        """Not connected any more."""
        self._connected = False

    def heard(self, mark: int | None = None) -> None:
        """Something was said; `mark` is the stream's own running number, where it has one, and rises by one each time."""
        self._heard = self._steady()
        if mark is None:
            return
        with self._lock:
            if self._mark is not None and mark > self._mark + 1:
                self._gaps += 1
            self._mark = mark if self._mark is None else max(mark, self._mark)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, mute or not."""
        return self._connected

    @property
    def connections(self) -> int:
        """How often it was opened."""
        return self._opened

    @property
    def age(self) -> float | None:
        """Seconds since something was heard, None if nothing ever was."""
        heard = self._heard
        return None if heard is None else self._steady() - heard

    @property
    def silent(self) -> bool:
        """Not connected, or nothing heard for longer than the patience lasts; a fresh connection is given that long for its first word."""
        with self._lock:
            last = self._since if self._heard is None else max(self._since, self._heard)
            return not self._connected or self._steady() - last > self._patience

    @property
    def gap(self) -> int:
        """Number of the newest gap that nobody has filled, 0 if there is none. Give it to `filled` once what it hid has been read."""
        with self._lock:
            return self._gaps if self._gaps > self._filled else 0

    def filled(self, gap: int) -> None:
        """What gaps up to `gap` hid has been read; one that came meanwhile stays open."""
        with self._lock:
            self._filled = max(self._filled, gap)
