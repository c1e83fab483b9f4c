"""Sweeps over processes and machines: the same cells wherever they are reckoned, whatever dies meanwhile."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from trading_bot.backtest import spread
from trading_bot.backtest.card import package_digest
from trading_bot.domain.errors import ClusterError, StrategyError

# distributed speaks of ports in use and of its own clean-up at the end of a process that was killed on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:distributed", "ignore::ResourceWarning")


@dataclass(frozen=True)
class Squares:
    """Work that anyone can check; it writes down who did it, and takes its time."""

    log: Path
    seconds: float = 0.0

    def __call__(self, first: int, last: int) -> list[int]:
        """The squares of a span."""
        with self.log.open("a") as log:
            log.write(f"{os.getpid()}\n")
        if self.seconds:
            time.sleep(self.seconds)
        return [n * n for n in range(first, last)]

    def workers(self) -> set[int]:
        """Processes that did some."""
        return {int(line) for line in self.log.read_text().split()}


@dataclass(frozen=True)
class Dies(Squares):
    """Kills its process the first time that it comes to cell 6."""

    def __call__(self, first: int, last: int) -> list[int]:
        """Squares, or death."""
        flag = self.log.with_suffix(".died")
        if first <= 6 < last and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(first, last)


@dataclass(frozen=True)
class Raises:
    """A strategy's mistake."""

    def __call__(self, first: int, last: int) -> list[int]:
        """Nothing."""
        raise StrategyError(f"cells {first} to {last} are wrong")


@contextmanager
def cluster(workers: int) -> Iterator[tuple[str, LocalCluster]]:
    """A Dask cluster of worker processes, with a nanny each that starts them anew."""
    package_digest.cache_clear()  # they read the code now; who edits it while tests run would see other versions
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    ) as made:
        yield made.scheduler_address, made


@pytest.fixture(scope="module")
def two_workers() -> Iterator[tuple[str, LocalCluster]]:
    """Two worker processes, shared by the tests that leave them whole."""
    with cluster(2) as made:
        yield made


def test_pieces_cover_all_cells_once() -> None:
    """10 cells in pieces of 4: 4, 4, 2."""
    assert spread.spans(0, 10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert spread.spans(3, 3, 4) == []


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    """In order, each cell told once, and by other processes than this one."""
    work, told = Squares(tmp_path / "log"), list[int]()
    found = spread.run_local(work, spread.spans(0, 20, 3), told.append, jobs=2)
    assert found == spread.run_here(work, spread.spans(0, 20, 3), lambda _: None)
    assert list(chain(*found)) == [n * n for n in range(20)]
    assert sum(told) == 20
    assert len(work.workers() - {os.getpid()}) >= 1


def test_a_process_that_is_killed_costs_nothing_but_time(tmp_path: Path) -> None:
    """Its cells are reckoned again, each cell is told once."""
    told = list[int]()
    found = spread.run_local(Dies(tmp_path / "log"), spread.spans(0, 20, 3), told.append, jobs=2)
    assert (tmp_path / "log.died").exists()
    assert list(chain(*found)) == [n * n for n in range(20)]
    assert sum(told) == 20


def test_a_cluster_gives_what_one_process_gives(two_workers: tuple[str, LocalCluster], tmp_path: Path) -> None:
    """In order, with both workers at it."""
    work, told = Squares(tmp_path / "log", seconds=0.02), list[int]()
    found = spread.run_cluster(work, spread.spans(0, 40, 2), told.append, two_workers[0])
    assert list(chain(*found)) == [n * n for n in range(40)]
    assert sum(told) == 40
    assert len(work.workers()) == 2
    assert os.getpid() not in work.workers()


def test_a_mistake_in_the_work_comes_back_as_it_is(two_workers: tuple[str, LocalCluster]) -> None:
    """A cluster does not turn a strategy's error into one of its own."""
    with pytest.raises(StrategyError, match="cells 0 to 5 are wrong"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, two_workers[0])


def test_a_worker_of_another_version_is_named(two_workers: tuple[str, LocalCluster], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of two programs are not one grid."""
    ours = {**spread.versions(), "numba": "0.0.1"}
    monkeypatch.setattr(spread, "versions", lambda: ours)
    with pytest.raises(ClusterError, match=r"numba 0\.\d+\.\d+ \(here 0\.0\.1\): install the same versions"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, two_workers[0])


@pytest.mark.parametrize("survivors", [1, 0])
def test_a_worker_that_is_killed_half_way_costs_nothing_but_time(tmp_path: Path, survivors: int) -> None:
    """Of two, or the only one: SIGKILL while it works, and all cells come, in order, each told once."""
    work, told = Squares(tmp_path / "log", seconds=0.05), list[int]()
    with cluster(survivors + 1) as (address, _):

        def tell(count: int) -> None:
            told.append(count)
            if len(told) == 5:
                os.kill(min(work.workers()), signal.SIGKILL)

        found = spread.run_cluster(work, spread.spans(0, 60, 2), tell, address)
    assert list(chain(*found)) == [n * n for n in range(60)]
    assert sum(told) == 60
    assert len(work.workers()) >= 2


def test_a_cluster_that_lost_all_its_workers_is_told(tmp_path: Path) -> None:
    """Whoever unplugs the last worker hears of it, with how far the sweep was."""
    work = Squares(tmp_path / "log", seconds=0.05)
    with cluster(1) as (address, made), Client(address, set_as_default=False) as other:
        pulled = list[int]()

        def tell(count: int) -> None:
            pulled.append(count)
            if len(pulled) == 3:
                made.scale(0)
                other.retire_workers(close_workers=True, remove=True)

        with pytest.raises(ClusterError, match=rf"cluster at {address} .* of 400 cells were done"):
            spread.run_cluster(work, spread.spans(0, 400, 2), tell, address, patience=1)


def test_a_cluster_that_is_not_there_is_told_within_seconds() -> None:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(ClusterError, match=f"there is no Dask scheduler at {address}.*start one with `dask scheduler`"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, address)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "http://127.0.0.1:1", "127.0.0.1:8786", "tcp://host:port"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    """Without trying it."""
    with pytest.raises(ClusterError, match="is no address of a Dask scheduler: write tcp://host:port"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, address)


def test_a_host_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server's no is a cluster that is not there."""
    monkeypatch.setattr(spread, "CONNECT_SECONDS", 1)
    with pytest.raises(ClusterError, match=r"no Dask scheduler at tcp://no\.such\.host\.invalid:8786"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, "tcp://no.such.host.invalid:8786")


def test_a_scheduler_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for ever."""
    monkeypatch.setattr(spread, "CONNECT_SECONDS", 1)
    with cluster(0) as (address, _), pytest.raises(ClusterError, match="has no worker: start one with `dask worker"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, address)
