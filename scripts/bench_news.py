"""Figures of the news desk: from feed to reading, through queue and store alone, in memory, from event to signal, and as news pile up.

    python scripts/bench_news.py [whole|queue|memory|signal|growth ...]

Articles are of words of the trade that were thrown together, 430 characters each, every fourth a copy of another; the lexicon reads them,
and each symbol that they touch is read anew after every batch. Feeds put and workers take at the same time, each in a process of its own;
Redis keeps its file (appendonly), as it should where news must not be lost. A figure that misses its goal says so.
"""

import argparse
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache, partial
from importlib import resources
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from news.working import Shop
from news.working import told as short_article
from redis_server import running
from trading_bot import config
from trading_bot.bootstrap.news import batch_of, build_reader, called, scale_of
from trading_bot.domain.news import ArticleId, RawArticle
from trading_bot.execution.clock import SystemWallClock
from trading_bot.network.backoff import Backoff
from trading_bot.news.as_of import StoredNews
from trading_bot.news.feeds import rss
from trading_bot.news.fetch import UNKNOWN, Answer
from trading_bot.news.lexicon import Lexicon
from trading_bot.news.names import names
from trading_bot.news.queue_redis import RedisQueue
from trading_bot.news.worker import Read, work
from trading_bot.ports.news import NewsQueue
from trading_bot.sandbox.news.stories import Story
from trading_bot.sandbox.news.wire import rss as document
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.news import NewsStore, ReadArticle, Telling
from trading_bot.storage.news_queue import EmbeddedQueue

SETTINGS = QueueSettings(capacity=1_000_000, lease_seconds=60, attempts=3)
CONFIG = config.load(None, {}, {})
WALL = SystemWallClock()
WORKERS = (1, 2, 4)
PART, BATCH = 100, batch_of(CONFIG)
_COPIES = 4
SHORT_BATCH, SHORT = 200, 20_000
WHOLE, KEPT, TRICKLE, EVERY = 4_000, 10_000, 300, 0.05
FEW, MANY, LOOKED = 10_000, 100_000, 400
GOAL_WHOLE, GOAL_QUEUE, GOAL_MEMORY, GOAL_SIGNAL, GOAL_GROWTH = 500, 2_000, 300, 0.1, 2


def told(name: str, text: str, *, met: bool | None = None) -> None:
    """Print one figure."""
    print(f"{name:<58} {text}{'' if met is None else '   ok' if met else '   MISSED'}", flush=True)


# -- articles -------------------------------------------------------------------------------------------------------------


@cache
def _words() -> tuple[str, ...]:
    """What the lexicon knows, and explains."""
    text = resources.files("trading_bot.news").joinpath("lexicon.yaml").read_text("utf-8")
    return tuple(sorted(set(re.findall(r"\b[a-z]{2,12}\b", text))))


@cache
def _companies() -> tuple[str, ...]:
    known = sorted(called(names()).items())
    return tuple(name for symbol, name in known if symbol in CONFIG.universe.symbols) + tuple(name for _, name in known[:12])


def _story(number: int, now: datetime, over: timedelta) -> Story:
    """The story of this number, published within `over` before `now`."""
    what = random.Random(number - (number % _COPIES == 0))  # noqa: S311 - no secret
    company = what.choice(_companies())
    title = f"{company} {' '.join(what.choices(_words(), k=9))} {what.randrange(1000)}"
    body = f"<p>{company} {' '.join(what.choices(_words(), k=65))}.</p>"
    published = now - over * random.Random(-number).random()  # noqa: S311 - as above
    return Story(title=title, body=body, url=f"https://news.example/{number}", published=published.isoformat(), publisher="Wire")


def documents(articles: int, now: datetime, first: int = 0, over: timedelta = timedelta(hours=47)) -> Iterator[Answer]:
    """Documents of a feed, as they are fetched."""
    for begin in range(first, first + articles, PART):
        stories = [_story(number, now, over) for number in range(begin, min(begin + PART, first + articles))]
        yield Answer("https://news.example/rss", document(stories).encode(), "application/rss+xml", WALL.now(), UNKNOWN)


