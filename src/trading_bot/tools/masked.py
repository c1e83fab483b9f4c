"""Tools for a model that shall not know what it looks at: arguments are unmasked, answers computed as always, and masked.

Promises that the record of a call is what the model asked and was told, under a stamp of just that. Refuses to say anything about a real
symbol that is asked for by its name, to run research, and to pass on what cannot be masked.
"""

import json
from typing import Any

from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import Symbol, canonical_json
from trading_bot.llm import masking
from trading_bot.llm.mask import Mask
from trading_bot.tools import wire
from trading_bot.tools.calling import answer, canonical_arguments, stamped
from trading_bot.tools.host import Answering
from trading_bot.tools.registry import Tool, Toolset
from trading_bot.tools.scope import Scope

SHOWN = frozenset({Toolset.MARKET_DATA, Toolset.POSITION, Toolset.RISK, Toolset.NEWS})
"""Runs over years of real prices would tell more than any name, and local models have none to hide: both are for those who may see."""
_NOT_SHOWN = "this tool answers nobody who works blind: answer without it, or abstain"


def behind(mask: Mask, inner: Answering = answer) -> Answering:
    """Return what answers a blind model."""

    def masked(tool: Tool, scope: Scope, arguments: dict[str, Any]) -> ToolCall:
        asked, unreadable = canonical_arguments(arguments)
        if unreadable:
            return wire.refused(scope.decision, tool.name, arguments, unreadable)
        if tool.toolset not in SHOWN:
            return stamped(scope.decision, tool.name, asked, _NOT_SHOWN, failed=True)
        try:
            meant, about = _meant(mask, arguments)
            call = inner(tool, scope, meant)
            told = mask.blanked(call.result) if call.failed else masking.shown_text(mask, call.result, about)
        except ToolFailedError as error:
            return stamped(scope.decision, tool.name, asked, str(error), failed=True)
        return stamped(scope.decision, tool.name, asked, told, failed=call.failed)

    return masked


def _meant(mask: Mask, arguments: dict[str, Any]) -> tuple[dict[str, Any], Symbol | None]:
    """The arguments in the desk's own terms, and the symbol that they are about. ToolFailedError for a symbol that is no asset."""
    named = arguments.get("symbol")
    about = mask.symbol(named) if isinstance(named, str) else None
    return masking.real(mask, arguments, about), about


def unmasked(mask: Mask, call: ToolCall) -> ToolCall:
    """A recorded call in the desk's own terms, as far as it can be read; its stamp stays."""
    asked = json.loads(call.arguments)
    named = asked.get("symbol") if isinstance(asked, dict) else None
    try:
        about = mask.symbol(named) if isinstance(named, str) else None
    except ToolFailedError:
        about = None
    result = mask.real_named(call.result) if call.failed else canonical_json(masking.real(mask, json.loads(call.result), about))
    return call.model_copy(update={"arguments": canonical_json(masking.real(mask, asked, about)), "result": result})
