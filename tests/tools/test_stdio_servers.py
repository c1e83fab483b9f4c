"""The stdio servers as real processes: what an independent client sees, who answers, and how they start and end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from served import brief, market, run, scope
from tools.scopes import scope as written
from trading_bot.sandbox.ollama.server import EmulatedOllama
from trading_bot.tools import wire
from trading_bot.tools.calling import answer
from trading_bot.tools.desk_socket import DeskSocket
from trading_bot.tools.registry import TOOLS, Toolset, tool_named

ROOT = Path(__file__).resolve().parents[2]
CONFIGURED: dict[str, dict[str, Any]] = json.loads((ROOT / ".mcp.json").read_text("utf-8"))["mcpServers"]
MODES = ("legacy", "auto")
ASKED: dict[Toolset, tuple[str, dict[str, Any]]] = {
    Toolset.MARKET_DATA: ("get_quote", {"symbol": "AAPL"}),
    Toolset.POSITION: ("get_buying_power", {}),
    Toolset.RISK: ("get_portfolio_exposure", {}),
    Toolset.BACKTEST: ("run_backtest", {"strategy": "buy_and_hold", "symbols": ["RISE"]}),
    Toolset.NEWS: ("get_sentiment_anomalies", {}),
    Toolset.LOCAL_MODELS: ("ask_local_model", {"question": "Does it rise?"}),
}
MISSING = {Toolset.NEWS: "`news run` starts reading", Toolset.LOCAL_MODELS: "set `ollama.url`"}
"""What a home has only once somebody brings it there, and what is said until then."""
LAUNCHER = """
from served import TOOLS
from trading_bot.tools.registry import Toolset
from trading_bot.tools.stdio import serve
serve(Toolset.MARKET_DATA, "served:{}", TOOLS)
"""
RESEARCH = """
from trading_bot.tools.registry import Toolset
from trading_bot.tools.stdio import serve
serve(Toolset.BACKTEST, "served:researching")
"""


def expanded(text: str, **variables: str) -> str:
    """`${NAME:-default}` as Claude Code expands it."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1], found[2]), text)


def configured(toolset: Toolset, home: Path) -> StdioServerParameters:
    """The server as `.mcp.json` starts it, for this interpreter and home. Its environment holds no key: only what is named here."""
    entry, given = CONFIGURED[toolset], {"TRADING_BOT_PYTHON": sys.executable, "TRADING_BOT_HOME": str(home)}
    return StdioServerParameters(
        command=expanded(entry["command"], **given),
        args=entry["args"],
        env={name: expanded(value, **given) for name, value in entry["env"].items()},
        cwd=ROOT,
    )


def launched(opener: str, home: Path) -> StdioServerParameters:
    """A server over the tools of these tests, that opens its scope by a function of `served`."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-c", LAUNCHER.format(opener)],
        env={"TRADING_BOT_HOME": str(home), "PYTHONPATH": str(ROOT / "tests")},
    )


def compiled() -> None:
    """Run a grid once: to compile the kernel may take longer than a client of these tests waits."""
    asked = {"strategy": "sma_cross", "symbols": ["RISE"], "vary": {"fast": [2]}}
    assert not answer(tool_named("test_parameter_sensitivity"), written(), asked).failed


@asynccontextmanager
async def client(server: StdioServerParameters, mode: str = "auto") -> AsyncIterator[Client]:
    """An independent MCP client of a real process."""
    async with Client(stdio_client(server), mode=mode) as connected:
        yield connected


def call(server: StdioServerParameters, name: str, arguments: dict[str, Any], mode: str = "auto") -> types.CallToolResult:
    """One call."""

    async def work() -> types.CallToolResult:
        async with client(server, mode) as connected:
            return await connected.call_tool(name, arguments)

    return run(work)


def text_of(result: types.CallToolResult) -> str:
    """The text that a model reads."""
    (block,) = result.content
    assert isinstance(block, types.TextContent)
    return block.text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("toolset", Toolset)
def test_a_server_lists_exactly_the_tools_of_its_set(toolset: Toolset, mode: str, tmp_path: Path) -> None:
    """With descriptions, both schemas and annotations, as the registry has them; without a home, a desk or a key."""

    async def work() -> list[types.Tool]:
        async with client(configured(toolset, tmp_path / "nowhere"), mode) as connected:
            return (await connected.list_tools()).tools

    assert run(work) == [wire.listed(tool) for tool in TOOLS if tool.toolset is toolset]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("toolset", [toolset for toolset in Toolset if toolset is not Toolset.LOCAL_MODELS])
def test_a_running_desk_answers_for_its_server(toolset: Toolset, mode: str, tmp_path: Path) -> None:
    """As of the desk's clock, and true to the schema that was listed: the client checks."""
    name, arguments = ASKED[toolset]
    looked = written() if toolset in {Toolset.BACKTEST, Toolset.NEWS} else scope(brief(market()[1]))
    with DeskSocket(tmp_path, lambda: looked, lambda _item: None, threading.Lock()):
        result = call(configured(toolset, tmp_path), name, arguments, mode)
    assert not result.is_error, text_of(result)
    assert result.structured_content["as_of"] == "2024-03-05T14:30:00Z"
    assert json.loads(text_of(result)) == result.structured_content


