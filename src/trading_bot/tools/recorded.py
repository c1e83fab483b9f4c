"""Tools that answer from a record: what a model was told on a recorded day, and nothing else.

Promises the recorded evidence ids, so that claims can be checked as they were then. Refuses to look anywhere else: what was not looked
up on that day fails, and says what was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trading_bot.domain.tooling import ToolCall
from trading_bot.tools import wire
from trading_bot.tools.calling import canonical_arguments
from trading_bot.tools.host import Answering
from trading_bot.tools.registry import Tool
from trading_bot.tools.scope import Scope


def from_records(calls: Sequence[ToolCall]) -> Answering:
    """Return what answers from `calls` alone; the same question again gets the same answer."""
    known: Mapping[tuple[str, str], ToolCall] = {(call.tool, call.arguments): call for call in reversed(calls)}

    def answer(tool: Tool, scope: Scope, arguments: dict[str, Any]) -> ToolCall:
        looked_up, unreadable = canonical_arguments(arguments)
        if unreadable:
            return wire.refused(scope.decision, tool.name, arguments, unreadable)
        found = known.get((tool.name, looked_up))
        if found is not None:
            return found
        asked = "; ".join(f"{call.tool} {call.arguments}" for call in calls) or "nothing"
        return wire.refused(scope.decision, tool.name, arguments, f"this was not looked up on the recorded day; what was: {asked}")

    return answer
