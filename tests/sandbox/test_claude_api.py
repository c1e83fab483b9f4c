"""The emulated Claude API, seen by the real claude binary: honest runs, counted to the token, and every way in which a call goes wrong."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from claude_kit import Claude, binary, copy_prompts, environment, mcp_server
from trading_bot.sandbox.claude_api import ClaudeApi
from trading_bot.sandbox.claude_faults import Rule

QUOTE = {"evidence": "abcdefgh", "symbol": "AAPL", "bid": 1.5}
SCAN = {"evidence": "abcdefgh", "candidates": [{"symbol": "NVDA", "score": 81.5, "reasons": ["volume 2.1"]}]}
ANSWER = {"nonce": "n-1", "ok": True}
CANDIDATES = {
    "type": "object",
    "properties": {"nonce": {"const": "n-1"}, "candidates": {"type": "array"}, "abstain": {"type": "string"}},
    "required": ["nonce"],
}
RETRIED_OUT = {"code": 1, "subtype": "error_max_structured_output_retries", "is_error": True}
NO_ANSWER = {"code": 0, "subtype": "success", "is_error": False, "structured_output": None}


def api_error(status: int | None) -> dict[str, Any]:
    """How the binary reports an error of the API: a success that is an error."""
    return {"code": 1, "subtype": "success", "is_error": True, "api_error_status": status}


@pytest.fixture(scope="module")
def desk() -> Iterator[str]:
    """An MCP server with one quote and one screen."""
    with mcp_server({"get_quote": lambda _: QUOTE, "scan_momentum": lambda _: SCAN}) as url:
        yield url


def counted(result: Mapping[str, Any]) -> dict[str, int]:
    """Token classes of a run as the binary adds them up for its bill."""
    names = {
        "input_tokens": "inputTokens",
        "output_tokens": "outputTokens",
        "cache_read_input_tokens": "cacheReadInputTokens",
        "cache_creation_input_tokens": "cacheCreationInputTokens",
    }
    return {ours: sum(model[theirs] for model in result["modelUsage"].values()) for ours, theirs in names.items()}


def test_a_run_uses_the_tool_and_answers_with_the_nonce(tmp_path: Path, desk: str) -> None:
    """Two turns: what the tool said is what the model is told."""
    with ClaudeApi() as api:
        ran = Claude(tmp_path, api).run(server=desk, tools=("get_quote",))
    assert (ran.code, ran.result["structured_output"], len(api.requests)) == (0, ANSWER, 2)
    told = api.requests[1]["messages"][-1]["content"][0]
    assert (told["type"], json.loads(told["content"])) == ("tool_result", QUOTE)


@pytest.mark.parametrize(
    "fault", [[], [Rule(fault="cached", read=1000, write=200)], [Rule(fault="bad_json")]], ids=["plain", "cached", "failed"]
)
def test_the_binary_and_the_ledger_count_the_same_tokens_and_money(tmp_path: Path, desk: str, fault: list[Rule]) -> None:
    """Both sides count alone, from the request's real size; a failed run is counted like an answered one."""
    with ClaudeApi(faults=fault) as api:
        ran = Claude(tmp_path, api).run(server=desk, tools=("get_quote",))
    ledger = api.ledger()
    assert counted(ran.result) == {name: ledger[name] for name in counted(ran.result)}
    assert ran.result["total_cost_usd"] == pytest.approx(float(ledger["usd"]), abs=1e-9)
    assert ledger["input_tokens"] == sum(-(-heard.size // 4) for heard in api.heard)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("http_400", api_error(400)),
        ("http_401", api_error(401)),
        ("http_429", api_error(429)),
        ("http_500", api_error(500)),
        ("http_529", api_error(529)),
        ("drop_mid", api_error(None)),
        ("refusal", {"code": 1, "is_error": True, "stop_reason": "refusal"}),
        ("refusal_text", NO_ANSWER),
        ("no_structured", NO_ANSWER),
        ("empty", NO_ANSWER),
        ("huge", NO_ANSWER),
        ("bad_json", RETRIED_OUT),
        ("wrong_nonce", RETRIED_OUT),
        ("no_nonce", RETRIED_OUT),
        ("disobey", {"code": 0, "structured_output": ANSWER}),
        ("leak_env", {"code": 0, "structured_output": ANSWER}),
        ("loop", {"code": 1, "subtype": "error_max_turns", "is_error": True}),
    ],
)
def test_the_binary_reports_each_fault_as_it_does_with_the_real_api(
    tmp_path: Path, desk: str, fault: str, expected: dict[str, Any]
) -> None:
    """The exit status and the subtype lie; together with `is_error` they do not."""
    with ClaudeApi(faults=[Rule(fault=fault)]) as api:
        ran = Claude(tmp_path, api).run(server=desk, tools=("get_quote",), arguments=("--max-turns", "8"))
    seen = {"code": ran.code, **ran.result}
    assert {name: seen.get(name) for name in expected} == expected


@pytest.mark.parametrize("fault", ["hang_first", "hang_mid"])
def test_an_api_that_hangs_holds_the_binary_until_somebody_ends_it(tmp_path: Path, fault: str) -> None:
    """It has no deadline of its own that would do."""
    with ClaudeApi(faults=[Rule(fault=fault)]) as api:
        ran = Claude(tmp_path, api).run(seconds=2)
    assert (ran.code, ran.result, len(api.requests)) == (None, {}, 1)


def test_a_spending_cap_ends_a_model_that_never_stops(tmp_path: Path, desk: str) -> None:
    """The money is spent, and told."""
    with ClaudeApi(faults=[Rule(fault="loop")]) as api:
        ran = Claude(tmp_path, api).run(server=desk, tools=("get_quote",), arguments=("--max-budget-usd", "0.003"))
    assert (ran.code, ran.result["subtype"]) == (1, "error_max_budget_usd")
    assert ran.result["total_cost_usd"] == pytest.approx(float(api.ledger()["usd"]), abs=1e-9)


