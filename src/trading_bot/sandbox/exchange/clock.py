"""What time it is at an emulated exchange: the machine's, a faster one, or the one that somebody else drives.

Promises that time never goes backwards. Refuses a speed that is not above 0, and to ask the machine by itself.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from trading_bot.brokers.units import stamp
from trading_bot.ports import WallClock


class EmulatedClock:
    """Emulated time. `hand` moves it ahead in all three ways."""

    def __init__(self, now: Callable[[], datetime], *, driven: bool) -> None:
        self._now = now
        self._ahead = timedelta(0)
        self._last: datetime | None = None
        self.driven = driven
        """Whether time stands still until somebody moves it."""

    @classmethod
    def running(cls, wall: WallClock, start: datetime | None = None, speed: float = 1.0) -> Self:
        """Time that runs from `start` (default: now) at `speed` seconds for each of the machine's."""
        if speed <= 0:
            msg = f"speed {speed} must be above 0"
            raise ValueError(msg)
        begun = wall.now()
        return cls(lambda: (start or begun) + (wall.now() - begun) * speed, driven=False)

    @classmethod
    def following(cls, now: Callable[[], datetime]) -> Self:
        """Time that somebody else tells, such as a desk's simulated clock."""
        return cls(now, driven=True)

    @classmethod
    def standing(cls, start: datetime) -> Self:
        """Time that stands at `start` until `hand` moves it."""
        return cls(lambda: start, driven=True)

    def now(self) -> datetime:
        """Emulated time, aware, UTC."""
        told = self._now() + self._ahead
        self._last = told if self._last is None else max(self._last, told)
        return self._last

    def nanos(self) -> int:
        """The same in nanoseconds since 1970."""
        return stamp(self.now())

    def hand(self, by: timedelta) -> datetime:
        """Move time ahead by `by` and return it."""
        if by < timedelta(0):
            msg = f"time does not go back ({by})"
            raise ValueError(msg)
        self._ahead += by
        return self.now()
