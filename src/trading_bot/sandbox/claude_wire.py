"""What the emulated Messages API puts on the wire, in the public form: messages, server-sent events, errors.

Promises that the same reply is the same bytes. Refuses to know who asked or why.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CHUNK = 16_384
"""Longest piece of text in one event, in characters."""


@dataclass(frozen=True)
class Text:
    """What the model says in words."""

    text: str


@dataclass(frozen=True)
class Use:
    """A tool that the model asks for. `broken`: text that is sent where the input's JSON should be."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)
    broken: str | None = None

    @property
    def json(self) -> str:
        """What goes over the wire as its input."""
        return compact(self.input) if self.broken is None else self.broken


class Manner(StrEnum):
    """How an answer reaches the one who asked."""

    WHOLE = "whole"
    SILENT = "silent"
    """Not a byte, for ever."""
    STALLED = "stalled"
    """Half of it, then nothing, for ever."""
    DROPPED = "dropped"
    """Half of it, then the connection breaks."""


@dataclass(frozen=True)
class Reply:
    """What the model says, and how it arrives."""

    blocks: tuple[Text | Use, ...]
    stop: str = ""
    """Stop reason; empty: `tool_use` if a tool is asked for, else `end_turn`."""
    manner: Manner = Manner.WHOLE
    pause: float = 0
    """Seconds before each event."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cache_read: int = 0
    """Input tokens that came from a cache, and were written to one, beside the counted ones."""
    cache_write: int = 0

    @property
    def stop_reason(self) -> str:
        """Why it ends."""
        return self.stop or ("tool_use" if any(isinstance(b, Use) for b in self.blocks) else "end_turn")

    @property
    def output_tokens(self) -> int:
        """Bytes of what it says, by four."""
        return tokens(sum(len((b.text if isinstance(b, Text) else b.name + b.json).encode()) for b in self.blocks))


@dataclass(frozen=True)
class Failure:
    """An error instead of an answer."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """Error in the API's form."""
        return {"type": "error", "error": {"type": self.kind, "message": self.message}}


@dataclass(frozen=True)
class Envelope:
    """What every answer carries beside its blocks."""

    id: str
    model: str
    input_tokens: int


def tokens(size: int) -> int:
    """Tokens of `size` bytes: a quarter, rounded up."""
    return -(-size // 4)


def compact(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def usage(reply: Reply, envelope: Envelope) -> dict[str, int]:
    """Every token class of one answer."""
    return {
        "input_tokens": envelope.input_tokens,
        "cache_creation_input_tokens": reply.cache_write,
        "cache_read_input_tokens": reply.cache_read,
        "output_tokens": reply.output_tokens,
    }


def message(reply: Reply, envelope: Envelope) -> dict[str, Any]:
    """Return the whole answer as one object, as without `stream`."""
    content = [_opened(block, n, envelope) | _filled(block) for n, block in enumerate(reply.blocks)]
    return _head(envelope) | {
        "content": content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "usage": usage(reply, envelope),
    }


def events(reply: Reply, envelope: Envelope) -> Iterator[bytes]:
    """Return the answer as server-sent events, in their order."""
    counted = usage(reply, envelope)
    begun = _head(envelope) | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": counted | {"output_tokens": 1}}
    yield _event("message_start", message=begun)
    for n, block in enumerate(reply.blocks):
        yield _event("content_block_start", index=n, content_block=_opened(block, n, envelope))
        for delta in _deltas(block):
            yield _event("content_block_delta", index=n, delta=delta)
        yield _event("content_block_stop", index=n)
    yield _event("message_delta", delta={"stop_reason": reply.stop_reason, "stop_sequence": None}, usage=counted)
    yield _event("message_stop")


def _head(envelope: Envelope) -> dict[str, Any]:
    return {"id": envelope.id, "type": "message", "role": "assistant", "model": envelope.model}


def _opened(block: Text | Use, number: int, envelope: Envelope) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": f"toolu_{envelope.id}_{number}", "name": block.name, "input": {}}


def _filled(block: Text | Use) -> dict[str, Any]:
    return {"text": block.text} if isinstance(block, Text) else {"input": dict(block.input)}


def _deltas(block: Text | Use) -> Iterator[dict[str, str]]:
    kind, key, text = ("text_delta", "text", block.text) if isinstance(block, Text) else ("input_json_delta", "partial_json", block.json)
    for start in range(0, len(text), CHUNK):
        yield {"type": kind, key: text[start : start + CHUNK]}


def _event(name: str, **data: object) -> bytes:
    return f"event: {name}\ndata: {compact({'type': name, **data})}\n\n".encode()