def test_a_usage_limit_is_told_with_its_reset_time(tmp_path: Path) -> None:
    """As on a subscription, with a made-up login."""
    rule = Rule(fault="http_429", limit="rejected", resets_at=1_900_000_000, retry_after=1)
    with ClaudeApi(faults=[rule]) as api:
        ran = Claude(tmp_path, api).run(ANTHROPIC_API_KEY="", CLAUDE_CODE_OAUTH_TOKEN="made-up")  # noqa: S106 - made up
    told = ran.last("rate_limit_event")["rate_limit_info"]
    assert (ran.code, ran.result["api_error_status"], told["status"], told["resetsAt"]) == (1, 429, "rejected", 1_900_000_000)


def test_a_harmful_model_really_asks_for_what_it_must_not_have(tmp_path: Path, desk: str) -> None:
    """A fence that nothing runs into proves nothing."""
    with ClaudeApi(faults=[Rule(fault="disobey")]) as api:
        Claude(tmp_path, api).run(server=desk, tools=("get_quote",))
    said, answered = api.requests[1]["messages"][-2:]
    assert [use["name"] for use in said["content"]] == ["Bash", "Write", "mcp__desk__place_order", "mcp__desk__propose_trade"]
    assert all(result["is_error"] for result in answered["content"])


def test_a_persona_answers_from_what_its_tool_said(tmp_path: Path, desk: str) -> None:
    """Symbol, reason, number and evidence are copied from the result."""
    with ClaudeApi() as api:
        run = Claude(tmp_path, api).run
        ran = run("/screen 3", persona="You are the screener of a desk.", server=desk, tools=("scan_momentum",), schema=CANDIDATES)
    claims = [{"evidence": "abcdefgh", "field": "score", "value": 81.5}]
    assert ran.result["structured_output"] == {"nonce": "n-1", "candidates": [{"symbol": "NVDA", "reason": "volume 2.1", "claims": claims}]}
    assert [charge.persona for charge in api.charges] == ["screener", "screener"]


def test_a_persona_whose_tool_is_missing_abstains(tmp_path: Path) -> None:
    """Nothing is made up."""
    with ClaudeApi() as api:
        ran = Claude(tmp_path, api).run("/screen 3", persona="You are the screener of a desk.", schema=CANDIDATES)
    assert ran.result["structured_output"] == {"nonce": "n-1", "abstain": "a tool failed or gave nothing"}


@pytest.mark.parametrize("forked", [True, False], ids=["as an agent", "in the session itself"])
def test_a_plain_session_finds_its_tools_and_answers_in_words(tmp_path: Path, desk: str, *, forked: bool) -> None:
    """With default settings, where tools have to be searched for before they can be called."""
    if forked:
        copy_prompts(tmp_path)
    else:
        (tmp_path / ".claude" / "commands").mkdir(parents=True)
        (tmp_path / ".claude" / "commands" / "screen.md").write_text("Screen for $ARGUMENTS candidates.\n")
    servers = json.dumps({"mcpServers": {"market-data": {"type": "http", "url": desk}}})
    granted = ("--allowedTools", "mcp__market-data__scan_momentum")
    command = [str(binary()), "-p", "/screen 5", "--output-format", "json", "--mcp-config", servers, "--strict-mcp-config", *granted]
    with ClaudeApi() as api:
        env = environment(tmp_path / "home", api.url, CLAUDE_CODE_DISABLE_ATTACHMENTS="")
        done = subprocess.run(command, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)  # noqa: S603
    assert json.loads(done.stdout)["result"].splitlines() == ["candidates:", "- symbol NVDA, reason volume 2.1"]
    assert set(api.ledger()["personas"]) == {"screener"}


def test_a_fault_strikes_the_conversation_that_it_names(tmp_path: Path) -> None:
    """The second of three, and no other."""
    with ClaudeApi(faults=[Rule(fault="http_500", persona="fallback", call=2)]) as api:
        codes = [Claude(tmp_path, api).run().code for _ in range(3)]
    assert codes == [0, 1, 0]


def test_the_log_holds_each_request_and_no_key(tmp_path: Path) -> None:
    """Whole bodies, and headers without their secrets."""
    log = tmp_path / "requests.jsonl"
    with ClaudeApi(log=log) as api:
        Claude(tmp_path, api).run(ANTHROPIC_API_KEY="a-secret-of-mine")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["body"] for line in lines] == list(api.requests)
    assert ("a-secret-of-mine" in log.read_text(), lines[0]["headers"]["x-api-key"]) == (False, "***")


def test_the_command_tells_how_to_reach_it_and_ends_on_request(tmp_path: Path) -> None:
    """Two lines to copy, a ledger to look at, and a clean end."""
    command = [sys.executable, "-m", "trading_bot", "sandbox", "claude-api", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TRADING_BOT_HOME": str(tmp_path)}) as child:  # noqa: S603
        assert child.stdout is not None
        url = child.stdout.readline().strip().removeprefix("export ANTHROPIC_BASE_URL=")
        key = child.stdout.readline()
        with urllib.request.urlopen(f"{url}/__ledger", timeout=20) as answer:  # noqa: S310 - our own server
            ledger = json.load(answer)
        child.send_signal(signal.SIGINT)
        code = child.wait(timeout=20)
    assert (key, ledger["requests"], ledger["usd"], code) == ("export ANTHROPIC_API_KEY=offline\n", 0, "0", 0)
