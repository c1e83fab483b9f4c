"""Both kinds of place where the desk keeps what it must not lose: a file, and a database of a server."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from postgres import Server, running
from trading_bot.storage.database import Address

Place = Callable[[str], Address]
"""Makes addresses of journals: the same name gives the same one, empty at first."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of this session's own."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Tell the databases of one test from those of another."""
    return count()


@pytest.fixture
def database(server: Server, numbers: Iterator[int]) -> Callable[[str], str]:
    """Addresses of databases on the server."""
    made: dict[str, str] = {}

    def address(name: str) -> str:
        if name not in made:
            made[name] = f"{name}_{next(numbers)}"
            server.execute(f"CREATE DATABASE {made[name]}")
        return server.url(made[name])

    return address


@pytest.fixture
def placing(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Place]:
    """A place by its kind; a server is started when the first test asks for one."""

    def of(kind: str) -> Place:
        if kind == "file":
            return lambda name: tmp_path / f"{name}.db"
        found: Place = request.getfixturevalue("database")
        return found

    return of


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, placing: Callable[[str], Place]) -> Place:
    """Either kind."""
    return placing(request.param)
