"""The backtest tools: runs of shipped strategies on what had happened by now, their figures, and how far to trust them.

Promises that every figure is the laboratory's after costs, and that the best of several is judged as the best of so many. Refuses what
a caller would wait too long for; the caps stand in the questions' schemas.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

import numpy as np

from trading_bot.backtest.inference import Interval
from trading_bot.backtest.lab import Experiment, Lab, Tell, unheard
from trading_bot.backtest.lineup import line_up
from trading_bot.backtest.plan import Cell, Result
from trading_bot.backtest.statistics import Performance
from trading_bot.backtest.strategy import Values
from trading_bot.backtest.validation import Validation, validate
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.values import Symbol
from trading_bot.tools import queries_backtest as queries
from trading_bot.tools import results_backtest as results
from trading_bot.tools.runs import Runs
from trading_bot.tools.scope import Scope

_STABLE = 0.5
"""Share of the best Sharpe ratio that its neighbours have to reach."""
_SHARES = ("total_return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure", "time_in_market")
_PLAIN = (
    *("sharpe", "sortino", "calmar", "profit_factor", "turnover", "max_drawdown_sessions", "sessions", "trades"),
    *("profit", "expectancy", "average_win", "average_loss", "costs"),
)
_USD = frozenset({"profit", "expectancy", "average_win", "average_loss", "costs"})
_HELD = frozenset({"total_return_percent", "cagr_percent", "volatility_percent", "max_drawdown_percent", "sharpe", "sortino", "calmar"})
"""Figures that buy and hold has too."""
_BECAUSE = "not known, because "
"""In reasons: what comes after it is one reason, however many checks it keeps from being reckoned."""
_NOTE = "the best of several is partly luck: its trust counts all that ran"


def run_backtest(scope: Scope, query: queries.Run) -> results.RunTold:
    """One strategy after costs, buy and hold beside it."""
    result = _lab(scope).run(_experiment(query), scope.view.now(), scope.tell)
    figures, held = result.performance, result.held
    return results.RunTold(
        **_period(scope, result),
        run=scope.runs.keep(result),
        strategy=result.plan.strategy,
        values=result.plan.values,
        sessions=figures.sessions,
        **_short(figures),
        cagr_percent=_percent(figures.cagr),
        profit_factor=figures.profit_factor,
        expectancy_usd=figures.expectancy,
        costs_usd=figures.costs,
        **_held(held),
        held_drawdown_percent=None if held is None else _percent(held.max_drawdown),
        trust=_trust(validate(result, seed=result.plan.seed)),
        notes=result.notes,
    )


def calculate_metrics(scope: Scope, query: queries.OfRun) -> results.FiguresTold:
    """Every figure of a run that was made here, its checks and its risks."""
    run, result = scope.runs.find(query.run)
    judged = validate(result, seed=result.plan.seed)
    held = {} if result.held is None else {f"held_{k}": v for k, v in _all(result.held).items() if k in _HELD}
    levels = {interval.level for interval in judged.intervals.values()}
    return results.FiguresTold(
        **_period(scope, result),
        run=run,
        strategy=result.plan.strategy,
        figures={**_all(result.performance), **held},
        intervals=dict(_interval(name, one) for name, one in judged.intervals.items()),
        interval_level_percent=_percent(max(levels, default=None)),
        checks=tuple(results.CheckTold(check=c.name, wanted=c.wanted, actual=c.actual, passed=c.passed) for c in judged.checks),
        risks=tuple(results.PointsTold(risk=r.name, actual=r.actual, points=r.points, of=r.of) for r in judged.risks),
        trust=_trust(judged),
    )


def compare_strategies(scope: Scope, query: queries.Compare) -> results.ComparedTold:
    """Several strategies with their defaults, ranked; the best one judged as the best of all."""
    keeping = _Keeping(_lab(scope), scope.runs)
    found = line_up(keeping, query.strategies, _experiment(query), scope.view.now(), scope.tell)
    ranking = tuple(
        results.RankTold(rank=n, strategy=e.strategy, run=keeping.runs[e.strategy], **_short(e.figures))
        for n, e in enumerate(found.entrants, 1)
    )
    return results.ComparedTold(
        as_of=scope.view.now(),
        symbols=found.symbols,
        outside_universe=_outside(scope, found.symbols),
        first=found.first,
        last=found.last,
        ranking=ranking,
        **_held(found.held),
        best=ranking[0].strategy,
        trust=_trust(found.best),
        note=_NOTE,
    )


class _Keeping:
    """A laboratory whose runs are kept."""

    def __init__(self, lab: Lab, kept: Runs) -> None:
        self._lab = lab
        self._kept = kept
        self.runs: dict[str, str] = {}

    def run(self, experiment: Experiment, now: datetime, tell: Tell = unheard) -> Result:
        result = self._lab.run(experiment, now, tell)
        self.runs[experiment.strategy] = self._kept.keep(result)
        return result

    def sweep(self, experiment: Experiment, cells: Sequence[Values], now: datetime, tell: Tell = unheard) -> tuple[Cell, ...]:
        return self._lab.sweep(experiment, cells, now, tell)


def generate_equity_curve(scope: Scope, query: queries.Points) -> results.CurveTold:
    """The account of a run over time, thinned so that highs and lows stay."""
    run, result = scope.runs.find(query.run)
    equity = result.curve.equity
    peaks = np.maximum.accumulate(np.append(float(result.start), equity))[1:]
    held = result.benchmark or (None,) * len(equity)
    rows = tuple(
        (result.sessions[n].isoformat(), round(float(equity[n]), 2), round(100 * float(1 - equity[n] / peaks[n]), 2), _cents(held[n]))
        for n in kept_points(equity, peaks, query.points)
    )
    return results.CurveTold(
        **_period(scope, result),
        run=run,
        strategy=result.plan.strategy,
        sessions=len(equity),
        columns=("date", "equity_usd", "drawdown_percent", "held_usd"),
        rows=rows,
    )


def kept_points(equity: np.ndarray, peaks: np.ndarray, points: int) -> list[int]:
    """At most `points` places of a curve: both ends, the deepest drawdown and its peak, and each stretch's lowest and highest."""
    count = len(equity)
    if count <= points:
        return list(range(count))
    deepest = int(np.argmax(1 - equity / peaks))
    kept = {0, count - 1, deepest, int(np.argmax(equity[: deepest + 1]))}
    for stretch in np.array_split(np.arange(count), (points - len(kept)) // 2):
        kept |= {int(stretch[np.argmin(equity[stretch])]), int(stretch[np.argmax(equity[stretch])])}
    return sorted(kept)


def test_parameter_sensitivity(scope: Scope, query: queries.Sensitivity) -> results.SensitivityTold:
    """A grid over one or two parameters, and whether the best cell stands alone."""
    lab, now, experiment = _lab(scope), scope.view.now(), _experiment(query)
    names, axes = tuple(query.vary), tuple(tuple(sorted(set(values))) for values in query.vary.values())
    grid = [dict(zip(names, point, strict=True)) for point in product(*axes)]
    cells = lab.sweep(experiment, grid, now, scope.tell)
    shape = (len(axes[0]), len(axes[1]) if len(axes) > 1 else 1)
    sharpes = np.array([np.nan if c.sharpe is None else c.sharpe for c in cells]).reshape(shape)
    gains = np.array([c.total_return for c in cells]).reshape(shape)
    at = _best(sharpes, gains)
    best = cells[at[0] * shape[1] + at[1]]
    winner = lab.run(_with(experiment, best.values), now)
    known = [c.sharpe for c in cells if c.sharpe is not None]
    around = _around(sharpes, at)
    return results.SensitivityTold(
        **_period(scope, winner),
        strategy=winner.plan.strategy,
        values={name: value for name, value in winner.plan.values.items() if name not in names},
        parameters=names,
        axes=axes,
        sharpe=tuple(tuple(None if np.isnan(v) else float(v) for v in row) for row in sharpes),
        total_return_percent=tuple(tuple(100 * float(v) for v in row) for row in gains),
        best_values={name: best.values[name] for name in names},
        best_sharpe=best.sharpe,
        best_return_percent=100 * best.total_return,
        neighbours_sharpe=around,
        stable=best.sharpe is not None and best.sharpe > 0 and around is not None and around >= _STABLE * best.sharpe,
        profitable_percent=100 * float(np.mean(gains > 0)),
        trust=_trust(validate(winner, trials=len(cells), trial_sharpes=known, seed=winner.plan.seed)),
    )


def _best(sharpes: np.ndarray, gains: np.ndarray) -> tuple[int, int]:
    """Place of the highest Sharpe ratio; of the highest return where no cell has one."""
    measure = gains if np.isnan(sharpes).all() else np.nan_to_num(sharpes, nan=-np.inf)
    row, column = np.unravel_index(int(np.argmax(measure)), measure.shape)
    return int(row), int(column)


def _around(sharpes: np.ndarray, at: tuple[int, int]) -> float | None:
    """Mean of the cells that touch `at`, corners too; None where none of them has a ratio."""
    row, column = at
    block = sharpes[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].copy()
    block[min(row, 1), min(column, 1)] = np.nan
    known = block[~np.isnan(block)]
    return float(known.mean()) if len(known) else None


def _lab(scope: Scope) -> Lab:
    if scope.lab is None:
        raise ToolFailedError("no backtests run here; `python -m trading_bot backtest run` does at a terminal")
    return scope.lab


def _experiment(query: queries.Days) -> Experiment:
    symbols = tuple(Symbol(symbol) for symbol in query.symbols)
    strategy, values = (query.strategy, query.values) if isinstance(query, queries.Run) else ("", {})
    return Experiment(strategy, symbols, values, query.period, query.start, query.end)


def _with(experiment: Experiment, values: Mapping[str, float]) -> Experiment:
    return Experiment(experiment.strategy, experiment.symbols, values, experiment.period, experiment.first, experiment.last)


def _period(scope: Scope, result: Result) -> dict[str, Any]:
    plan = result.plan
    return {
        "as_of": scope.view.now(),
        "symbols": plan.symbols,
        "outside_universe": _outside(scope, plan.symbols),
        "first": plan.first,
        "last": plan.last,
    }


def _outside(scope: Scope, symbols: Sequence[Symbol]) -> tuple[str, ...]:
    return tuple(symbol for symbol in symbols if symbol not in scope.universe)


def _short(figures: Performance) -> dict[str, Any]:
    return {
        "trades": figures.trades,
        "total_return_percent": _percent(figures.total_return),
        "sharpe": figures.sharpe,
        "max_drawdown_percent": _percent(figures.max_drawdown),
        "win_rate_percent": _percent(figures.win_rate),
    }


def _held(held: Performance | None) -> dict[str, Any]:
    if held is None:
        return {"held_return_percent": None, "held_sharpe": None}
    return {"held_return_percent": _percent(held.total_return), "held_sharpe": held.sharpe}


def _interval(name: str, of: Interval) -> tuple[str, tuple[float, float]]:
    return (f"{name}_percent", (100 * of.low, 100 * of.high)) if name in _SHARES else (name, (of.low, of.high))


def _all(figures: Performance) -> dict[str, float | None]:
    shares = {f"{name}_percent": _percent(getattr(figures, name)) for name in _SHARES}
    plain = {f"{name}_usd" if name in _USD else name: getattr(figures, name) for name in _PLAIN}
    return shares | {name: None if value is None else float(value) for name, value in plain.items()}


def _trust(judged: Validation) -> results.TrustTold:
    return results.TrustTold(
        validated=judged.passed,
        reasons=tuple(dict.fromkeys(reason.rpartition(_BECAUSE)[2] for reason in judged.reasons)),
        trials=judged.trials,
        p_value=judged.p_value,
        deflated_sharpe=judged.deflated_sharpe,
        risk_score=judged.risk_score,
        risk_class=judged.risk_class,
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _cents(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
