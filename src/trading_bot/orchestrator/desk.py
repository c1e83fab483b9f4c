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

from trading_bot.backtest.lab import Lab
from trading_bot.backtest.report import Header
from trading_bot.domain.errors import ConfigError, StoppedError
from trading_bot.domain.mandate import Limits, Mode
from trading_bot.domain.proposals import Decision, Outcome, Shadow
from trading_bot.domain.values import DecisionId, Symbol, canonical_json, derive_digest, derive_id
from trading_bot.execution.engine import Engine
from trading_bot.execution.session import Session
from trading_bot.orchestrator.running import Trader
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.workflow import Workflow
from trading_bot.ports import Analyst, Answer, Approver, Brief, Calendar, Clock, Journal, NewsView, View
from trading_bot.risk.halt import DeskSwitch

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """Everything that a workflow may touch."""

    mode: Mode
    journal: Journal
    clock: Clock
    view: View
    analyst: Analyst
    approver: Approver | None
    """A second judge of what is about to be entered; None where nobody sits there."""
    engine: Engine
    switch: DeskSwitch
    session: Session
    workflow: Workflow
    calendar: Calendar
    """Of the schedule."""
    universe: Sequence[Symbol]
    news: Callable[[], NewsView | None]
    """The news as of the clock, None where nobody reads any."""
    lab: Lab | None
    """Where the week's end tries alternatives; None where it shall not."""
    reports: Path | None
    """Folder of the reports of days and weeks; None writes none (a backtest has one report of its own)."""
    header: Callable[[], Header]
    """What a report says of the desk, as of now."""
    limits: Limits
    """Only to wait for a sane market; the gate has the mandate's own."""
    trader: Trader | None
    """None: it keeps an exchange's hours."""
    daily_budget: Decimal
    """USD a day for models."""
    spent_today: Callable[[], Decimal]
    """USD of it that are spent or reserved, by wall time."""

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

    def brief(self, decision: DecisionId, universe: Sequence[Symbol] | None = None, *, woken_by: str = "") -> Brief:
        """What the analyst is given."""
        chosen = self.universe if universe is None else universe
        return Brief(decision, self.view, self.engine.ledger.books, chosen, self.news(), woken_by)

    @property
    def round_the_clock(self) -> Trader:
        """What a desk of coins has. ConfigError for one that keeps an exchange's hours."""
        if self.trader is None:
            raise ConfigError("this desk keeps an exchange's hours; one that goes round the clock is of `desk: coins`")
        return self.trader

    def has_decided(self, slot: Slot, step: str, subject: str) -> bool:
        """Whether this was asked already, perhaps by a process that died since."""
        return self.journal.get(Decision, self._identity(slot, step, subject)) is not None

    def _identity(self, slot: Slot, step: str, subject: str) -> DecisionId:
        return DecisionId(derive_id(self.journal.desk, slot.id, step, subject))

    def decide(
        self, slot: Slot, step: str, subject: str, kind: type[T], ask: Callable[[DecisionId], Answer[T]]
    ) -> tuple[Decision, T | None]:
        """Return the decision and the analyst's answer, None if there is none; asked at most once."""
        identity = self._identity(slot, step, subject)
        adapter = TypeAdapter(kind)
        known = self.journal.get(Decision, identity)
        if known is not None:
            return known, adapter.validate_json(known.output) if known.outcome is Outcome.ANSWERED else None
        answer = self.session.attend(lambda: ask(identity))
        decision = Decision(
            id=identity,
            at=self.clock.now(),
            task_run=slot.id,
            workflow=step,
            subject=subject,
            analyst=answer.analyst,
            model=answer.model,
            outcome=answer.outcome,
            inputs=derive_digest(slot.id, step, subject, self.engine.ledger.books.canonical()),
            output=_written(adapter, answer),
            evidence=answer.evidence,
            taint=answer.taint,
            note=answer.note,
        )
        self.journal.append(decision, *_shadows(adapter, decision, answer))
        return decision, answer.value


def _written(adapter: TypeAdapter[T], answer: Answer[T]) -> str:
    return "" if answer.value is None else canonical_json(adapter.dump_python(answer.value, mode="json"))


def _shadows(adapter: TypeAdapter[T], decision: Decision, answer: Answer[T]) -> tuple[Shadow, ...]:
    """What the rules said beside it, if they were asked."""
    if answer.shadow is None:
        return ()
    shadow = Shadow(
        at=decision.at,
        decision_id=decision.id,
        workflow=decision.workflow,
        subject=decision.subject,
        analyst=answer.shadow.analyst,
        outcome=answer.shadow.outcome,
        output=_written(adapter, answer.shadow),
    )
    return (shadow,)
