"""One call of a tool: what was asked is checked, the tool runs, its answer is capped and stamped.

Promises a `ToolCall` for whatever comes in: a failed one says what to do instead, and shows neither a traceback nor a path. The stamp
is a pure function of decision, tool, arguments and result. Refuses arguments and results that are too large to be read.
"""

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from trading_bot.domain.errors import DeskError, ToolFailedError
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import EvidenceId, canonical_json, derive_digest, derive_id
from trading_bot.tools.envelope import without_paths
from trading_bot.tools.registry import Tool

if TYPE_CHECKING:
    from trading_bot.tools.scope import Scope

MOST_BYTES = 12_000
"""Of a result's JSON."""
_MOST_ASKED = 8_000
"""Of the arguments' JSON."""
_LONGEST_ERROR = 500
_STAMP = 8
_LESS = "ask for less: a smaller limit, top or lookback, one symbol, or another page by offset"

_log = logging.getLogger(__name__)


def answer(tool: Tool, scope: "Scope", arguments: Mapping[str, Any]) -> ToolCall:
    """Return what `tool` answers within `scope`. It never raises: what cannot be answered is a failed call."""
    asked, reason = canonical_arguments(arguments)
    result, failed = (reason, True) if reason else _run(tool, scope, arguments)
    return stamped(scope.decision, tool.name, asked, result, failed=failed)


def stamped(decision: str, tool: str, asked: str, result: str, *, failed: bool) -> ToolCall:
    """Return the record of a call under its evidence id. `asked`: canonical JSON of the arguments."""
    evidence = EvidenceId(derive_id("evidence", decision, tool, asked, result, length=_STAMP))
    return ToolCall(evidence=evidence, tool=tool, arguments=asked, result=result, failed=failed)


def payload(call: ToolCall) -> dict[str, Any]:
    """Return what the caller is told: the result under its stamp, or the error under its own."""
    told: dict[str, Any] = {"error": call.result} if call.failed else json.loads(call.result)
    return {"evidence": call.evidence, **told}


def canonical_arguments(arguments: Mapping[str, Any]) -> tuple[str, str]:
    """Canonical JSON of the arguments and why they are refused. What is not kept whole is kept as its size and digest."""
    try:
        text = canonical_json(dict(arguments))
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError):
        return "{}", "the arguments are not plain JSON: no NaN, no broken characters, no deep nesting"
    if size <= _MOST_ASKED:
        return text, ""
    kept = canonical_json({"bytes": size, "sha256": derive_digest(text)})
    return kept, f"the arguments have {size} bytes and may have {_MOST_ASKED}: send short values"


def _run(tool: Tool, scope: "Scope", arguments: Mapping[str, Any]) -> tuple[str, bool]:
    """The result as canonical JSON, or why there is none."""
    try:
        query = tool.query.model_validate(arguments)
    except ValidationError as error:
        return _why_wrong(tool, error), True
    try:
        told = canonical_json(_short(tool.implementation(scope, query).model_dump(mode="json", exclude_defaults=True)))
        return _within_cap(told), False
    except DeskError as error:
        return without_paths(str(error), _LONGEST_ERROR), True
    except Exception:  # noqa: BLE001  # edge: a caller gets a sentence whatever breaks; the log gets the rest
        _log.exception("the tool %s broke", tool.name)
        return f"internal error in {tool.name}; it is logged. Go on without it, or abstain", True


def _short(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same JSON with whole numbers written as such."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _why_wrong(tool: Tool, error: ValidationError) -> str:
    """What is wrong with the arguments, without repeating them: they may be anything."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    fields = tool.query.model_fields
    lines = [f"{_place(e['loc'], fields)}: {e['msg'].removeprefix('Value error, ')}" for e in found[:5]]
    takes = f"{tool.name} takes {', '.join(fields) or 'nothing'}"
    return without_paths("; ".join((*lines, takes)), _LONGEST_ERROR)


def _place(where: tuple[int | str, ...], fields: Mapping[str, object]) -> str:
    return str(where[0]) if where and where[0] in fields else "unknown field"


def _within_cap(told: str) -> str:
    size = len(told.encode())
    if size > MOST_BYTES:
        msg = f"the answer has {size} bytes and may have {MOST_BYTES}; {_LESS}"
        raise ToolFailedError(msg)
    return told
