"""Figures: what Claude costs in tokens and in time, our way and the plain way. `make bench`; the real, pinned binary, the emulated API.

A token is four bytes of a request. Both ways put the same questions, to the same scripted model, about the same home at the same time;
that the tools were asked the same and told the same is checked and printed. Other work on the machine shows in the spread of each time.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_bot.sandbox.claude_api import ClaudeApi, Heard
from trading_bot.sandbox.claude_turn import Turn
from trading_bot.sandbox.claude_wire import Reply, Text, Use

if TYPE_CHECKING:
    from trading_bot.llm.calls import Reply as Answered

ROOT = Path(__file__).resolve().parents[1]
BINARY = ROOT / "node_modules" / ".bin" / "claude"
PRE_MARKET = ("screener", "analyzer", "optimizer")
COMMANDS = {"screener": "screen", "analyzer": "analyze-trade", "optimizer": "optimize-entry"}
AS_OF = datetime(2024, 3, 5, 11, 30, tzinfo=UTC)
"""Pre-market of the first simulated day."""
CALLS, STARTS, BYTES_A_TOKEN = 9, 5, 4
_SECONDS = 120
_EVIDENCE = re.compile(r'"evidence": *"[a-z2-7]{8}"')
_QUIET = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


def _world(home: Path, url: str, **more: str) -> dict[str, str]:
    """An environment in which no key and no setting of the user's is."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "127.0.0.1,localhost"}
    return {**kept, "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "offline", **_QUIET, **more}


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> float:
    """Run to the end; seconds."""
    begun = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own programs
        command, env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}{done.stdout[-500:]}")
    return time.perf_counter() - begun


def _tokens(heard: Sequence[Heard]) -> int:
    return sum(one.size for one in heard) // BYTES_A_TOKEN


def _told(heard: Sequence[Heard]) -> list[tuple[str, str, str]]:
    """Every tool's answer to every question, once, its stamp blotted out: it is another for each decision."""
    last = {one.session: one for one in heard}
    turns = (Turn(one.body, one.size) for one in last.values())
    return [(r.tool, json.dumps(dict(r.input), sort_keys=True), _EVIDENCE.sub("", r.text)) for turn in turns for r in turn.results]


def a_day(folder: Path) -> tuple[Heard, ...]:
    """Print what a simulated day takes; return what the API heard of it before the market opened."""
    from trading_bot.storage.spending import SpendingLedger

    home = folder / "day"
    desk = {"TRADING_BOT_HOME": str(home), "TRADING_BOT__CLAUDE__BINARY": str(BINARY), "TRADING_BOT__CLAUDE__BILLING": "api"}
    with ClaudeApi() as api:
        command = [sys.executable, "-m", "trading_bot", "orchestrator", "--fast", "--analyst", "claude"]
        seconds = _run(command, _world(folder, api.url, **desk), ROOT)
        counted, heard = api.ledger(), api.heard
    with SpendingLedger.open(home / "journal.db") as ledger, ledger.reading() as page:
        calls = page.since(datetime(2000, 1, 1, tzinfo=UTC))
    spent = sum(call.counted for call in calls)
    _say(
        "a simulated day with Claude",
        f"{seconds:.1f} s, {len(calls)} calls, {len(heard)} turns, {counted['input_tokens']:,} tokens in, "
        f"{counted['output_tokens']:,} out, list price {spent:f} USD (the API counted {counted['usd']})",
    )
    return tuple(one for one in heard if one.persona in PRE_MARKET)


def _standing_home(folder: Path) -> Path:
    """A home whose desk has come to the pre-market and has done nothing yet."""
    from trading_bot import config
    from trading_bot.bootstrap.desk import build
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.domain.mandate import Mode
    from trading_bot.storage.home import Home

    home = Home(folder / "standing")
    home.prepare()
    assembly = build(config.load(), Setting(Mode.PAPER, simulated=True, home=home, operator=folder))
    assembly.desk.session.begin()
    assembly.desk.session.wait(AS_OF)
    return home.path


