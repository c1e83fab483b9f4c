"""Many runs of one study: sweeps, searches and walk-forward, with what the best of them is worth.

Promises that a strategy is tried for look-ahead before any of it, and again with the values that were picked, for a peek that only some
values switch on wins every search; that the best combination's own run says how many it was picked from;
and that a search's study holds nothing but trials of the same data, code, settings and ranges.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from trading_bot.backtest.card import make_card
from trading_bot.backtest.choosing import by_grid, by_search, ranking_of
from trading_bot.backtest.grid import Grid, parse_grid, parse_space
from trading_bot.backtest.hindsight import Hindsight, hindsight
from trading_bot.backtest.lanes import Prepared, prepare
from trading_bot.backtest.plan import Cell, Result
from trading_bot.backtest.ranking import LEAST_TRADES, Objective
from trading_bot.backtest.search import Place, Searched, Wanted, optimize
from trading_bot.backtest.strategy import Strategy, Values
from trading_bot.backtest.sweep import Cells, Crew, Estimate, Shipment, sweep
from trading_bot.backtest.vector import run_prepared, sweep_cells
from trading_bot.backtest.walk_forward import Choose, Ground, Lengths, WalkForward, walk_forward
from trading_bot.bootstrap.studies import Study
from trading_bot.domain.errors import ResearchError
from trading_bot.domain.values import canonical_json, derive_digest
from trading_bot.storage.home import Home

Tell = Callable[[int, int], object]
"""Hears how many are done, and of how many."""
_STUDIES = "studies.db"


@dataclass(frozen=True)
class Goal:
    """What is looked for. `given`: values of parameters that do not vary."""

    given: Values
    objective: Objective = Objective.SHARPE
    least_trades: int = LEAST_TRADES


@dataclass(frozen=True)
class Swept:
    """What came of many runs over one period: all of it in-sample."""

    cells: Sequence[Cell]
    order: list[int]
    """Numbers of the cells that have a score, the best first."""
    hindsight: Hindsight
    result: Result | None
    """The best cell's own run; None if no cell has a score."""


@dataclass(frozen=True)
class Quest:
    """A study, and what is looked for in it."""

    study: Study
    goal: Goal

    def sweep(self, text: str, crew: Crew, agree: Callable[[Estimate], object], tell: Tell) -> Swept:
        """Reckon the grid that `text` describes. `agree` hears how long that takes, and may raise."""
        grid = parse_grid(self._strategy, text, self.goal.given)
        ready, done = self._honest(), 0

        def heard(more: int) -> None:
            nonlocal done
            done += more
            tell(done, len(grid))

        cells = sweep(Cells(ready, Shipment.of(self.study.plan.strategy), grid), crew, agree, heard)
        return self._swept(ready, cells, grid)

    def search(self, text: str | None, trials: int, place: Place, stop: threading.Event, tell: Tell) -> tuple[Searched, Swept]:
        """Search the ranges that `text` describes, all without it, until the study at `place` has so many trials, or `stop` is set."""
        space = parse_space(self._strategy, text, self.goal.given)
        ready, strategy = self._honest(), self._strategy
        fixed = strategy.values(self.goal.given)
        wanted = Wanted(space, fixed, ranking_of(ready, self.goal.objective, self.goal.least_trades), trials, self.study.plan.seed)
        reckon = partial(sweep_cells, ready, strategy, threads=1)
        found = optimize(reckon, wanted, place, lambda done: tell(done, trials), stop)
        if not found.cells:
            raise ResearchError("the search was stopped before its first trial")
        return found, self._swept(ready, found.distinct, None)

    def place(self, text: str | None, home: Home, storage: str | None, name: str | None) -> Place:
        """Where a search is kept: in the home's own database, under a name that means its strategy and all that decides a trial."""
        space = parse_space(self._strategy, text, self.goal.given)
        plan = self.study.plan.model_copy(update={"values": dict(self.goal.given)})
        card = make_card(plan, self.study.market, self.study.inputs(), "")
        ranges = canonical_json([[reach.name, reach.low, reach.high, reach.step] for reach in space])
        made_from = derive_digest(card.canonical(), ranges, self.goal.objective, str(self.goal.least_trades))
        return Place(name or f"{self._strategy.name}-{made_from[:12]}", made_from, storage or f"sqlite:///{home.backtests / _STUDIES}")

    def walk_by_grid(self, text: str, lengths: Lengths, tell: Tell) -> WalkForward:
        """Walk forward; in each window all of the grid is tried."""
        grid = parse_grid(self._strategy, text, self.goal.given)
        return self._walked(lengths, by_grid(grid, self.goal.objective, self.goal.least_trades), tell)

    def walk_by_search(self, text: str | None, trials: int, lengths: Lengths, tell: Tell) -> WalkForward:
        """Walk forward; in each window so many trials are made."""
        goal, seed = self.goal, self.study.plan.seed
        space, fixed = parse_space(self._strategy, text, goal.given), self._strategy.values(goal.given)
        return self._walked(lengths, by_search(space, fixed, trials, seed, goal.objective, goal.least_trades), tell)

    @property
    def _strategy(self) -> Strategy:
        return self.study.loaded.strategy

    def _honest(self) -> Prepared:
        """The study's market, laid out; LookAheadError if its strategy reads the future."""
        ready = prepare(self.study.market, self.study.plan, self.study.sentiment)
        self.study.demand_honesty(ready.sheets)
        return ready

    def _walked(self, lengths: Lengths, choose: Choose, tell: Tell) -> WalkForward:
        study = self.study
        sheets, tried = study.sheets(), [study.plan.values]
        study.demand_honesty(sheets)

        def honest(ready: Prepared, strategy: Strategy, number: int) -> Cell | None:
            best = choose(ready, strategy, number)
            if best is not None and best.values not in tried:
                tried.append(best.values)
                study.demand_honesty(sheets, best.values)
            return best

        return walk_forward(Ground(study.market, study.plan, study.loaded.strategy, study.sentiment), lengths, honest, tell)

    def _swept(self, ready: Prepared, cells: Sequence[Cell], grid: Grid | None) -> Swept:
        ranking = ranking_of(ready, self.goal.objective, self.goal.least_trades)
        order = ranking.order(cells)
        if order:
            self.study.demand_honesty(ready.sheets, cells[order[0]].values)
        looked = hindsight(ready, self._strategy, cells, ranking, grid)
        return Swept(cells, order, looked, self._best_run(ready, cells[order[0]], len(cells)) if order else None)

    def _best_run(self, ready: Prepared, best: Cell, tried: int) -> Result:
        plan = self.study.plan.model_copy(update={"values": best.values})
        result = run_prepared(replace(ready, plan=plan), self._strategy)
        note = f"in-sample: the best of {tried:,} combinations by {self.goal.objective}, picked on this very period"
        return result.model_copy(update={"notes": (note, *result.notes)})
