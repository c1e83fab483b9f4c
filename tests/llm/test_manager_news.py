"""What Claude is told of news when it decides: numbers that the desk made, and not a word that a stranger wrote. The real binary."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm.manager_kit import bench
from trading_bot.domain.tooling import TAINTING
from trading_bot.llm.calls import Ending
from trading_bot.sandbox.claude_api import ClaudeApi

WORDS = ("Loopback Journal", "in the news")
"""Of every publisher and of every title that two feeds told."""


@pytest.mark.parametrize(
    ("workflow", "arguments", "tool", "told"),
    [
        ("screen", "3", "get_sentiment_anomalies", {"anomalies": [], "total": 0, "calm": 0, "silent": 6, "unknown": 1}),
        ("analyze", "RISE", "get_sentiment", {"sentiment": 0.75, "backed": 0.75, "stories": 1, "articles": 2, "feeds": 2}),
    ],
)
def test_a_run_that_decides_hears_backed_numbers_of_news_and_no_word_of_a_stranger(
    workflow: str, arguments: str, tool: str, told: dict[str, Any], tmp_path: Path
) -> None:
    """It asks, is answered and is believed; the result is recorded, so that whatever comes of it is tainted."""
    with ClaudeApi() as api, bench(tmp_path, api.url) as desk:
        reply = desk.ask(workflow=workflow, arguments=arguments, news=True)
    assert reply.ending is Ending.ANSWERED, reply.note
    (call,) = [call for call in reply.calls if call.tool in TAINTING]
    result = json.loads(call.result)
    assert (call.tool, call.failed, {name: result[name] for name in told}) == (tool, False, told)
    heard = json.dumps(api.requests)
    assert call.evidence in heard
    assert [word for word in WORDS if word in heard] == []


@pytest.mark.parametrize(("workflow", "arguments"), [("screen", "3"), ("analyze", "RISE")])
def test_a_desk_without_news_decides_without_them(workflow: str, arguments: str, tmp_path: Path) -> None:
    """It is offered no tool of news, and nothing fails."""
    with ClaudeApi() as api, bench(tmp_path, api.url) as desk:
        reply = desk.ask(workflow=workflow, arguments=arguments)
    assert reply.ending is Ending.ANSWERED, reply.note
    assert reply.output is not None
    assert "abstain" not in reply.output
    assert "sentiment" not in json.dumps(api.requests)