def _plain_folder(folder: Path, home: Path) -> Path:
    """A folder as anybody would make one: command files that say who to be, and the three servers."""
    from trading_bot.llm import prompts

    commands = folder / "plain" / ".claude" / "commands"
    commands.mkdir(parents=True)
    for workflow in prompts.WORKFLOWS:
        prompt = prompts.load(workflow)
        file = commands / f"{prompts.WORKFLOWS[workflow].command}.md"
        file.write_text(f"{prompt.persona_text}\n{prompt.command_text}\n", "utf-8")
    servers = json.loads((ROOT / "mcp_servers" / "mcp_config.json").read_text("utf-8"))["mcpServers"]
    for server in servers.values():
        server |= {
            "command": sys.executable,
            "args": [str(ROOT / script) for script in server["args"]],
            "env": {"TRADING_BOT_HOME": str(home)},
        }
    (folder / "servers.json").write_text(json.dumps({"mcpServers": servers}), "utf-8")
    return commands.parents[1]


def the_plain_way(folder: Path, ours: Sequence[Heard]) -> None:
    """Ask the same questions by `claude -p "/command"` with default settings, and print what that sends beside what we send."""
    _ways("our way", ours, ours)
    where = _plain_folder(folder, _standing_home(folder))
    first = list({one.session: Turn(one.body, one.size) for one in reversed(ours)}.values())[::-1]
    questions = [f"/{COMMANDS[turn.persona]} {turn.arguments}" for turn in first]
    allowed = ",".join(f"mcp__{server}" for server in ("market-data", "position", "risk"))
    for name, more in (("the plain way, tools at once", {"ENABLE_TOOL_SEARCH": "false"}), ("the plain way, untouched", {})):
        with ClaudeApi() as api:
            for question in questions:
                command = [str(BINARY), "-p", question, "--mcp-config", str(folder / "servers.json"), "--allowedTools", allowed]
                _run(command, _world(folder / "user", api.url, **more), where)
            _ways(name, api.heard, ours)


def _ways(name: str, heard: Sequence[Heard], ours: Sequence[Heard]) -> None:
    tokens, turns, calls = _tokens(heard), len(heard), len({one.session for one in heard})
    text = f"{tokens:,} tokens in {turns} turns of {calls} calls, {BYTES_A_TOKEN * tokens / turns:,.0f} bytes a turn"
    if heard is not ours:
        told, known = _told(heard), _told(ours)
        same = sum(1 for one in told if one in known)
        text += (
            f"; {tokens / _tokens(ours):.1f} times ours (goal 20); model {heard[-1].body['model']}; {same} of {len(known)} results the same"
        )
    _say(f"pre-market, {name}", text)


def contracts(folder: Path) -> None:
    """Print what each workflow's tools, persona and answer weigh in a request, and the whole first request."""
    from llm.manager_kit import bench

    arguments = {"screen": "5", "review": "--period 7", "approve": '{"symbol":"RISE","side":"buy","entry":136.5,"stop":133}'}
    with ClaudeApi() as api, bench(folder / "contracts", api.url) as asked:
        for workflow in ("screen", "analyze", "optimize", "review", "approve"):
            before = len(api.heard)
            _must(asked.ask(workflow, workflow, arguments.get(workflow, "RISE")))
            first = api.heard[before]
            parts = [first.body["tools"], first.body["system"]]
            size = sum(len(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()) for part in parts)
            _say(
                f"{workflow}: tools, persona, contract",
                f"{size / BYTES_A_TOKEN:.0f} tokens (goal 2,000 at most); the whole first request {first.size / BYTES_A_TOKEN:.0f}",
            )


def _must(reply: "Answered") -> None:
    if reply.output is None:
        raise RuntimeError(f"not answered: {reply}")


