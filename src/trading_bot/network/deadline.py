"""A time by which a task has to be done, by a steady counter that is given. Refuses to ask the machine for the time."""

from collections.abc import Callable


class Deadline:
    """So many seconds from now, by a steady counter; a part of a task may get one within that of the whole."""

    def __init__(self, steady: Callable[[], float], seconds: float) -> None:
        self._steady = steady
        self._end = steady() + seconds

    def left(self) -> float:
        """Seconds, 0 when they are used up."""
        return max(self._end - self._steady(), 0.0)

    def within(self, seconds: float) -> "Deadline":
        """One that ends after so many seconds, or with this one."""
        return Deadline(self._steady, min(seconds, self.left()))
