"""Every way in which a call lies or fails is told by name from what was seen; only a proven answer is believed.

The events are those of the real binary, as it was seen to send them; `test_manager` sees it send them again.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from trading_bot.llm.calls import Ending
from trading_bot.llm.ending import Expected, bad_start, judge
from trading_bot.llm.prices import Tokens
from trading_bot.llm.process import Cut, Exit
from trading_bot.llm.stream import Transcript
from trading_bot.llm.usage import broke_off, reported, usage_of

QUOTE = "mcp__desk__get_quote"
EXPECTED = Expected("screen", "desk", frozenset({QUOTE, "StructuredOutput"}), "n1")
CLEAN = Exit(0, None, "", "")
FAILED = Exit(1, None, "", "")

Event = Mapping[str, Any]


def init(**changes: Any) -> Event:  # noqa: ANN401 - fields of an event
    """The first event of a good session."""
    servers = [{"name": "desk", "status": "connected"}]
    return {
        "type": "system",
        "subtype": "init",
        "tools": ["StructuredOutput", QUOTE],
        "mcp_servers": servers,
        "slash_commands": ["screen", "clear"],
        "claude_code_version": "2.1.329",
        **changes,
    }


def said(text: str, model: str = "claude-haiku-4-5") -> Event:
    """The model, in words."""
    return {"type": "assistant", "message": {"model": model, "content": [{"type": "text", "text": text}]}}


def used(tool: str) -> Event:
    """The model, asking for a tool."""
    return {"type": "assistant", "message": {"model": "claude-haiku-4-5", "content": [{"type": "tool_use", "name": tool, "input": {}}]}}


def result(**changes: Any) -> Event:  # noqa: ANN401 - fields of an event
    """The last event of a good session."""
    good = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "api_error_status": None,
        "stop_reason": "tool_use",
        "num_turns": 2,
        "permission_denials": [],
        "structured_output": {"nonce": "n1", "candidates": []},
    }
    return {**good, **changes}


def ending(*events: Event, end: Exit = CLEAN) -> Ending:
    """How a call with these events ended."""
    transcript = Transcript()
    for event in events:
        transcript.hear(json.dumps(event))
    return judge(end, transcript, EXPECTED).ending


WORK = (init(), used(QUOTE), used("StructuredOutput"))


def test_an_answer_with_every_proof_is_believed_without_its_nonce() -> None:
    """Granted tools, known command, clean end, structured answer, nonce."""
    transcript = Transcript()
    for event in (*WORK, result()):
        transcript.hear(json.dumps(event))
    judged = judge(CLEAN, transcript, EXPECTED)
    assert (judged.ending, judged.output) == (Ending.ANSWERED, {"candidates": []})


LIES = {
    "the server failed to start": (
        [init(mcp_servers=[{"name": "desk", "status": "failed"}], tools=["StructuredOutput"]), result()],
        Ending.TOOL_MISSING,
    ),
    "the server is not mentioned": ([init(mcp_servers=[]), result()], Ending.TOOL_MISSING),
    "the server has no tools": ([init(tools=["StructuredOutput"]), result()], Ending.TOOL_MISSING),
    "a tool more than was granted": ([init(tools=["StructuredOutput", QUOTE, "Bash"]), result()], Ending.TOOL_MISSING),
    "another server beside ours": (
        [init(mcp_servers=[{"name": "desk", "status": "connected"}, {"name": "other", "status": "connected"}]), result()],
        Ending.TOOL_MISSING,
    ),
    "the command is unknown": ([init(slash_commands=["clear"]), result()], Ending.UNKNOWN_COMMAND),
    "an error that calls itself success": (
        [*WORK, result(is_error=True, api_error_status=529, stop_reason="stop_sequence")],
        Ending.API_ERROR,
    ),
    "a broken connection": ([init(), said("API Error", "<synthetic>"), result(is_error=True, num_turns=1)], Ending.API_ERROR),
    "a request limit without a reset time": ([init(), result(is_error=True, api_error_status=429)], Ending.API_ERROR),
    "a usage limit with its reset time": (
        [
            init(),
            {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": 1_800_000_000}},
            result(is_error=True, api_error_status=429),
        ],
        Ending.USAGE_LIMIT,
    ),
    "the budget is spent": ([*WORK, result(subtype="error_max_budget_usd", is_error=True)], Ending.OVER_BUDGET),
    "too many turns": ([*WORK, result(subtype="error_max_turns", is_error=True)], Ending.TURN_LIMIT),
    "no answer fits the schema": ([*WORK, result(subtype="error_max_structured_output_retries", is_error=True)], Ending.UNPARSEABLE),
    "a refusal by the safeguards": ([init(), result(is_error=True, stop_reason="refusal", structured_output=None)], Ending.REFUSED),
    "a refusal in words": (
        [init(), said("I can't help with trades."), result(stop_reason="end_turn", structured_output=None)],
        Ending.REFUSED,
    ),
    "words instead of an answer": ([init(), said("NVDA looks good."), result(structured_output=None)], Ending.UNPARSEABLE),
    "exit 0 without work": ([init(), result(num_turns=0, structured_output=None)], Ending.NO_WORK),
    "the nonce of another call": ([*WORK, result(structured_output={"nonce": "n2", "candidates": []})], Ending.NO_PROOF),
    "no nonce": ([*WORK, result(structured_output={"candidates": []})], Ending.NO_PROOF),
    "a tool that was not granted": ([init(), used("Bash"), used("StructuredOutput"), result()], Ending.FORBIDDEN),
    "a denied call of a foreign tool": ([*WORK, result(permission_denials=[{"tool_name": "Write"}])], Ending.FORBIDDEN),
    "a denied call of a granted tool": ([*WORK, result(permission_denials=[{"tool_name": QUOTE}])], Ending.TOOL_MISSING),
    "no result": ([*WORK], Ending.CRASHED),
    "nothing at all": ([], Ending.CRASHED),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_told_by_its_name(lie: str) -> None:
    """Whatever the exit status says."""
    events, expected = LIES[lie]
    assert ending(*events) is expected
    assert ending(*events, end=FAILED) is expected


@pytest.mark.parametrize(("cut", "expected"), [(Cut.SILENT, Ending.SILENT), (Cut.STALLED, Ending.STALLED), (Cut.TOO_LONG, Ending.TOO_LONG)])
def test_a_call_that_was_cut_off_answers_nothing(cut: Cut, expected: Ending) -> None:
    """Not even with an answer on the wire."""
    assert ending(*WORK, result(), end=Exit(-9, cut, "", "")) is expected


@pytest.mark.parametrize(
    "errors", ["No conversation found with session ID: x", "Error: Session ID x is already in use.", "Failed to resume session: EISDIR"]
)
def test_a_conversation_that_cannot_be_gone_on_with_is_lost_only_before_it_began(errors: str) -> None:
    """What the program says once the model is at work is another failure."""
    early = result(subtype="error_during_execution", is_error=True, num_turns=0, structured_output=None)
    end = Exit(1, None, "", errors)
    assert [ending(*events, end=end) for events in ((early,), ())] == [Ending.LOST] * 2
    assert [ending(*events, end=end) for events in ((init(), early), (said("Well"),))] == [Ending.API_ERROR, Ending.CRASHED]


def test_an_answer_with_a_bad_exit_status_is_not_believed() -> None:
    """It answered, and then something went wrong that it did not tell."""
    assert ending(*WORK, result(), end=Exit(-11, None, "", "")) is Ending.CRASHED


def test_a_bad_start_is_seen_before_anything_is_paid() -> None:
    """From the first event alone."""
    assert bad_start(init(), EXPECTED) is None
    assert bad_start(init(tools=[]), EXPECTED) is not None


def test_lines_that_are_no_events_are_not_believed() -> None:
    """Half JSON, a number, an event without a type."""
    transcript = Transcript()
    for line in ('{"type": "res', "17", '{"subtype": "init"}', "", "null"):
        transcript.hear(line)
    assert transcript.events == []


def test_a_request_that_was_never_sent_costs_nothing_and_one_that_broke_off_may_have() -> None:
    """An outage of the network must not eat the day's budget; a lost answer has to be counted."""
    lost = result(is_error=True, stop_reason="stop_sequence", result="API Error: Connection to the API was lost (ECONNRESET).")
    refused = {**lost, "result": "API Error: Connection refused (ECONNREFUSED)"}
    assert (broke_off(lost), broke_off(refused), broke_off(result())) == (True, False, False)


