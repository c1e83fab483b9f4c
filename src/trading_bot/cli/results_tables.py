"""Tables of kept runs for people. Nothing is computed here."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_bot.backtest.comparing import Comparison
from trading_bot.backtest.figures import FORMS, Write, named, number, percent
from trading_bot.backtest.inference import Interval
from trading_bot.backtest.shelf import Entry
from trading_bot.backtest.validation import Validation

_OUT = Console(highlight=False, markup=False)


def runs_table(entries: Sequence[Entry]) -> None:
    """Kept runs, a line each."""
    if not entries:
        _OUT.print("no run was kept yet: `backtest run STRATEGY` makes one")
        return
    table = _table("run", "strategy", "symbols", "period", "return", "Sharpe", "trades", numbers=("return", "Sharpe", "trades"))
    for one in entries:
        figures, plan = one.performance, one.plan
        gained = "-" if figures.total_return is None else f"{figures.total_return:+.1%}"
        ratio = "-" if figures.sharpe is None else f"{figures.sharpe:.2f}"
        table.add_row(one.run, plan.strategy, named(plan.symbols, 2), f"{plan.first} {plan.last}", gained, ratio, f"{figures.trades:,}")
    _OUT.print(table)


def comparison_table(found: Comparison, a: str, b: str) -> None:
    """Figures side by side, the difference, and what differs."""
    table = _table("", f"A {a}", f"B {b}", numbers=(f"A {a}", f"B {b}"))
    for pair, form in zip(found.figures, FORMS, strict=True):
        table.add_row(form.name, form.told(pair.a), form.told(pair.b))
    _OUT.print(table)
    both, gap = found.overlap, found.difference
    _OUT.print(f"{both.common} common sessions, {both.first} to {both.last}; {both.only_a} of A alone, {both.only_b} of B alone")
    _OUT.print(f"A less B: {percent(gap.mean)} a session; {_with(gap.per_year, gap.per_year_lies, percent)} a year")
    _OUT.print(f"ratio of the difference (mean by deviation): {_with(gap.ratio, gap.ratio_lies, number)}")
    if gap.p_value is not None:
        _OUT.print(f"p = {gap.p_value:.4f}: how often two runs of which neither is better differ as much")
    _OUT.print(
        f"trades: {found.trades_a} of A, {found.trades_b} of B, {len(found.common_trades)} begin at the same moment on the same side"
    )
    _OUT.print("made from the same" if not found.differs else "B differs from A:")
    for line in found.differs:
        _OUT.print(f"  {line}", soft_wrap=True)
    for note in found.notes:
        _OUT.print(note, soft_wrap=True)


def validation_table(judged: Validation, run: str) -> None:
    """The verdict with each check, and why."""
    _OUT.print(f"run {run}: {'PASSED' if judged.passed else 'NOT PASSED'}, as the best of {judged.trials:,} trials", style="bold")
    table = _table("check", "wanted", "actual", "holds", numbers=("actual",))
    for check in judged.checks:
        table.add_row(check.name, check.wanted, "-" if check.actual is None else f"{check.actual:,.4g}", "yes" if check.passed else "NO")
    _OUT.print(table)
    for name, lies in judged.intervals.items():
        _OUT.print(f"{name}: {lies.level:.0%} between {lies.low:.4g} and {lies.high:.4g}")
    _OUT.print(f"risk score {judged.risk_score:.0f} of 100: {judged.risk_class}")
    for reason in judged.reasons:
        _OUT.print(f"- {reason}", soft_wrap=True)


def _with(value: float | None, lies: Interval | None, write: Write) -> str:
    told = "not defined" if value is None else write(value)
    return told if lies is None else f"{told} ({lies.level:.0%} between {write(lies.low)} and {write(lies.high)})"


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table
