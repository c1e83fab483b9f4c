"""Ollama's answers as they stand in its API document, and OpenAI's, which DeepSeek speaks too.

Promises fixed times and durations that follow from the number of tokens. Does no I/O.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle, islice
from typing import Any

from trading_bot.sandbox.ollama.question import Manner, Question, Reply, tokens

VERSION = "0.5.1"
_CREATED = "2026-01-02T15:04:05.000000Z"
_EPOCH = 1767366245
_EXPIRES = "2126-01-02T15:09:05.000000Z"
_NANOSECONDS = 20_000_000
"""For each token."""
_SIZE = 2_019_393_189
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "3.2B",
    "quantization_level": "Q4_K_M",
}
_BLANKS = ("\n", " ", "\t")
_DIMENSIONS = 32
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}

Json = dict[str, Any]


def full(name: str) -> str:
    """A model's name with its tag."""
    return name if ":" in name else f"{name}:latest"


def tags(models: Sequence[str]) -> Json:
    """What is there."""
    return {"models": [_model(name) | {"modified_at": _CREATED} for name in models]}


def running(models: Sequence[str]) -> Json:
    """What is loaded."""
    return {"models": [_model(name) | {"expires_at": _EXPIRES, "size_vram": _SIZE} for name in models]}


def shown(name: str) -> Json:
    """One model."""
    info = {"general.architecture": "llama", "general.parameter_count": 3_212_749_888, "llama.context_length": 131_072}
    told = {"modelfile": f"FROM {full(name)}\n", "parameters": "", "template": "{{ .Prompt }}", "license": "scripted"}
    return told | {"details": _DETAILS, "model_info": info, "capabilities": ["completion"], "modified_at": _CREATED}


def said(reply: Reply, question: Question) -> Sequence[str]:
    """The tokens that are sent: no more than were asked for."""
    pieces = tokens(reply.text)
    if reply.manner is Manner.WHITESPACE:  # told whole it ends somewhere, streamed it does not
        return (*pieces[:1], *islice(cycle(_BLANKS), question.most or 1000))
    return pieces[: question.most] if question.most else pieces


def flow(reply: Reply, question: Question) -> Iterator[str]:
    """The tokens of a stream, which may have no end."""
    pieces = said(reply, question)
    if reply.manner is Manner.WHITESPACE:
        return chain(pieces[:1], cycle(_BLANKS))
    return iter(pieces)


def part(kind: str, question: Question, text: str) -> Json:
    """A line of a stream. `kind`: chat or generate."""
    return {"model": question.model, "created_at": _CREATED, **_content(kind, text), "done": False}


def whole(kind: str, question: Question, reply: Reply) -> Json:
    """An answer in one piece."""
    text = "".join(said(reply, question))
    return part(kind, question, text) | _called(kind, reply) | ending(kind, question, reply)


def last(kind: str, question: Question, reply: Reply) -> Json:
    """The line that ends a stream."""
    return part(kind, question, "") | ending(kind, question, reply)


def calls(kind: str, question: Question, reply: Reply) -> Json:
    """The line of a stream with calls of tools."""
    return part(kind, question, "") | _called(kind, reply)


def ending(kind: str, question: Question, reply: Reply) -> Json:
    """Why it ended, and what it took."""
    if question.empty:
        return {"done_reason": "load", "done": True}
    read, written = counts(question, reply)
    told: Json = {
        "done_reason": finished(question, reply),
        "done": True,
        "total_duration": (read + written) * _NANOSECONDS,
        "load_duration": _NANOSECONDS,
        "prompt_eval_count": read,
        "prompt_eval_duration": read * _NANOSECONDS,
        "eval_count": written,
        "eval_duration": written * _NANOSECONDS,
    }
    return told | ({"context": [1, 2, 3]} if kind == "generate" else {})


def finished(question: Question, reply: Reply) -> str:
    """`length` where the cap of tokens cut it."""
    return "length" if question.most and len(tokens(reply.text)) > question.most else "stop"


def counts(question: Question, reply: Reply) -> tuple[int, int]:
    """Tokens read and written."""
    return len(tokens(question.system)) + len(tokens(question.user)), len(said(reply, question))


def embedding(text: str) -> list[float]:
    """A bag of words as a direction: texts that share words lie close together."""
    vector = [0.0] * _DIMENSIONS
    for word in text.lower().split():
        place = hashlib.sha256(word.encode()).digest()
        vector[place[0] % _DIMENSIONS] += 1.0 if place[1] % 2 else -1.0
    length = math.hypot(*vector) or 1.0
    return [v / length for v in vector]


def completion(question: Question, reply: Reply) -> Json:
    """OpenAI's answer in one piece."""
    message: Json = {"role": "assistant", "content": "".join(said(reply, question))}
    if reply.tools:
        message["tool_calls"] = [_openai_call(n, call) for n, call in enumerate(reply.tools)]
    reason = "tool_calls" if reply.tools else finished(question, reply)
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return _openai("chat.completion", question) | {"choices": [choice], "usage": usage(question, reply)}


def chunk(question: Question, text: str, reason: str | None = None) -> Json:
    """One event of OpenAI's stream."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
    return _openai("chat.completion.chunk", question) | {"choices": [choice]}


def usage(question: Question, reply: Reply) -> Json:
    """Tokens as DeepSeek charges them: all read without a cache."""
    read, written = counts(question, reply)
    told = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return told | {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": read}


def openai_models(models: Sequence[str]) -> Json:
    """OpenAI's list."""
    return {"object": "list", "data": [{"id": name, "object": "model", "created": _EPOCH, "owned_by": "library"} for name in models]}


def openai_error(status: int, message: str) -> Json:
    """OpenAI's form of an error."""
    return {"error": {"message": message, "type": _KINDS.get(status, "api_error"), "param": None, "code": None}}


def line(value: Mapping[str, Any]) -> bytes:
    """JSON on a line of its own."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def event(value: Mapping[str, Any] | str) -> bytes:
    """A server-sent event."""
    return b"data: " + (value.encode() if isinstance(value, str) else line(value).strip()) + b"\n\n"


def _model(name: str) -> Json:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": full(name), "model": full(name), "size": _SIZE, "digest": digest, "details": _DETAILS}


def _content(kind: str, text: str) -> Json:
    return {"response": text} if kind == "generate" else {"message": {"role": "assistant", "content": text}}


def _called(kind: str, reply: Reply) -> Json:
    if kind == "generate" or not reply.tools:
        return {}
    return {"message": {"role": "assistant", "content": reply.text, "tool_calls": list(reply.tools)}}


def _openai(kind: str, question: Question) -> Json:
    return {
        "id": f"chatcmpl-{question.call}",
        "object": kind,
        "created": _EPOCH,
        "model": question.model,
        "system_fingerprint": "fp_ollama",
    }


def _openai_call(number: int, call: Mapping[str, Any]) -> Json:
    function = call["function"]
    told = {"name": function["name"], "arguments": json.dumps(function["arguments"])}
    return {"id": f"call_{number}", "index": number, "type": "function", "function": told}
