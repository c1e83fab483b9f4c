"""Figures of the news desk: articles a second through queue and store alone.

    python scripts/bench_news.py [--articles N]

Feeds put and workers take at the same time, each in a process of its own; Redis keeps its file (appendonly), as it should where news must
not be lost.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from news.working import Shop, told
from redis_server import running
from trading_bot.execution.clock import SystemWallClock
from trading_bot.news.queue_redis import RedisQueue
from trading_bot.ports.news import NewsQueue
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.news_queue import EmbeddedQueue

SETTINGS = QueueSettings(capacity=1_000_000, lease_seconds=60, attempts=3)
WORKERS = (1, 2, 4)
BATCH = 200
GOALS = {"redis": "  (goal 2,000)", "embedded": ""}


def throughput(open_queue: Callable[[], NewsQueue], folder: Path, workers: int, articles: int) -> float:
    """Articles a second from the first put until the last is in the store and done."""
    parts = [[told(n) for n in range(first, min(first + BATCH, articles))] for first in range(0, articles, BATCH)]
    shop = Shop(open_queue, folder / f"news{workers}.db", batch=BATCH)
    try:
        for _ in range(workers):
            shop.hire()
        with closing(open_queue()) as queue:
            begin = time.perf_counter()
            for part in parts:
                queue.put(part)
            while (state := queue.state()).waiting + state.held:
                time.sleep(0.01)
            seconds = time.perf_counter() - begin
            if state.dead:
                raise RuntimeError(f"{state.dead} articles could not be kept")
        shop.dismiss()
    finally:
        shop.close()
    return articles / seconds


def queue_and_store(articles: int) -> None:
    """Print the figures of both queues."""
    with tempfile.TemporaryDirectory() as name, running() as server:
        folder = Path(name)
        kinds: dict[str, Callable[[], NewsQueue]] = {
            "redis": lambda: RedisQueue(server.url, SETTINGS, "bench"),
            "embedded": lambda: EmbeddedQueue.open(folder / "queue.db", SETTINGS, SystemWallClock()),
        }
        for kind, open_queue in kinds.items():
            (folder / kind).mkdir()
            for workers in WORKERS:
                rate = throughput(open_queue, folder / kind, workers, articles)
                print(f"{f'queue and store, {kind}, {workers} workers':<44} {rate:7,.0f} articles/s{GOALS[kind]}", flush=True)


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--articles", type=int, default=20_000)
    queue_and_store(parser.parse_args().articles)


if __name__ == "__main__":
    main()
