"""Reads of a vendor's servers: within a budget, tried again where that can help, failures told in the desk's words.

Promises that the vendor's own library neither waits nor retries in our place, that a vendor who asks to wait is left alone, and
that no message shows a key. Refuses to hide a failure: after the last try it raises.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from trading_bot.domain.errors import DeskError, SourceFailedError
from trading_bot.network.backoff import Backoff
from trading_bot.network.budget import Purpose, RequestBudget

T = TypeVar("T")

_LONGEST_QUEUE = 20.0
"""Seconds that a read waits for its turn in the budget; longer, and it fails at once."""


@dataclass(frozen=True)
class Trouble:
    """What a vendor's error means."""

    error: DeskError
    again: bool = False
    """The same read may succeed in a moment."""
    wait: float = 0.0
    """Seconds that the vendor asks us to wait with all calls."""


Explain = Callable[[Exception], Trouble]


class Reads:
    """Reads of one vendor.

    `explain` is its error map; `draw` gives numbers from 0 to 1 that spread the tries; `pause` waits, and ends early on closing.
    """

    def __init__(self, budget: RequestBudget, explain: Explain, draw: Callable[[], float], pause: Callable[[float], object]) -> None:
        self._budget = budget
        self._explain = explain
        self._draw = draw
        self._pause = pause

    def ask(self, call: Callable[[], T], tries: int = 3, queue: float = _LONGEST_QUEUE) -> T:
        """Return what `call` returns, or raise what the error map says of its last failure.

        Waits for its turn in the budget, `queue` seconds at most.
        """
        backoff = Backoff(self._draw)
        for left in reversed(range(tries)):
            self._take(queue)
            try:
                return call()
            except Exception as error:  # noqa: BLE001  # edge: a vendor's library raises what it likes; the map turns all of it into ours
                trouble = self._explain(error)
            if trouble.wait:
                self._budget.block(trouble.wait)
            if not (trouble.again and left):
                raise trouble.error
            self._pause(backoff.wait())
        msg = "a read needs at least one try"
        raise ValueError(msg)

    def _take(self, queue: float) -> None:
        while wait := self._budget.take(Purpose.READ):
            if wait > queue:
                msg = f"the budget of requests is used up for {wait:.1f} s; nothing was asked"
                raise SourceFailedError(msg)
            queue -= wait
            self._pause(wait)
