"""Sweeps over processes and machines: the same cells wherever they are reckoned, whatever dies meanwhile."""

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from sweeping import own_strategy, study_of
from trading_bot.backtest import hindsight as hindsight_module
from trading_bot.backtest import spread
from trading_bot.backtest import sweep as sweeping_module
from trading_bot.backtest.card import package_digest
from trading_bot.backtest.grid import parse_grid
from trading_bot.backtest.hindsight import hindsight
from trading_bot.backtest.lanes import prepare
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.ranking import Objective, Ranking
from trading_bot.backtest.sweep import Cells, Crew, Estimate, Shipment, sweep
from trading_bot.backtest.vector import run_vector, sweep_cells
from trading_bot.bootstrap.studies import Study
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


@dataclass(frozen=True)
class Faults:
    """Takes and frees a megabyte again and again."""

    def __call__(self, first: int, last: int) -> int:
        """How many pages the system had to hand out for it."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(first, last):
            bytearray(2**20)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


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


def test_a_worker_keeps_the_memory_that_the_next_cells_want(two_workers: tuple[str, LocalCluster]) -> None:
    """A hundred megabytes one after the other, in each of six pieces: 25,600 pages if each were given back and fetched again."""
    found = spread.run_cluster(Faults(), spread.spans(0, 600, 100), lambda _: None, two_workers[0])
    assert max(found) < 2_000


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


def test_without_the_extra_a_cluster_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`distributed` is not there for who never asked for it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'trading-bot\[cluster\]', here and on every worker"):
        spread.run_cluster(Raises(), [(0, 5)], lambda _: None, "tcp://127.0.0.1:8786")


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


# -- cells ---------------------------------------------------------------------------------------------------------------


GRID = "falls=1:4,hold=2:6"


def swept(study: Study, crew: Crew = Crew(), agree: Callable[[Estimate], object] = lambda _: None, grid: str = GRID) -> list[Cell]:  # noqa: B008 - frozen
    """The cells of a study's grid."""
    ready = prepare(study.market, study.plan)
    work = Cells(ready, Shipment.of(study.plan.strategy), parse_grid(study.loaded.strategy, grid))
    return list(sweep(work, crew, agree, lambda _: None))


def test_cells_are_those_of_single_runs_in_the_grids_order(tmp_path: Path) -> None:
    """4 x 5 combinations of a user's own strategy; the third is falls 1, hold 4, and what its own run says."""
    study = study_of(tmp_path, str(own_strategy(tmp_path)))
    found = swept(study)
    assert [(cell.values["falls"], cell.values["hold"]) for cell in found] == [(f, h) for f in range(1, 5) for h in range(2, 7)]
    plan = study.plan.model_copy(update={"values": {"falls": 1, "hold": 4}})
    alone = run_vector(study.market, plan, study.loaded.strategy)
    assert found[2].total_return == pytest.approx(alone.performance.total_return, rel=1e-12)
    assert found[2].trades == alone.performance.trades > 10
    assert found[2].sharpe == pytest.approx(alone.performance.sharpe, rel=1e-9)


