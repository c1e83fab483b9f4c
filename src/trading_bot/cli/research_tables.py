"""Tables of research for people. Nothing is computed here."""

from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.backtest.plan import LimitsBy, Plan, Result
from trading_bot.backtest.statistics import Performance

_OUT = Console(highlight=False, markup=False)
_FIGURES: tuple[tuple[str, str, str], ...] = (
    ("total return", "total_return", "{:+.2%}"),
    ("per year", "cagr", "{:+.2%}"),
    ("volatility", "volatility", "{:.2%}"),
    ("Sharpe", "sharpe", "{:.2f}"),
    ("Sortino", "sortino", "{:.2f}"),
    ("Calmar", "calmar", "{:.2f}"),
    ("drawdown", "max_drawdown", "{:.2%}"),
    ("drawdown, sessions", "max_drawdown_sessions", "{}"),
    ("trades", "trades", "{}"),
    ("win rate", "win_rate", "{:.1%}"),
    ("profit factor", "profit_factor", "{:.2f}"),
    ("expectancy", "expectancy", "{:,.2f}"),
    ("exposure", "exposure", "{:.1%}"),
    ("turnover a year", "turnover", "{:.1f}"),
    ("fees", "costs", "{:,.2f}"),
)
"""What it is called, the field of `Performance`, how it is written."""
_NOTES = 8
_OF_A_CURVE = 8
"""So many of the figures a mere curve has too."""


def result_table(result: Result, kept: str) -> None:
    """Figures of a run with buy and hold beside them, what has to be known, and where it was kept."""
    plan = result.plan
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column(plan.strategy, justify="right")
    table.add_column("buy and hold", justify="right")
    held = result.held
    for number, (name, key, form) in enumerate(_FIGURES):
        beside = "" if held is None or number >= _OF_A_CURVE else _written(held, key, form)
        table.add_row(name, _written(result.performance, key, form), beside)
    values = ", ".join(f"{name}={value:g}" for name, value in plan.values.items())
    where = f"{', '.join(plan.symbols)}, {plan.first} to {plan.last}, {len(result.sessions)} sessions"
    _OUT.print(f"{plan.strategy} ({values}) on {where}", soft_wrap=True)
    _OUT.print(
        f"{result.engine} engine, cash {result.start:,}, {_limits(plan)}",
        soft_wrap=True,
    )
    _OUT.print(table)
    for note in result.notes[:_NOTES]:
        _OUT.print(note, soft_wrap=True)
    if len(result.notes) > _NOTES:
        _OUT.print(f"and {len(result.notes) - _NOTES} more notes: `backtest report {kept}` has them all")
    _OUT.print(f"run {kept}: `backtest validate {kept}` says how far to trust it, `backtest report {kept} --open` draws it", soft_wrap=True)


def _limits(plan: Plan) -> str:
    if plan.limits is LimitsBy.DESK:
        return "limits of the desk's configuration"
    return f"the plan's own limits: share {plan.share}, reserve {plan.reserve}{'' if plan.risk is None else f', risk {plan.risk}'}"


def _written(performance: Performance, key: str, form: str) -> str:
    value: Decimal | float | None = getattr(performance, key)
    return "none" if value is None else form.format(value)
