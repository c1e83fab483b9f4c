"""An analyst with the rules beside it: what they would have said is kept, and never traded on.

Promises that the shadow changes no answer. Refuses a shadow where the rules themselves answered: there is nothing to compare.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from trading_bot.domain.proposals import Proposal
from trading_bot.domain.research import Analysis, Backtested, EntryPlan, Review, Screening, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Record, Symbol
from trading_bot.ports import Analyst, Answer, Brief

T = TypeVar("T")


class ShadowedAnalyst:
    """`main`, with what `rules` say to the same questions."""

    def __init__(self, main: Analyst, rules: Analyst) -> None:
        self.name = main.name
        self._main = main
        self._rules = rules

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Rank the universe."""
        return self._beside(self._main.screen(brief), lambda: self._rules.screen(brief))

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Judge one symbol."""
        return self._beside(self._main.analyze(brief, symbol), lambda: self._rules.analyze(brief, symbol))

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Find entry, stop and targets; the shadow does by the rules' own analysis."""
        return self._beside(self._main.optimize(brief, analysis), lambda: self._planned(brief, analysis.symbol))

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Look at open positions."""
        return self._main.monitor(brief)

    def open_trade(self, brief: Brief) -> Answer[TradeIdea]:
        """Find the one trade to open now."""
        return self._beside(self._main.open_trade(brief), lambda: self._rules.open_trade(brief))

    def watch_trade(self, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        """Look at a running trade."""
        return self._beside(self._main.watch_trade(brief, trade), lambda: self._rules.watch_trade(brief, trade))

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:
        """Grade a period."""
        return self._beside(self._main.review(brief, facts), lambda: self._rules.review(brief, facts))

    def backtest(self, brief: Brief, lineup: Record) -> Answer[Backtested]:
        """Judge backtests."""
        return self._beside(self._main.backtest(brief, lineup), lambda: self._rules.backtest(brief, lineup))

    def _beside(self, answer: Answer[T], ask: Callable[[], Answer[T]]) -> Answer[T]:
        return answer if answer.analyst == self._rules.name else replace(answer, shadow=ask())

    def _planned(self, brief: Brief, symbol: Symbol) -> Answer[EntryPlan]:
        own = self._rules.analyze(brief, symbol)
        return Answer(None, own.outcome, own.analyst, note=own.note) if own.value is None else self._rules.optimize(brief, own.value)
