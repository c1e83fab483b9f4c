"""What `doctor` looks at where Claude is to answer: binary, billing, tool servers, budget. Asks no model and costs nothing."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trading_bot.cli.context import Context
from trading_bot.cli.findings import Finding

if TYPE_CHECKING:
    from trading_bot.tools.registry import Toolset

FLOOR = (2, 1, 221)
_PATIENCE_S = 30
_LAUNCHERS = Path("mcp_servers")
_LOGINS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "api": (
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "export ANTHROPIC_API_KEY, or set claude.billing to subscription, bedrock or vertex",
    ),
    "subscription": (
        ("CLAUDE_CODE_OAUTH_TOKEN",),
        "run `claude` once and log in, or export CLAUDE_CODE_OAUTH_TOKEN (`claude setup-token`)",
    ),
    "bedrock": (("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"), "export AWS_REGION and AWS_PROFILE, or an access key"),
    "vertex": (("ANTHROPIC_VERTEX_PROJECT_ID",), "export ANTHROPIC_VERTEX_PROJECT_ID and CLOUD_ML_REGION"),
}
"""Variables of which one has to be set, and what to do if none is."""


def claude_binary(context: Context) -> Finding:
    """The binary is there, runs, and is new enough."""
    return binary(context.config().claude.binary)


def binary(name: str) -> Finding:
    """The binary of this name or path is there, runs, and is new enough."""
    program = shutil.which(name)
    install = f"install it: npm install -g @anthropic-ai/claude-code, or name it with claude.binary (now {name})"
    if program is None:
        return Finding("claude binary", passed=False, seen=f"{name} is not on the PATH", fix=install)
    try:
        ran = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=_bare())  # noqa: S603 - the operator's own program
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("claude binary", passed=False, seen=f"{name} does not run: {error}", fix=install)
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", ran.stdout.strip())
    good = found is not None and tuple(map(int, found.groups())) >= FLOOR
    seen = f"{name} {found[0] if found else f'says no version (exit {ran.returncode})'}"
    newer = f"at least {'.'.join(map(str, FLOOR))} is needed: npm install -g @anthropic-ai/claude-code@latest"
    return Finding("claude binary", good, seen, "" if good else newer)


def claude_billing(context: Context) -> Finding:
    """What the way to pay needs is there. That it works shows only at the first call."""
    return login(context.config().claude.billing)


def login(billing: str) -> Finding:
    """What this way to pay needs is there."""
    names, fix = _LOGINS[billing]
    found = [name for name in names if os.environ.get(name)]
    if billing == "subscription" and not found and _credentials().exists():
        found = ["a login of the claude binary"]
    return Finding("claude billing", bool(found), f"{billing}, {f'by {found[0]}' if found else 'no login'}", "" if found else fix)


def tool_servers(_context: Context) -> Finding:
    """Each stdio server starts and lists just its tools."""
    from trading_bot.tools.registry import TOOLS, Toolset

    if not _LAUNCHERS.is_dir():
        return Finding("tool servers", passed=True, seen=f"no {_LAUNCHERS} here: they are for interactive use in the repository")
    for toolset in Toolset:
        expected = sorted(tool.name for tool in TOOLS if tool.toolset is toolset)
        try:
            listed = asyncio.run(asyncio.wait_for(_listed(toolset), _PATIENCE_S))
        except Exception as error:  # noqa: BLE001  # edge: whatever keeps a server from starting is what this check is for
            return Finding("tool servers", passed=False, seen=f"{toolset} does not start: {error!r}", fix="run `make install` again")
        if listed != expected:
            return Finding("tool servers", passed=False, seen=f"{toolset} lists {listed}", fix="run `make install` again")
    return Finding("tool servers", passed=True, seen=f"{len(Toolset)} start and list their {len(TOOLS)} tools")


def claude_budget(context: Context) -> Finding:
    """There is money and a call left."""
    from trading_bot.execution.clock import SystemWallClock
    from trading_bot.llm.budget import Budget
    from trading_bot.storage.spending import SpendingLedger

    limits = context.config().budget
    if not context.home.has_journal:
        return Finding(
            "claude budget",
            limits.claude_usd_per_day > 0,
            f"{limits.claude_usd_per_day:f} USD a day, nothing spent",
            "" if limits.claude_usd_per_day else _MORE,
        )
    with SpendingLedger.open(context.home.database) as ledger:
        budget = Budget(ledger, limits, SystemWallClock())
        left, calls = budget.left(), budget.calls_left()
    good = left > 0 and calls != 0
    return Finding(
        "claude budget", good, f"{left:.4f} of {limits.claude_usd_per_day:f} USD left today, {calls} calls this hour", "" if good else _MORE
    )


_MORE = "wait, or raise budget.claude_usd_per_day or budget.calls_per_hour; `costs` shows what was spent"


async def _listed(toolset: "Toolset") -> list[str]:
    from mcp import Client, StdioServerParameters

    script = _LAUNCHERS / f"{toolset.name.lower()}_server.py"
    async with Client(StdioServerParameters(command=sys.executable, args=[str(script)], env=_bare())) as client:
        return sorted(tool.name for tool in (await client.list_tools()).tools)


def _bare() -> dict[str, str]:
    """An environment without keys."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TRADING_BOT_HOME") if name in os.environ}


def _credentials() -> Path:
    folder = os.environ.get("CLAUDE_CONFIG_DIR")
    return (Path(folder) if folder else Path.home() / ".claude") / ".credentials.json"


CHECKS = (claude_binary, claude_billing, tool_servers, claude_budget)