@pytest.mark.parametrize("mode", MODES)
def test_without_a_desk_a_server_answers_by_itself(mode: str, tmp_path: Path) -> None:
    """From a scope of the moment."""
    result = call(launched("open_scope", tmp_path), "look", {"say": "hello"}, mode)
    assert result.structured_content["said"] == "hello"


@pytest.mark.parametrize("toolset", Toolset)
def test_a_server_answers_before_a_desk_has_ever_run_and_leaves_no_trace(toolset: Toolset, tmp_path: Path) -> None:
    """From keyless sources and empty books, true to the schema that was listed; it makes no home. What is not there says how to get it."""
    name, arguments = ASKED[toolset]
    result = call(configured(toolset, tmp_path / "nowhere"), name, arguments)
    assert result.is_error == (toolset in MISSING), text_of(result)
    assert MISSING.get(toolset, "") in text_of(result)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", MODES)
def test_local_models_are_asked_from_here_and_not_by_the_desk(mode: str, tmp_path: Path) -> None:
    """A real server's words in their envelope; a desk that runs is not held up by them."""
    asked = DeskSocket(tmp_path, lambda: pytest.fail("the desk was asked"), lambda _item: None, threading.Lock())
    with EmulatedOllama() as ollama, asked:
        server = configured(Toolset.LOCAL_MODELS, tmp_path)
        server.env = {**(server.env or {}), "TRADING_BOT__OLLAMA__URL": ollama.url}

        async def work() -> list[types.CallToolResult]:
            async with client(server, mode) as connected:
                return [await connected.call_tool(*ASKED[Toolset.LOCAL_MODELS]), await connected.call_tool("get_model_health", {})]

        results = run(work)
    assert [(result.is_error, text_of(result)) for result in results if result.is_error] == []
    assert set(results[0].structured_content) == {"evidence", "as_of", "answer", "model"}
    assert set(results[0].structured_content["answer"]) == {"untrusted_text"}
    assert [(one["ready"], one["asked"]) for one in results[1].structured_content["models"]] == [(True, 1), (True, 0), (True, 0)]


@pytest.mark.parametrize("toolset", Toolset)
def test_a_home_that_cannot_be_read_is_a_tools_error_and_no_crash(toolset: Toolset, tmp_path: Path) -> None:
    """The server lives on and says it again, in words and without a traceback."""
    (tmp_path / "journal.db").write_text("this is no database\n" * 100, "utf-8")
    name, arguments = ASKED[toolset]

    async def work() -> list[types.CallToolResult]:
        async with client(configured(toolset, tmp_path)) as connected:
            return [await connected.call_tool(name, arguments) for _ in range(2)]

    results = run(work)
    assert [(result.is_error, "journal.db" in text_of(result)) for result in results] == [(True, True)] * 2
    assert "failed inside" not in text_of(results[0])


