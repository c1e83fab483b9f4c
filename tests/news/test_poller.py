"""The poller: each feed at its own pace, whatever the others and the queue do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from builders import NOW
from news.queueing import AT_ONCE, FilePlace, numbers, raws
from trading_bot.domain.errors import ConfigError, QueueError, SourceFailedError, StorageError
from trading_bot.domain.news import FeedHealth, RawArticle
from trading_bot.news.poller import Feed, Surroundings, follow, poll

EVERY = 100.0
Answer = Sequence[RawArticle] | Exception


@dataclass
class Source:
    """Gives its answers one after the other, each after some seconds, then nothing new."""

    answers: list[Answer]
    passing: Callable[[float], object] = lambda _: None
    takes: float = 0
    name: str = "wire"
    weight: float = 1.0

    def fetch(self) -> Sequence[RawArticle]:
        """The next answer."""
        self.passing(self.takes)
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class World:
    """Time that passes when somebody waits, until it is over."""

    waits: list[float] = field(default_factory=list)
    seconds: float = 0
    most_waits: int = 3
    health: list[FeedHealth] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def is_set(self) -> bool:
        """Whether it is over."""
        return len(self.waits) >= self.most_waits

    def set(self) -> None:
        """End it."""
        self.most_waits = 0

    def wait(self, timeout: float) -> bool:
        """At once."""
        self.waits.append(timeout)
        self.passing(timeout)
        return self.is_set()

    def passing(self, seconds: float) -> None:
        """Seconds are gone."""
        self.seconds += seconds

    def now(self) -> datetime:
        """Wall time."""
        return NOW + timedelta(seconds=self.seconds)

    def surroundings(self, health: Callable[[FeedHealth], None] | None = None) -> Surroundings:
        """As the poller needs it."""
        return Surroundings(self.now, lambda: self.seconds, lambda: 1.0, self, health or self.health.append, self.told.append)


@pytest.fixture
def place(tmp_path: Path) -> FilePlace:
    """A queue for six."""
    place = FilePlace(tmp_path / "queue.db")
    place.open()
    return place


def test_a_feed_is_asked_at_its_pace_and_what_it_has_is_put(place: FilePlace) -> None:
    """The time that an answer takes belongs to the pace."""
    world = World()
    follow(Feed(Source([raws(1, 2), (), raws(3)], world.passing, takes=30), EVERY), place.opened[0], world.surroundings())
    assert world.waits == [70, 70, 70]
    assert numbers(place.opened[0].take("w", 9, AT_ONCE)) == [(1, 1), (2, 1), (3, 1)]
    moments = [NOW + timedelta(seconds=s) for s in (0, 100, 200)]
    assert world.health == [
        FeedHealth(feed="wire", asked_at=at, answered_at=at + timedelta(seconds=30), articles=n)
        for at, n in zip(moments, (2, 0, 1), strict=True)
    ]


def test_a_feed_that_is_down_is_asked_ever_less_often_and_told(place: FilePlace) -> None:
    """Once it answers its pace is the old one."""
    world = World(most_waits=8)
    down = [SourceFailedError(f"down {n}") for n in range(6)]
    follow(Feed(Source([(), *down, raws(1)]), EVERY), place.opened[0], world.surroundings())
    assert world.waits == [100, 200, 400, 800, 1600, 1800, 1800, 100]
    assert [(h.note, h.answered_at) for h in world.health] == [
        ("", NOW),
        *((f"down {n}", NOW) for n in range(6)),
        ("", world.health[7].asked_at),
    ]


def test_a_feed_of_another_package_may_break_in_any_way_and_gives_no_key_away(place: FilePlace) -> None:
    """It is asked again later."""
    world = World(most_waits=2)
    follow(Feed(Source([KeyError("https://host/?apikey=sesame"), raws(1)]), EVERY), place.opened[0], world.surroundings())
    assert [h.note.partition(";")[0] for h in world.health] == ["its program failed with KeyError", ""]
    assert "sesame" not in str(world)
    assert place.opened[0].state().waiting == 1


def test_a_full_queue_holds_its_feed_up_until_all_of_it_is_put(place: FilePlace) -> None:
    """Nothing that was fetched is dropped, and the feed is not asked meanwhile."""
    queue = place.opened[0]
    queue.put(raws(1, 2, 3, 4, 5))
    world = World(most_waits=4)
    feed = Feed(Source([raws(6, 7), raws(8)], world.passing), EVERY)

    def worker(seconds: float) -> None:
        world.seconds += seconds
        if len(world.waits) == 2:
            queue.done(queue.take("w", 1, AT_ONCE))

    world.passing = worker  # type: ignore[method-assign]
    follow(feed, queue, world.surroundings())
    assert [h.articles for h in world.health] == [2, 1]
    assert [line.partition(" (")[0] for line in world.told] == ["the queue of articles has no room for 2 more"] * 2 + [
        "the queue of articles has no room for 1 more"
    ]
    assert world.waits[2] == pytest.approx(EVERY - sum(world.waits[:2]))
    assert numbers(queue.take("w", 9, AT_ONCE)) == [(n, 1) for n in range(2, 8)]


def test_a_large_answer_is_put_in_parts(place: FilePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a queue which has room for some takes some."""
    many = raws(*range(250))
    world = World(most_waits=1)
    sizes: list[int] = []
    queue = place.opened[0]
    monkeypatch.setattr(queue, "put", lambda part: sizes.append(len(part)))
    follow(Feed(Source([many]), EVERY), queue, world.surroundings())
    assert sizes == [100, 100, 50]


