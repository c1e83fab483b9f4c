"""Figures: an order, each tool, venues, quotes, a recorded year, and what Claude costs. `make bench`; years need the recorded data.

Each run is a process of its own, so that its time holds the start-up and its memory is its own.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ORDERS = 300


def backtest(name: str, limit: str, *arguments: str) -> None:
    """Run one backtest in a fresh home and print wall time and peak memory."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "trading_bot", "orchestrator", "--orchestrator-mode", "backtest", *arguments]
        begin = time.perf_counter()
        done = subprocess.run(command, env={**os.environ, "TRADING_BOT_HOME": home}, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
        seconds = time.perf_counter() - begin
        if done.returncode:
            print(f"{name}: FAILED\n{done.stderr}")
            return
        report = json.loads(next(Path(home).glob("logs/reports/backtest_*.json")).read_text())
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{name:<44} {seconds:7.1f} s  (goal {limit})  {report['performance']['trades']:4d} trades  peak so far {memory:6.0f} MiB")


def wide_symbols() -> str:
    """All symbols of the wide file."""
    import pandas as pd

    table = pd.read_parquet(next((DATA / "us_daily_wide").glob("*.parquet")), columns=["symbol"])
    return ",".join(sorted(table["symbol"].unique()))


def order_latency() -> None:
    """Time from a proposal to the paper broker's acceptance of its orders, verdict and intents durable before they are sent."""
    sys.path.insert(0, str(ROOT / "tests"))
    from builders import proposal
    from trading_bot import config
    from trading_bot.bootstrap.desk import build
    from trading_bot.bootstrap.setting import Setting
    from trading_bot.domain.mandate import Mode
    from trading_bot.storage.home import Home

    accepted = [0.0]
    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        free = dict.fromkeys(["trades_per_day", "orders_per_minute", "open_positions", "open_risk"], "none")
        settings = config.load(flags={f"risk.limits.{limit}": value for limit, value in free.items()})
        assembly = build(settings, Setting(Mode.PAPER, simulated=True, home=Home(Path(folder)), operator=Path(folder)))
        desk, broker = assembly.desk, cast("Any", assembly.broker)
        submit = broker.submit

        def timed(order: object) -> object:
            answer = submit(order)
            accepted.append(time.perf_counter())
            return answer

        broker.submit = timed
        opening = desk.calendar.hours(settings.simulation.first_session)[0]
        desk.session.begin()
        desk.session.wait(opening)
        for number in range(ORDERS):
            symbol = desk.universe[number % len(desk.universe)]
            quote = desk.view.quote(symbol)
            mid = Decimal(0) if quote is None else quote.mid
            level = desk.view.instrument(symbol).round_price
            wanted = proposal(
                at=desk.clock.now(),
                id=f"bench-{number}",
                decision_id=f"bench-{number}",
                symbol=symbol,
                style="pullback",
                entry=level(mid * Decimal("0.98")),
                stop_loss=level(mid * Decimal("0.95")),
                targets=(),
                exposure=Decimal("0.02"),
                expires_at=opening + timedelta(hours=1),
            )
            begin = time.perf_counter()
            verdict = desk.engine.handle(wanted)
            if verdict is not None and verdict.digests:
                taken.append((accepted[-1] - begin, time.perf_counter() - begin))
            for order in desk.engine.ledger.books.working_orders(symbol):
                desk.engine.cancel(order.client_order_id)
    cold, warm = taken[: len(desk.universe)], taken[len(desk.universe) :]
    goal = "  (goal p99 under 5 ms)"
    for name, which, aim in (("proposal to accepted order, durable", 0, goal), ("the same, acceptance and events booked", 1, "")):
        sent = sorted(times[which] for times in warm)
        middle, late = statistics.median(sent), sent[int(len(sent) * 0.99) - 1]
        print(f"{name:<44} p50 {middle * 1e3:.2f} ms, p99 {late * 1e3:.2f} ms{aim}  {len(sent)} orders")
    first = statistics.median(times[0] for times in cold)
    print(f"{'the same, first order in a symbol':<44} p50 {first * 1e3:.0f} ms, its market data read too")


def main() -> None:
    """Print every figure, or why it cannot be had."""
    order_latency()
    for script in (
        "bench_tools.py",
        "bench_venues.py",
        "bench_quotes.py",
        "bench_claude.py",
        "bench_research.py",
        "bench_news.py",
        "bench_sentiment.py",
    ):
        sys.stdout.flush()
        subprocess.run([sys.executable, str(ROOT / "scripts" / script)], check=False)  # noqa: S603 - our own program
    if not DATA.is_dir():
        print(f"no recorded data at {DATA}: the other figures need it")
        return
    core, intraday, wide = (str(DATA / name) for name in ("us_daily_core", "us_intraday_5m", "us_daily_wide"))
    year = ("--start", "2024-01-02", "--end", "2024-12-31")
    runs: tuple[Callable[[], None], ...] = (
        lambda: backtest("2024, 5 symbols, daily", "10 s", "--data", core, "--symbols", "AAPL,SPY,QQQ,TSLA,NVDA", *year),
        lambda: backtest(
            "2024, AAPL and SPY, daily and 5 minutes", "60 s", "--data", core, "--data", intraday, "--symbols", "AAPL,SPY", *year
        ),
        lambda: backtest(
            "2022-2024, 128 symbols, daily",
            "120 s, 1 GiB",
            "--data",
            wide,
            "--symbols",
            wide_symbols(),
            "--start",
            "2022-01-03",
            "--end",
            "2024-12-31",
        ),
    )
    for run in runs:
        run()


if __name__ == "__main__":
    main()
