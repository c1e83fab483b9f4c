"""The news desk at work, and a look at it: feeds into the queue, workers out of it, readings, and what climbs.

Promises that a look changes nothing, and that a reader which is stopped or killed leaves nothing behind that another would not find.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from trading_bot.bootstrap.news import build_pool, build_queue, has_news
from trading_bot.config import Config
from trading_bot.domain.errors import DeskError, QueueError
from trading_bot.domain.news import FeedHealth, Tier
from trading_bot.execution.clock import SystemWallClock
from trading_bot.ports import ModelHealth, NewsQueue, QueueState
from trading_bot.storage.home import Home
from trading_bot.storage.news import NewsStore, Pace

_HOUR = timedelta(hours=1)
_LAST = 200
"""Scores that the lag is told of."""


@dataclass(frozen=True)
class Seen:
    """The news desk at a moment."""

    queue: QueueState
    last_hour: Pace
    lag_seconds: float | None
    """Middle of the last scores, from receipt to score; None before the first."""
    feeds: tuple[FeedHealth, ...]
    models: tuple[ModelHealth, ...]
    trouble: tuple[str, ...]
    """What could not be looked at."""

    def told(self) -> dict[str, Any]:
        """For programs."""
        feeds = [feed.model_dump(mode="json") for feed in self.feeds]
        return {**asdict(self), "feeds": feeds}

    def rates(self) -> list[tuple[str, str]]:
        """Rates and lag in words."""
        made = self.last_hour.scores
        by_tier = ", ".join(f"{tier} {made[tier]}" for tier in Tier if tier in made)
        lag = "?" if self.lag_seconds is None else f"{self.lag_seconds:.1f} s from receipt to score"
        hour = f"{self.last_hour.articles} articles in the last hour; scores: {by_tier or 'none'}"
        return [("read", hour), ("lag", lag), *(("trouble", told) for told in self.trouble)]


def look(config: Config, home: Home) -> Seen:
    """How the news desk of a home does. What is not there yet is empty; what cannot be reached is told."""
    trouble: list[str] = []
    state, models = _queue(config, home, trouble), _models(config, trouble)
    pace, lags, feeds = _kept(home)
    return Seen(
        queue=state,
        last_hour=pace,
        lag_seconds=median(lags) if lags else None,
        feeds=feeds,
        models=models,
        trouble=tuple(trouble),
    )


def _queue(config: Config, home: Home, trouble: list[str]) -> QueueState:
    if config.redis.url is None and not home.news_queue.exists():
        return QueueState(0, 0, 0, None)
    try:
        with open_queue(config, home) as queue:
            return queue.state()
    except QueueError as error:
        trouble.append(str(error))
        return QueueState(0, 0, 0, None)


def _kept(home: Home) -> tuple[Pace, tuple[float, ...], tuple[FeedHealth, ...]]:
    if not has_news(home):
        return Pace(0, {}), (), ()
    with closing(NewsStore.open(home.news)) as store, store.reading() as page:
        now = SystemWallClock().now()
        return page.pace(now - _HOUR, now), page.lags(_LAST), page.feeds()


def _models(config: Config, trouble: list[str]) -> tuple[ModelHealth, ...]:
    pool = build_pool(config)
    try:
        return () if pool is None else tuple(pool.health())
    except DeskError as error:
        trouble.append(str(error))
        return ()


@contextmanager
def open_queue(config: Config, home: Home) -> Iterator[NewsQueue]:
    """The queue, closed at the end."""
    home.prepare()
    with closing(build_queue(config, home, SystemWallClock())) as queue:
        yield queue
