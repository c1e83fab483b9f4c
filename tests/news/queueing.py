"""Queues under test, of both kinds alike: made for a test, with a time that passes when told to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from builders import NOW
from redis_server import Server
from trading_bot.domain.news import RawArticle
from trading_bot.news.queue_redis import RedisQueue
from trading_bot.ports.news import Delivery, NewsQueue
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.news_queue import EmbeddedQueue

AT_ONCE = timedelta(0)
LEASE = 60
SETTINGS = QueueSettings(capacity=6, lease_seconds=LEASE, attempts=3)


def raw(number: int, **changed: str) -> RawArticle:
    """An article that differs from every other."""
    return RawArticle(feed="wire", title=f"Title {number}", received_at=NOW + timedelta(seconds=number), **changed)


def raws(*numbers: int) -> list[RawArticle]:
    """Several."""
    return [raw(number) for number in numbers]


def numbers(deliveries: Sequence[Delivery]) -> list[tuple[int, int]]:
    """Which articles were given, each with its attempt."""
    return [(int(d.raw.title.split()[1]), d.attempt) for d in deliveries]


class Place:
    """Where one queue is kept; several may open it at once."""

    def __init__(self) -> None:
        self.opened: list[NewsQueue] = []

    def open(self, settings: QueueSettings = SETTINGS) -> NewsQueue:
        """The queue as one process has it."""
        self.opened.append(self._open(settings))
        return self.opened[-1]

    def close(self) -> None:
        """Let go of all."""
        for queue in self.opened:
            queue.close()

    def _open(self, settings: QueueSettings) -> NewsQueue:
        raise NotImplementedError

    def pass_time(self, seconds: float) -> None:
        """Let all leases grow older."""
        raise NotImplementedError

    def spoil(self, title: str) -> None:
        """Make the article one that another version of the program wrote."""
        raise NotImplementedError


@dataclass
class Wall:
    """A clock that is put by hand."""

    at: Any = field(default=NOW)

    def now(self) -> Any:  # noqa: ANN401 - a moment
        """Say it."""
        return self.at


class FilePlace(Place):
    """In a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.wall = Wall()

    def _open(self, settings: QueueSettings) -> NewsQueue:
        return EmbeddedQueue.open(self.path, settings, self.wall)

    def pass_time(self, seconds: float) -> None:
        """Put the clock forward."""
        self.wall.at += timedelta(seconds=seconds)

    def spoil(self, title: str) -> None:
        """Rename a field."""
        queue = cast("EmbeddedQueue", self.opened[0])
        with queue._database.writing() as connection:
            connection.exec_driver_sql("""UPDATE queue SET raw = '{"later":1}' WHERE raw LIKE ?""", (f"%{title}%",))


class RedisPlace(Place):
    """Under a prefix of a server."""

    def __init__(self, server: Server, prefix: str) -> None:
        super().__init__()
        self.server = server
        self.prefix = prefix
        self.client: Any = server.client()

    def _open(self, settings: QueueSettings) -> NewsQueue:
        return RedisQueue(self.server.url, settings, self.prefix)

    def close(self) -> None:
        """Let go of all, and of the operator's connection."""
        super().close()
        self.client.close()

    @property
    def stream(self) -> str:
        """The key of what is not done."""
        return f"{{{self.prefix}}}:news"

    def pass_time(self, seconds: float) -> None:
        """Tell Redis that everything is held for longer."""
        for held in self.client.xpending_range(self.stream, "workers", "-", "+", 1000):
            idle = held["time_since_delivered"] + round(seconds * 1000)
            self.client.xclaim(self.stream, "workers", held["consumer"], 0, [held["message_id"]], idle=idle, justid=True)

    def spoil(self, title: str) -> None:
        """Write it anew, with another field."""
        entries = self.client.xrange(self.stream)
        self.client.xtrim(self.stream, maxlen=0)
        for _, fields in entries:
            self.client.xadd(self.stream, {"raw": '{"later":1}' if title in fields["raw"] else fields["raw"]})
