"""Which cell of a sweep is better than another.

Promises that a cell with too few trades, or whose figure is not defined, is never the best: luck needs no more than one. Refuses to
call anything good: the best of many was picked on the very data that it is praised for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trading_bot.backtest.plan import Cell
from trading_bot.backtest.statistics import ANNUAL_DAYS, DAYS_PER_YEAR

LEAST_TRADES = 5


class Objective(StrEnum):
    """What is looked for."""

    SHARPE = "sharpe"
    CALMAR = "calmar"
    TOTAL_RETURN = "total_return"
    PROFIT_FACTOR = "profit_factor"


@dataclass(frozen=True)
class Ranking:
    """Scores cells of one period of `days` calendar days by `objective`; fewer than `least_trades` trades have no score."""

    objective: Objective
    days: int
    least_trades: int = LEAST_TRADES

    def score(self, cell: Cell) -> float | None:
        """Higher is better; None where nothing can be said."""
        if cell.trades < self.least_trades:
            return None
        match self.objective:
            case Objective.SHARPE:
                return cell.sharpe
            case Objective.TOTAL_RETURN:
                return cell.total_return
            case Objective.PROFIT_FACTOR:
                return cell.profit_factor
            case Objective.CALMAR:
                growth = annual(cell.total_return, self.days)
                return None if growth is None or cell.max_drawdown <= 0 else growth / cell.max_drawdown

    def order(self, cells: Sequence[Cell]) -> list[int]:
        """Numbers of the cells that have a score, the best first; of equal ones the first."""
        scores = {n: score for n, cell in enumerate(cells) if (score := self.score(cell)) is not None}
        return sorted(scores, key=lambda n: (-scores[n], n))


def annual(total_return: float, days: int) -> float | None:
    """Compound annual growth of a return over calendar days; None below `ANNUAL_DAYS`, or after a loss of more than everything."""
    return None if days < ANNUAL_DAYS or total_return < -1 else float((1 + total_return) ** (DAYS_PER_YEAR / days) - 1)