def test_who_cannot_be_told_of_a_feeds_health_holds_it_up_no_longer(place: FilePlace) -> None:
    """The next answer is told again."""
    world = World(most_waits=1)

    def away(_: FeedHealth) -> None:
        raise StorageError("the store is away")

    follow(Feed(Source([raws(1)]), EVERY), place.opened[0], world.surroundings(away))
    assert world.told == ["the store is away"]
    assert place.opened[0].state().waiting == 1


def test_a_stop_while_the_queue_is_away_ends_it(place: FilePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched is let go; its feed has it still."""

    def away(_: object) -> None:
        raise QueueError("away")

    world = World(most_waits=2)
    queue = place.opened[0]
    monkeypatch.setattr(queue, "put", away)
    follow(Feed(Source([raws(1)]), EVERY), queue, world.surroundings())
    assert world.told == ["away", "away"]


def _real(stop: Event, health: Callable[[FeedHealth], None]) -> Surroundings:
    return Surroundings(lambda: NOW, lambda: 0.0, lambda: 1.0, stop, health, lambda _: None)


def test_a_feed_that_does_not_answer_holds_up_no_other(place: FilePlace) -> None:
    """It hangs for as long as the other is asked three times."""
    stop, often = Event(), Event()
    seen: list[str] = []

    def health(told: FeedHealth) -> None:
        seen.append(told.feed)
        if seen.count("quick") == 3:
            often.set()
            stop.set()

    slow = Source([raws(1)], lambda _: often.wait(60), name="slow")
    poll([Feed(slow, 0), Feed(Source([], name="quick"), 0)], place.opened[0], _real(stop, health))
    assert seen[:3] == ["quick", "quick", "quick"]


def test_an_error_that_nobody_expected_stops_all_and_is_raised(place: FilePlace) -> None:
    """As a queue that may not be used at all."""
    stop = Event()

    def health(_: FeedHealth) -> None:
        raise ConfigError("throws articles away")

    with pytest.raises(ConfigError, match="throws articles away"):
        poll([Feed(Source([], name="a"), 3600), Feed(Source([], name="b"), 3600)], place.opened[0], _real(stop, health))
    assert stop.is_set()


def test_without_feeds_there_is_nothing_to_ask(place: FilePlace) -> None:
    """And nothing to wait for."""
    poll([], place.opened[0], _real(Event(), lambda _: None))
