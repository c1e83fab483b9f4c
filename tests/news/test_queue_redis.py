"""The queue on Redis where Redis itself is the trouble: gone, back, emptied, shared, misconfigured, or not installed."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from news.queueing import AT_ONCE, LEASE, SETTINGS, Place, RedisPlace, numbers, raw, raws
from redis_server import Server, running
from trading_bot.domain.errors import ConfigError, QueueError
from trading_bot.news.queue_redis import RedisQueue
from trading_bot.ports.news import QueueState


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server that may be killed."""
    with running() as server:
        yield server


@pytest.fixture
def desk(redis_server: Server, prefixes: Iterator[int]) -> Iterator[RedisPlace]:
    """A place of one desk's own."""
    place = RedisPlace(redis_server, f"own{next(prefixes)}")
    yield place
    place.close()


def test_a_redis_that_goes_away_loses_nothing_and_is_found_again(mortal: Server) -> None:
    """Every call says so meanwhile, without the password, and may simply be made again."""
    place = RedisPlace(mortal, "desk")
    queue = place.open()
    queue.put(raws(1, 2, 3))
    held = queue.take("a", 1, AT_ONCE)
    mortal.kill()
    calls: list[Callable[[], object]] = [
        lambda: queue.put(raws(4)),
        lambda: queue.take("a", 1, timedelta(seconds=1)),
        lambda: queue.done(held),
        lambda: queue.failed(held[0], "why"),
        queue.state,
        lambda: queue.dead(1),
        queue.revive,
    ]
    for call in calls:
        with pytest.raises(QueueError, match=r"redis.sock.*look at that server") as caught:
            call()
        assert caught.value.retryable
        assert "between" not in f"{caught.value!r} {caught.value.__cause__!r} {queue!r} {vars(queue)}"
    mortal.start()
    queue.put(raws(4))
    queue.done(held)
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(2, 1), (3, 1), (4, 1)]
    place.close()


def test_a_redis_that_comes_back_empty_takes_articles_again(mortal: Server) -> None:
    """What was waiting is lost with it; feeds put it again."""
    place = RedisPlace(mortal, "desk")
    queue = place.open()
    queue.put(raws(1, 2))
    held = queue.take("a", 1, AT_ONCE)
    mortal.kill()
    mortal.forget()
    mortal.start()
    queue.done(held)
    queue.failed(held[0], "why")
    assert queue.state() == QueueState(waiting=0, held=0, dead=0, oldest=None)
    assert not queue.take("a", 9, AT_ONCE)
    queue.put(raws(1, 2))
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(1, 1), (2, 1)]
    place.close()


def test_two_desks_on_one_server_see_nothing_of_each_other(desk: RedisPlace) -> None:
    """Each has a prefix of its own."""
    other: Place = RedisPlace(desk.server, f"{desk.prefix}-other")
    desk.open().put(raws(1))
    other.open().put(raws(2))
    assert numbers(other.open().take("a", 9, AT_ONCE)) == [(2, 1)]
    assert numbers(desk.open().take("a", 9, AT_ONCE)) == [(1, 1)]
    other.close()


def test_an_entry_that_somebody_deleted_while_it_was_held_holds_up_nobody(desk: RedisPlace) -> None:
    """It is not there any more, and the next one is given."""
    queue = desk.open()
    queue.put(raws(1, 2))
    gone = queue.take("a", 2, AT_ONCE)[0]
    desk.client.xdel(desk.stream, gone.id)
    desk.pass_time(LEASE + 1)
    assert numbers(queue.take("b", 9, AT_ONCE)) == [(2, 2)]


def test_workers_that_are_long_gone_are_forgotten_and_those_that_hold_something_are_not(desk: RedisPlace) -> None:
    """Else every worker that ever was would stay in the server's memory."""
    queue = desk.open()
    queue.put(raws(1))
    queue.take("holds one", 1, AT_ONCE)
    queue.take("holds nothing", 1, AT_ONCE)
    fresh = RedisQueue(desk.server.url, SETTINGS, desk.prefix, forget=timedelta(milliseconds=-1))
    fresh.state()
    fresh.close()
    assert [c["name"] for c in desk.client.xinfo_consumers(desk.stream, "workers")] == ["holds one"]


def test_a_server_that_throws_keys_away_is_refused(mortal: Server) -> None:
    """It would lose articles without a word; one that refuses writes instead is full for a while."""
    operator = mortal.client()
    operator.config_set("maxmemory", "100mb")
    operator.config_set("maxmemory-policy", "allkeys-lru")
    place = RedisPlace(mortal, "desk")
    queue = place.open()
    with pytest.raises(ConfigError, match=r"throws away articles.*noeviction"):
        queue.put(raws(1))
    operator.config_set("maxmemory-policy", "noeviction")
    queue.put(raws(1))
    operator.config_set("maxmemory", "1mb")
    with pytest.raises(QueueError, match="maxmemory"):
        queue.put([raw(2, body="x" * 500_000), raw(3, body="x" * 500_000)])
    operator.config_set("maxmemory", "0")
    assert numbers(queue.take("a", 9, AT_ONCE)) == [(1, 1)]
    operator.close()
    place.close()


@pytest.mark.parametrize("url", ["redis://:sesame/open@host/0", "redis://:sesame@host:port/0", "redis://user:sesame@[::1/0"])
def test_an_address_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    """The library's own error would quote it."""
    with pytest.raises(ConfigError, match=r"redis.url cannot be read") as caught:
        RedisQueue(url, SETTINGS, "desk")
    assert caught.value.__suppress_context__
    assert "sesame" not in str(caught.value)


def test_a_wrong_password_is_told_and_neither_is_shown(redis_server: Server) -> None:
    """Neither the right one nor the wrong one."""
    queue = RedisQueue(redis_server.url.replace("between", "sesame"), SETTINGS, "desk")
    with pytest.raises(QueueError, match=r"look at that server, and at redis.url") as caught:
        queue.state()
    assert "sesame" not in f"{caught.value!r} {caught.value.__cause__!r}"
    queue.close()


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match=r"pip install 'trading-bot\[redis\]'"):
        RedisQueue("redis://localhost/0", SETTINGS, "desk")
