"""Trouble that passes, waited out: a queue or a store that cannot be used now.

Promises that each try that failed is told, and that a stop ends the wait at once. Refuses to wait for anything else: that is an error of
who called.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from trading_bot.domain.errors import HomeLockedError, QueueError, StoppedError, StorageError
from trading_bot.network.backoff import Backoff

PASSING = (QueueError, StorageError, HomeLockedError)
"""What a person or time puts right while others go on."""
T = TypeVar("T")


class Stop(Protocol):
    """As `threading.Event`: set once, for good."""

    def is_set(self) -> bool:
        """Whether to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds or until it is set; whether it is."""


def insist(act: Callable[[], T], backoff: Backoff, stop: Stop, tell: Callable[[str], None]) -> T:
    """What `act` returns, once it does. It is tried at least once; StoppedError if `stop` is set while it is waited for."""
    while True:
        try:
            answer = act()
        except PASSING as error:
            tell(str(error))
            if stop.wait(backoff.wait()):
                raise StoppedError from error
        else:
            backoff.succeeded()
            return answer
