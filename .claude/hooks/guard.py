"""The second fence of interactive sessions: Claude Code asks here before each use of a tool.

Promises that only the desk's own tools pass, and those of Claude Code that touch nothing; everything else is denied with a reason that
the model can read, and so is a question that cannot be read. Refuses to allow anything by itself: what passes here still needs the
permission that settings or a person give. Python's standard library only, so that it runs wherever python3 does.
"""

import json
import sys

SERVERS = ("market-data", "position", "risk", "backtest", "news", "local-models")
"""Of .mcp.json."""
HARMLESS = frozenset(
    {
        "Agent",  # the next four start our personas and commands
        "Task",
        "Skill",
        "SlashCommand",
        "ToolSearch",  # finds tools that are there anyway
        "StructuredOutput",  # hands over an answer
        "AskUserQuestion",
        "TodoWrite",
    }
)


def refusal(question: str) -> str | None:
    """Return why the tool may not be used, or None. `question`: the hook's JSON input."""
    try:
        tool = json.loads(question)["tool_name"]
        server = tool.split("__")[1] if tool.startswith("mcp__") else None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return "The guard could not read which tool was asked for, so it is denied."
    if tool in HARMLESS or server in SERVERS:
        return None
    return f"{tool[:80]} is not a tool of this desk. Use its tools on the servers {', '.join(SERVERS)}."


def main() -> None:
    """Answer on standard output; silence lets the ordinary permissions decide."""
    reason = refusal(sys.stdin.buffer.read().decode("utf-8", "replace"))
    if reason is not None:
        decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}
        sys.stdout.write(json.dumps({"hookSpecificOutput": decision}))


if __name__ == "__main__":
    main()
