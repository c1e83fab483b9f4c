"""Figures of research beside other engines, in one run on one machine. `make bench` installs the peers into an environment of their own.

    python scripts/bench_research.py [sweep|event|wide|cluster ...] [--peers .venv-peers/bin/python]

Promises that what is compared did the same: every engine's trades are counted, and where the models agree the money is held equal too.
A figure that misses its goal says so.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAIRS = [(fast, slow) for fast in range(5, 45) for slow in range(50, 200, 6)]
CASH, SLIPPAGE_BPS = 100_000, 2
MINUTES, YEARS, BARS = 98_000, 7, 2500
WIDE_SECONDS, CLUSTER = 2, 1.6
CLUSTER_ROUNDS, APART_CELLS = 4, 20_000
_TWICE_QUANTA = 2e8
"""Of one dollar, as `Figures.final` counts."""
_FINAL_WITHIN = 0.01
"""Share by which final equity may differ where models agree: ours knows ticks and whole shares at every fill."""


def told(name: str, text: str, *, met: bool | None = None) -> None:
    """Print one figure."""
    print(f"{name:<58} {text}{'' if met is None else '   ok' if met else '   MISSED'}", flush=True)


def seconds_of(work: Callable[[], Any], runs: int = 5) -> tuple[float, Any]:
    """The best of some runs, and what the last gave."""
    taken, made = [], None
    for _ in range(runs):
        began = time.perf_counter()
        made = work()
        taken.append(time.perf_counter() - began)
    return min(taken), made


def peer(python: Path, engine: str, bars: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """Run one peer; a peer that fails ends the benchmark with its own words."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(spec, file)
        file.flush()
        command = [str(python), str(ROOT / "scripts" / "bench_peers.py"), engine, str(bars), file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    if done.returncode:
        sys.exit(f"{engine} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ready(settings: dict[str, Any], timeframe: str, first: date | None, last: date | None, values: dict[str, float], strategy: str) -> Any:  # noqa: ANN401, PLR0913, PLR0917 - a study of ours
    """A study of ours, filled in."""
    from trading_bot.bootstrap.studies import Wish, study
    from trading_bot.config import load
    from trading_bot.domain.market import Timeframe
    from trading_bot.storage.home import Home

    config = load(None, {}, settings)
    wish = Wish(strategy=strategy, values=values, first=first, last=last, timeframe=Timeframe(timeframe), reserve=Decimal("0.01"))
    return study(config, Home(Path(tempfile.gettempdir())), wish)


# -- a sweep --------------------------------------------------------------------------------------------------------------


def _spy(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The last bars of SPY as a file for every engine, and the settings that read it."""
    import pandas as pd

    path = folder / "SPY.csv"
    pd.read_csv(DATA / "lean_daily" / "SPY.csv", index_col=0, parse_dates=True).tail(BARS).to_csv(path)
    costs = {"broker.cash": str(CASH), "broker.slippage_bps": str(SLIPPAGE_BPS), "source.spread_bps": "0", "broker.participation": "1"}
    return path, {"source.name": "files", "source.files": [{"path": str(path)}], "universe.symbols": ["SPY"], **costs}


def _own_sweep(settings: dict[str, Any], pairs: Sequence[tuple[int, int]]) -> tuple[float, float, Any]:
    """Seconds cold and warm of our sweep, and its figures."""
    began = time.perf_counter()
    from trading_bot.backtest.lanes import prepare
    from trading_bot.backtest.vector import sweep_figures

    asked = ready(settings, "1d", None, None, {}, "sma_cross")
    prepared = prepare(asked.market, asked.plan)
    combos = [{"fast": fast, "slow": slow, "stop": 0.0} for fast, slow in pairs]
    sweep_figures(prepared, asked.loaded.strategy, combos)
    cold = time.perf_counter() - began
    warm, figures = seconds_of(lambda: sweep_figures(prepared, asked.loaded.strategy, combos), 15)
    return cold, warm, figures


def own_sweep(folder: Path) -> None:
    """In a process of its own, so that cold is cold: print our figures as JSON."""
    _, settings = _spy(folder)
    cold, warm, _ = _own_sweep({**settings, "broker.fees": "us_equity"}, PAIRS)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = _own_sweep({**settings, "broker.fees": "none"}, PAIRS)[2]
    plain = {"trades": found.trades.tolist(), "final": (found.final / _TWICE_QUANTA).tolist()}
    print(json.dumps({"cold": cold, "warm": warm, "megabytes": megabytes, **plain}))


def sweep(python: Path) -> None:
    """1,000 pairs of averages over 2,500 daily bars, with fees and slippage."""
    with tempfile.TemporaryDirectory() as name:
        bars, _ = _spy(Path(name))
        command = [sys.executable, __file__, "own-sweep", "--folder", name]
        ours = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])  # noqa: S603 - this script
        spec = {"pairs": PAIRS, "cash": CASH, "slippage": SLIPPAGE_BPS / 10_000, "fees": 0.0, "runs": 15}
        theirs = peer(python, "vectorbt", bars, spec)
        few = peer(python, "backtesting", bars, {**spec, "pairs": PAIRS[::40], "runs": 2})
    wide, each = min(theirs["seconds"][1:]), min(few["seconds"][1:]) / len(PAIRS[::40]) * len(PAIRS)
    same = sum(a == b for a, b in zip(ours["trades"], theirs["trades"], strict=True))
    near = max(abs(a / b - 1) for a, b in zip(ours["final"], theirs["final"], strict=True))
    told("sweep: ours, warm", f"{ours['warm'] * 1000:8.1f} ms   {len(PAIRS) / ours['warm']:,.0f} backtests/s")
    told("sweep: vectorbt, warm", f"{wide * 1000:8.1f} ms   ours {wide / ours['warm']:.0f} times (goal 20)", met=wide >= 20 * ours["warm"])
    told("sweep: backtesting.py", f"{each:8.1f} s    ours {each / ours['warm']:,.0f} times (goal 1,000)", met=each >= 1000 * ours["warm"])
    for engine, found in (("ours", ours), ("vectorbt", theirs), ("backtesting.py", few)):
        told(f"sweep: {engine}, cold with imports; memory", f"{found['cold']:8.1f} s    {found['megabytes']:.0f} MiB")
    told("sweep: pairs with vectorbt's number of trades", f"{same} of {len(PAIRS)}", met=same == len(PAIRS))
    told("sweep: final equity, greatest difference to vectorbt", f"{near:.3%} (ticks and whole shares)", met=near < _FINAL_WITHIN)


# -- bar by bar -----------------------------------------------------------------------------------------------------------


def event(python: Path) -> None:
    """98,000 synthetic minutes, one pair of averages, through gate, engine and broker."""
    settings = {
        "source.name": "synthetic",
        "source.synthetic.start": "2023-01-03",
        "source.synthetic.timeframe": "1m",
        "universe.symbols": ["AAPL"],
        "seed": 1,
        "broker.cash": "1000000",
        "broker.fees": "none",
        "broker.participation": "1",
    }
    asked = ready(settings, "1m", date(2023, 1, 3), date(2024, 1, 3), {"fast": 50, "slow": 200, "stop": 0}, "sma_cross")
    frame = asked.market.source.bars(asked.plan.symbols[0], asked.plan.timeframe).frame
    within = frame[frame.index < "2024-01-04"]
    with tempfile.TemporaryDirectory() as name:
        bars = Path(name) / "minutes.csv"
        within.tz_localize(None).to_csv(bars)
        sheets = asked.sheets()
        from trading_bot.bootstrap.research import run_event

        taken, made = seconds_of(lambda: run_event(asked.config, asked.market, asked.plan, asked.wanted(sheets)), 3)
        idle, _ = seconds_of(lambda: run_event(asked.config, asked.market, asked.plan, []), 3)
        spec = {"pairs": [(50, 200)], "cash": 1_000_000, "slippage": 0.0, "fees": 0.0, "runs": 1}
        peers = {engine: peer(python, engine, bars, spec) for engine in ("backtesting", "nautilus", "backtrader")}
    trades, orders = len(made.result.trades), sum(1 for e in made.journal.all(_intents()))
    told(f"event: ours, {len(within):,} bars, signals included", f"{taken:8.2f} s    {trades} trades")
    told("event: microseconds per idle bar; per order", f"{idle / len(within) * 1e6:8.2f}; {(taken - idle) / orders * 1e6:,.0f}")
    for engine, found in peers.items():
        theirs = min(found["seconds"][1:])
        text = f"{theirs:8.2f} s    {found['trades'][0]} trades   ours {theirs / taken:.1f} times"
        told(f"event: {engine}", text, met=theirs > taken and found["trades"][0] == trades)


def _intents() -> Any:  # noqa: ANN401 - a record's class
    from trading_bot.domain.orders import OrderIntent

    return OrderIntent


# -- many symbols ---------------------------------------------------------------------------------------------------------


def wide(_python: Path) -> None:
    """128 symbols over seven years on one account."""
    import pandas as pd

    from trading_bot.backtest.lanes import prepare
    from trading_bot.backtest.vector import run_prepared

    path = next((DATA / "us_daily_wide").glob("*.parquet"))
    symbols = sorted(pd.read_parquet(path, columns=["symbol"])["symbol"].unique())
    settings = {"source.name": "files", "source.files": [{"path": str(path)}], "universe.symbols": symbols, "broker.cash": "1000000"}
    asked = ready(settings, "1d", None, None, {}, "sma_cross")
    run_prepared(prepare(asked.market, asked.plan), asked.loaded.strategy)
    taken, result = seconds_of(lambda: run_prepared(prepare(asked.market, asked.plan), asked.loaded.strategy), 3)
    name = f"wide: {len(symbols)} symbols, {len(result.sessions)} sessions, {len(result.trades)} trades"
    told(name, f"{taken:8.2f} s    (goal {WIDE_SECONDS})", met=taken < WIDE_SECONDS)


def _silent(_: object) -> None:
    """Nobody listens."""


# -- a cluster ------------------------------------------------------------------------------------------------------------


def cluster(_python: Path) -> None:
    """The same sweep on one Dask worker and on two, processes of this machine with one thread each, warm, in turn."""
    from distributed import Client, LocalCluster

    from trading_bot.backtest.grid import parse_grid
    from trading_bot.backtest.lanes import prepare
    from trading_bot.backtest.sweep import Cells, Crew, Shipment, sweep

    with tempfile.TemporaryDirectory() as name:
        _, settings = _spy(Path(name))
        asked = ready(settings, "1d", None, None, {}, "sma_cross")
        grid = parse_grid(asked.loaded.strategy, "fast=5:44:1,slow=50:249:1,stop=1:6:0.25")
        work = Cells(prepare(asked.market, asked.plan), Shipment.of("sma_cross"), grid)
        taken: dict[Crew, list[float]] = {}
        start = partial(LocalCluster, processes=True, threads_per_worker=1, dashboard_address=None)
        with start(1) as one, start(2) as two, Client(one), Client(two):
            crews = [Crew(cluster=here.scheduler_address) for here in (one, two)]
            for crew in crews * CLUSTER_ROUNDS:
                seconds, _ = seconds_of(partial(sweep, work, crew, _silent, _silent), 1)
                taken.setdefault(crew, []).append(seconds)
    alone, both = (min(taken[crew]) for crew in crews)
    ratio, text = alone / both, f"{alone:.1f} s; {both:.1f} s"
    told("cluster: two processes that share no work, beside one", f"{_apart(work):8.2f} times: what this machine has to give")
    told(f"cluster: {len(grid):,} backtests, one worker; two", f"{text}   {ratio:.2f} times (goal {CLUSTER})", met=ratio >= CLUSTER)


def _apart(work: Callable[[int, int], object]) -> float:
    """How many times as much two processes do as one, when each has its own cells and nobody hands them out."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:

        def done(processes: int) -> None:
            for running in [pool.submit(work, 0, APART_CELLS) for _ in range(processes)]:
                running.result()

        done(2)
        taken: dict[int, list[float]] = {1: [], 2: []}
        for processes in (1, 2) * CLUSTER_ROUNDS:
            taken[processes].append(seconds_of(partial(done, processes), 1)[0])
    return 2 * min(taken[1]) / min(taken[2])


PARTS: dict[str, Callable[[Path], None]] = {"sweep": sweep, "event": event, "wide": wide, "cluster": cluster}


def main() -> None:
    """Run the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "own-sweep", []])
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers" / "bin" / "python", help="Python of the peers' environment.")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.parts == ["own-sweep"]:
        own_sweep(asked.folder)
        return
    for part in asked.parts or PARTS:
        if part in {"sweep", "event"} and not asked.peers.exists():
            sys.exit(f"{asked.peers} is not there: run `make bench`, or name the Python of an environment with scripts/peers.txt installed")
        PARTS[part](asked.peers)


if __name__ == "__main__":
    main()
