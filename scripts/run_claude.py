"""One simulated day with Claude in the analyst's chair: the real, pinned claude binary, the emulated API, no key. `make run-claude`.

Promises a home of its own (`var-claude`, made anew) and an environment in which no key of yours is. Options of `orchestrator` may follow.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BINARY = ROOT / "node_modules" / ".bin" / "claude"
HOME = ROOT / "var-claude"
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "NO_COLOR")


def main(options: list[str]) -> int:
    """Run the day and tell what it took. Returns the desk's exit status."""
    from trading_bot.sandbox.claude_api import ClaudeApi

    if not BINARY.exists():
        print("the claude binary is not installed: make run-claude installs it")
        return 1
    if HOME.exists():
        print(f"the day before in {HOME.name} is removed: this one begins anew")
    shutil.rmtree(HOME, ignore_errors=True)
    with ClaudeApi() as api:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        desk = {"TRADING_BOT_HOME": str(HOME), "TRADING_BOT__CLAUDE__BINARY": str(BINARY), "TRADING_BOT__CLAUDE__BILLING": "api"}
        environment = kept | desk | {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "offline"}
        begun = time.monotonic()
        code = _desk(environment, "orchestrator", "--fast", "--analyst", "claude", *options)
        seconds = time.monotonic() - begun
        _desk(environment, "costs")
        told = api.ledger()
    print(f"\nthe emulated API was asked {told['requests']} times in {told['conversations']} conversations ({told['failures']} refused):")
    print(f"{told['input_tokens']} tokens in, {told['output_tokens']} tokens out, list price {told['usd']} USD, {seconds:.1f} s in all")
    for persona, part in told["personas"].items():
        print(
            f"  {persona:<10} {part['conversations']:3d} runs  {part['requests']:3d} turns  {part['input_tokens']:7d} in  {part['usd']} USD"
        )
    return code


def _desk(environment: dict[str, str], *command: str) -> int:
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", "trading_bot", *command], env=environment, cwd=ROOT, check=False).returncode  # noqa: S603 - our own program


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
