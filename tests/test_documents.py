"""What the user's pages say of commands, tools, endings and variables is what the program has."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from trading_bot.cli.root import cli
from trading_bot.config import load
from trading_bot.llm.calls import Ending
from trading_bot.llm.invocation import BILLING
from trading_bot.llm.prices import price_list
from trading_bot.llm.prompts import WORKFLOWS
from trading_bot.llm.prompts import load as prompt
from trading_bot.tools.registry import TOOLS, Toolset

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", ROOT / "docs/claude.md", ROOT / "CHANGELOG.md")}
CLAUDE = PAGES["claude.md"]


def rows(first: str) -> Iterator[list[str]]:
    """Cells of the table whose head begins with `first`."""
    table = CLAUDE[CLAUDE.index(f"\n| {first} |") + 1 :].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def words(cell: str) -> list[str]:
    """Names of a cell, without their marks."""
    return re.findall(r"[\w-]+", cell)


def test_every_command_on_the_pages_exists() -> None:
    """After `python -m trading_bot`, and in backticks before an argument."""
    named = {name for text in PAGES.values() for name in re.findall(r"python -m trading_bot ([a-z-]+)", text)}
    assert named
    assert {name for name in named if cli.get_command(click.Context(cli), name) is None} == set()


def test_every_slash_command_on_the_pages_exists() -> None:
    """By the name of its file."""
    known = {path.stem for path in (ROOT / ".claude/commands").glob("*.md")}
    named = {name for text in PAGES.values() for name in re.findall(r"[`\"]/([a-z-]+)[ `\"]", text)}
    assert named == known


def test_the_steps_are_those_of_the_prompts() -> None:
    """Workflow, command, persona, tools."""
    told = [[step, words(command)[0], persona, *words(tools)] for step, command, persona, tools in rows("step")]
    assert told == [[name, flow.command, flow.agent, *prompt(name).tools] for name, flow in WORKFLOWS.items()]


def test_the_endings_are_all_there_is() -> None:
    """Each once."""
    assert sorted(name for row in rows("ending") for name in words(row[0])) == sorted(Ending)


def test_the_tools_are_those_of_the_registry() -> None:
    """By server, in order."""
    told = {server: words(names) for server, names in rows("server")}
    assert told == {str(toolset): [tool.name for tool in TOOLS if tool.toolset is toolset] for toolset in Toolset}


def test_the_variables_of_each_billing_are_those_that_pass() -> None:
    """A home is named in words where it is the same."""
    home = {"HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"}
    told = {
        words(billing)[0]: set(re.findall(r"`(\w+)`", names)) | (home if "your home" in names else set())
        for billing, names in rows("billing")
    }
    assert told == {billing: set(names) for billing, names in BILLING.items()}


def test_the_figures_of_money_are_those_of_the_settings() -> None:
    """Cap, day, hour, breaker, and the date of the prices."""
    config = load(None, {})
    assert f"`claude.usd_per_call` ({config.claude.usd_per_call:.2f})" in CLAUDE
    assert (
        f"({config.budget.claude_usd_per_day:.0f} USD, a UTC day), and asks at most {config.budget.calls_per_hour} times an hour"
        in PAGES["README.md"]
    )
    assert f"no call for {config.budget.breaker_minutes} minutes" in CLAUDE
    assert f"the vendor's public list of {price_list().date}" in CLAUDE
    assert f"after `approval_minutes` ({config.approval_minutes})" in CLAUDE
