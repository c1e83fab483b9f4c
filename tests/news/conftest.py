"""Both kinds of queue, and the Redis server of this session."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from news.queueing import FilePlace, Place, RedisPlace
from redis_server import Server, running


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis server of this session's own."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def prefixes() -> Iterator[int]:
    """Tell the keys of one test from those of another."""
    return count()


@pytest.fixture(params=["file", "redis"])
def places(request: pytest.FixtureRequest, tmp_path: Path, prefixes: Iterator[int]) -> Iterator[Callable[[], Place]]:
    """Make empty queues of either kind; a server is started when the first test asks for one."""
    made: list[Place] = []

    def make() -> Place:
        number = next(prefixes)
        if request.param == "file":
            made.append(FilePlace(tmp_path / f"queue{number}.db"))
        else:
            made.append(RedisPlace(request.getfixturevalue("redis_server"), f"desk{number}"))
        return made[-1]

    yield make
    for place in made:
        place.close()


@pytest.fixture
def place(places: Callable[[], Place]) -> Place:
    """One queue."""
    return places()
