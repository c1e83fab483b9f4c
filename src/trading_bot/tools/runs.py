"""The newest backtests of one session, for the tools that look at one again.

Promises that who asks finds what was run in this session alone: another session's run, or one of a later moment, is not there. Refuses
to keep more than a few: the same question makes a run again. Imports nothing that reckons, so that a server starts at once.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.values import derive_id

if TYPE_CHECKING:
    from trading_bot.backtest.plan import Result

MOST = 12
_LENGTH = 8


class Runs:
    """Results by run id, the newest last. One call at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Result] = OrderedDict()

    def keep(self, result: "Result") -> str:
        """Keep a result as the last one; return its id, the same for the same plan and figures."""
        run = derive_id("run", result.canonical(), length=_LENGTH)
        self._kept[run] = result
        self._kept.move_to_end(run)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return run

    def find(self, run: str | None) -> "tuple[str, Result]":
        """A run by its id, or the last one. ToolFailedError tells what there is."""
        if not self._kept:
            raise ToolFailedError("there is no run yet: call run_backtest first")
        name = next(reversed(self._kept)) if run is None else run
        if name not in self._kept:
            raise ToolFailedError(f"there is no such run here; there are {', '.join(self._kept)}")
        return name, self._kept[name]
