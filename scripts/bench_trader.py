"""Figures of the desk that never closes. `python scripts/bench_trader.py days|claude|memory [--data FOLDER]`.

    days     30 days of looks every 15 minutes by the rules, on recorded five-minute bars: seconds
    claude   two days with the real, pinned binary against the emulated API: calls, tokens, list price; a day's worth, flat and in a trade
    memory   resident memory after 1,000 and after 10,000 looks

Each runs the command that a user runs, in a home of its own. Two days stand for more: calls follow the looks, and looks the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BINARY = ROOT / "node_modules" / ".bin" / "claude"
SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT"
A_DAY = 96
_SECONDS = 1800
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def _desk(home: Path, more: Mapping[str, str], *command: str) -> float:
    """Run a command of the trader to its end; seconds."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment = {**kept, "TRADING_BOT_TRADER_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", **more}
    begun = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "trading_bot", "trader", *command],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-1000:]}{done.stdout[-500:]}")
    print(done.stdout[-900:])
    return time.perf_counter() - begun


def _looks(days: int, data: Path) -> list[str]:
    return ["simulate", "--cycles", str(days * A_DAY), "--data", str(data), "--symbols", SYMBOLS]


def days(home: Path, data: Path) -> None:
    """Thirty days by the rules."""
    seconds = _desk(home, {}, *_looks(30, data), "--analyst", "rules")
    print(f"30 days, {30 * A_DAY} looks at three coins by the rules: {seconds:.1f} s (goal: at most 60)")


def claude(home: Path, data: Path) -> None:
    """Two days with the real binary."""
    from trading_bot.sandbox.claude_api import ClaudeApi
    from trading_bot.storage.spending import SpendingLedger

    with ClaudeApi() as api:
        more = {
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_KEY": "offline",
            "TRADING_BOT__CLAUDE__BINARY": str(BINARY),
            "TRADING_BOT__CLAUDE__BILLING": "api",
            "TRADING_BOT__BUDGET__CALLS_PER_HOUR": "100000",
            "TRADING_BOT__BUDGET__CLAUDE_USD_PER_DAY": "1000",
        }
        seconds = _desk(home, more, *_looks(2, data), "--analyst", "claude")
        told = api.ledger()
    with SpendingLedger.open(home / "simulated" / "journal.db") as ledger, ledger.reading() as page:
        calls = page.since(datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
    ours = sum((call.counted for call in calls), Decimal(0))
    theirs = f"{told['requests']} turns, {told['usd']} USD by the API's"
    print(f"two days in {seconds:.0f} s: {len(calls)} calls, {ours} USD by our ledger; {theirs}")
    print(f"a day: {len(calls) / 2:.0f} calls, {told['input_tokens'] // 2} tokens in, {told['output_tokens'] // 2} out, {ours / 2:.4f} USD")
    for name in ("open", "watch", "review"):
        some = [call for call in calls if call.workflow == name]
        if some:
            spent = sum((call.counted for call in some), Decimal(0))
            tokens = sum(
                call.settlement.input + call.settlement.cache_read + call.settlement.cache_write for call in some if call.settlement
            )
            print(f"  {name:<7} {len(some):4d} calls  {tokens / len(some):7.0f} tokens in  {spent / len(some):.5f} USD each")
            if name != "review":
                print(f"          a whole day of nothing else, asked at every look: {A_DAY} calls, {A_DAY * spent / len(some):.3f} USD")


def memory(home: Path, data: Path) -> None:
    """Ten thousand looks in one process, a look for each bar."""
    code = (
        "import json,sys,threading\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
        "import bench_trader\n"
        f"bench_trader.resident(Path({str(home)!r}), Path({str(data)!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_SECONDS, check=True)  # noqa: S603 - our own program
    for looks, megabytes in json.loads(done.stdout.splitlines()[-1]):
        print(f"{looks:6d} looks  {megabytes:7.1f} MiB")


def resident(home: Path, data: Path) -> None:
    """Go round 10,000 times in this process and print (looks, MiB) pairs as JSON."""
    import threading

    from trading_bot.bootstrap.desk import announce, build
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.config import load
    from trading_bot.domain.mandate import Mode
    from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
    from trading_bot.storage.home import Home

    flags = {
        "desk": "coins",
        "analyst": "rules",
        "source.name": "files",
        "source.files": [{"path": str(data)}],
        "trader.interval_minutes": 5,
    }
    config = load(flags={**flags, "universe.symbols": SYMBOLS.split(",")})
    first = datetime.fromisoformat("2025-10-01T00:00:00+00:00")
    stop = threading.Event()
    assembly = build(config, Setting(Mode.PAPER, simulated=True, home=Home(home), operator=home, first=first.date()), stop)
    announce(assembly, "bench")
    seen: list[tuple[int, float]] = []
    looks = 0

    def tell(_slot: object, status: str, _reason: str) -> None:
        nonlocal looks
        looks += status != "started"
        if status != "started" and looks in {1000, 2500, 5000, 7500, 10_000}:
            pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
            seen.append((looks, pages * os.sysconf("SC_PAGE_SIZE") / 2**20))

    until = first + timedelta(minutes=5 * 10_100)
    TradingOrchestrator(assembly.desk, assembly.scheduler, stop, until=until, tell=tell, lookout=assembly.lookout).run()
    print(json.dumps(seen))


_FIGURES: Mapping[str, Callable[[Path, Path], None]] = {"days": days, "claude": claude, "memory": memory}


def main() -> None:
    """Print the figures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*_FIGURES, []], help="default: all")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "crypto_bybit_linear_5m")
    given = parser.parse_args()
    for name in given.figures or _FIGURES:
        with tempfile.TemporaryDirectory(prefix="trader-") as folder:
            _FIGURES[name](Path(folder), given.data.resolve())


if __name__ == "__main__":
    main()
