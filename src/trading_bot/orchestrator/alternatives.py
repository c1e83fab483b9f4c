"""The week's end tries alternatives: what lost in the week is run again by every shipped strategy that reads prices alone, over a year.

Promises the worst symbols first, by the closed trades of the week up to the task's own time, and one recorded judgement of each: a task
that is run again asks about the same symbols and gets the recorded answers. Refuses to trade on any of it, and to fail the week for a
symbol that cannot be run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading_bot.backtest.lab import Experiment, Lab
from trading_bot.backtest.lineup import Lineup, line_up
from trading_bot.domain.errors import BadBarsError, NoDataError, ResearchError
from trading_bot.domain.proposals import Outcome
from trading_bot.domain.research import Backtested
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ZERO, Amount, DecisionId, Record, Symbol
from trading_bot.orchestrator.desk import Desk
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.plugins import PRICE_ONLY
from trading_bot.ports import Answer

MOST = 3
"""Symbols of a week."""
PERIOD = "1y"
OFF = "backtests of alternatives are switched off"


class Alternative(Record):
    """A symbol that lost in the week, and what came of the alternatives."""

    symbol: Symbol
    profit: Amount
    """Of the week's closed trades."""
    backtested: Backtested | None
    note: str
    """Why there is no answer."""


@dataclass(frozen=True)
class Tries:
    """What a week's end tried."""

    alternatives: Sequence[Alternative]
    told: str
    """In words, for the task."""


def try_alternatives(desk: Desk, slot: Slot, trades: Iterable[RoundTrip]) -> Tries:
    """Backtest alternatives for the worst of the week's `trades`."""
    if desk.lab is None:
        return Tries((), OFF)
    lost = losers(t for t in trades if t.closed_at <= slot.due)
    found = [_try(desk, slot, desk.lab, symbol, profit) for symbol, profit in lost]
    said = ", ".join(f"{a.symbol} {a.backtested.verdict if a.backtested else 'unanswered'}" for a in found)
    return Tries(found, f"alternatives: {said}" if found else "no symbol lost, so no alternatives were tried")


def losers(trades: Iterable[RoundTrip]) -> list[tuple[Symbol, Decimal]]:
    """Symbols whose trades lost money, with the sum, worst first, `MOST` at most; equals by name."""
    sums: dict[Symbol, Decimal] = {}
    for trade in trades:
        sums[trade.symbol] = sums.get(trade.symbol, ZERO) + trade.profit
    return sorted(((s, p) for s, p in sums.items() if p < 0), key=lambda one: (one[1], one[0]))[:MOST]


def alternatives(lab: Lab, symbol: Symbol, now: datetime) -> Lineup:
    """Every shipped strategy that reads prices alone, on `symbol`, over the last year."""
    return line_up(lab, PRICE_ONLY, Experiment("", (symbol,), period=PERIOD), now)


def _try(desk: Desk, slot: Slot, lab: Lab, symbol: Symbol, profit: Decimal) -> Alternative:
    def ask(identity: DecisionId) -> Answer[Backtested]:
        try:
            found = alternatives(lab, symbol, desk.clock.now())
        except (BadBarsError, NoDataError, ResearchError) as error:
            return Answer(None, Outcome.ABSTAINED, desk.analyst.name, note=str(error))
        return desk.analyst.backtest(desk.brief(identity), found)

    decision, answer = desk.decide(slot, "backtest", symbol, Backtested, ask)
    return Alternative(symbol=symbol, profit=profit, backtested=answer, note=decision.note)
