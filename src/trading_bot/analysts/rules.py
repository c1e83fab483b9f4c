"""The rules analyst: the published scoring rules of each persona, as pure code.

Embedded default, fallback, and the shadow that answers beside a model. Promises the same answer for the same brief. Refuses to
size or to send anything: it proposes.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Never, TypeVar

import pandas as pd

from trading_bot.analysts import rules_coins
from trading_bot.analysts.exits import Exit, proposed
from trading_bot.backtest.facts import Facts
from trading_bot.backtest.lineup import Lineup, assess
from trading_bot.backtest.review import review as review_facts
from trading_bot.domain.books import Position
from trading_bot.domain.errors import StorageError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.proposals import Outcome, Proposal, ProposalKind
from trading_bot.domain.research import Analysis, Backtested, EntryPlan, Review, Screening, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Record, Symbol
from trading_bot.market.analysis import analyze
from trading_bot.market.entry import plan_entry
from trading_bot.market.regime import market_regime
from trading_bot.market.screen import screen
from trading_bot.market.snapshot import take
from trading_bot.news.signals import Signals, combine
from trading_bot.ports import Answer, Brief, NewsView

T = TypeVar("T")

_STRATEGY = "momentum"
_HORIZON = timedelta(days=28)
"""About twenty sessions: the horizon that its own proposals state."""


class RulesAnalyst:
    """An `Analyst` without a model. `signals`: whether and how news enter its analyses; None: they do not."""

    name = "rules"

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Rank what is not held yet by the momentum score."""
        return self._answer(screen(brief.view, [s for s in brief.universe if s not in brief.books.positions]))

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Judge one symbol by its signals; abstain where its history is too short or its spread unknown."""
        snapshot, quote = take(brief.view, symbol), brief.view.quote(symbol)
        if snapshot is None or quote is None:
            return self._abstain(f"{symbol} has too short a history, or no quote")
        found = analyze(snapshot, market_regime(brief.view, brief.universe), float(quote.spread))
        return self._answer(found) if self._signals is None or brief.news is None else _with_news(found, brief.news, self._signals)

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Plan entry, stop and targets."""
        snapshot = take(brief.view, analysis.symbol)
        if snapshot is None:
            return self._abstain(f"{analysis.symbol} has too short a history")
        instrument = brief.view.instrument(analysis.symbol)
        plan = plan_entry(analysis, snapshot, instrument, market_regime(brief.view, brief.universe))
        return self._abstain(f"no sound plan for {analysis.symbol}") if plan is None else self._answer(plan)

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Look at every position that has a price: close what has lost its reason, follow with the stop what has paid."""
        held = [p for s, p in sorted(brief.books.positions.items()) if s in brief.universe]
        return self._answer(tuple(proposal for p in held if (proposal := self._look_at(brief, p)) is not None))

    def open_trade(self, brief: Brief) -> Answer[TradeIdea]:
        """Find the one trade in a coin to open now."""
        return self._answer(rules_coins.open_trade(brief))

    def watch_trade(self, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        """Look at a running trade by the rules of `docs/scoring.md`."""
        position = brief.books.positions.get(trade.symbol)
        if position is None or position.side is not trade.side:
            return self._abstain(f"the {trade.side} of {trade.symbol} is over")
        wanted = rules_coins.watch_trade(brief, trade)
        return self._answer(() if wanted is None else (proposed(brief, self.name, wanted),))

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:  # noqa: ARG002 - the port's signature
        """Grade a period by the table of `docs/scoring.md`."""
        return self._answer(review_facts(facts)) if isinstance(facts, Facts) else self._abstain("these are no facts of a period")

    def backtest(self, brief: Brief, lineup: Record) -> Answer[Backtested]:  # noqa: ARG002 - the port's signature
        """Trust what validation passed, and nothing else."""
        return self._answer(assess(lineup)) if isinstance(lineup, Lineup) else self._abstain("these are no backtests")

    def _answer(self, value: T) -> Answer[T]:
        return Answer(value, Outcome.ANSWERED, self.name)

    def _abstain(self, note: str) -> Answer[Never]:
        return Answer(None, Outcome.ABSTAINED, self.name, note=note)

    def _look_at(self, brief: Brief, position: Position) -> Proposal | None:
        reason = _why_close(brief, position)
        if reason is not None:
            return self._propose(brief, position, ProposalKind.CLOSE, reason)
        stop = brief.books.stops.get(position.symbol)
        sign = position.side.sign
        entry = brief.view.instrument(position.symbol).round_price(position.average_price)
        if position.symbol in brief.books.paid and stop is not None and (entry - stop) * sign > 0:
            return self._propose(brief, position, ProposalKind.MOVE_STOP, "the first target has paid: stop to the entry price", entry)
        return None

    def _propose(self, brief: Brief, position: Position, action: ProposalKind, reason: str, stop: Decimal | None = None) -> Proposal:
        return proposed(brief, self.name, Exit(position.symbol, position.side, _STRATEGY, action, reason, stop))


def _with_news(found: Analysis, news: NewsView, signals: Signals) -> Answer[Analysis]:
    """The analysis by the arm that the symbol is in today; in the one with news it owes something to their articles."""
    if signals.arm(found.symbol, news.now().date()) != "combined":
        return Answer(found, Outcome.ANSWERED, RulesAnalyst.name)
    try:
        reading = news.reading(found.symbol)
    except StorageError:
        return Answer(found, Outcome.ANSWERED, RulesAnalyst.name, note="by prices alone, for the news cannot be read")
    combined = combine(found, reading, signals.weight)
    return Answer(combined, Outcome.ANSWERED, RulesAnalyst.name, taint=(f"news of {found.symbol} as of {reading.as_of.isoformat()}",))


def _why_close(brief: Brief, position: Position) -> str | None:
    """The horizon is over, or the trend that was the reason is gone on the last close."""
    if brief.view.now() - position.opened_at >= _HORIZON:
        return "the horizon is over"
    last = brief.view.indicators(position.symbol, Timeframe.DAY).tail(1)
    bars = brief.view.bars(position.symbol, Timeframe.DAY, 1)
    if last.empty or bars.empty or pd.Timestamp(bars.index[-1]) <= pd.Timestamp(position.opened_at):
        return None
    close, sign = float(bars["close"].iloc[-1]), position.side.sign
    lost = (close - float(last["sma_20"].iloc[0])) * sign < 0 and float(last["macd_histogram"].iloc[0]) * sign < 0
    return "trend lost: the last close is behind its 20-day average, and MACD behind its signal" if lost else None
