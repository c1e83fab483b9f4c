"""The parts of a desk that its tools look at, running or not: all as of the moment of the brief, and none that could act."""

from dataclasses import dataclass, replace
from datetime import datetime

from trading_bot.backtest.facts import Material
from trading_bot.backtest.lab import Lab
from trading_bot.domain.books import Books
from trading_bot.domain.errors import ClockError
from trading_bot.domain.proposals import Decision, Proposal, Verdict
from trading_bot.domain.records import EquityPoint
from trading_bot.execution.judge import Judge
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Authority
from trading_bot.ports import Brief, Calendar, Journal
from trading_bot.tools.scope import Scope


@dataclass(frozen=True)
class Standing:
    """A clock that stands: where a simulated desk was left, or at the moment of the question."""

    moment: datetime
    simulated: bool

    def now(self) -> datetime:
        """The moment."""
        return self.moment

    def sleep_until(self, moment: datetime) -> None:
        """Nobody waits on a clock that stands."""
        raise ClockError(f"this clock stands at {self.moment.isoformat()}, and was asked to go to {moment.isoformat()}")


@dataclass(frozen=True)
class Bench:
    """The parts of a desk that its tools look at."""

    journal: Journal
    ledger: Ledger
    calendar: Calendar
    authority: Authority
    judge: Judge
    lab: Lab

    def scope(self, brief: Brief) -> Scope:
        """What the tools of one run see, as of the brief's view."""
        return Scope(
            decision=brief.decision_id,
            view=brief.view,
            universe=brief.universe,
            calendar=self.calendar,
            material=material_of(self.journal, self.ledger, self.ledger.books),
            decisions=self.journal.all(Decision),
            mandate=self.authority.mandate,
            preview=replace(self.judge, view=brief.view, clock=Standing(brief.view.now(), simulated=True)).preview,
            lab=self.lab,
            news=None if brief.news is None else brief.news.frozen(brief.view.now()),
        )


def material_of(journal: Journal, ledger: Ledger, books: Books) -> Material:
    """Everything that reviews and tools look at, with these books."""
    return Material(
        start=ledger.deposit,
        points=journal.all(EquityPoint),
        trades=tuple(ledger.trades.closed),
        proposals=journal.all(Proposal),
        verdicts=journal.all(Verdict),
        events=tuple(ledger.events),
        books=books,
    )
