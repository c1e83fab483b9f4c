"""Answers of the backtest tools: figures after costs, buy and hold beside them, and how far to trust them."""

from datetime import date

from trading_bot.domain.values import Record
from trading_bot.tools.results import Number, Percent, Result, Score, Usd

Values = dict[str, Number]


class OfPeriod(Result):
    """What ran on what, and when."""

    symbols: tuple[str, ...]
    outside_universe: tuple[str, ...] = ()
    first: date
    last: date


class TrustTold(Record):
    """How far to trust a result; thresholds are in `docs/validation.md`."""

    validated: bool
    reasons: tuple[str, ...]
    trials: int
    p_value: Number | None
    deflated_sharpe: Number | None
    risk_score: Score
    risk_class: str


class RunTold(OfPeriod):
    """One backtest."""

    run: str
    strategy: str
    values: Values
    sessions: int
    trades: int
    total_return_percent: Percent | None
    cagr_percent: Percent | None
    sharpe: Number | None
    max_drawdown_percent: Percent | None
    win_rate_percent: Percent | None
    profit_factor: Number | None
    expectancy_usd: Usd | None
    costs_usd: Usd
    held_return_percent: Percent | None
    held_sharpe: Number | None
    held_drawdown_percent: Percent | None
    trust: TrustTold
    notes: tuple[str, ...] = ()


class CheckTold(Record):
    """One condition of the verdict."""

    check: str
    wanted: str
    actual: Number | None
    passed: bool


class PointsTold(Record):
    """One term of the risk score."""

    risk: str
    actual: Number | None
    points: Score
    of: Score


class FiguresTold(OfPeriod):
    """Every figure of a run; shares are in per cent, `held_` is buy and hold."""

    run: str
    strategy: str
    figures: dict[str, Number | None]
    intervals: dict[str, tuple[Number, Number]]
    interval_level_percent: Percent | None
    checks: tuple[CheckTold, ...]
    risks: tuple[PointsTold, ...]
    trust: TrustTold


class RankTold(Record):
    """One of several."""

    rank: int
    strategy: str
    run: str
    trades: int
    total_return_percent: Percent | None
    sharpe: Number | None
    max_drawdown_percent: Percent | None
    win_rate_percent: Percent | None


class ComparedTold(OfPeriod):
    """Several, by falling Sharpe ratio."""

    ranking: tuple[RankTold, ...]
    held_return_percent: Percent | None
    held_sharpe: Number | None
    best: str
    trust: TrustTold
    """In the best, as the best of all."""
    note: str


class CurveTold(OfPeriod):
    """The account over time; each stretch keeps its highest and its lowest close."""

    run: str
    strategy: str
    sessions: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]


class SensitivityTold(OfPeriod):
    """A grid: a row for each value of the first parameter, a column for each of the second."""

    strategy: str
    values: Values
    """Parameters that stayed."""
    parameters: tuple[str, ...]
    axes: tuple[tuple[Number, ...], ...]
    sharpe: tuple[tuple[Number | None, ...], ...]
    total_return_percent: tuple[tuple[Percent, ...], ...]
    best_values: Values
    best_sharpe: Number | None
    best_return_percent: Percent
    neighbours_sharpe: Number | None
    """Mean of the cells that touch the best one."""
    stable: bool
    """Whether the neighbours reach half of the best."""
    profitable_percent: Percent
    """Share of all cells that earned."""
    trust: TrustTold
    """In the best, as the best of all cells."""
