"""The guard lets the desk's tools pass and nothing else, and a guard that cannot work lets nothing pass."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUARD = ROOT / ".claude" / "hooks" / "guard.py"
SETTINGS = json.loads((ROOT / ".claude" / "settings.json").read_text("utf-8"))
SERVERS = tuple(json.loads((ROOT / ".mcp.json").read_text("utf-8"))["mcpServers"])

HARMLESS = ("Agent", "Task", "Skill", "SlashCommand", "ToolSearch", "StructuredOutput", "AskUserQuestion", "TodoWrite")
DENIED = (
    "Bash",
    "Write",
    "Edit",
    "Read",
    "WebFetch",
    "SomethingNew",
    "mcp__broker__place_order",
    "mcp__risk-evil__propose_trade",
    "mcp__",
    "mcp_risk_get_risk_metrics",
    "risk",
    "bash",
    "",
)
UNREADABLE = (
    b"",
    b"not json",
    b"[]",
    b"{}",
    b"null",
    b'{"tool_name": null}',
    b'{"tool_name": 3}',
    b'{"tool_name": {}}',
    b"\xff\xfe",
    b"[" * 50_000,
)


def answer(question: bytes) -> dict[str, str]:
    """What the guard prints, or nothing; it never fails."""
    done = subprocess.run([sys.executable, "-I", GUARD], input=question, capture_output=True, timeout=30, check=True)  # noqa: S603 - our own script
    assert done.stderr == b""
    if not done.stdout:
        return {}
    found: dict[str, str] = json.loads(done.stdout)["hookSpecificOutput"]
    return found


def asked(tool: str) -> bytes:
    """The hook's input for one use of `tool`."""
    return json.dumps({"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": {"command": "true"}}).encode()


@pytest.mark.parametrize("tool", [*HARMLESS, *(f"mcp__{server}__any_tool" for server in SERVERS)])
def test_the_desks_tools_and_harmless_ones_pass_to_the_ordinary_permissions(tool: str) -> None:
    """The guard allows nothing by itself: it is silent."""
    assert answer(asked(tool)) == {}


@pytest.mark.parametrize("tool", DENIED)
def test_everything_else_is_denied_with_a_reason_for_the_model(tool: str) -> None:
    """Tools that are not known yet included."""
    found = answer(asked(tool))
    reason = found.pop("permissionDecisionReason")
    assert found == {"hookEventName": "PreToolUse", "permissionDecision": "deny"}
    assert reason in {
        f"{tool} is not a tool of this desk. Use its tools on the servers {', '.join(SERVERS)}.",
        "The guard could not read which tool was asked for, so it is denied.",
    }


@pytest.mark.parametrize("question", UNREADABLE)
def test_a_question_that_cannot_be_read_is_denied(question: bytes) -> None:
    """Whatever arrives."""
    assert answer(question) == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "The guard could not read which tool was asked for, so it is denied.",
    }


def test_the_settings_start_the_guard_before_every_tool_and_block_if_it_cannot_start(tmp_path: Path) -> None:
    """Exit code 2 is the one that Claude Code takes for no."""
    (entry,) = SETTINGS["hooks"]["PreToolUse"]
    (hook,) = entry["hooks"]
    assert entry["matcher"] == "*"
    for project, path, code in ((ROOT, os.environ["PATH"], 0), (tmp_path, os.environ["PATH"], 2), (ROOT, str(tmp_path), 2)):
        environment = {"PATH": path, "CLAUDE_PROJECT_DIR": str(project)}
        done = subprocess.run(  # noqa: S603 - the command that our settings name
            ["/bin/sh", "-c", hook["command"]], env=environment, input=asked("Bash"), capture_output=True, timeout=30, check=False
        )
        assert done.returncode == code


def test_the_deny_rules_name_tools_as_a_whole_and_none_that_the_guard_lets_pass() -> None:
    """A tool that is denied as a whole is not even told to the model."""
    denied = SETTINGS["permissions"]["deny"]
    assert {"Bash", "Edit", "NotebookEdit", "Read", "WebFetch", "WebSearch", "Write"} <= set(denied)
    assert all(rule.isalpha() for rule in denied)
    assert not set(denied) & set(HARMLESS)
    assert tuple(SETTINGS["enabledMcpjsonServers"]) == SERVERS
    assert not any("propose_trade" in rule or rule == "mcp__risk" for rule in SETTINGS["permissions"]["allow"])


def test_a_session_waits_for_its_servers_and_works_in_the_foreground() -> None:
    """A persona whose servers are not up yet is refused by Claude Code, and one in the background is retold by a larger request."""
    assert SETTINGS["env"] == {
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "MCP_CONNECTION_NONBLOCKING": "0",
        "MCP_CONNECT_TIMEOUT_MS": "20000",
    }
    assert SETTINGS["permissions"]["defaultMode"] == "default"
