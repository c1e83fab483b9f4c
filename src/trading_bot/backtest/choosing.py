"""Choosing parameters inside a train window: the best cell of a grid, or of a search.

Promises that the same window gives the same choice. Refuses to choose where no combination traded enough: None.
"""

import threading
from collections.abc import Mapping, Sequence
from functools import partial

from trading_bot.backtest.grid import Grid, Reach
from trading_bot.backtest.lanes import Prepared
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.ranking import Objective, Ranking
from trading_bot.backtest.search import Place, Wanted, optimize
from trading_bot.backtest.strategy import Strategy
from trading_bot.backtest.vector import sweep_cells
from trading_bot.backtest.walk_forward import Choose


def ranking_of(ready: Prepared, objective: Objective, least_trades: int) -> Ranking:
    """How cells of `ready`'s period are compared."""
    return Ranking(objective, (ready.sessions[-1] - ready.sessions[0]).days + 1, least_trades)


def by_grid(grid: Grid, objective: Objective, least_trades: int) -> Choose:
    """Try all of `grid` in each window."""
    combos = grid.combos(0, len(grid))

    def choose(ready: Prepared, strategy: Strategy, _: int) -> Cell | None:
        return _best(sweep_cells(ready, strategy, combos), ranking_of(ready, objective, least_trades))

    return choose


def by_search(  # noqa: PLR0913, PLR0917 - what a search is made of
    space: tuple[Reach, ...], fixed: Mapping[str, float], trials: int, seed: int, objective: Objective, least_trades: int
) -> Choose:
    """Search so many trials in each window, from seeds of their own."""

    def choose(ready: Prepared, strategy: Strategy, number: int) -> Cell | None:
        wanted = Wanted(space, fixed, ranking_of(ready, objective, least_trades), trials, seed + number)
        found = optimize(partial(sweep_cells, ready, strategy), wanted, Place(f"window {number}", ""), _unheard, threading.Event())
        return None if found.best is None else found.cells[found.best]

    return choose


def _best(cells: Sequence[Cell], ranking: Ranking) -> Cell | None:
    return next((cells[n] for n in ranking.order(cells)), None)


def _unheard(_: int) -> None:
    """Nobody listens."""
