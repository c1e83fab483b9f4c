"""Workers in processes of their own that are killed at random, and what is left in the store: nothing lost, nothing counted twice.

A child is forked with everything imported, opens queue and store anew, and works until it is killed or told to stop.
"""

import os
import random
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from builders import NOW
from trading_bot.domain.news import Article, ArticleId, RawArticle, Scored, Sentiment, Tier
from trading_bot.domain.values import Symbol, derive_id
from trading_bot.network.backoff import Backoff
from trading_bot.news.worker import work
from trading_bot.ports.news import NewsQueue
from trading_bot.storage.news import NewsStore, ReadArticle, Telling

SYMBOL = Symbol("AAPL")
_DAY = timedelta(days=1)
_ENOUGH = 10
"""Batches that wait at least."""
_PATIENCE_S = 60


def told(number: int) -> RawArticle:
    """The article of this number, about as long as a feed's."""
    return RawArticle(feed="wire", url=f"https://wire.example/{number}", title=f"Title {number}", body="word " * 60, received_at=NOW)


def read_into(store: NewsStore, think: Callable[[], object] = lambda: None) -> Callable[[Sequence[RawArticle]], None]:
    """A reader that keeps each article with a score, known ones left as they are, as the real one does. It thinks before and after."""

    def read(raws: Sequence[RawArticle]) -> None:
        think()
        made = [_read(raw) for raw in raws]
        with store.writing() as page:
            known = page.known([one.article.id for one in made])
            page.add([one for one in made if one.article.id not in known])
        think()

    return read


def read_slowly(store: NewsStore) -> Callable[[Sequence[RawArticle]], None]:
    """The same, so that most of those that are killed are between two steps."""
    return read_into(store, lambda: time.sleep(random.uniform(0, 0.02)))


def _read(raw: RawArticle) -> ReadArticle:
    name = ArticleId(derive_id(raw.url, raw.title))
    told = {"id": name, "feed": raw.feed, "publisher": raw.publisher, "url": raw.url, "title": raw.title, "text": raw.body}
    article = Article.model_validate({**told, "language": "en", "published_at": NOW, "received_at": raw.received_at})
    sentiment = Sentiment(score=0.5, confidence=0.5, tier=Tier.LEXICON, model="none")
    when = {"known_at": article.known_at, "scored_at": NOW, "novelty": 1.0}
    scored = Scored.model_validate({"article": name, "symbol": SYMBOL, "story": name, "feed": raw.feed, **when, "sentiment": sentiment})
    return ReadArticle(article, Telling(name, name, b"", frozenset({SYMBOL})), (), (scored,))


@dataclass
class Shop:
    """Workers over one queue and one store."""

    open_queue: Callable[[], NewsQueue]
    store: Path
    batch: int = 20
    reader: Callable[[NewsStore], Callable[[Sequence[RawArticle]], None]] = read_into
    children: list[int] = field(default_factory=list)
    kills: int = 0

    def hire(self) -> None:
        """One more worker, in a process of its own."""
        child = os.fork()
        if child == 0:
            self._live()
        self.children.append(child)

    def kill(self, which: int) -> None:
        """One of them is gone without a word, another comes."""
        child = self.children.pop(which)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.kills += 1
        self.hire()

    def dismiss(self) -> None:
        """All end what they hold and go; AssertionError if one failed."""
        for child in self.children:
            os.kill(child, signal.SIGTERM)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in self.children]
        self.children.clear()
        assert set(ends) <= {0}, f"workers ended with {ends}"

    def close(self) -> None:
        """Nobody is left, whatever happened."""
        for child in self.children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.children.clear()

    def _live(self) -> None:
        code = 1
        try:
            stop = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            queue, store = self.open_queue(), NewsStore.open(self.store)
            name, patience = f"worker-{os.getpid()}", timedelta(milliseconds=100)
            backoff = Backoff(random.random)
            work(
                queue,
                self.reader(store),
                worker=name,
                batch=self.batch,
                patience=patience,
                stop=stop,
                tell=print,
                backoff=backoff,
            )
            code = 0
        except BaseException:  # noqa: BLE001  # edge: whatever happens in the child must become its exit status
            traceback.print_exc()
        finally:
            os._exit(code)


def kill_at_random(shop: Shop, seconds: float, draw: random.Random, workers: int = 3, most_between: float = 0.3) -> int:
    """Put articles for so long while workers are killed at random; let the rest be read, and return how many were put."""
    number, end = 0, time.monotonic() + seconds
    try:
        for _ in range(workers):
            shop.hire()
        while time.monotonic() < end:
            number += _put_some(shop, number)
            time.sleep(draw.uniform(0, most_between))
            shop.kill(draw.randrange(workers))
        _read_the_rest(shop)
        shop.dismiss()
    finally:
        shop.close()
    return number


def _put_some(shop: Shop, number: int) -> int:
    """Articles from this number on, so that there is always something to read; how many.

    The queue is opened for it and closed again, for a process that is forked from one with an open file of SQLite inherits what that holds
    for true about its locks.
    """
    with closing(shop.open_queue()) as queue:
        if queue.state().waiting >= _ENOUGH * shop.batch:
            return 0
        for part in range(_ENOUGH):
            queue.put([told(n) for n in range(number + part * shop.batch, number + (part + 1) * shop.batch)])
        return _ENOUGH * shop.batch


def _read_the_rest(shop: Shop) -> None:
    """Those that died with their readers too often have only been unlucky."""
    until = time.monotonic() + _PATIENCE_S
    with closing(shop.open_queue()) as queue:
        while (state := queue.state()).waiting + state.held + state.dead:
            queue.revive()
            assert time.monotonic() < until, f"still {state} after a minute"
            time.sleep(0.05)


def problems(store: Path, expected: int) -> list[str]:
    """What is wrong with the store; nothing, if each article is there once with one score."""
    names = [_read(told(number)).article.id for number in range(expected)]
    with NewsStore.open(store) as kept, kept.reading() as page:
        known = page.known(names)
        scores = Counter(scored.article for scored in page.scores(SYMBOL, NOW - _DAY, NOW + _DAY))
    wrong = [f"lost: {name}" for name in names if name not in known]
    wrong += [f"scored {scores[name]} times: {name}" for name in names if scores[name] != 1]
    return wrong + [f"{scores.total()} scores of {expected} articles"] * (scores.total() != expected)
