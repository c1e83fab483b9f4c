"""The wired desk that workflows work with, and the one way in which they ask an analyst.

Promises that an analyst is asked once for each step of a task run: the answer is durable before it is used, and a task that is run
again after a crash gets the recorded answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from trading_bot.backtest.report import Header
from trading_bot.domain.mandate import Limits, Mode
from trading_bot.domain.proposals import Decision, Outcome
from trading_bot.domain.values import DecisionId, Symbol, canonical_json, derive_digest, derive_id
from trading_bot.execution.engine import Engine
from trading_bot.execution.session import Session
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.workflow import Workflow
from trading_bot.ports import Analyst, Brief, Calendar, Clock, Journal, View
from trading_bot.risk.halt import DeskSwitch

T = TypeVar("T")


class StoppedError(Exception):
    """The desk was asked to stop while a task waited. The task has not ended: the next start takes it up again."""


@dataclass(frozen=True)
class Desk:
    """Everything that a workflow may touch."""

    mode: Mode
    journal: Journal
    clock: Clock
    view: View
    analyst: Analyst
    engine: Engine
    switch: DeskSwitch
    session: Session
    workflow: Workflow
    calendar: Calendar
    """Of the schedule."""
    universe: Sequence[Symbol]
    reports: Path | None
    """Folder of the reports of days and weeks; None writes none (a backtest has one report of its own)."""
    header: Callable[[], Header]
    """What a report says of the desk, as of now."""
    limits: Limits
    """Only to wait for a sane market; the gate has the mandate's own."""
    daily_budget: Decimal
    """USD a day for models."""

    def fresh(self, symbol: Symbol) -> bool:
        """Whether there is a quote that is fresh now."""
        quote = self.view.quote(symbol)
        age = self.limits.quote_age_seconds
        return quote is not None and (age == "none" or self.clock.now() - quote.time <= timedelta(seconds=age))

    def tradable(self, symbol: Symbol) -> bool:
        """Whether a fresh quote with a sane spread says that an entry may be tried; the gate decides all the same."""
        quote = self.view.quote(symbol)
        if quote is None or not self.fresh(symbol):
            return False
        widest = self.limits.max_spread
        return widest == "none" or quote.spread <= quote.mid * widest

    def wait(self, moment: datetime) -> None:
        """Let trading time go on to `moment`, events booked on the way; StoppedError if the desk was asked to stop before."""
        self.session.wait(moment)
        if self.clock.now() < moment:
            raise StoppedError

    def brief(self, decision: DecisionId, universe: Sequence[Symbol] | None = None) -> Brief:
        """What the analyst is given."""
        return Brief(decision, self.view, self.engine.ledger.books, self.universe if universe is None else universe)

    def decide(
        self, slot: Slot, step: str, subject: str, kind: type[T], ask: Callable[[DecisionId], T | None]
    ) -> tuple[DecisionId, T | None]:
        """Return the decision's id and the analyst's answer, None if it abstained; asked at most once."""
        identity = DecisionId(derive_id(self.journal.desk, slot.id, step, subject))
        adapter = TypeAdapter(kind)
        known = self.journal.get(Decision, identity)
        if known is not None:
            return identity, adapter.validate_json(known.output) if known.outcome is Outcome.ANSWERED else None
        answer = ask(identity)
        output = "" if answer is None else canonical_json(adapter.dump_python(answer, mode="json"))
        self.journal.append(
            Decision(
                id=identity,
                at=self.clock.now(),
                task_run=slot.id,
                workflow=step,
                subject=subject,
                analyst=self.analyst.name,
                outcome=Outcome.ABSTAINED if answer is None else Outcome.ANSWERED,
                inputs=derive_digest(slot.id, step, subject, self.engine.ledger.books.canonical()),
                output=output,
            )
        )
        return identity, answer
