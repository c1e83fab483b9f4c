"""Asks each feed at its own pace and puts what it has into the queue.

Promises that a feed which is slow or down holds up no other (each has a thread), that one which fails is asked ever less often, up to half
an hour, until it answers again, and that nothing which was fetched is dropped because the queue is full or away: its feed is not asked
again before all of it is put. What it cannot put when `stop` is set is let go; feeds give it again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trading_bot.domain.errors import SourceFailedError, StoppedError
from trading_bot.domain.news import FeedHealth, RawArticle
from trading_bot.network.backoff import Backoff
from trading_bot.news.waiting import PASSING, Stop, insist
from trading_bot.ports.news import NewsQueue, NewsSource

_PART = 100
"""Articles that are put at once."""
_LONGEST_PAUSE = 1800.0


@dataclass(frozen=True)
class Feed:
    """A source, and how many seconds lie between two questions."""

    source: NewsSource
    every: float


class Switch(Stop, Protocol):
    """A stop that the poller may set too."""

    def set(self) -> None:
        """Have everybody stop."""


@dataclass(frozen=True)
class Surroundings:
    """What asking needs of the world: time, chance, and who is told."""

    now: Callable[[], datetime]
    steady: Callable[[], float]
    draw: Callable[[], float]
    stop: Switch
    health: Callable[[FeedHealth], None]
    """How a feed did; after every answer, and where there was none."""
    tell: Callable[[str], None]
    """What goes wrong beside the feeds."""


def poll(feeds: Sequence[Feed], queue: NewsQueue, world: Surroundings) -> None:
    """Until `stop` is set and the last answers are there or timed out. An error that nobody expected stops all and is raised."""

    def guarded(feed: Feed) -> None:
        try:
            follow(feed, queue, world)
        except BaseException:  # edge: whatever ends one feed's thread must not leave the others running unseen
            world.stop.set()
            raise

    with ThreadPoolExecutor(max(len(feeds), 1), thread_name_prefix="feed") as pool:
        for running in [pool.submit(guarded, feed) for feed in feeds]:
            running.result()


def follow(feed: Feed, queue: NewsQueue, world: Surroundings) -> None:
    """Ask one feed until `stop` is set."""
    failing = Backoff(world.draw, first=2 * feed.every, ceiling=max(_LONGEST_PAUSE, 2 * feed.every))
    answered_at = None
    while not world.stop.is_set():
        begun, asked_at = world.steady(), world.now()
        fetched, note = _fetched(feed.source)
        if note:
            pause = failing.wait()
        else:
            failing.succeeded()
            pause, answered_at = feed.every, world.now()
        health = FeedHealth(feed=feed.source.name, asked_at=asked_at, answered_at=answered_at, articles=len(fetched), note=note)
        try:
            _tell_health(health, world)
            _put(fetched, queue, world)
        except StoppedError:
            return
        world.stop.wait(max(pause - (world.steady() - begun), 0))


def _fetched(source: NewsSource) -> tuple[Sequence[RawArticle], str]:
    """What it has, or why it did not say."""
    try:
        return source.fetch(), ""
    except SourceFailedError as error:
        return (), str(error)
    except Exception as error:  # noqa: BLE001  # edge: another package's feed may break in any way; its words may hold its key
        return (), f"its program failed with {type(error).__name__}; update the package that brings it, or take it out of news.feeds"


def _tell_health(health: FeedHealth, world: Surroundings) -> None:
    """Once; who cannot be told now is told after the next answer."""
    try:
        world.health(health)
    except PASSING as error:
        world.tell(str(error))


def _put(fetched: Sequence[RawArticle], queue: NewsQueue, world: Surroundings) -> None:
    waiting = Backoff(world.draw)
    for part in (fetched[n : n + _PART] for n in range(0, len(fetched), _PART)):
        insist(lambda part=part: queue.put(part), waiting, world.stop, world.tell)  # type: ignore[misc]