@pytest.mark.parametrize(
    "words", ["As an AI I'd rather not trade.", "I appreciate that, but I must respectfully decline.", "I am not comfortable here."]
)
def test_a_refusal_in_odd_words_is_one(words: str) -> None:
    """It is not asked again, and does not count against the model's health."""
    assert ending(init(), said(words), result(stop_reason="end_turn", structured_output=None)) is Ending.REFUSED


@pytest.mark.parametrize(
    "counts",
    [{"inputTokens": -5, "outputTokens": 7}, {"inputTokens": 500, "outputTokens": 0}, {"inputTokens": "500", "outputTokens": 7}, {}],
)
def test_a_turn_that_was_answered_for_nothing_or_less_is_no_bill(counts: Mapping[str, Any]) -> None:
    """Such a call counts at its reservation; an error of the API before any turn costs what it says."""
    assert usage_of(result(modelUsage={"claude-haiku-4-5": counts}), "claude-haiku-4-5") is None
    assert usage_of(result(modelUsage={}, is_error=True, api_error_status=529), "claude-haiku-4-5") is not None


def test_a_call_that_another_model_answered_costs_what_that_one_costs() -> None:
    """The program counts by the model that it asked for."""
    bill = result(modelUsage={"claude-haiku-4-5": {"inputTokens": 100, "outputTokens": 10}})
    one, other = (usage_of(bill, "claude-haiku-4-5", [model]) for model in ("claude-haiku-4-5-20251001", "claude-opus-4-1"))
    assert one is not None
    assert other is not None
    assert other.cost_usd == 15 * one.cost_usd


