"""A sweep: every cell of a grid through the vector engine, on as many processors as it is worth.

Promises the same cells in the grid's order wherever they are reckoned, and an estimate, measured on the first cells, before anything
long is begun. A small sweep stays inside this process: starting others would take longer. Refuses a grid whose figures would not fit
into memory.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import cast, overload

from trading_bot.backtest import spread, vector
from trading_bot.backtest.grid import Grid
from trading_bot.backtest.lanes import Prepared
from trading_bot.backtest.loading import is_path, load_source, load_strategy
from trading_bot.backtest.plan import Cell, Market
from trading_bot.backtest.strategy import Strategy
from trading_bot.backtest.sweep_figures import Figures
from trading_bot.domain.errors import StrategyError

MOST_CELLS = 5_000_000
"""Their figures take 0.3 GB."""
ASK_CELLS = 100_000
ASK_SECONDS = 60.0
_WARM_UP, _PROBE = 1, 31
_WORTH_SECONDS = 4.0
"""Work that takes less is done before other processes have started and compiled."""
_PIECE_SECONDS = 0.5
_LONGEST_PIECE = 5_000


@dataclass(frozen=True)
class Shipment:
    """A strategy on its way to another process: a name that is known there too, or the text of a file that need not be."""

    name: str
    source: bytes | None = None

    @classmethod
    def of(cls, name: str) -> "Shipment":
        """What `name` means to `load_strategy`, ready to travel."""
        return cls(name, Path(name).expanduser().read_bytes() if is_path(name) else None)

    def opened(self) -> Strategy:
        """The strategy itself."""
        loaded = load_strategy(self.name) if self.source is None else load_source(Path(self.name), self.source)
        return loaded.strategy


@dataclass(frozen=True, eq=False)
class Cells:
    """The work of a sweep: figures of a span of cells. `threads`: in each process; None for one per processor."""

    ready: Prepared
    strategy: Shipment
    grid: Grid
    threads: int | None = None

    def __call__(self, first: int, last: int) -> Figures:
        """Figures of the cells from `first` up to and without `last`."""
        return vector.sweep_figures(self.ready, self._opened, self.grid.combos(first, last), self.threads)

    @cached_property
    def _opened(self) -> Strategy:
        return self.strategy.opened()

    def __getstate__(self) -> dict[str, object]:
        """Without the market, which cells are not reckoned from, and without the opened strategy, which cannot travel."""
        ready = replace(self.ready, market=cast("Market", None))
        return {"ready": ready, "strategy": self.strategy, "grid": self.grid, "threads": 1}


class GridCells(Sequence[Cell]):
    """The cells of a grid, each made when it is looked at: a million of them would take more than a gigabyte."""

    def __init__(self, grid: Grid, figures: Figures) -> None:
        self._grid = grid
        self._columns = {column.name: getattr(figures, column.name) for column in fields(Figures)}

    def __len__(self) -> int:
        return len(self._grid)

    @overload
    def __getitem__(self, at: int) -> Cell: ...
    @overload
    def __getitem__(self, at: slice) -> list[Cell]: ...
    def __getitem__(self, at: int | slice) -> Cell | list[Cell]:
        """The cell, or the cells, with these numbers."""
        if isinstance(at, int):
            number = range(len(self))[at]
            return self._made(number, number + 1)[0]
        numbers = range(len(self))[at]
        return [self[n] for n in numbers]

    def __iter__(self) -> Iterator[Cell]:
        for first, last in spread.spans(0, len(self), _LONGEST_PIECE):
            yield from self._made(first, last)

    def _made(self, first: int, last: int) -> list[Cell]:
        some = Figures(**{name: column[first:last] for name, column in self._columns.items()})
        return vector.cells(self._grid.combos(first, last), some)


@dataclass(frozen=True)
class Crew:
    """Who does it: a Dask cluster, or up to `jobs` processes of this machine."""

    jobs: int = 1
    cluster: str | None = None


@dataclass(frozen=True)
class Estimate:
    """How long the rest of a sweep would take in this process alone."""

    cells: int
    seconds: float

    @property
    def is_long(self) -> bool:
        """Whether a person should be asked first."""
        return self.cells > ASK_CELLS or self.seconds > ASK_SECONDS

    def __str__(self) -> str:
        unit, size = next((u, s) for u, s in (("h", 3600.0), ("min", 60.0), ("s", 1.0)) if self.seconds >= s or s == 1)
        return f"{self.cells:,} combinations: about {self.seconds / size:.0f} {unit} on one process of this machine"


def sweep(work: Cells, crew: Crew, agree: Callable[[Estimate], object], tell: spread.Tell) -> GridCells:
    """All cells of the grid, in its order. `agree` may raise to leave it; `tell` hears of each piece.

    StrategyError for a grid that is too large, ClusterError, ResearchError as in `spread`.
    """
    count = len(work.grid)
    if count > MOST_CELLS:
        raise StrategyError(f"the grid has {count:,} combinations; at most {MOST_CELLS:,} fit into memory: take greater steps")
    known = min(_WARM_UP, count)
    first = spread.run_here(work, [(0, known)], tell)
    began, probe = time.perf_counter(), spread.spans(known, min(known + _PROBE, count), _PROBE)
    first += spread.run_here(work, probe, tell)
    known = min(known + _PROBE, count)
    estimate = Estimate(count, (time.perf_counter() - began) / _PROBE * (count - known))
    agree(estimate)
    return GridCells(work.grid, Figures.joined([*first, *_rest(work, crew, estimate, known, tell)]))


def _rest(work: Cells, crew: Crew, estimate: Estimate, known: int, tell: spread.Tell) -> list[Figures]:
    count = len(work.grid)
    each = estimate.seconds / max(count - known, 1)
    pieces = spread.spans(known, count, max(1, min(_LONGEST_PIECE, int(_PIECE_SECONDS / max(each, 1e-9)))))
    if crew.cluster is not None:
        return spread.run_cluster(work, pieces, tell, crew.cluster)
    if crew.jobs > 1 and len(pieces) > 1 and estimate.seconds > _WORTH_SECONDS:
        return spread.run_local(work, pieces, tell, crew.jobs)
    return spread.run_here(work, pieces, tell)
