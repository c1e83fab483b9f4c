"""What surrounds a run over recorded time: is there data for it, and what came of it.

The run itself is the orchestrator's own loop on a simulated clock; there is no other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from trading_bot.backtest.benchmark import buy_and_hold
from trading_bot.backtest.facts import facts
from trading_bot.backtest.report import backtest_report
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import SESSIONS_PER_YEAR
from trading_bot.domain.records import TaskRun
from trading_bot.domain.values import Symbol
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.reviewing import material
from trading_bot.ports import Calendar, MarketSource


@dataclass(frozen=True)
class Period:
    """What a backtest runs over."""

    source: MarketSource
    calendars: Callable[[str], Calendar]
    symbols: Sequence[Symbol]
    first: date
    last: date


def check(period: Period) -> None:
    """Raise NoDataError if no symbol has a bar in the period, naming what there is; a symbol without any data raises too."""
    spans: dict[tuple[date, date], list[str]] = {}
    for symbol in period.symbols:
        series = period.source.bars(symbol, period.source.timeframes(symbol)[-1])
        days = series.frame.index
        spans.setdefault((days[0].date(), days[-1].date()), []).append(symbol)
    if not any(begin <= period.last and end >= period.first for begin, end in spans):
        have = "; ".join(f"{', '.join(symbols)} from {begin} to {end}" for (begin, end), symbols in spans.items())
        msg = f"there are no bars from {period.first} to {period.last}; the data have {have}"
        raise NoDataError(msg)


def report(desk: Desk, period: Period) -> dict[str, Any]:
    """Return the report of a finished run, buy and hold of the same symbols beside it."""
    everything = material(desk, period.first)
    found = facts(everything, period.first, period.last, desk.calendar.zone, periods_per_year=SESSIONS_PER_YEAR[desk.calendar.name])
    inside = everything.within(period.first, period.last, desk.calendar.zone)
    benchmark = buy_and_hold(period.source, period.symbols, period.first, period.last, period.calendars, everything.start)
    return backtest_report(desk.header(), found, inside, desk.journal.all(TaskRun), benchmark)
