"""The news desk at work: feeds into the queue, workers out of it, and what climbs.

Promises that whatever a reader held when it was stopped or killed is read by another, and that a reader is told in words of whatever goes
wrong. Refuses to propose anything: what it finds is for whoever looks.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from trading_bot.bootstrap.climbing import Readers, build_escalator
from trading_bot.bootstrap.news import batch_of, build_fetcher, build_pool, build_queue, build_reader
from trading_bot.config import Config
from trading_bot.domain.errors import DeskError, QueueFullError, SourceFailedError, StorageError
from trading_bot.domain.news import Escalation, FeedHealth, RawArticle
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm.ollama_pool import OllamaPool
from trading_bot.network.backoff import Backoff
from trading_bot.news.feeds.building import resolved, sources
from trading_bot.news.poller import Feed, Surroundings, poll
from trading_bot.news.worker import work
from trading_bot.ports import NewsQueue, NewsSource
from trading_bot.storage.home import Home
from trading_bot.storage.news import NewsStore, ReadArticle

_PATIENCE = timedelta(seconds=1)
_PART = 100


@dataclass(frozen=True)
class Ears:
    """Who hears what a news desk does."""

    article: Callable[[ReadArticle], None]
    escalation: Callable[[Escalation], None]
    trouble: Callable[[str], None]


class Newsroom:
    """A reader of one home, in this process. Use it as a context."""

    def __init__(self, config: Config, home: Home, operator: Path, environment: Mapping[str, str], ears: Ears) -> None:
        self._config = config
        self._home = home
        self._operator = operator
        self._environment = environment
        self._ears = ears
        self._wall = SystemWallClock()
        self._open = ExitStack()
        self._touched: SimpleQueue[Symbol | None] = SimpleQueue()

    def __enter__(self) -> Self:
        """Open store and queue. ConfigError, HomeError, StorageError or QueueError."""
        config, home = self._config, self._home
        home.prepare()
        self.feeds = resolved(config.news)
        self._queue = self._open.enter_context(closing(build_queue(config, home, self._wall)))
        pool = build_pool(config)
        self._readers = self._open.enter_context(Readers(config, home, pool, self._environment))
        if pool is not None:
            threading.Thread(target=self._warm_up, args=(pool,), name="warm-up", daemon=True).start()
        self._open.callback(self._close_store)
        self._open_store()
        return self

    def _warm_up(self, pool: OllamaPool) -> None:
        """Have the models loaded before the first article waits for them."""
        try:
            pool.warm_up()
        except DeskError as error:
            self._ears.trouble(str(error))

    def _close_store(self) -> None:
        self._store.close()

    def _open_store(self) -> None:
        """Open the store, anew if need be: a connection that broke is never whole again."""
        self._store = NewsStore.open(self._home.news)
        self._reader = build_reader(self._config, self._store, self._readers.reading, self._wall, self._ears.trouble)
        self._escalator = build_escalator(self._config, self._home, self._operator, self._store, self._readers)

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def sources(self) -> tuple[NewsSource, ...]:
        """The feeds of the configuration. ConfigError names one that cannot be made."""
        fetcher = build_fetcher(self._config, self._environment, self._wall)
        return sources(self._config.news, self._config.universe.symbols, self._environment, fetcher)

    def run(self, stop: threading.Event) -> None:
        """Ask the feeds and read what they bring until `stop` is set."""
        pace = {feed.name: float(feed.every_seconds) for feed in self.feeds}
        feeds = [Feed(source, pace[source.name]) for source in self.sources()]
        world = Surroundings(
            now=self._wall.now,
            steady=time.monotonic,
            draw=random.random,
            stop=stop,
            health=self._heard,
            tell=self._ears.trouble,
        )
        asking = threading.Thread(target=poll, args=(feeds, self._queue, world), name="feeds", daemon=True)
        asking.start()
        self.work(stop)
        asking.join(timeout=self._config.news.timeout_seconds)

    def once(self) -> None:
        """Ask each feed once, and read until nothing waits."""
        for source in self.sources():
            self._fetch(source)
        self.work(_Emptied(self._queue))

    def work(self, stop: "threading.Event | _Emptied") -> None:
        """Read what waits until `stop` is set. What climbs is asked by a thread of its own: reading waits for no dear model."""
        self._forget()
        climbing = threading.Thread(target=self._climb, args=(stop,), name="climbing", daemon=True)
        climbing.start()
        work(
            self._queue,
            self._read,
            worker=f"{socket.gethostname()}-{os.getpid()}",
            batch=batch_of(self._config),
            patience=_PATIENCE,
            stop=stop,
            tell=self._ears.trouble,
            backoff=Backoff(random.random),
        )
        self._touched.put(None)
        climbing.join()

    def _fetch(self, source: NewsSource) -> None:
        asked_at, found, note = self._wall.now(), tuple[RawArticle, ...](), ""
        try:
            found = tuple(source.fetch())
        except SourceFailedError as error:
            note = str(error)
            self._ears.trouble(f"{source.name}: {note}")
        for part in (found[n : n + _PART] for n in range(0, len(found), _PART)):
            self._put(part)
        answered = None if note else self._wall.now()
        self._heard(FeedHealth(feed=source.name, asked_at=asked_at, answered_at=answered, articles=len(found), note=note))

    def _put(self, part: Sequence[RawArticle]) -> None:
        try:
            self._queue.put(part)
        except QueueFullError:
            self.work(_Emptied(self._queue))
            self._queue.put(part)

    def _heard(self, health: FeedHealth) -> None:
        with self._store.writing() as page:
            page.feed_did(health)

    def _read(self, raws: Sequence[RawArticle]) -> None:
        try:
            fresh = self._reader.read(raws)
        except StorageError:
            self._store.close()
            self._open_store()
            raise
        if self._wall.now().date() != self._forgot:
            self._forget()
        for read in fresh:
            self._ears.article(read)
        for symbol in sorted({scored.symbol for read in fresh for scored in read.scores}):
            self._touched.put(symbol)

    def _climb(self, stop: "threading.Event | _Emptied") -> None:
        """Look at each symbol that has fresh news, once however often it was touched meanwhile; until there will be no more.

        Who is told to stop begins no further climb, which may take minutes: the next news of a symbol make it climb again.
        """
        ended = False
        while not ended:
            touched = {self._touched.get()}
            while not self._touched.empty():
                touched.add(self._touched.get())
            ended = None in touched
            for symbol in sorted(touched - {None}, key=str):
                if not (isinstance(stop, threading.Event) and stop.is_set()):
                    self._look(symbol)

    def _look(self, symbol: Symbol | None) -> None:
        try:
            climbed = self._escalator.look(Symbol(str(symbol)))
        except Exception as error:  # noqa: BLE001  # edge: one symbol's trouble ends no thread that looks after all
            self._ears.trouble(f"nothing climbs for {symbol}: {type(error).__name__}: {error}")
            return
        for escalation in climbed:
            self._ears.escalation(escalation)

    def _forget(self) -> None:
        """Once a day: what is older than `news.keep_days`."""
        self._forgot = self._wall.now().date()
        with self._store.writing() as page:
            page.forget(self._wall.now() - timedelta(days=self._config.news.keep_days))


class _Emptied:
    """Set once nothing waits."""

    def __init__(self, queue: NewsQueue) -> None:
        self._queue = queue

    def is_set(self) -> bool:
        """Whether nothing waits, and nobody holds anything."""
        state = self._queue.state()
        return not state.waiting + state.held

    def wait(self, timeout: float) -> bool:
        """Wait so long."""
        time.sleep(timeout)
        return self.is_set()
