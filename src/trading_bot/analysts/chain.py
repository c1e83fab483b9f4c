"""A chain of analysts: where one fails, the next is asked.

Promises that only a failure passes a question on: who refused or abstained has answered. Who answered, and why not who was before, is
part of the answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from trading_bot.domain.proposals import Outcome, Proposal
from trading_bot.domain.research import Analysis, Backtested, EntryPlan, Review, Screening, TradeIdea
from trading_bot.domain.running import RunningTrade
from trading_bot.domain.values import Record, Symbol
from trading_bot.ports import Analyst, Answer, Brief

T = TypeVar("T")


class FallbackAnalyst:
    """An `Analyst` of at least one other, the preferred one first."""

    def __init__(self, links: Sequence[Analyst], name: str = "auto") -> None:
        self.name = name
        self._links = tuple(links)

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Rank the universe."""
        return self._first(lambda link: link.screen(brief))

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Judge one symbol."""
        return self._first(lambda link: link.analyze(brief, symbol))

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Find entry, stop and targets."""
        return self._first(lambda link: link.optimize(brief, analysis))

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Look at open positions."""
        return self._first(lambda link: link.monitor(brief))

    def open_trade(self, brief: Brief) -> Answer[TradeIdea]:
        """Find the one trade to open now."""
        return self._first(lambda link: link.open_trade(brief))

    def watch_trade(self, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        """Look at a running trade."""
        return self._first(lambda link: link.watch_trade(brief, trade))

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:
        """Grade a period."""
        return self._first(lambda link: link.review(brief, facts))

    def backtest(self, brief: Brief, lineup: Record) -> Answer[Backtested]:
        """Judge backtests."""
        return self._first(lambda link: link.backtest(brief, lineup))

    def _first(self, ask: Callable[[Analyst], Answer[T]]) -> Answer[T]:
        notes: list[str] = []
        for link in self._links:
            answer = ask(link)
            if answer.outcome is not Outcome.FAILED:
                break
            notes.append(f"{answer.analyst} failed: {answer.note}")
        own = [answer.note] if answer.note and answer.outcome is not Outcome.FAILED else []
        return replace(answer, note="; ".join([*notes, *own]))
