"""What Claude is told: the command and the persona of each workflow, read from the files that a person at the terminal uses too.

Promises one source: the texts, and the tools that a persona's front matter names, come from `.claude`, which the package carries. Refuses
to hand out a tool that acts, whatever a file says, and a file that it cannot read as meant.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from trading_bot import yaml_text
from trading_bot.domain.errors import ConfigError
from trading_bot.domain.tooling import TAINTING
from trading_bot.ports import Brief, ToolGrant

FOLDER: Traversable = resources.files("trading_bot") / "claude_code"
"""The `.claude` of this repository, or the copy that was installed."""
_TOOL = re.compile(r"mcp__[a-z-]+__([a-z_]+)")
_ACTING = frozenset({"propose_trade"})
"""For people only: no headless run gets these."""
EXPANDED = str.maketrans("", "", "@`!$")
"""Characters with which the binary's command line reads files or runs commands: no word of another's may hold them."""
_PARTS = re.compile(r"---\n(.*?)\n---\n(.*\S)\s*", re.DOTALL)


@dataclass(frozen=True)
class Workflow:
    """Which files say how a step is done."""

    command: str
    agent: str


WORKFLOWS: Mapping[str, Workflow] = {
    "screen": Workflow("screen", "screener"),
    "analyze": Workflow("analyze-trade", "analyzer"),
    "optimize": Workflow("optimize-entry", "optimizer"),
    "review": Workflow("review-performance", "reviewer"),
    "backtest": Workflow("backtest-strategy", "backtest"),
    "approve": Workflow("second-opinion", "approver"),
    "open": Workflow("open-trade", "trader"),
    "watch": Workflow("watch-trade", "trader"),
    "judge-news": Workflow("judge-news", "news-judge"),
}
"""Every headless workflow by name."""


@dataclass(frozen=True)
class Prompt:
    """All that one workflow tells the model, but for its arguments."""

    workflow: str
    command: str
    """Name of the slash command, without its slash."""
    persona_text: str
    command_text: str
    """With `$ARGUMENTS` where the arguments go."""
    tools: tuple[str, ...]
    """Bare names of the tools that it may use; none of them acts."""

    def granted(self, brief: Brief) -> ToolGrant:
        """Its tools for this brief: those of news only where somebody reads news."""
        return ToolGrant(brief, tuple(tool for tool in self.tools if brief.news is not None or tool not in TAINTING))

    def persona_with(self, tools: Collection[str]) -> str:
        """The persona without its lines about tools that are not among `tools`."""
        missing = [f"`{tool}`" for tool in self.tools if tool not in tools]
        return "\n".join(line for line in self.persona_text.splitlines() if not any(tool in line for tool in missing))


def load(workflow: str, folder: Traversable = FOLDER) -> Prompt:
    """Return the prompt of `workflow`. ConfigError for an unknown one, or for files that are missing or damaged."""
    if workflow not in WORKFLOWS:
        msg = f"there is no workflow {workflow!r}; there are {', '.join(WORKFLOWS)}"
        raise ConfigError(msg)
    found = WORKFLOWS[workflow]
    command_text = _command(folder, found.command)
    head, persona_text = _read(folder, "agents", found.agent)
    return Prompt(workflow, found.command, persona_text, command_text, _tools(found.agent, head))


def files(folder: Traversable = FOLDER) -> Mapping[str, str]:
    """Return what a headless workspace's folder of commands holds: file name to text.

    Without front matter, which says how an interactive session hands a command to its persona: a headless run is the persona already.
    """
    return {f"{found.command}.md": _command(folder, found.command) + "\n" for found in WORKFLOWS.values()}


def _command(folder: Traversable, name: str) -> str:
    """A command's text without the lines about what acts: a headless run may only look."""
    lines = _read(folder, "commands", name)[1].splitlines()
    return "\n".join(line for line in lines if not any(tool in line for tool in _ACTING))


def _read(folder: Traversable, kind: str, name: str) -> tuple[Mapping[str, Any], str]:
    """Return front matter and text of one file."""
    where = f"{kind}/{name}.md"
    try:
        text = (folder / kind / f"{name}.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "install the package again" if folder is FOLDER else f"{folder} has to be laid out like .claude"
        msg = f"the prompt {where} cannot be read ({type(error).__name__}); {fix}"
        raise ConfigError(msg) from error
    parts = _PARTS.fullmatch(text)
    head = yaml_text.read(parts[1], where)[0] if parts else None
    if parts is None or not isinstance(head, dict):
        msg = f"the prompt {where} needs front matter between two lines of --- and a text below it"
        raise ConfigError(msg)
    return head, parts[2]


def _tools(agent: str, head: Mapping[str, Any]) -> tuple[str, ...]:
    if head.get("tools") == []:  # none; without the word a persona at the terminal would have all
        return ()
    named = [(word, _TOOL.fullmatch(word)) for word in re.split(r",\s*", str(head.get("tools", "")))]
    wrong = [word for word, match in named if match is None]
    if wrong:
        msg = f"the prompt agents/{agent}.md names {wrong[0]!r} under tools, which is no tool of the form mcp__SERVER__NAME"
        raise ConfigError(msg)
    return tuple(match[1] for _, match in named if match is not None and match[1] not in _ACTING)
