"""The trade that runs, put together from books and journal: whether there is one, who opened it, what was decided since.

Promises that it is over when the books are flat, whatever anybody says. Refuses to remember more than the last looks: what runs for weeks
must not grow.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import TypeAdapter

from trading_bot.domain.books import Position
from trading_bot.domain.proposals import Decision, Outcome, Proposal, Verdict
from trading_bot.domain.records import Transition, Trouble
from trading_bot.domain.running import RunningTrade, Turn
from trading_bot.domain.values import DecisionId, Symbol, TaskRunId, derive_id
from trading_bot.execution.ledger import Ledger
from trading_bot.ports import Journal
from trading_bot.risk.gate import verdict_id
from trading_bot.settings import TraderSettings

WATCH = "watch"
_KEPT = 8
"""Looks that a fresh conversation is told of."""
_LONGEST = 200
_PROPOSALS = TypeAdapter(tuple[Proposal, ...])


class TradeLog:
    """Looks at the running trade, newest last; begun anew with each trade, rebuilt from the journal at a start."""

    def __init__(self, journal: Journal, ledger: Ledger, since: datetime) -> None:
        self._journal = journal
        self._ledger = ledger
        self._turns: deque[tuple[Symbol, Turn]] = deque(maxlen=_KEPT)
        self._rates: dict[str, Decimal] = {}
        """Funding rates as of the last look at each symbol."""
        for move in journal.since(Transition, since):
            self.note_rate(move.context.get("symbol", ""), move.context.get("funding", ""))
        for decision in journal.since(Decision, since):
            if decision.workflow == WATCH:
                self.note(decision)

    def note(self, decision: Decision) -> None:
        """Take in a look at the trade, after the gate has judged what came of it."""
        turn = Turn(at=decision.at, who=decision.analyst, said=self._told(decision))
        if not self._turns or self._turns[-1][1].at != turn.at:
            self._turns.append((Symbol(decision.subject), turn))

    def note_rate(self, symbol: str, rate: str) -> None:
        """Remember a symbol's funding rate, as the look's context tells it; empty tells none."""
        if symbol and rate:
            self._rates[symbol] = Decimal(rate)

    def rate(self, symbol: Symbol) -> Decimal | None:
        """The funding rate at the last look; None if it was not told."""
        return self._rates.get(symbol)

    def trade(self) -> RunningTrade | None:
        """The position that is held, the first by name if somebody holds several; None if the books are flat."""
        positions = self._ledger.books.positions
        return None if not positions else self._running(positions[min(positions)])

    def _running(self, position: Position) -> RunningTrade:
        symbol, stop = position.symbol, self._ledger.books.stops.get(position.symbol)
        intent = self._ledger.newest_entry(symbol)
        opened = None if intent is None else self._journal.get(Proposal, intent.order.proposal_id)
        return RunningTrade(
            id=DecisionId(derive_id("trade", symbol, position.opened_at.isoformat())) if opened is None else opened.decision_id,
            symbol=symbol,
            side=position.side,
            quantity=abs(position.quantity),
            entry=position.average_price,
            opened_at=position.opened_at,
            first_stop=None if opened is None else opened.stop_loss,
            stop=stop,
            targets=() if opened is None else opened.targets,
            confidence=0.0 if opened is None else opened.confidence,
            thesis="" if opened is None else opened.thesis,
            turns=tuple(turn for s, turn in self._turns if s == symbol and turn.at >= position.opened_at),
        )

    def _told(self, decision: Decision) -> str:
        if decision.outcome is not Outcome.ANSWERED:
            return f"{decision.outcome}: {decision.note}"[:_LONGEST]
        proposals = _PROPOSALS.validate_json(decision.output)
        if not proposals:
            return "hold"
        verdicts = ((p, self._journal.get(Verdict, verdict_id(p.id))) for p in proposals)
        return "; ".join(f"{p.action} ({'not judged' if v is None else v.outcome}): {p.thesis}" for p, v in verdicts)[:_LONGEST]


class Streak:
    """Failed looks in a row, across restarts: each is journaled, and so is the first one after them that did not fail."""

    def __init__(self, journal: Journal, since: datetime) -> None:
        self._journal = journal
        known = journal.since(Trouble, since)
        self.number = known[-1].number if known else 0

    def note(self, task_run: TaskRunId, failed: str, now: datetime) -> int:
        """Take in how a look ended, `failed` saying why if it did; return how many have failed in a row now."""
        number = self.number + 1 if failed else 0
        if number or self.number:
            self._journal.append(Trouble(at=now, task_run=task_run, number=number, what=failed))
        self.number = number
        return number


@dataclass(frozen=True)
class Trader:
    """What a desk that goes round the clock has besides."""

    settings: TraderSettings
    log: TradeLog
    streak: Streak
