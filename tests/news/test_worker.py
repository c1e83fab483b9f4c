"""A worker: what it does with articles that read well, that read badly, and when the world around it is away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from news.queueing import AT_ONCE, FilePlace, numbers, raw, raws
from trading_bot.domain.errors import DiskFullError, HomeLockedError, QueueError, StorageError
from trading_bot.domain.news import RawArticle
from trading_bot.network.backoff import Backoff
from trading_bot.news.worker import work
from trading_bot.ports.news import NewsQueue, QueueState


@dataclass
class Shift:
    """A worker's stop, which comes when the queue is empty, and everything that it was told."""

    queue: NewsQueue
    told: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    most_waits: int = 1000
    over: bool = False

    def is_set(self) -> bool:
        """Once nothing is left to take or to end."""
        return self.over or (self.queue.state().waiting == 0 and self.queue.state().held == 0)

    def set(self) -> None:
        """End it."""
        self.over = True

    def wait(self, timeout: float) -> bool:
        """Time passes at once."""
        self.waits.append(timeout)
        self.over = len(self.waits) >= self.most_waits
        return self.is_set()


@dataclass
class Reader:
    """Keeps what it read; some titles break it."""

    read: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    poison: frozenset[str] = frozenset()
    troubles: list[Exception] = field(default_factory=list)
    """Raised first, one after the other."""

    def __call__(self, articles: Sequence[RawArticle]) -> None:
        """All or none."""
        self.batches.append(len(articles))
        if self.troubles:
            raise self.troubles.pop(0)
        for article in articles:
            if article.title in self.poison:
                raise RecursionError(f"{article.title}\x1b[31m\n is  too deep")
        self.read += [article.title for article in articles]


@pytest.fixture
def place(tmp_path: Path) -> FilePlace:
    """A queue of six."""
    place = FilePlace(tmp_path / "queue.db")
    place.open().put(raws(1, 2, 3, 4, 5, 6))
    return place


def shift(
    place: FilePlace, reader: Callable[[Sequence[RawArticle]], None], queue: NewsQueue | None = None, most_waits: int = 1000
) -> Shift:
    """One worker's work until nothing is left."""
    own = Shift(place.opened[0], most_waits=most_waits)
    _work(queue or place.opened[0], reader, own)
    return own


def test_a_worker_reads_everything_in_batches(place: FilePlace) -> None:
    """No more than it may hold, and each once."""
    reader = Reader()
    shift(place, reader)
    assert reader == Reader([f"Title {n}" for n in range(1, 7)], batches=[4, 2])


def test_an_article_that_cannot_be_read_takes_no_other_along(place: FilePlace) -> None:
    """It alone ends among the dead, with a reason that repaints no terminal; the others are read."""
    reader = Reader(poison=frozenset({"Title 2"}))
    shift(place, reader)
    assert sorted(reader.read) == [f"Title {n}" for n in (1, 3, 4, 5, 6)]
    assert list(place.opened[0].dead(9)) == [(raw(2), "RecursionError: Title 2 [31m is too deep")]


@pytest.mark.parametrize("kind", [StorageError, DiskFullError, QueueError, HomeLockedError])
def test_a_store_that_is_away_is_waited_for_ever_longer_and_told(place: FilePlace, kind: type[Exception]) -> None:
    """No article is blamed for it."""
    reader = Reader(troubles=[kind(f"trouble {n}") for n in range(5)])
    done = shift(place, reader)
    assert done.told == [f"trouble {n}" for n in range(5)]
    assert done.waits == [1, 2, 4, 8, 8]
    assert reader.read == [f"Title {n}" for n in range(1, 7)]
    assert place.opened[0].state() == QueueState(waiting=0, held=0, dead=0, oldest=None)


def _work(queue: NewsQueue, read: Callable[[Sequence[RawArticle]], None], stop: Shift) -> None:
    backoff = Backoff(lambda: 1.0, first=1, ceiling=8)
    work(queue, read, worker="w", batch=4, patience=AT_ONCE, stop=stop, tell=stop.told.append, backoff=backoff)


class Shaky:
    """A queue that fails at every second call."""

    def __init__(self, queue: NewsQueue) -> None:
        self._queue = queue
        self._calls = 0

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*values: object) -> object:
            self._calls += 1
            if self._calls % 2:
                raise QueueError(f"{name} did not come through")
            return getattr(self._queue, name)(*values)

        return call


def test_a_queue_that_comes_and_goes_loses_nothing(place: FilePlace) -> None:
    """Taking, ending and failing are tried again until they come through."""
    reader = Reader(poison=frozenset({"Title 6"}))
    shaky: NewsQueue = Shaky(place.opened[0])  # type: ignore[assignment]
    done = shift(place, reader, shaky)
    assert {f"{name} did not come through" for name in ("take", "done", "failed")} == set(done.told)
    assert sorted(reader.read) == [f"Title {n}" for n in range(1, 6)]
    assert [r.title for r, _ in place.opened[0].dead(9)] == ["Title 6"]


def test_a_worker_that_is_stopped_while_it_waits_goes_at_once_and_others_get_what_it_held(place: FilePlace) -> None:
    """It has not said that it is done."""
    done = shift(place, Reader(troubles=[StorageError("away")] * 3), most_waits=2)
    assert done.waits == [1, 2]
    place.pass_time(61)
    assert numbers(place.open().take("other", 9, AT_ONCE)) == [(1, 2)]


def test_a_worker_that_is_stopped_while_it_reads_ends_what_it_holds_and_takes_no_more(place: FilePlace) -> None:
    """Batches are short."""
    queue = place.opened[0]
    own = Shift(queue)
    _work(queue, lambda _: own.set(), own)
    assert queue.state() == QueueState(waiting=2, held=0, dead=0, oldest=raw(5).received_at)
