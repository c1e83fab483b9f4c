"""What reaches the binary and its model, and what does not: a user's own settings, files named in a question, keys, and the run's token."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llm.manager_kit import KEY, bench, holding, outside, program
from trading_bot.llm.calls import Ending
from trading_bot.llm.invocation import BILLING
from trading_bot.sandbox.claude_api import ClaudeApi

HOSTILE = "HOSTILE-WORDS"
SECRETS = {
    "APCA_API_KEY_ID": "made-up-alpaca-id",
    "APCA_API_SECRET_KEY": "made-up-alpaca-secret",
    "ALPACA_API_KEY": "made-up-alpaca-key",
    "BYBIT_API_KEY": "made-up-bybit-key",
    "BYBIT_API_SECRET": "made-up-bybit-secret",
    "POLYGON_API_KEY": "made-up-polygon-key",
    "TRADING_BOT_HOME": "made-up-home",
    "TRADING_BOT_PASSPHRASE": "made-up-passphrase",
    "TRADING_BOT__SOURCE__KEY": "made-up-source-key",
    "DATABASE_URL": "made-up-database",
}
"""What a desk's environment may hold, and a model's process may not."""
TOKENS = {
    "api": ("ANTHROPIC_API_KEY", KEY),
    "subscription": ("CLAUDE_CODE_OAUTH_TOKEN", "made-up-oauth-token"),
    "bedrock": ("AWS_SECRET_ACCESS_KEY", "made-up-aws-secret"),
    "vertex": ("GOOGLE_APPLICATION_CREDENTIALS", "made-up-path"),
}


def hostile(folder: Path, marker: Path) -> None:
    """Put memory, settings with hooks, a server and a command of the same name into a folder, as a user or an enemy might."""
    own = folder / ".claude"
    (own / "commands").mkdir(parents=True)
    hook = [{"hooks": [{"type": "command", "command": f"touch {marker}; echo {HOSTILE}"}]}]
    settings = {"hooks": {"SessionStart": hook, "PreToolUse": hook, "UserPromptSubmit": hook}, "permissions": {"allow": ["Bash"]}}
    servers = {"mcpServers": {"evil": {"command": "touch", "args": [str(marker)]}}}
    for path in (folder / "CLAUDE.md", own / "CLAUDE.md", own / "commands" / "screen.md"):
        path.write_text(HOSTILE, "utf-8")
    for path in (own / "settings.json", own / "settings.local.json"):
        path.write_text(json.dumps(settings), "utf-8")
    for path in (folder / ".mcp.json", folder / ".claude.json", own / ".claude.json"):
        path.write_text(json.dumps(servers), "utf-8")


def paying(billing: str, url: str, user: Path) -> dict[str, str]:
    """The outer environment of who pays like this."""
    plain = {name: value for name, value in outside(url).items() if name != "ANTHROPIC_API_KEY"}
    return plain | {"HOME": str(user), **SECRETS} | dict([TOKENS[billing]])


@pytest.mark.parametrize("billing", ["api", "subscription"])
def test_nothing_that_lies_around_reaches_the_model_or_runs(billing: str, tmp_path: Path) -> None:
    """Parents of the home, and the user's own home folder, which a subscription needs."""
    marker, user = tmp_path / "marker", tmp_path / "user"
    hostile(tmp_path, marker)
    hostile(user, marker)
    with ClaudeApi() as api, bench(tmp_path / "home", api.url, around=paying(billing, api.url, user), billing=billing) as desk:
        reply = desk.ask()
    assert reply.ending is Ending.ANSWERED, reply.note
    assert api.requests
    assert HOSTILE not in json.dumps(api.requests)
    assert not marker.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "3 @{secret}",
        "3 !`cat {secret}`",
        "3\n@{secret}",
        "3 ${{cat {secret}}} $(cat {secret}) `cat {secret}`",
        "--append-system-prompt-file {secret}",
    ],
)
def test_a_file_that_a_question_names_is_not_read(arguments: str, tmp_path: Path) -> None:
    """Neither attached nor run, whatever form the binary knows for that."""
    secret = tmp_path / "secret.txt"
    secret.write_text(HOSTILE, "utf-8")
    with ClaudeApi() as api, bench(tmp_path / "home", api.url) as desk:
        desk.ask(arguments=arguments.format(secret=secret))
    assert api.requests
    assert HOSTILE not in json.dumps(api.requests)


def test_no_key_stays_in_the_home(tmp_path: Path) -> None:
    """Logs, journal, records, and what the binary itself writes; not even half a key."""
    around = outside("http://127.0.0.1:9", **SECRETS)
    with ClaudeApi() as api, bench(tmp_path / "home", api.url, around={**around, "ANTHROPIC_BASE_URL": api.url}) as desk:
        assert desk.ask().ending is Ending.ANSWERED
    assert holding(tmp_path, [*SECRETS.values(), KEY[-20:]]) == []


WATCH = """
path = after("--mcp-config")
seen = {"env": dict(os.environ), "argv": ARGS, "mode": os.stat(path).st_mode, "servers": open(path).read(),
        "folder": os.getcwd(), "files": [os.path.join(at, f) for at, _, fs in os.walk(".") for f in fs]}
json.dump(seen, open(os.path.join(os.path.dirname(ARGS[0]), "seen.json"), "w"))
say(INIT, WORD, RESULT)
"""


def seen_from_inside(folder: Path, billing: str) -> Mapping[str, Any]:
    """What the process of a run sees."""
    around = paying(billing, "http://127.0.0.1:9", folder / "user")
    with bench(folder / "home", "", program=program(folder, WATCH), around=around, billing=billing) as desk:
        assert desk.ask().ending is Ending.ANSWERED
    seen: Mapping[str, Any] = json.loads((folder / "seen.json").read_text("utf-8"))
    return seen


@pytest.mark.parametrize("billing", BILLING)
def test_the_environment_holds_what_billing_needs_and_no_other_key(billing: str, tmp_path: Path) -> None:
    """Looked at from inside."""
    env = seen_from_inside(tmp_path, billing)["env"]
    name, value = TOKENS[billing]
    assert env[name] == value
    assert not set(env) & set(SECRETS)
    assert not set(env.values()) & set(SECRETS.values())


def test_the_runs_token_is_in_a_private_file_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    """Not on the command line, where every user of the machine could read it."""
    seen = seen_from_inside(tmp_path, "api")
    token = json.loads(seen["servers"])["mcpServers"]["desk"]["headers"]["Authorization"].removeprefix("Bearer ")
    assert stat.S_IMODE(seen["mode"]) == 0o600
    assert token not in " ".join([*seen["argv"], *seen["env"].values()])
    assert KEY not in " ".join(seen["argv"])
    (tmp_path / "seen.json").unlink()
    assert holding(tmp_path, [token]) == []


def test_the_workspace_is_read_only_and_holds_our_commands_alone(tmp_path: Path) -> None:
    """Nothing in it can be changed by who works there."""
    seen = seen_from_inside(tmp_path, "api")
    folder = Path(seen["folder"])
    assert sorted(seen["files"]) == sorted(
        f"./.claude/skills/{name}/SKILL.md"
        for name in (
            *("screen", "analyze-trade", "optimize-entry", "review-performance", "backtest-strategy", "second-opinion"),
            *("open-trade", "watch-trade", "judge-news"),
        )
    )
    modes = {path.stat().st_mode & 0o222 for path in (folder, *folder.rglob("*"))}
    assert modes == {0}
