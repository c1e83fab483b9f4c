"""Clocks. The only place that asks the machine what time it is.

Promises that trading time never goes backwards, and that a jump of the machine's clock is an error and not a trade. A simulated
clock stands still while nobody moves it.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from trading_bot.domain.errors import ClockError
from trading_bot.ports import WallClock

_SLICE = 0.25
_TOLERANCE = timedelta(seconds=30)


class Bell:
    """Wakes who waits, from any thread: a venue has something to tell."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """Wait, at most so long; whether it rang."""
        rang = self._rung.wait(seconds)
        if rang:  # else one that rings just now is for who waits next
            self._rung.clear()
        return rang


class SystemWallClock:
    """Real time as the machine tells it."""

    def now(self) -> datetime:
        """Return the machine's time, UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """Trading time that moves only by `sleep_until`, at once."""

    simulated = True

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._now

    def sleep_until(self, moment: datetime) -> None:
        """Go to `moment`; never back."""
        self._now = max(self._now, moment)


class RealClock:
    """Trading time that is the machine's, checked against its steady counter.

    `stop`: an event that ends a sleep early, as its `bell` does. `wall` and `steady`: the machine's clock, and a counter of seconds that
    never jumps. ClockError if the clock ran away from the counter by more than 30 s between two calls (a suspended laptop, a hand on the
    clock): who runs the desk has to look before it trades on.
    """

    simulated = False

    def __init__(self, stop: threading.Event, wall: WallClock | None = None, steady: Callable[[], float] = time.monotonic) -> None:
        self._stop = stop
        self.bell = Bell()
        self._wall = wall or SystemWallClock()
        self._count = steady
        self._last = self._wall.now()
        self._steady = steady()

    def now(self) -> datetime:
        """Return the machine's time; a small step back is held at the last answer."""
        wall, steady = self._wall.now(), self._count()
        drift = (wall - self._last) - timedelta(seconds=steady - self._steady)
        if abs(drift) > _TOLERANCE:
            jump = f"the machine's clock jumped by {drift.total_seconds():+.0f} s"
            msg = f"{jump}: set it right (NTP), look at `status`, then start the desk again"
            raise ClockError(msg)
        self._last, self._steady = max(wall, self._last), steady
        return self._last

    def sleep_until(self, moment: datetime) -> None:
        """Wait for `moment`, for the stop event or for the bell."""
        while not self._stop.is_set():
            left = (moment - self.now()).total_seconds()
            if left <= 0:
                return
            if self.bell.wait(min(left, _SLICE)):
                return
