"""The parts of a desk that its tools look at, running or not."""

from dataclasses import dataclass

from trading_bot.backtest.facts import Material
from trading_bot.domain.books import Books
from trading_bot.domain.proposals import Decision, Proposal, Verdict
from trading_bot.domain.records import EquityPoint
from trading_bot.execution.judge import Judge
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Authority
from trading_bot.ports import Brief, Calendar, Journal
from trading_bot.tools.scope import Scope


@dataclass(frozen=True)
class Bench:
    """The parts of a desk that its tools look at."""

    journal: Journal
    ledger: Ledger
    calendar: Calendar
    authority: Authority
    judge: Judge

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
            preview=self.judge.preview,
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