@pytest.mark.parametrize(
    ("opener", "name", "text"),
    [
        ("no_home", "look", "there is no desk here: run `python -m trading_bot init`"),
        ("broken", "look", "look failed inside (ZeroDivisionError); the server's standard error says more"),
        ("open_scope", "fail", "ask for something else"),
        ("open_scope", "nothing", "there is no tool nothing here; there are: look, fail, act"),
    ],
)
def test_what_cannot_be_answered_says_what_to_do(opener: str, name: str, text: str, tmp_path: Path) -> None:
    """In words for whoever asked; an unforeseen error shows its kind alone."""
    result = call(launched(opener, tmp_path), name, {})
    assert (result.is_error, text_of(result)) == (True, text)


def test_a_server_keeps_the_runs_of_a_session_and_tells_how_far_a_long_call_is(tmp_path: Path) -> None:
    """The second call finds the run of the first; a client that asks hears of progress, and one that does not is left in peace."""
    compiled()
    server = launched("researching", tmp_path)
    server.args = ["-c", RESEARCH]
    heard: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the client's words
        heard.append((progress, total))

    async def work() -> tuple[types.CallToolResult, types.CallToolResult]:
        async with client(server) as connected:
            asked = {"strategy": "sma_cross", "symbols": ["RISE"], "vary": {"fast": list(range(2, 32)), "slow": [40, 50]}}
            await connected.call_tool("test_parameter_sensitivity", asked, progress_callback=hear)
            run = await connected.call_tool("run_backtest", {"strategy": "buy_and_hold", "symbols": ["RISE"]})
            return run, await connected.call_tool("generate_equity_curve", {"points": 10})

    made, curve = run(work)
    assert (made.is_error, curve.is_error) == (False, False), text_of(made)
    assert curve.structured_content["run"] == made.structured_content["run"]
    assert heard == [(25, 60), (50, 60), (60, 60)]


def test_standard_output_is_the_protocols_alone(tmp_path: Path) -> None:
    """A stray print goes to standard error."""
    result = call(launched("talking", tmp_path), "look", {"say": "hello"})
    assert result.structured_content["said"] == "hello"


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "look", "arguments": {}}}


def busy_server(home: Path) -> subprocess.Popen[bytes]:
    """A server in the middle of a tool that never ends."""
    server = launched("endless", home)
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [server.command, *server.args], env={**os.environ, **(server.env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for message in (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}, CALL, {**CALL, "id": 3, "method": "ping"}):
        process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    assert json.loads(process.stdout.readline())["id"] == 3
    return process


def test_a_server_ends_with_its_client(tmp_path: Path) -> None:
    """At once, in the middle of a tool too."""
    with busy_server(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(5) == 0


def test_a_server_ends_when_it_is_told(tmp_path: Path) -> None:
    """At once, in the middle of a tool too."""
    with busy_server(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize("toolset", Toolset)
def test_tools_are_listed_before_anything_heavy_is_imported(toolset: Toolset) -> None:
    """Neither pandas nor numpy, so that a client waits for Python and the protocol alone."""
    listing = (
        f"import runpy, sys; runpy.run_path({CONFIGURED[toolset]['args'][0]!r}, run_name='imported')\n"
        "from trading_bot.tools import registry, stdio, wire\n"
        "print([wire.listed(tool).name for tool in registry.TOOLS] and sorted({'pandas', 'numpy', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", listing], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout == "[]\n"


def test_the_configurations_agree_with_the_registry_and_with_the_files() -> None:
    """One server for each toolset; both files are one text; each launcher serves the set that its name says."""
    assert (ROOT / ".mcp.json").read_bytes() == (ROOT / "mcp_servers" / "mcp_config.json").read_bytes()
    assert set(CONFIGURED) == set(Toolset)
    for toolset in Toolset:
        (script,) = CONFIGURED[toolset]["args"]
        assert script == f"mcp_servers/{toolset.name.lower()}_server.py"
        lines = (ROOT / script).read_text("utf-8").splitlines()
        assert len(lines) < 40
        assert lines[-1] == f'    serve(Toolset.{toolset.name}, "trading_bot.bootstrap.tools:open_scope")'
    assert callable(resolve_name("trading_bot.bootstrap.tools:open_scope"))
