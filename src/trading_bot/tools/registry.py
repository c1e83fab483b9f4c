"""The one list of tools: name, toolset, what it does, what goes in, what comes out.

Promises that every server, grant, prompt and test reads this table and no other, and that reading it imports neither pandas nor a
room with numbers in it: implementations are imported at their first call. Refuses to serve what acts to a headless run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.values import Record
from trading_bot.tools import queries, results

if TYPE_CHECKING:
    from trading_bot.tools.scope import Scope


class Toolset(StrEnum):
    """One stdio server each; the value is the server's name."""

    MARKET_DATA = "market-data"
    POSITION = "position"
    RISK = "risk"


@dataclass(frozen=True)
class Tool:
    """One tool. Its implementation is `trading_bot.tools.<toolset>.<name>(scope, query) -> result`."""

    name: str
    toolset: Toolset
    does: str
    """Told to the model: one sentence, units included."""
    query: type[Record]
    result: type[Record]
    read_only: bool = True

    @property
    def implementation(self) -> "Callable[[Scope, Any], Record]":
        """The function, imported now."""
        module = import_module(f"trading_bot.tools.{self.toolset.name.lower()}")
        function: Callable[[Scope, Any], Record] = getattr(module, self.name)
        return function
