"""Who proposes, who judges beside them, and the tools that a model may use."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from trading_bot.domain.proposals import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading_bot.domain.books import Books
    from trading_bot.domain.proposals import Proposal, Verdict
    from trading_bot.domain.research import Analysis, Backtested, EntryPlan, Opinion, Review, Screening, TradeIdea
    from trading_bot.domain.running import RunningTrade
    from trading_bot.domain.tooling import ToolCall
    from trading_bot.domain.values import DecisionId, EvidenceId, Record, Symbol
    from trading_bot.ports.market import View
    from trading_bot.ports.news import NewsView

A_co = TypeVar("A_co", covariant=True)


@dataclass(frozen=True)
class Brief:
    """What an analyst is given for one step."""

    decision_id: DecisionId
    view: View
    books: Books
    universe: Sequence[Symbol]
    news: NewsView | None = None
    """As of the view's time; None where nobody reads news."""
    woken_by: str = ""
    """Why somebody is asked now and not at the next look, in words; empty at a look of its own time."""


@dataclass(frozen=True)
class Answer(Generic[A_co]):
    """What an analyst said: a value if, and only if, it answered."""

    value: A_co | None
    outcome: Outcome
    analyst: str
    """Who really answered: the link of a chain, not the chain."""
    model: str | None = None
    evidence: tuple[EvidenceId, ...] = ()
    """Ids of the recorded tool results that it rests on."""
    taint: tuple[str, ...] = ()
    """Tool results and articles among what it was told that go back to texts from outside."""
    note: str = ""
    """Why there is no value, or why somebody else answered; the same for the same answer, so without times, paths and money."""
    shadow: Answer[A_co] | None = field(default=None, compare=False)
    """What the rules said to the same question."""


class Analyst(Protocol):
    """Who proposes. Answers are typed and the same, whoever answers.

    Reads only through the brief's view; keeps nothing between calls. Never raises for a model that failed, refused or was too
    dear: that is an outcome. DataError passes through.
    """

    name: str

    def screen(self, brief: Brief) -> Answer[Screening]:
        """Rank the universe."""

    def analyze(self, brief: Brief, symbol: Symbol) -> Answer[Analysis]:
        """Judge one symbol."""

    def optimize(self, brief: Brief, analysis: Analysis) -> Answer[EntryPlan]:
        """Find entry, stop and targets."""

    def monitor(self, brief: Brief) -> Answer[tuple[Proposal, ...]]:
        """Look at open positions; propose to close, reduce or move stops."""

    def open_trade(self, brief: Brief) -> Answer[TradeIdea]:
        """Of a desk that is flat and goes round the clock: find the one trade to open now, or say that there is none."""

    def watch_trade(self, brief: Brief, trade: RunningTrade) -> Answer[tuple[Proposal, ...]]:
        """Look at a running trade: nothing to hold it, else at most one proposal to move its stop, reduce or close it.

        Who opened the trade watches it, in the same conversation where there is one.
        """

    def review(self, brief: Brief, facts: Record) -> Answer[Review]:
        """Grade a period from its facts (`backtest.facts.Facts`, a room that ports cannot name)."""

    def backtest(self, brief: Brief, lineup: Record) -> Answer[Backtested]:
        """Say how far to trust the best of several backtests (`backtest.lineup.Lineup`, a room that ports cannot name)."""


class Approver(Protocol):
    """A second judge beside the one who proposed, within the mandate and never beyond it."""

    name: str

    def consider(self, brief: Brief, proposal: Proposal, preview: Verdict) -> Answer[Opinion]:
        """Approve what would need approval, veto what would not, or have no opinion. `preview`: what the gate says without it."""


@dataclass(frozen=True)
class ToolGrant:
    """What one run of a model may use: which tools, as of the brief's time, for which decision."""

    brief: Brief
    tools: tuple[str, ...]


class ToolAccess(Protocol):
    """An open grant: where the tools are served, and what was asked of them."""

    url: str
    token: str
    """Opens these tools, at this time, until the grant is closed."""

    def calls(self) -> tuple[ToolCall, ...]:
        """Every call so far, in order, as it was answered."""


class ToolHost(Protocol):
    """Serves read-only tools to a model's process, on loopback. What acts (`propose_trade`) is never granted."""

    def open(self, grant: ToolGrant) -> AbstractContextManager[ToolAccess]:
        """Serve the granted tools until the block ends. ToolFailedError for a tool that there is not, or that acts."""

    def schemas(self, tools: Sequence[str]) -> Sequence[dict[str, object]]:
        """Name, description and input schema of each tool, as the model is told them; part of a request's fingerprint."""
