"""What the claude binary says while it runs: one JSON event a line, kept as it came.

Promises that a line which is no event is counted and not believed. Refuses to judge: `ending` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from trading_bot.domain.values import canonical_json

_SYNTHETIC = "<synthetic>"
"""Stands for the model in words that the program itself says, of errors."""


@dataclass
class Transcript:
    """Events so far, oldest first."""

    events: list[Mapping[str, Any]] = field(default_factory=list)
    has_spoken: bool = False
    """Whether the model, and not only the program, has said anything."""

    def hear(self, line: str) -> Mapping[str, Any] | None:
        """Take in one line; return its event."""
        if not line.strip():
            return None
        event = _parsed(line)
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            return None
        self.events.append(event)
        self.has_spoken |= event["type"] in {"assistant", "result"}
        return event

    def _last(self, kind: str, subtype: str | None = None) -> Mapping[str, Any] | None:
        found = (e for e in reversed(self.events) if e["type"] == kind and subtype in {None, e.get("subtype")})
        return next(found, None)

    @property
    def init(self) -> Mapping[str, Any] | None:
        """What the session began with: tools, servers, commands, version."""
        return self._last("system", "init")

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The last word: cost, usage, output."""
        return self._last("result")

    @property
    def version(self) -> str:
        """Of the claude binary; empty if it did not say."""
        return str((self.init or {}).get("claude_code_version", ""))

    def tool_names(self) -> list[str]:
        """Names of the tools that the model asked for, in order."""
        return [str(b.get("name")) for b in self._blocks("assistant") if b.get("type") == "tool_use"]

    def texts(self) -> list[str]:
        """What the model said in words."""
        return [str(b.get("text")) for b in self._blocks("assistant") if b.get("type") == "text"]

    def bytes_said(self) -> int:
        """Bytes of all that the model said: words, and arguments of tools."""
        blocks = self._blocks("assistant")
        arguments = [json_line(b["input"]) for b in blocks if isinstance(b.get("input"), dict)]
        return sum(len(part.encode("utf-8", "replace")) for part in (*self.texts(), *arguments))

    def turns(self) -> list[Mapping[str, Any]]:
        """Usage of each turn, as it was told when the turn began: its prompt is whole, its output is not."""
        messages = (e.get("message") for e in self.events if e["type"] == "assistant")
        own = [m for m in messages if isinstance(m, dict) and m.get("model") != _SYNTHETIC and isinstance(m.get("usage"), dict)]
        return list({str(m.get("id")): m["usage"] for m in own}.values())

    def models(self) -> set[str]:
        """Models that say that they answered."""
        messages = (e.get("message") for e in self.events if e["type"] == "assistant")
        return {str(m["model"]) for m in messages if isinstance(m, dict) and m.get("model") not in {None, _SYNTHETIC}}

    def resets_at(self) -> datetime | None:
        """When the vendor's usage limit ends, if it said that it was reached."""
        event = self._last("rate_limit_event")
        info = (event or {}).get("rate_limit_info")
        if not isinstance(info, dict) or info.get("status") != "rejected" or not isinstance(info.get("resetsAt"), int):
            return None
        try:
            return datetime.fromtimestamp(info["resetsAt"], UTC)
        except (ValueError, OverflowError, OSError):  # no such year
            return None

    def _blocks(self, kind: str) -> list[Mapping[str, Any]]:
        messages = (e.get("message") for e in self.events if e["type"] == kind)
        contents = (m.get("content") for m in messages if isinstance(m, dict) and m.get("model") != _SYNTHETIC)
        return [block for content in contents if isinstance(content, list) for block in content if isinstance(block, dict)]


def _parsed(line: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that a record can hold: no half characters, no endless numbers, no bottomless lists. None for anything else."""
    try:
        event = from_json(line)
        canonical_json(event)
    except ValueError:
        return None
    return event


def json_line(event: Mapping[str, Any]) -> str:
    """An event as one line of JSON."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)
