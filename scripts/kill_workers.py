"""Kill workers of the news desk at random over each kind of queue, and look whether an article was lost or counted twice.

    python scripts/kill_workers.py [--minutes M] [--workers N] [--seed S] [--kind file|redis]

Exit status 1 if one was. `--minutes` are those of each kind.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from news.working import Shop, kill_at_random, problems, read_slowly
from redis_server import running
from trading_bot.execution.clock import SystemWallClock
from trading_bot.news.queue_redis import RedisQueue
from trading_bot.ports.news import NewsQueue
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.news_queue import EmbeddedQueue

SETTINGS = QueueSettings(capacity=20_000, lease_seconds=0.5, attempts=5)


@contextmanager
def queues(kind: str, folder: Path) -> Iterator[Callable[[], NewsQueue]]:
    """How each process opens the queue."""
    if kind == "file":
        yield lambda: EmbeddedQueue.open(folder / "queue.db", SETTINGS, SystemWallClock())
    else:
        with running() as server:
            yield lambda: RedisQueue(server.url, SETTINGS, "kills")


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--kind", choices=("file", "redis"))
    chosen = parser.parse_args()
    bad = 0
    for kind in [chosen.kind] if chosen.kind else ["file", "redis"]:
        with tempfile.TemporaryDirectory() as folder, queues(kind, Path(folder)) as open_queue:
            shop = Shop(open_queue, Path(folder) / "news.db", reader=read_slowly)
            put = kill_at_random(shop, chosen.minutes * 60, random.Random(chosen.seed), chosen.workers)  # noqa: S311 - moments to kill at
            wrong = problems(shop.store, put)
            bad += len(wrong)
            print(f"{kind}: {shop.kills} workers killed, {put} articles put, {len(wrong)} lost or counted twice", *wrong[:20], sep="\n  ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