def _parsed(articles: int, first: int = 0) -> list[RawArticle]:
    return [raw for answer in documents(articles, WALL.now(), first) for raw in rss.articles(answer, "wire")]


def reader_of(store: NewsStore) -> Read:
    """Reads a batch, and then each symbol that it touched."""
    reader = build_reader(CONFIG, store, [Lexicon()], WALL, print)
    view = StoredNews(store, WALL.now, scale_of(CONFIG))
    view.reading(CONFIG.universe.symbols[0])

    def read(raws: Sequence[RawArticle]) -> None:
        for symbol in sorted({scored.symbol for fresh in reader.read(raws) for scored in fresh.scores}):
            view.reading(symbol)

    return read


def queues(folder: Path, url: str) -> dict[str, Callable[[], NewsQueue]]:
    """How each kind is opened, in a folder that is there."""
    return {
        "embedded": lambda: EmbeddedQueue.open(folder / "queue.db", SETTINGS, WALL),
        "redis": lambda: RedisQueue(url, SETTINGS, f"bench:{folder}"),
    }


def rate(shop: Shop, workers: int, parts: Iterator[Sequence[RawArticle]]) -> float:
    """Articles a second from the first put until the last is in the store and done."""
    try:
        for _ in range(workers):
            shop.hire()
        with closing(shop.open_queue()) as queue:
            articles, begin = 0, time.perf_counter()
            for part in parts:
                queue.put(part)
                articles += len(part)
            while (state := queue.state()).waiting + state.held:
                time.sleep(0.01)
            seconds = time.perf_counter() - begin
            if state.dead:
                raise RuntimeError(f"{state.dead} articles could not be kept")
        shop.dismiss()
    finally:
        shop.close()
    return articles / seconds


def through(kind: str, workers: int, shop: Callable[[Callable[[], NewsQueue], Path], Shop], parts: Iterator[Sequence[RawArticle]]) -> float:
    """The rate through a queue and a store that are new."""
    with tempfile.TemporaryDirectory() as name, running() as server:
        open_queue = queues(Path(name), server.url)[kind]
        return rate(shop(open_queue, Path(name) / "news.db"), workers, parts)


# -- the figures ----------------------------------------------------------------------------------------------------------


def whole() -> None:
    """From the bytes of a feed to readings."""
    ready = partial(Shop, batch=BATCH, reader=reader_of)
    given = list(documents(WHOLE, WALL.now()))
    for kind in ("embedded", "redis"):
        found = {}
        for workers in WORKERS:
            found[workers] = through(kind, workers, ready, (rss.articles(answer, "wire") for answer in given))
            told(f"feed to reading, {kind}, {workers} workers", f"{found[workers]:8,.0f} articles/s")
        best = max(found.values())
        told(f"feed to reading, {kind}, the best of them", f"{best:8,.0f} articles/s (goal {GOAL_WHOLE})", met=best >= GOAL_WHOLE)


def queue() -> None:
    """Queue and store alone."""
    parts = [[short_article(n) for n in range(first, first + SHORT_BATCH)] for first in range(0, SHORT, SHORT_BATCH)]
    for kind, goal in (("redis", GOAL_QUEUE), ("embedded", None)):
        for workers in WORKERS:
            found = through(kind, workers, partial(Shop, batch=SHORT_BATCH), iter(parts))
            text = f"{found:8,.0f} articles/s{'' if goal is None else f' (goal {goal:,})'}"
            told(f"queue and store, {kind}, {workers} workers", text, met=None if goal is None else found >= goal)


def memory() -> None:
    """The most that a process needs which parses, puts, takes and reads 10,000 articles."""
    done = subprocess.run([sys.executable, __file__, "own-memory"], capture_output=True, text=True, check=True)  # noqa: S603 - this script
    megabytes = float(done.stdout)
    text = f"{megabytes:8,.0f} MiB (goal {GOAL_MEMORY})"
    told(f"memory of a process with {KEPT:,} articles", text, met=megabytes < GOAL_MEMORY)