def overhead(folder: Path) -> None:
    """Print by how much a call of the manager is slower than the binary alone: as many requests, a built-in tool, no server."""
    from llm.manager_kit import bench, outside

    note = folder / "bare" / "note.txt"
    note.parent.mkdir()
    note.write_text("hello\n", "utf-8")

    def reading(turn: Turn) -> Reply:
        return Reply((Text("done"),)) if turn.results else Reply((Use("Read", {"file_path": str(note)}),))

    head = [str(BINARY), "-p", "go", "--output-format", "stream-json", "--verbose", "--model", "claude-haiku-4-5"]
    bare = [*head, "--tools", "Read", "--setting-sources", "project", "--system-prompt", "Read it.", "--no-session-persistence"]
    taken: list[tuple[float, float]] = []
    with ClaudeApi(reading) as script, ClaudeApi() as api, bench(folder / "overhead", api.url) as asked:
        world = {**outside(script.url), **_world(folder / "bare", script.url, CLAUDE_CODE_DISABLE_ATTACHMENTS="1", MAX_THINKING_TOKENS="0")}
        for number in range(CALLS + 1):
            alone = _run(bare, world, note.parent)
            begun = time.perf_counter()
            _must(asked.ask(f"d{number}"))
            taken.append((time.perf_counter() - begun, alone))
        turns = len(api.heard), len(script.heard)
    ours, alone_all = zip(*taken[1:], strict=True)
    more = sorted(one - other for one, other in taken[1:])
    _say(
        "the manager's overhead per call",
        f"median {statistics.median(more):.2f} s (goal 0.3 at most), {more[0]:.2f} to {more[-1]:.2f}; "
        f"a call {statistics.median(ours):.2f} s, the bare binary {statistics.median(alone_all):.2f} s; "
        f"{turns[0] // (CALLS + 1)} and {turns[1] // (CALLS + 1)} requests each",
    )


def servers(folder: Path) -> None:
    """Print how long each stdio server takes from its start to its first answers."""
    for name in ("market_data", "position", "risk"):
        taken = [_first_answers(ROOT / "mcp_servers" / f"{name}_server.py", folder / "nowhere") for _ in range(STARTS)]
        begun, listed = zip(*taken, strict=True)
        _say(
            f"stdio server {name}",
            f"initialize {statistics.median(begun):.2f} s, at most {max(begun):.2f} (goal 1.0); "
            f"tools listed by {statistics.median(listed):.2f} s, at most {max(listed):.2f}; {STARTS} starts",
        )


def _first_answers(script: Path, home: Path) -> tuple[float, float]:
    """Seconds from the start of a cold process to its answers to `initialize` and to `tools/list`."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    begun = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(script)],
        env={"PATH": os.environ["PATH"], "TRADING_BOT_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("a server without pipes")

        def said(message: Mapping[str, Any]) -> None:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")  # type: ignore[union-attr]
            server.stdin.flush()  # type: ignore[union-attr]

        said({"id": 1, "method": "initialize", "params": hello})
        server.stdout.readline()
        first = time.perf_counter() - begun
        said({"method": "notifications/initialized"})
        said({"id": 2, "method": "tools/list"})
        if b'"tools"' not in server.stdout.readline():
            raise RuntimeError(f"{script} lists no tools")
        second = time.perf_counter() - begun
        server.stdin.close()
    return first, second


def _say(name: str, text: str) -> None:
    print(f"{name:<44} {text}", flush=True)


def main() -> None:
    """Print every figure, or why it cannot be had."""
    sys.path.insert(0, str(ROOT / "tests"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "user").mkdir()
        _say("load of the machine", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; the times below hold for an idle one")
        servers(folder)
        if not BINARY.exists():
            print("the claude binary is not installed, the other figures need it: make node_modules/.installed")
            return
        contracts(folder)
        overhead(folder)
        the_plain_way(folder, a_day(folder))


if __name__ == "__main__":
    main()