def test_a_users_own_strategy_travels_and_gives_the_same_cells_everywhere(
    two_workers: tuple[str, LocalCluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is gone before any process could read it; cluster, processes and this one agree to the last digit."""
    path = own_strategy(tmp_path)
    study = study_of(tmp_path, str(path))
    ready, grid = prepare(study.market, study.plan), parse_grid(study.loaded.strategy, "falls=1:6,hold=2:20")
    work = Cells(ready, Shipment.of(study.plan.strategy), grid)
    path.unlink()
    monkeypatch.setattr(sweeping_module, "_WORTH_SECONDS", 0.0)
    monkeypatch.setattr(sweeping_module, "_PIECE_SECONDS", 0.0)
    monkeypatch.setattr(sweeping_module, "_LONGEST_PIECE", 30)
    here, local, far = (
        list(sweep(work, crew, lambda _: None, lambda _: None)) for crew in (Crew(), Crew(jobs=2), Crew(cluster=two_workers[0]))
    )
    assert here == local == far
    assert len(here) == 114


def test_a_long_sweep_is_told_before_it_is_begun(tmp_path: Path) -> None:
    """A million: 9 x 20 x ... of the shipped one; whoever is asked may leave."""
    study, told = study_of(tmp_path), list[Estimate]()

    class LeftError(Exception):
        pass

    def leave(estimate: Estimate) -> None:
        told.append(estimate)
        raise LeftError

    with pytest.raises(LeftError):
        swept(study, agree=leave, grid="fast=2:101,slow=102:201,stop=0:9.9:0.1")
    assert told[0].cells == 1_000_000
    assert told[0].is_long
    assert told[0].seconds > 10
    assert str(told[0]).startswith("1,000,000 combinations: about ")
    assert not Estimate(100, 59).is_long
    assert Estimate(100, 61).is_long


def test_a_grid_that_does_not_fit_into_memory_is_refused(tmp_path: Path) -> None:
    """5,005,000 combinations: 50 x 100 x 1001."""
    with pytest.raises(StrategyError, match="5,005,000 combinations; at most 5,000,000"):
        swept(study_of(tmp_path), grid="fast=2:51,slow=102:201,stop=0:10:0.01")


def test_cells_of_a_grid_are_a_sequence(tmp_path: Path) -> None:
    """Made when looked at: by number from both ends, by slice, and never beyond."""
    study = study_of(tmp_path)
    grid = parse_grid(study.loaded.strategy, "fast=3;5,slow=20;30")
    cells = sweep(Cells(prepare(study.market, study.plan), Shipment.of("sma_cross"), grid), Crew(), lambda _: None, lambda _: None)
    assert len(cells) == 4
    assert list(cells) == cells[:] == [cells[n] for n in range(4)]
    assert cells[-1] == cells[3]
    with pytest.raises(IndexError):
        cells[4]


def test_hindsight_counts_all_that_was_tried(tmp_path: Path) -> None:
    """Over an invented market without any edge: the best of 20 is no proof, and says so."""
    study = study_of(tmp_path, str(own_strategy(tmp_path)))
    ready, strategy = prepare(study.market, study.plan), study.loaded.strategy
    grid = parse_grid(strategy, GRID)
    cells = sweep_cells(ready, strategy, grid.combos(0, len(grid)))
    ranking = Ranking(Objective.SHARPE, 1000, 1)
    found = hindsight(ready, strategy, cells, ranking, grid)
    assert (found.tried, found.pbo_trials) == (20, 20)
    assert found.profitable == sum(cell.total_return > 0 for cell in cells) / 20
    assert found.pbo is not None
    assert found.deflated_sharpe is not None
    assert found.deflated_sharpe < 0.95
    best = ranking.order(cells)[0]
    scores = sorted(cells[n].sharpe or 0.0 for n in grid.neighbours(best))
    middle = (scores[(len(scores) - 1) // 2] + scores[len(scores) // 2]) / 2
    assert found.plateau == pytest.approx(middle / (cells[best].sharpe or 1.0))


def test_hindsight_says_what_it_did_not_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 10 trials: 10 of 20, the best among them; of one cell alone nothing is said."""
    study = study_of(tmp_path, str(own_strategy(tmp_path)))
    ready, strategy = prepare(study.market, study.plan), study.loaded.strategy
    cells = sweep_cells(ready, strategy, parse_grid(strategy, GRID).combos(0, 20))
    monkeypatch.setattr(hindsight_module, "MOST_TRIALS", 10)
    found = hindsight(ready, strategy, cells, Ranking(Objective.SHARPE, 1000, 1))
    assert found.pbo_trials in {9, 10}
    assert any("of 20 combinations, evenly spread" in note for note in found.notes)
    assert found.plateau is None
    lonely = hindsight(ready, strategy, cells[:1], Ranking(Objective.SHARPE, 1000, 1))
    assert lonely.pbo is None
    assert any("no probability of overfitting" in note for note in lonely.notes)
