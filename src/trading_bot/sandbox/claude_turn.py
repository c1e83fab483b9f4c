"""What one request says of its conversation: who is asked, for what, with which tools, and what the tools have answered.

Promises to read the request and nothing else. Refuses nothing: what it cannot find is absent.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ANSWER_TOOL = "StructuredOutput"
SEARCH_TOOL = "ToolSearch"
COMMANDS = {
    "screen": "screener",
    "analyze-trade": "analyzer",
    "optimize-entry": "optimizer",
    "review-performance": "reviewer",
    "backtest-strategy": "backtest",
    "second-opinion": "approver",
    "judge-news": "news-judge",
    "open-trade": "trader",
    "watch-trade": "trader",
}
"""Slash commands, and who works them."""
NOBODY = "fallback"
PERSONAS = (*dict.fromkeys(COMMANDS.values()), NOBODY)

_YOU_ARE = re.compile(rf"You are the ({'|'.join(COMMANDS.values())})\b")
_COMMAND = re.compile(r"<command-name>/?([\w:-]+)</command-name>")
_ARGUMENTS = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
_DEFERRED = re.compile(r"mcp__[\w-]+?__\w+")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)

Block = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What a tool answered. `value` is None unless it was a JSON object."""

    tool: str
    """Bare name, without its server."""
    input: Mapping[str, Any]
    value: Mapping[str, Any] | None
    text: str
    failed: bool


@dataclass(frozen=True)
class Turn:
    """One request."""

    body: Mapping[str, Any]
    size: int
    """Bytes of the request."""
    session: str = ""
    """Of which conversation."""
    past: Sequence[Mapping[str, Any]] = ()
    """Structured answers that this persona gave to earlier conversations."""

    @cached_property
    def persona(self) -> str:
        """Who is asked, by the system prompt or else by the last slash command."""
        named = _YOU_ARE.search("\n".join(self._system()))
        if named:
            return named[1]
        return COMMANDS.get(self.command, NOBODY)

    @cached_property
    def command(self) -> str:
        """The last slash command of the question, without its slash; empty if there is none."""
        commands = _COMMAND.findall(self.question)
        return commands[-1].split(":")[-1] if commands else ""

    @cached_property
    def arguments(self) -> str:
        """What the slash command was given, or the whole question where there was none."""
        given = _ARGUMENTS.findall(self.question)
        return given[-1].strip() if given else self.question.strip()

    @cached_property
    def tools(self) -> Mapping[str, Mapping[str, Any]]:
        """Input schemas of the tools that can be called, by full name."""
        return {str(tool.get("name")): tool.get("input_schema") or {} for tool in self.body.get("tools") or ()}

    def full_name(self, bare: str) -> str | None:
        """Return the offered tool of this bare name, whoever serves it."""
        return next((name for name in self.tools if name.split("__")[-1] == bare), None)

    def deferred_name(self, bare: str) -> str | None:
        """Return the tool of this bare name that a search would load."""
        if SEARCH_TOOL not in self.tools:
            return None
        told = "\n".join(self._system()) + json.dumps([*self.body.get("messages", ()), *self.body.get("tools", ())])
        return next((name for name in _DEFERRED.findall(told) if name.split("__")[-1] == bare), None)

    @cached_property
    def searched(self) -> bool:
        """Whether a search for tools was already made for this question."""
        return any(use.get("name") == SEARCH_TOOL for use in self._uses.values())

    @cached_property
    def number(self) -> int:
        """1 for the question itself, 2 after the model's first turn, and so on."""
        return 1 + sum(1 for message in self._since if message.get("role") == "assistant")

    @cached_property
    def answer_schema(self) -> Mapping[str, Any] | None:
        """What the structured answer must look like, None where text is wanted."""
        return self.tools.get(ANSWER_TOOL)

    @cached_property
    def nonce(self) -> str | None:
        """The word that the answer has to repeat."""
        properties = (self.answer_schema or {}).get("properties") or {}
        nonce = properties.get("nonce") or {}
        return nonce.get("const") or next(iter(nonce.get("enum") or ()), None)

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """What the tools answered to this question, in order; searches and answers left out."""
        blocks = [b for m in self._since for b in _blocks(m) if b.get("type") == "tool_result"]
        told = ((self._uses.get(str(b.get("tool_use_id")), {}), b) for b in blocks)
        return tuple(_result(use, b) for use, b in told if use.get("name") not in {ANSWER_TOOL, SEARCH_TOOL})

    @cached_property
    def _since(self) -> Sequence[Mapping[str, Any]]:
        """Messages from the newest question on."""
        messages: Sequence[Mapping[str, Any]] = self.body.get("messages") or ()
        asked = [n for n, m in enumerate(messages) if m.get("role") == "user" and _is_question(m)]
        return messages[asked[-1] :] if asked else messages

    @cached_property
    def question(self) -> str:
        """The newest words of whoever asks."""
        return "\n".join(text for text in _texts(self._since[0])) if self._since else ""

    @cached_property
    def _uses(self) -> Mapping[str, Block]:
        blocks = (b for m in self._since if m.get("role") == "assistant" for b in _blocks(m))
        return {str(b.get("id")): b for b in blocks if b.get("type") == "tool_use"}

    def _system(self) -> Iterator[str]:
        system = self.body.get("system") or ()
        yield from [system] if isinstance(system, str) else (str(block.get("text", "")) for block in system)


def _blocks(message: Mapping[str, Any]) -> Sequence[Block]:
    content = message.get("content") or ()
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    for block in _blocks(message):
        if block.get("type") == "text":
            yield _REMINDER.sub("", str(block.get("text", "")))


def _is_question(message: Mapping[str, Any]) -> bool:
    """Tell a person's word from the program's own: results of tools, and reminders."""
    return all(b.get("type") != "tool_result" for b in _blocks(message)) and any(text.strip() for text in _texts(message))


def _result(use: Block, block: Block) -> Result:
    content = block.get("content") or ""
    text = content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    bare = str(use.get("name", "")).split("__")[-1]
    return Result(bare, use.get("input") or {}, value if isinstance(value, dict) else None, text, bool(block.get("is_error")))
