"""Workers that are killed at any moment lose no article and count none twice, on either queue."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from news.working import Shop, kill_at_random, problems, read_slowly
from redis_server import Server
from trading_bot.execution.clock import SystemWallClock
from trading_bot.news.queue_redis import RedisQueue
from trading_bot.ports.news import NewsQueue
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.news_queue import EmbeddedQueue

SETTINGS = QueueSettings(capacity=20_000, lease_seconds=0.3, attempts=5)


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_workers_killed_at_random_lose_nothing_and_count_nothing_twice(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, prefixes: Iterator[int]
) -> None:
    """Every article that was put is in the store once, with one score."""
    if kind == "redis":
        server: Server = request.getfixturevalue("redis_server")
        prefix = f"kills{next(prefixes)}"

        def open_queue() -> NewsQueue:
            return RedisQueue(server.url, SETTINGS, prefix)
    else:

        def open_queue() -> NewsQueue:
            return EmbeddedQueue.open(tmp_path / "queue.db", SETTINGS, SystemWallClock())

    shop = Shop(open_queue, tmp_path / "news.db", reader=read_slowly)
    put = kill_at_random(shop, 2.5, random.Random(5))
    assert shop.kills >= 2
    assert put >= 100
    assert problems(shop.store, put) == []
