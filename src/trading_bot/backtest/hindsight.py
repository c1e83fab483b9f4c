"""What the best of many combinations is worth, seen that it was picked with hindsight.

Promises to count every combination that was tried, and to say how many it looked at where it did not look at all. What cannot be
reckoned is None, with its reason in the notes. Refuses to call the best cell a result: only other data can.
"""

import math
from collections.abc import Sequence

import numpy as np

from trading_bot.backtest.grid import Grid
from trading_bot.backtest.inference import deflated_sharpe
from trading_bot.backtest.lanes import Prepared
from trading_bot.backtest.overfitting import overfitting
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.ranking import Ranking
from trading_bot.backtest.statistics import Floats
from trading_bot.backtest.strategy import Strategy, Values
from trading_bot.backtest.vector import sweep_equity
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.values import Finite, Ratio, Record

MOST_NUMBERS = 4_000_000
"""Returns (sessions times trials) that overfitting is measured on: 32 MB."""
MOST_TRIALS = 1_000


class Hindsight(Record):
    """How much of a best cell is choice. Shares are of 1."""

    tried: int
    profitable: Ratio
    """Share of all cells that earned something."""
    plateau: Finite | None
    """Median score of the best cell's neighbours by its own: near 1 on a plateau, near 0 on a lonely peak."""
    pbo: Ratio | None
    """Probability of backtest overfitting: how often the best of one half of the time was not above the median in the other."""
    pbo_trials: int
    """Cells that it was measured on."""
    deflated_sharpe: Ratio | None
    """Probability that the best Sharpe ratio is better than the best of that many without skill."""
    notes: tuple[str, ...]


def hindsight(ready: Prepared, strategy: Strategy, cells: Sequence[Cell], ranking: Ranking, grid: Grid | None = None) -> Hindsight:
    """Look back at all `cells` of a sweep or search. With `grid` they are its cells in order, which have neighbours.

    Memory: equity of at most `MOST_TRIALS` trials and `MOST_NUMBERS` numbers; more cells are thinned evenly, the best one kept.
    """
    order = ranking.order(cells)
    notes: list[str] = []
    chosen = _thinned(len(cells), min(MOST_TRIALS, max(2, MOST_NUMBERS // len(ready.sessions))), order[:1])
    changes = _changes(ready, strategy, [cells[n].values for n in chosen])
    sound = np.isfinite(changes).all(axis=0)
    if not sound.all():
        notes.append(f"{int((~sound).sum())} of {len(chosen)} trials lost everything and are not in the probability of overfitting")
    pbo = _pbo(changes[:, sound], notes)
    if len(chosen) < len(cells):
        notes.append(f"overfitting was measured on {len(chosen):,} of {len(cells):,} combinations, evenly spread")
    return Hindsight(
        tried=len(cells),
        profitable=sum(cell.total_return > 0 for cell in cells) / len(cells),
        plateau=None if grid is None or not order else _plateau(cells, ranking, grid, order[0]),
        pbo=pbo,
        pbo_trials=int(sound.sum()) if pbo is not None else 0,
        deflated_sharpe=_deflated(ready, cells, changes[:, chosen.index(order[0])]) if order else None,
        notes=tuple(notes),
    )


def _thinned(count: int, most: int, kept: Sequence[int]) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({*np.linspace(0, count - 1, most - 1).astype(int).tolist(), *kept})


def _changes(ready: Prepared, strategy: Strategy, combos: Sequence[Values]) -> Floats:
    """Return of each session [sessions x combos]; NaN from where nothing is left."""
    worth = sweep_equity(ready, strategy, combos)
    path = np.concatenate([np.ones((1, worth.shape[1])), np.where(worth > 0, worth, np.nan)])
    return np.asarray(path[1:] / path[:-1] - 1)


def _pbo(changes: Floats, notes: list[str]) -> float | None:
    try:
        return overfitting(changes).pbo
    except ResearchError as error:
        notes.append(f"no probability of overfitting: {error}")
        return None


def _deflated(ready: Prepared, cells: Sequence[Cell], best: Floats) -> float | None:
    if not np.isfinite(best).all():
        return None
    ratios = np.array([cell.sharpe for cell in cells if cell.sharpe is not None]) / math.sqrt(ready.periods_per_year)
    return deflated_sharpe(best, len(cells), float(np.var(ratios, ddof=1)) if len(ratios) > 1 else None)


def _plateau(cells: Sequence[Cell], ranking: Ranking, grid: Grid, best: int) -> float | None:
    top = ranking.score(cells[best])
    around = [0.0 if (score := ranking.score(cells[n])) is None else score for n in grid.neighbours(best)]
    return float(np.median(around)) / top if top and around and top > 0 else None
