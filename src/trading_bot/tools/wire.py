"""The registry in the words of MCP: how a tool is listed, how an answer is told. One server for stdio and for HTTP.

Promises the same names, schemas and bytes on both, as short as they can be, and that listing imports neither pandas nor an
implementation. Refuses tools that are not in the caller's list, in words that say what is there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import mcp_types as types
from anyio import from_thread, to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import canonical_json, derive_digest
from trading_bot.tools.calling import payload, stamped
from trading_bot.tools.registry import Tool

Context = ServerRequestContext[Any, Any]
Schema = dict[str, Any]
Tell = Callable[[int, int], None]
"""Hears how much is done, and of how much."""

_LONGEST_NAME = 64


def server(name: str, tools: Callable[[Context], Sequence[Tool]], call: Callable[[Context, str, Schema], ToolCall]) -> Server[Any]:
    """Return an MCP server that lists `tools` and answers by `call`, which runs in a thread and may be left behind by its caller."""

    async def list_tools(context: Context, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[listed(tool) for tool in tools(context)])

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        answer = partial(call, context, params.name, params.arguments or {})
        return told(await to_thread.run_sync(answer, abandon_on_cancel=True))

    return Server(name, on_list_tools=list_tools, on_call_tool=call_tool)


def teller(context: Context) -> Tell:
    """What tells the client how far a call is, if it asked to be told. To be used in the thread that answers the call."""

    def tell(done: int, total: int) -> None:
        from_thread.run(context.session.report_progress, float(done), float(total))

    return tell


def unheard(_done: int, _total: int) -> None:
    """Nobody listens."""


def listed(tool: Tool) -> types.Tool:
    """Return the tool as a client sees it, with the stamp that each result carries."""
    result = compact(tool.result.model_json_schema(mode="serialization"))
    properties = {"evidence": {"type": "string"}, **result.get("properties", {})}
    return types.Tool(
        name=tool.name,
        description=tool.does,
        input_schema=input_schema(tool),
        output_schema={**result, "properties": properties, "required": ["evidence", *result.get("required", ())]},
        annotations=types.ToolAnnotations(read_only_hint=tool.read_only, destructive_hint=False, open_world_hint=False),
    )


def input_schema(tool: Tool) -> Schema:
    """Return what the tool takes, as the model is told; the tool itself refuses what does not belong there."""
    schema: Schema = compact(tool.query.model_json_schema())
    return schema


def told(call: ToolCall) -> types.CallToolResult:
    """Return the answer as text and as data, without a space too many; an error is its text alone."""
    if call.failed:
        return types.CallToolResult(content=[types.TextContent(text=call.result)], is_error=True)
    data = payload(call)
    return types.CallToolResult(content=[types.TextContent(text=_tight(data))], structured_content=data)


def _tight(value: object) -> str:
    """JSON in its own order without a space too many: what the binary makes of the data, which it tells the model if it can."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def compact(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """Return the schema without what a model pays for and does not need: titles, docstrings, least values, types beside a choice.

    Of defaults only those that say something stay. A field with a default is not required: results leave it out where it says nothing.
    """
    if isinstance(schema, list):
        return [compact(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: compact(part) for key, part in schema.items() if not _is_noise(key, part, schema)}
    if isinstance(schema.get("required"), list):
        kept["required"] = [name for name in schema["required"] if "default" not in schema["properties"][name]]
    options = [part for part in kept.get("anyOf", ()) if part != {"type": "null"}]
    if "default" in schema and schema["default"] is None and len(options) == 1:
        del kept["anyOf"]
        kept |= options[0]
    return kept


def _is_noise(key: str, part: object, around: Schema) -> bool:
    """Whether nobody misses it. A property that happens to have such a name is a schema, not a text, and stays."""
    if key == "description":
        return isinstance(part, str) and not around.keys().isdisjoint({"properties", "enum", "const"})
    return (
        (key == "title" and isinstance(part, str))
        or (key == "default" and part in (None, False, 0))
        or (key == "minimum" and not isinstance(part, dict))
        or (key == "type" and isinstance(part, str) and "enum" in around)
        or (key == "additionalProperties" and part is False)
    )


def refused(decision: str, name: str, arguments: Mapping[str, Any], reason: str) -> ToolCall:
    """Return the record of a call that no tool looked at; its arguments are kept as their size and digest."""
    text = json.dumps(arguments, sort_keys=True)
    asked = canonical_json({"bytes": len(text), "sha256": derive_digest(text)})
    return stamped(decision, name[:_LONGEST_NAME], asked, reason, failed=True)


def unknown(decision: str, name: str, arguments: Mapping[str, Any], tools: Sequence[Tool]) -> ToolCall:
    """Return the record of a call for a tool that its caller does not have."""
    there = ", ".join(tool.name for tool in tools) or "none"
    return refused(decision, name, arguments, f"there is no tool {name[:_LONGEST_NAME]} here; there are: {there}")
