"""The command line and the environment of one claude run.

Promises a closed world: no built-in tool, no setting but our commands, no memory file, no server but the granted one, and an
environment in which every variable is there by name. Broker and data keys have no name on the list. Nothing secret stands on the
command line.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_bot.settings import ClaudeSettings

_ALWAYS = ("PATH", "LANG", "LC_ALL", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
_LOGIN = "CLAUDE_CODE_OAUTH_TOKEN"
_USERS_HOME = ("HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME")
BILLING: Mapping[str, tuple[str, ...]] = {
    "api": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"),
    "subscription": (_LOGIN, "ANTHROPIC_BASE_URL", *_USERS_HOME),
    "bedrock": (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_BEARER_TOKEN_BEDROCK",
        "ANTHROPIC_BEDROCK_BASE_URL",
        *_USERS_HOME,
    ),
    "vertex": (
        "CLOUD_ML_REGION",
        "ANTHROPIC_VERTEX_PROJECT_ID",
        "ANTHROPIC_VERTEX_BASE_URL",
        "GOOGLE_APPLICATION_CREDENTIALS",
        *_USERS_HOME,
    ),
}
"""What each way to pay needs of the operator's environment, and nothing else of it."""
_SWITCHES = {"bedrock": "CLAUDE_CODE_USE_BEDROCK", "vertex": "CLAUDE_CODE_USE_VERTEX"}
_FIXED = {
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    # A request that breaks off may have been charged and is not reported: better one failed call than a cost that nobody counts.
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    # A refusal is respected: by itself the program would ask once more.
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_CODE_DISABLE_REFUSAL_FALLBACK": "1",
    "MAX_STRUCTURED_OUTPUT_RETRIES": "4",
}
_LEAN = {"CLAUDE_CODE_SIMPLE": "1", "CLAUDE_CODE_ATTRIBUTION_HEADER": "0"}
"""Half of every request less, today's real date and the machine's description among it. Such a binary reads no subscription's login."""
FORGOTTEN = ("--no-session-persistence",)
"""Option of a conversation that nobody goes on with."""
_LOOPBACK = "127.0.0.1,localhost"


def keeps_conversations(settings: ClaudeSettings, outer: Mapping[str, str]) -> bool:
    """Whether a conversation can be kept in a folder of the desk's own: a login that lies in the user's is of no use there."""
    return settings.billing != "subscription" or _LOGIN in outer


def environment(
    settings: ClaudeSettings, outer: Mapping[str, str], own_home: Path, cache: Path, conversations: Path | None = None
) -> dict[str, str]:
    """Return the environment of the process.

    `own_home`: its home where billing needs none of the user's. `cache`: where it logs each connection. `conversations`: where the
    conversation is kept, None for one that is forgotten.
    """
    named = {name: outer[name] for name in (*_ALWAYS, *BILLING[settings.billing]) if name in outer}
    home = {} if "HOME" in BILLING[settings.billing] else {"HOME": str(own_home), "CLAUDE_CONFIG_DIR": str(own_home / ".claude")}
    home |= {"XDG_CACHE_HOME": str(cache)} | ({} if conversations is None else {"CLAUDE_CONFIG_DIR": str(conversations)})
    switch = {_SWITCHES[settings.billing]: "1"} if settings.billing in _SWITCHES else {}
    around = {"NO_PROXY": ",".join(filter(None, (_LOOPBACK, outer.get("NO_PROXY"))))}
    caps = {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(settings.max_output_tokens), "MAX_THINKING_TOKENS": str(settings.thinking_tokens)}
    lean = {} if settings.billing == "subscription" else _LEAN
    return {**named, **home, **switch, **around, **caps, **_FIXED, **lean}


def arguments(  # noqa: PLR0913 - what differs from run to run
    binary: str,
    *,
    prompt: str,
    persona: str,
    model: str,
    schema: Mapping[str, Any],
    tools: Sequence[str],
    workspace: Path,
    servers: Path,
    cap: Decimal,
    turns: int,
    conversation: Sequence[str] = FORGOTTEN,
) -> list[str]:
    """Return the command line.

    `tools`: full names of what may be called. `workspace`: where our commands are. `servers`: the file that tells where the tools are.
    `conversation`: which one it goes on with or begins. The cap is that of this run: what the conversation cost before does not count.
    """
    return [
        binary,
        "-p",
        prompt,
        *("--output-format", "stream-json", "--verbose"),
        *("--model", model),
        *("--tools", ""),
        "--strict-mcp-config",
        *("--mcp-config", str(servers)),
        *("--permission-mode", "dontAsk"),
        *(("--allowedTools", ",".join(tools)) if tools else ()),
        *("--setting-sources", "project"),
        *("--add-dir", str(workspace)),
        *("--system-prompt", persona),
        *("--json-schema", json.dumps(schema, separators=(",", ":"))),
        *("--max-budget-usd", f"{cap:f}"),
        *("--max-turns", str(turns)),
        *conversation,
    ]
