"""The real `claude` binary at our doors, with a model of two sentences on loopback: what it sees, what it calls, what it is told."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import served
from served import brief, market, scope
from trading_bot.ports import ToolGrant
from trading_bot.tools.calling import payload
from trading_bot.tools.host import HttpToolHost
from trading_bot.tools.registry import TOOLS, Toolset

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "node_modules" / ".bin" / "claude"


@pytest.fixture(scope="module")
def binary() -> Path:
    """The pinned binary; a machine without it skips, CI fails."""
    if BINARY.exists():
        return BINARY
    if os.environ.get("CI"):
        pytest.fail("the claude binary is missing, and CI must not skip its tests: run `npm ci`")
    pytest.skip("the claude binary is not installed (`npm ci`)")


class Model(ThreadingHTTPServer):
    """A Messages API: calls one tool in its first sentence, and ends with its second."""

    daemon_threads = True

    def __init__(self, tool: str) -> None:
        super().__init__(("127.0.0.1", 0), _Sentence)
        self.heard: list[dict[str, Any]] = []
        called: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
        self.script: list[tuple[str, dict[str, Any]]] = [("tool_use", called), ("end_turn", {"type": "text", "text": ""})]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def told(self) -> str:
        """What the model was told of the tool."""
        (result,) = [part for part in self.heard[-1]["messages"][-1]["content"] if part["type"] == "tool_result"]
        content = result["content"]
        return content if isinstance(content, str) else "".join(part["text"] for part in content)


class _Sentence(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reason, block = self.server.script[min(len(self.server.heard), 1)]
        self.server.heard.append(body)
        delta = {"type": "text_delta", "text": "done"} if block["type"] == "text" else {"type": "input_json_delta", "partial_json": "{}"}
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [], "usage": usage}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write("".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user's empty home."""
    (tmp_path / "user").mkdir()
    return tmp_path / "user"


def started(binary: Path, home: Path, model: Model, configuration: Path, folder: Path, **variables: str) -> dict[str, Any]:
    """Run `claude` to its end; return what it said at the start of itself."""
    command = [str(binary), "-p", "go", "--output-format", "stream-json", "--verbose", "--model", "claude-haiku-4-5", "--tools", ""]
    fences = [
        "--strict-mcp-config",
        "--mcp-config",
        str(configuration),
        "--permission-mode",
        "dontAsk",
        "--system-prompt",
        "Call the tool.",
    ]
    allowed = ["--allowedTools", model.script[0][1]["name"], "--max-turns", "3", "--no-session-persistence"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{model.server_address[1]}",
        "ANTHROPIC_API_KEY": "none",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
        "ENABLE_TOOL_SEARCH": "false",
        **variables,
    }
    done = subprocess.run(  # noqa: S603 - the pinned binary
        [*command, *fences, *allowed],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["type"] == "result"
    assert lines[-1]["is_error"] is False
    assert lines[-1]["permission_denials"] == []
    return next(line for line in lines if line.get("subtype") == "init")


def test_a_headless_run_sees_the_granted_tool_and_no_other(binary: Path, home: Path, tmp_path: Path) -> None:
    """Connected by its token; what the model is told is the stamped result without a space too many, and it is recorded."""
    host = HttpToolHost(scope, served.TOOLS)
    with Model("mcp__desk__look") as model, host.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        server = {"type": "http", "url": access.url, "headers": {"Authorization": f"Bearer {access.token}"}}
        configuration = tmp_path / "mcp.json"
        configuration.write_text(json.dumps({"mcpServers": {"desk": server}}), "utf-8")
        init = started(binary, home, model, configuration, tmp_path)
        (call,) = access.calls()
        model.shutdown()
    host.close()
    assert init["tools"] == ["mcp__desk__look"]
    assert [(one["name"], one["status"]) for one in init["mcp_servers"]] == [("desk", "connected")]
    (described,), (schema,) = model.heard[0]["tools"], host.schemas(["look"])
    assert {key: described[key] for key in ("name", "description", "input_schema")} == {**schema, "name": "mcp__desk__look"}
    assert model.told() == json.dumps(payload(call), separators=(",", ":"))


def test_a_dead_token_connects_to_nothing(binary: Path, home: Path, tmp_path: Path) -> None:
    """The run that was granted is over: the binary says that its server failed, and the model has no tool."""
    host = HttpToolHost(scope, served.TOOLS)
    with host.open(ToolGrant(brief(market()[1]), ("look",))) as access:
        server = {"type": "http", "url": access.url, "headers": {"Authorization": f"Bearer {access.token}"}}
    configuration = tmp_path / "mcp.json"
    configuration.write_text(json.dumps({"mcpServers": {"desk": server}}), "utf-8")
    with Model("mcp__desk__look") as model:
        init = started(binary, home, model, configuration, tmp_path)
        model.shutdown()
    host.close()
    assert init["tools"] == []
    assert [one["status"] != "connected" for one in init["mcp_servers"]] == [True]
    assert access.calls() == ()


def test_an_interactive_session_finds_every_server_of_the_repository(binary: Path, home: Path, tmp_path: Path) -> None:
    """By `.mcp.json` as it stands, with a home that does not exist: connected, and with the registry's tools."""
    with Model("mcp__market-data__get_quote") as model:
        variables = {"TRADING_BOT_PYTHON": sys.executable, "TRADING_BOT_HOME": str(tmp_path / "nowhere")}
        init = started(binary, home, model, ROOT / ".mcp.json", ROOT, **variables)
        model.shutdown()
    assert sorted(one["name"] for one in init["mcp_servers"] if one["status"] == "connected") == sorted(Toolset)
    assert sorted(init["tools"]) == sorted(f"mcp__{tool.toolset}__{tool.name}" for tool in TOOLS)
