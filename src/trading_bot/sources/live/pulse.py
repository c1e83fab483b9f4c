"""What a live source is given from outside: time, a steady counter, chance, and a way to wait that ends when it closes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Pulse:
    """Time and chance of one live source."""

    now: Callable[[], datetime]
    """Trading time."""
    steady: Callable[[], float]
    """Seconds that never jump, for deadlines of the network."""
    draw: Callable[[], float]
    """Numbers from 0 to 1."""
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the source is closed: whoever waits, wakes."""

    def pause(self, seconds: float) -> None:
        """Wait, or return early on closing."""
        self.closing.wait(seconds)
