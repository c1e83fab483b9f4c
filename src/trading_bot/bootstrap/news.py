"""The news desk, from configuration and home: its store, its queue, who reads for it, and the view of it as of a clock.

Promises that with nothing installed the embedded queue and the lexicon do, and that what an address or a file brings in is used as soon
as it is there. Refuses to make a store where only somebody looks.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from trading_bot.config import Config
from trading_bot.domain.errors import DeskError
from trading_bot.domain.values import Symbol, derive_id
from trading_bot.llm.ollama_pool import OllamaPool
from trading_bot.news.article import Reader
from trading_bot.news.as_of import StoredNews
from trading_bot.news.feeds.building import agent, resolved
from trading_bot.news.fetch import Fetcher
from trading_bot.news.names import Names, names
from trading_bot.news.reader import NewsReader
from trading_bot.news.reading import Scale
from trading_bot.news.signals import Signals
from trading_bot.news.tickers import Tickers
from trading_bot.ports import NewsQueue, SentimentModel, WallClock
from trading_bot.settings_news import QueueSettings
from trading_bot.storage.home import Home
from trading_bot.storage.news import NewsStore, holds_news
from trading_bot.storage.news_queue import EmbeddedQueue

_log = logging.getLogger(__name__)
_MANY, _FEW = 100, 2
_MENTIONS = 3
"""Symbols of an article, each of which is a question."""


def scale_of(config: Config) -> Scale:
    """How the configuration weighs news."""
    news = config.news
    return Scale(
        window=timedelta(hours=news.window_hours),
        half_life=timedelta(minutes=news.half_life_minutes),
        baseline=timedelta(days=news.baseline_days),
        anomaly=news.anomaly_deviations,
        corroboration=news.corroboration,
        feeds={feed.name: feed.weight for feed in resolved(news)},
    )


def signals_of(config: Config) -> Signals:
    """How the configuration scores analyses."""
    return Signals(config.news.sentiment_weight, config.news.arms, config.news.experiment)


def has_news(home: Home) -> bool:
    """Whether anybody has read news for this home: on a server that may have been another machine."""
    return holds_news(home.news)


class NewsDoor:
    """The news of a home as of a clock; there as soon as somebody reads news there."""

    def __init__(self, config: Config, home: Home, now: Callable[[], datetime]) -> None:
        self._home = home
        self._now = now
        self._scale = scale_of(config)
        self._store: NewsStore | None = None

    def view(self, moment: datetime | None = None) -> StoredNews | None:
        """The news as of the clock, or for good as of `moment`; None where none were known by then.

        None too, with a warning, where their store cannot be read: positions and orders need no news.
        """
        try:
            if self._store is None and has_news(self._home):
                self._store = NewsStore.open(self._home.news)
            if self._store is None or not self._any(self._store, moment or self._now()):
                return None
        except DeskError as error:
            _log.warning("the news cannot be read: %s", error)
            return None
        found = StoredNews(self._store, self._now, self._scale)
        return found if moment is None else found.frozen(moment)

    @staticmethod
    def _any(store: NewsStore, moment: datetime) -> bool:
        with store.reading() as page:
            return page.has_any(moment)

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()


def build_pool(config: Config) -> OllamaPool | None:
    """The local models, None where no address names any."""
    return OllamaPool(config.ollama, time.monotonic) if config.ollama.url else None


def build_reader(
    config: Config, store: NewsStore, models: Sequence[SentimentModel], wall: WallClock, tell: Callable[[str], None]
) -> NewsReader:
    """A reader for one worker."""
    known, window = names(), timedelta(hours=config.news.window_hours)
    return NewsReader(store, Reader(Tickers(config.universe.symbols, known)), models, wall.now, window, called(known), tell)


def called(known: Names) -> Mapping[Symbol, str]:
    """What each symbol is called first."""
    lists = (known.companies, known.funds, known.coins)
    return {Symbol(symbol): spoken[0].removeprefix("~") for group in lists for symbol, spoken in group.items() if spoken}


def batch_of(config: Config) -> int:
    """Articles that a worker holds at once: few where models take seconds for each."""
    return _FEW if config.ollama.url else _MANY


def _queue_settings(config: Config) -> QueueSettings:
    """With a lease that outlasts a batch whose every article takes all the time that it may."""
    settings = config.news.queue
    longest = batch_of(config) * config.ollama.total_seconds * _MENTIONS if config.ollama.url else 0.0
    return settings.model_copy(update={"lease_seconds": max(settings.lease_seconds, longest)})


def build_queue(config: Config, home: Home, wall: WallClock) -> NewsQueue:
    """The queue: on Redis where an address names one, else in the home."""
    if config.redis.url is not None:
        from trading_bot.news.queue_redis import RedisQueue  # noqa: PLC0415 - an extra that need not be installed

        return RedisQueue(config.redis.url, _queue_settings(config), _prefix(config, home))
    return EmbeddedQueue.open(home.news_queue, _queue_settings(config), wall)


def _prefix(config: Config, home: Home) -> str:
    """One queue for each store: two desks on one Redis have two, all machines that read into one server's tables have one."""
    store = str(home.path.resolve()) if config.storage.url is None else config.storage.url
    return f"trading-bot:{derive_id('news queue', store, length=12)}"


def build_fetcher(config: Config, environment: Mapping[str, str], wall: WallClock) -> Fetcher:
    """Who fetches for the feeds of this process."""
    return Fetcher(config.news, time.monotonic, wall.now, time.sleep, agent=agent(environment))


def new_nonce() -> str:
    """A word that no text can know."""
    return uuid.uuid4().hex[:12]
