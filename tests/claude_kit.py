"""The real claude binary for tests: pinned by package.json, in a home of its own, talking to the emulated API."""

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
import uvicorn
from mcp.server.lowlevel import Server

from trading_bot.sandbox.claude_api import ClaudeApi

ROOT = Path(__file__).resolve().parents[1]
BINARY = ROOT / "node_modules" / ".bin" / "claude"
MODEL = "claude-haiku-4-5"
SCHEMA = {"type": "object", "properties": {"nonce": {"const": "n-1"}, "ok": {"type": "boolean"}}, "required": ["nonce", "ok"]}


def binary() -> Path:
    """The pinned binary; a machine without it skips, CI fails."""
    if BINARY.exists():
        return BINARY
    if os.environ.get("CI"):
        pytest.fail(f"{BINARY} is missing, and CI must not skip the tests on it: make node_modules/.installed")
    pytest.skip("the pinned claude binary is not installed: make node_modules/.installed")


def environment(home: Path, url: str, **extra: str) -> dict[str, str]:
    """All that the binary gets: a home of its own, the API at `url`, a made-up key, no retries."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "made-up",
        "NO_PROXY": "127.0.0.1,localhost",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
        "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",  # hides the list of deferred tools too: a plain session needs it empty
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "4096",
        "MAX_THINKING_TOKENS": "0",
        **extra,
    }


@dataclass(frozen=True)
class Ran:
    """How a run ended and what it said, event by event. `code` is None if it had to be killed at its deadline."""

    code: int | None
    events: tuple[Mapping[str, Any], ...]
    stderr: str

    def last(self, kind: str) -> Mapping[str, Any]:
        """The newest event of a type, empty if there is none."""
        return next((event for event in reversed(self.events) if event.get("type") == kind), {})

    @property
    def result(self) -> Mapping[str, Any]:
        """The last word."""
        return self.last("result")


@dataclass(frozen=True)
class Claude:
    """Runs the binary in a folder of its own against one API."""

    folder: Path
    api: ClaudeApi

    def run(  # noqa: PLR0913 - what tests vary
        self,
        prompt: str = "What does AAPL cost?",
        *,
        persona: str = "You are a test.",
        server: str | None = None,
        tools: tuple[str, ...] = (),
        schema: Mapping[str, Any] | None = SCHEMA,
        arguments: tuple[str, ...] = (),
        seconds: float = 30,
        **extra: str,
    ) -> Ran:
        """Run to its end or its deadline. `server`: address of an HTTP MCP server, named `desk`; `tools`: bare names that may be called."""
        servers = {"mcpServers": {"desk": {"type": "http", "url": server}} if server else {}}
        command = [
            str(binary()),
            *("-p", prompt, "--output-format", "stream-json", "--verbose", "--model", MODEL, "--tools", ""),
            *("--strict-mcp-config", "--mcp-config", json.dumps(servers), "--permission-mode", "dontAsk"),
            *("--setting-sources", "project", "--system-prompt", persona, "--no-session-persistence"),
            *(("--allowedTools", ",".join(f"mcp__desk__{tool}" for tool in tools)) if tools else ()),
            *(("--json-schema", json.dumps(schema)) if schema else ()),
            *arguments,
        ]
        home, workspace = self.folder / "home", self.folder / "workspace"
        home.mkdir(exist_ok=True)
        workspace.mkdir(exist_ok=True)
        return _run(command, environment(home, self.api.url, **extra), workspace, seconds)


def _run(command: list[str], env: Mapping[str, str], folder: Path, seconds: float) -> Ran:
    child = subprocess.Popen(  # noqa: S603 - the pinned binary
        command, env=dict(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = child.communicate(timeout=seconds)
        code: int | None = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        out, err = child.communicate()
        code = None
    lines = [line for line in out.decode(errors="replace").splitlines() if line.startswith("{")]
    return Ran(code, tuple(_events(lines)), err.decode(errors="replace"))


def _events(lines: list[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue  # cut off by the deadline


@contextmanager
def mcp_server(tools: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]) -> Iterator[str]:
    """Serve these functions as MCP tools over HTTP; the address of the server. Each takes a `symbol`, and more if it likes."""
    schema = {"type": "object", "properties": {"symbol": {"type": "string"}, "top": {"type": "integer"}}}

    async def listed(_context: object, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name=name, description=name, input_schema=schema) for name in tools])

    async def called(_context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        told = dict(tools[params.name](params.arguments or {}))
        text = json.dumps(told, separators=(",", ":"))
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=told)

    app = Server("desk", on_list_tools=listed, on_call_tool=called).streamable_http_app(stateless_http=True, json_response=True)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


def copy_prompts(folder: Path) -> None:
    """Put the repository's slash commands and agents into a workspace."""
    for part in ("commands", "agents"):
        shutil.copytree(ROOT / ".claude" / part, folder / ".claude" / part)