def counted(cost: float, read: int, said: int, own: int = 0) -> Event:
    """A result: what the program counted in all, and what this run's own prompts were."""
    told = {"claude-haiku-4-5": {"inputTokens": read, "outputTokens": said}}
    return result(total_cost_usd=cost, modelUsage=told, usage={"input_tokens": own, "output_tokens": 1})


@pytest.mark.parametrize(
    ("later", "heard", "cost"),
    [
        (counted(0.0035, 2000, 300, own=900), 900, "0.002"),
        (counted(0.004, 2000, 300, own=900), 900, "0.0025"),
        (counted(0.0012, 2000, 300, own=900), 900, "0.002"),
        (counted(0.0025, 1500, 200, own=1500), 1500, "0.0025"),
        (counted(0.0025, 1500, 200, own=0), 1500, "0.0025"),
        (counted(0.0035, 2000, 300, own=0), 900, "0.002"),
        (result(total_cost_usd=0.0035, usage={"input_tokens": 900, "output_tokens": 200}), 900, "0.0035"),
    ],
    ids=[
        "the list price",
        "a dearer report",
        "a sum that fell",
        "a sum that began anew",
        "the same, capped",
        "a cap",
        "no tokens by model",
    ],
)
def test_a_turn_of_a_conversation_costs_what_was_counted_since_the_last(later: Event, heard: int, cost: str) -> None:
    """Never less than its own turns told, and all of it where the sum before is not in it."""
    before = reported(counted(0.0015, 1000, 100))
    assert before is not None
    found = usage_of(later, "claude-haiku-4-5", before=before, heard=Tokens(input=heard))
    assert found is not None
    assert found.cost_usd == Decimal(cost)


def test_what_the_model_said_is_counted_in_bytes() -> None:
    """To hold its bill against."""
    transcript = Transcript()
    for event in (init(), said("word " * 100), result()):
        transcript.hear(json.dumps(event))
    assert transcript.bytes_said() == 500
