"""What the emulated Ollama is asked, in whatever dialect it came, and what it says to that.

Promises one form for chat, generate and OpenAI's chat, so that scripts and faults need not know the dialect. Does no I/O.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

_TOKEN = re.compile(r"\s*[^\s]{1,6}|\s+")


@dataclass(frozen=True)
class Question:
    """One question to a model."""

    model: str
    system: str
    user: str
    """All that is not the system's: instructions, and the data among them."""
    schema: Mapping[str, Any] | None = None
    """Asked form of the answer."""
    json: bool = False
    """JSON of any form is wanted."""
    most: int = 0
    """Tokens; 0: no cap."""
    stream: bool = False
    call: int = 1
    """Which question to this model it is, from 1 on."""

    @property
    def empty(self) -> bool:
        """Only to load the model."""
        return not (self.system or self.user)


class Manner(Enum):
    """How a reply is sent."""

    WHOLE = "whole"
    HANG = "hang"
    """Not a byte, ever."""
    HANG_MID = "hang_mid"
    RESET = "reset"
    RESET_MID = "reset_mid"
    WHITESPACE = "whitespace"
    """After its first token nothing but blanks, without an end."""


@dataclass(frozen=True)
class Reply:
    """What the model says, and how it comes over the wire."""

    text: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Calls that it makes up."""
    status: int = 200
    error: str = ""
    first: float = 0.0
    """Seconds before the first token."""
    pause: float = 0.0
    """Seconds before each token."""
    manner: Manner = Manner.WHOLE
    page: str = ""
    """HTML instead of an answer."""


def tokens(text: str) -> Sequence[str]:
    """Pieces that make up `text`."""
    return _TOKEN.findall(text)


def of_native(body: Mapping[str, Any], call: int) -> Question:
    """A question to /api/chat or /api/generate."""
    wanted = body.get("format")
    options = body.get("options") or {}
    messages = body.get("messages") or ({"role": "user", "content": body.get("prompt") or ""},)
    return Question(
        model=str(body.get("model") or ""),
        system="\n".join([str(body.get("system") or ""), *_said(messages, system=True)]).strip(),
        user="\n".join(_said(messages, system=False)).strip(),
        schema=wanted if isinstance(wanted, Mapping) else None,
        json=wanted == "json",
        most=max(int(options.get("num_predict") or 0), 0),
        stream=body.get("stream", True) is not False,
        call=call,
    )


def of_openai(body: Mapping[str, Any], call: int) -> Question:
    """A question to /v1/chat/completions."""
    wanted = body.get("response_format") or {}
    messages = body.get("messages") or ()
    return Question(
        model=str(body.get("model") or ""),
        system="\n".join(_said(messages, system=True)),
        user="\n".join(_said(messages, system=False)),
        schema=(wanted.get("json_schema") or {}).get("schema") if wanted.get("type") == "json_schema" else None,
        json=wanted.get("type") == "json_object",
        most=int(body.get("max_completion_tokens") or body.get("max_tokens") or 0),
        stream=bool(body.get("stream")),
        call=call,
    )


def _said(messages: Sequence[Mapping[str, Any]], *, system: bool) -> list[str]:
    return [str(m.get("content") or "") for m in messages if (m.get("role") in {"system", "developer"}) is system]
