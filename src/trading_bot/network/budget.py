"""A budget of requests: a token bucket per key, with shares that only protective calls may use.

Promises that ordinary calls can never use up what is kept for cancels and for the guardian. Refuses to sleep: it says how long to wait.
Needs a steady counter of seconds from outside.
"""

import threading
from collections.abc import Callable
from enum import StrEnum


class Purpose(StrEnum):
    """What a call is for; later ones may dig deeper into the bucket."""

    READ = "read"
    """Data, which can wait."""
    LOOK = "look"
    """What is held and what rests: a stop cannot be placed without it."""
    ORDER = "order"
    CANCEL = "cancel"
    """Cancels, and orders that guard or close."""
    GUARDIAN = "guardian"


_KEPT = {Purpose.READ: 0.35, Purpose.LOOK: 0.35, Purpose.ORDER: 0.30, Purpose.CANCEL: 0.10, Purpose.GUARDIAN: 0.0}
"""Share of the bucket that a call of this purpose has to leave."""

_LONGEST_BLOCK = {Purpose.READ: 5.0, Purpose.LOOK: 1.0, Purpose.ORDER: 5.0, Purpose.CANCEL: 1.0, Purpose.GUARDIAN: 1.0}
"""Seconds for which a vendor's word to wait is taken; each new one counts anew, so a vendor that means it is asked at this pace."""


class RequestBudget:
    """`capacity` calls at once, refilled at `per_second`. Safe to use from several threads."""

    def __init__(self, capacity: float, per_second: float, steady: Callable[[], float]) -> None:
        self._capacity = capacity
        self._rate = per_second
        self._steady = steady
        self._level = capacity
        self._last = steady()
        self._blocked_until = self._blocked_at = self._last
        self._lock = threading.Lock()

    def take(self, purpose: Purpose) -> float:
        """Take one call and return 0, or take nothing and return the seconds to wait."""
        with self._lock:
            now = self._steady()
            self._level = min(self._capacity, self._level + (now - self._last) * self._rate)
            self._last = now
            wait = min(self._blocked_until, self._blocked_at + _LONGEST_BLOCK[purpose]) - now
            if wait > 0:
                return wait
            short = _KEPT[purpose] * self._capacity + 1 - self._level
            if short > 0:
                return short / self._rate
            self._level -= 1
            return 0.0

    def block(self, seconds: float) -> None:
        """The vendor said to wait; after a while it is asked again all the same, for a stop may depend on it."""
        with self._lock:
            self._blocked_at = self._steady()
            self._blocked_until = max(self._blocked_until, self._blocked_at + seconds)

    def remaining(self, calls: float) -> None:
        """The vendor says how many calls are left; fewer than we thought is believed."""
        with self._lock:
            self._level = min(self._level, calls)