def own_memory() -> None:
    """In a process of its own; all of them wait in the queue's hands at once."""
    with tempfile.TemporaryDirectory() as name:
        _filled(Path(name))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _filled(folder: Path) -> None:
    """A store with 10,000 articles, read by this process."""
    with NewsStore.open(folder / "news.db") as store, closing(EmbeddedQueue.open(folder / "queue.db", SETTINGS, WALL)) as line:
        read = reader_of(store)
        line.put(_parsed(KEPT))
        while held := line.take("filling", PART, timedelta()):
            read([delivery.raw for delivery in held])
            line.done(held)


def signal() -> None:
    """From the moment at which an article is put until the readings of its symbols tell of it, beside 10,000 others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _filled(folder)
        taken: list[float] = []
        put: dict[str, float] = {}
        stop = threading.Event()
        with NewsStore.open(folder / "news.db") as store, closing(EmbeddedQueue.open(folder / "queue.db", SETTINGS, WALL)) as line:
            read = reader_of(store)

            def timed(raws: Sequence[RawArticle]) -> None:
                read(raws)
                taken.extend(time.perf_counter() - put[raw.url] for raw in raws)

            waits = {"patience": timedelta(seconds=1), "backoff": Backoff(random.random)}
            worker = threading.Thread(
                target=lambda: work(line, timed, worker="signal", batch=BATCH, stop=stop, tell=print, **waits)  # type: ignore[arg-type]
            )
            worker.start()
            with closing(EmbeddedQueue.open(folder / "queue.db", SETTINGS, WALL)) as feeding:
                for raw in _parsed(TRICKLE, KEPT):
                    put[raw.url] = time.perf_counter()
                    feeding.put([raw])
                    time.sleep(EVERY)
                while len(taken) < TRICKLE:
                    time.sleep(EVERY)
            stop.set()
            worker.join()
    ordered = sorted(taken)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99) - 1]
    text = f"p50 {middle * 1e3:.0f} ms, p99 {late * 1e3:.0f} ms (goal p99 {GOAL_SIGNAL * 1e3:.0f})"
    told(f"event to signal, {1 / EVERY:.0f} a second beside {KEPT:,} articles", text, met=late < GOAL_SIGNAL)


def growth() -> None:
    """Reading with its look for near duplicates, beside few articles and beside many, all within the window."""
    found: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name, NewsStore.open(Path(name) / "news.db") as store:
        reader = build_reader(CONFIG, store, [Lexicon()], WALL, print)
        example = reader.read(_parsed(PART))[0]
        begin = 0
        for size in (FEW, MANY):
            for first in range(begin, size, 1000):
                with store.writing() as page:
                    page.add([_like(example, number) for number in range(first, first + 1000)])
            begin, raws = size, _parsed(LOOKED, size)
            clock = time.process_time()
            for first in range(0, LOOKED, BATCH):
                reader.read(raws[first : first + BATCH])
            found[size] = (time.process_time() - clock) / LOOKED
            told(f"reading an article beside {size:,}, processor alone", f"{found[size] * 1e3:8.2f} ms")
    times = found[MANY] / found[FEW]
    told(f"the same, {MANY // FEW} times as many articles", f"{times:8.2f} times (goal {GOAL_GROWTH})", met=times < GOAL_GROWTH)


def _like(example: ReadArticle, number: int) -> ReadArticle:
    """Another article with other bands."""
    name = ArticleId(f"{number:020}")
    telling = Telling(name, name, example.telling.signature, example.telling.symbols)
    draw = random.Random(number)  # noqa: S311 - no secret
    bands = tuple(band >> 55 << 55 | draw.getrandbits(55) for band in example.bands)
    return ReadArticle(example.article.model_copy(update={"id": name}), telling, bands, ())


_FIGURES = {"whole": whole, "queue": queue, "memory": memory, "signal": signal, "growth": growth}


def main() -> None:
    """Print what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*_FIGURES, "own-memory", []], help="All, where nothing is named.")
    for figure in parser.parse_args().what or _FIGURES:
        {**_FIGURES, "own-memory": own_memory}[figure]()


if __name__ == "__main__":
    main()
