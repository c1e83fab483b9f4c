"""How long to wait before the next try: exponential, with jitter, up to a ceiling."""

from collections.abc import Callable

_DOUBLINGS = 60
"""More reach any ceiling; without an end a long outage would leave the range of floats."""


class Backoff:
    """`first` seconds, doubled with each failure up to `ceiling`; `draw` gives a number from 0 to 1 that spreads the tries of many."""

    def __init__(self, draw: Callable[[], float], first: float = 0.2, ceiling: float = 30.0) -> None:
        self._draw = draw
        self._first = first
        self._ceiling = ceiling
        self._failures = 0

    def wait(self) -> float:
        """Seconds to wait after one more failure: between half and all of the doubled time."""
        whole = min(self._first * 2.0 ** min(self._failures, _DOUBLINGS), self._ceiling)
        self._failures += 1
        return whole * (0.5 + self._draw() / 2)

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0
