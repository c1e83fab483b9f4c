"""How a call ended, judged from what was seen and never from what the program says of itself alone.

Promises that `ANSWERED` needs every proof: the granted tools and no others, the command known, a clean end, a structured answer, the
nonce. The program exits with 0 for most of its failures, so each is looked for by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trading_bot.llm.calls import Ending
from trading_bot.llm.process import Cut, Exit
from trading_bot.llm.stream import Transcript

ANSWER_TOOL = "StructuredOutput"
REFUSAL = "refusal"
"""Stop reason of a result in which the vendor's safeguards or the model declined."""
_TOO_MANY_REQUESTS = 429
MOST_BYTES = 4_000_000
"""No honest call says more."""
_CUTS = {Cut.SILENT: Ending.SILENT, Cut.STALLED: Ending.STALLED, Cut.TOO_LONG: Ending.TOO_LONG, Cut.STOPPED: Ending.STOPPED}
_SUBTYPES = {
    "error_max_budget_usd": Ending.OVER_BUDGET,
    "error_max_turns": Ending.TURN_LIMIT,
    "error_max_structured_output_retries": Ending.UNPARSEABLE,
}
_REFUSALS = (
    "i can't",
    "i cannot",
    "i won't",
    "not able to",
    "i'm unable",
    "i am unable",
    "decline",
    "rather not",
    "as an ai",
    "not comfortable",
    "i refuse",
)
"""What stands in the opening of a model that answers in words because it declines."""
_OPENING = 200


_NO_LOGIN = ("Please run /login", "Failed to authenticate", "Invalid API key")
"""How the program says that nobody pays: asking again helps nothing."""


_LOST = ("No conversation found", "already in use", "Failed to resume session")
"""How the program says, before it asks anybody, that a conversation cannot be gone on with or begun."""


@dataclass(frozen=True)
class Expected:
    """What a call has to show."""

    command: str
    server: str
    """Empty: none may be there."""
    tools: frozenset[str]
    """Full names, the answer tool included."""
    nonce: str


@dataclass(frozen=True)
class Judged:
    """The ending, why, and the output if it was proven."""

    ending: Ending
    note: str = ""
    output: Mapping[str, Any] | None = None


def bad_start(init: Mapping[str, Any], expected: Expected) -> Judged | None:
    """What is wrong with a session from its first event on: no need to pay for the rest."""
    servers = {s.get("name"): s.get("status") for s in init.get("mcp_servers") or () if isinstance(s, dict)}
    if servers != ({expected.server: "connected"} if expected.server else {}):
        seen = servers.get(expected.server, "absent") if expected.server else "there, and was not granted"
        return Judged(Ending.TOOL_MISSING, f"the tool server is {seen}")
    tools = set(init.get("tools") or ())
    if tools != expected.tools:
        missing, extra = sorted(expected.tools - tools), sorted(tools - expected.tools)
        return Judged(Ending.TOOL_MISSING, f"tools missing: {', '.join(missing) or 'none'}; not granted: {', '.join(extra) or 'none'}")
    if expected.command not in (init.get("slash_commands") or ()):
        return Judged(Ending.UNKNOWN_COMMAND, f"/{expected.command} is not known to it")
    return None


def judge(end: Exit, said: Transcript, expected: Expected) -> Judged:
    """Return how the call ended."""
    if said.init is not None and (bad := bad_start(said.init, expected)) is not None:
        return bad
    if end.cut in _CUTS:
        return Judged(_CUTS[end.cut], f"cut off: {end.cut}")
    if end.size > MOST_BYTES:
        return Judged(Ending.TOO_LONG, "it said more than any honest call does")
    if said.init is None and not said.bytes_said() and any(sign in end.errors for sign in _LOST):
        return Judged(Ending.LOST, "its conversation is lost")
    if said.result is None or said.init is None:
        return Judged(Ending.CRASHED, f"it ended with {_how(end.code)} and no result")
    return _forbidden(said, expected) or _failure(said, said.result) or _answer(said, said.result, expected, end)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _failure(said: Transcript, result: Mapping[str, Any]) -> Judged | None:
    subtype = str(result.get("subtype"))
    if result.get("stop_reason") == REFUSAL or (_declines(said.texts()) and not result.get("structured_output")):
        return Judged(Ending.REFUSED, "the model declined")
    if subtype in _SUBTYPES:
        return Judged(_SUBTYPES[subtype], subtype)
    status = result.get("api_error_status")
    if result.get("is_error") and any(sign in str(result.get("result")) for sign in _NO_LOGIN):
        return Judged(Ending.NO_LOGIN, "there is no login that works: see `doctor --analyst claude`")
    if status == _TOO_MANY_REQUESTS and said.resets_at() is not None:
        return Judged(Ending.USAGE_LIMIT, "the vendor's usage limit is reached")
    if result.get("is_error") or status is not None:
        return Judged(Ending.API_ERROR, f"the API answered {status or 'with a broken connection'}")
    return None


def _declines(texts: Iterable[str]) -> bool:
    openings = [text.strip()[:_OPENING].lower().replace("\u2019", "'") for text in texts]
    return any(sign in opening for opening in openings for sign in _REFUSALS)


def _forbidden(said: Transcript, expected: Expected) -> Judged | None:
    denials = said.result.get("permission_denials") if said.result else ()
    denied = {str(d.get("tool_name")) for d in denials or () if isinstance(d, dict)}
    tried = sorted((set(said.tool_names()) | denied) - expected.tools)
    if tried:
        return Judged(Ending.FORBIDDEN, f"it tried {', '.join(tried)[:200]}")
    return Judged(Ending.TOOL_MISSING, f"denied: {', '.join(sorted(denied))}") if denied else None


def _answer(said: Transcript, result: Mapping[str, Any], expected: Expected, end: Exit) -> Judged:
    if not said.has_spoken or not result.get("num_turns"):
        return Judged(Ending.NO_WORK, "it did nothing")
    output = result.get("structured_output")
    if not isinstance(output, dict):
        return Judged(Ending.UNPARSEABLE, "it gave no structured answer")
    if output.get("nonce") != expected.nonce:
        return Judged(Ending.NO_PROOF, "its answer lacks this call's nonce")
    if end.code != 0:
        return Judged(Ending.CRASHED, f"it answered, and ended with {_how(end.code)}")
    return Judged(Ending.ANSWERED, output={k: v for k, v in output.items() if k != "nonce"})
