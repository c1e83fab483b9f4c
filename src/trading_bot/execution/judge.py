"""What the gate looks at, gathered: a proposal's situation in books, market, mandate and desk state.

Promises to change nothing: no journal, no order, no comparison with the venue. So it serves the engine, and who only wants to know what
the gate would say. Refuses to judge new risk without a mandate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.domain.books import Account
from trading_bot.domain.errors import DataError
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.market import Timeframe
from trading_bot.domain.proposals import Proposal, ProposalKind, Verdict
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.execution.ledger import Ledger
from trading_bot.execution.parts import Authority
from trading_bot.execution.protection import open_risk
from trading_bot.ports import Calendar, Clock, View
from trading_bot.risk.case import ALONE, Case, Consent, Situation
from trading_bot.risk.gate import Exit, Ruling, rule_on_entry, rule_on_exit, rule_unseen
from trading_bot.risk.halt import DeskSwitch
from trading_bot.risk.rules import DAY_TRADE_SESSIONS, DESK_RULES, reject

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Judge:
    """Judges proposals by the parts of one desk."""

    desk: str
    """Desk part of client order ids."""
    ledger: Ledger
    view: View
    clock: Clock
    switch: DeskSwitch
    authority: Authority
    calendars: Mapping[str, Calendar]
    sectors: Mapping[Symbol, str]
    account: Callable[[], Account]
    traits: Callable[[Symbol], VenueTraits]

    def preview(self, proposal: Proposal) -> Verdict:
        """What the gate would say now."""
        return self.rule(proposal).verdict

    def closed_door(self, symbol: Symbol) -> str:
        """What forbids any new position in the market of `symbol` now, whatever might be proposed; empty if nothing does."""
        mandate = self.authority.mandate
        if mandate is None:
            return self.authority.why_not or "there is no mandate"
        situation = self._situation(mandate, self.view.instrument(symbol).calendar, symbol)
        found = (rule(situation) for rule in DESK_RULES)
        return "; ".join(f"{f.rule}: {f.actual} (limit {f.limit})" for f in found if f is not None)

    def rule(self, proposal: Proposal, consent: Consent = ALONE) -> Ruling:
        """The gate's ruling now, with the orders that it would allow."""
        if proposal.action is not ProposalKind.OPEN:
            return rule_on_exit(proposal, self.exit(proposal.symbol))
        mandate = self.authority.mandate
        if mandate is None:
            missing = reject("mandate", "a signed mandate", self.authority.why_not or "none")
            return rule_unseen(proposal, self.clock.now(), missing, consent)
        if proposal.symbol not in mandate.universe:
            # Before anything is looked up by it: a name from outside may be anything, and a source may know every name.
            return rule_unseen(proposal, self.clock.now(), reject("universe", "symbols of the mandate", proposal.symbol), consent)
        instrument = self.view.instrument(proposal.symbol)
        situation = self._situation(mandate, instrument.calendar, proposal.symbol)
        quote, contract = self.view.quote(proposal.symbol), self.view.contract(proposal.symbol)
        mark = None if contract is None else contract.mark
        return rule_on_entry(Case(proposal, situation, instrument, quote, consent, self.traits(proposal.symbol), mark), self.desk)

    def exit(self, symbol: Symbol) -> Exit:
        """What a ruling on an exit looks at."""
        now = self.clock.now()
        return Exit(
            desk=self.desk,
            now=now,
            instrument=self.view.instrument(symbol),
            position=self.ledger.books.positions.get(symbol),
            working=self.ledger.books.working_orders(symbol),
            price=newest_price(self.view, symbol),
            traits=self.traits(symbol),
            leaving=self.ledger.leaving(symbol, now),
        )

    def marks(self) -> dict[Symbol, Decimal]:
        """Newest visible price of every held symbol: the quote's middle, else the last close, else the average price."""
        return {s: newest_price(self.view, s) or p.average_price for s, p in self.ledger.books.positions.items()}

    def _situation(self, mandate: Mandate, calendar: str, symbol: Symbol) -> Situation:
        ledger, now = self.ledger, self.clock.now()
        session = self.calendars[calendar].session_at(now)
        pending = ledger.pending_entries(now)
        opened = now if session is None else self.calendars[calendar].hours(session)[0]
        window = _opening_ago(self.calendars[calendar], now, DAY_TRADE_SESSIONS)
        return Situation(
            now=now,
            session=session,
            mandate=mandate,
            mandate_expired=self.authority.expired,
            desk_state=self.switch.state(),
            books=ledger.books,
            account=self.account(),
            marks=self.marks(),
            sectors={s: self.sectors.get(s, "unknown") for s in {symbol, *ledger.books.positions, *pending}},
            open_risk=open_risk(ledger.books) + sum((risk for _, risk in pending.values()), ZERO),
            pending={s: value for s, (value, _) in pending.items()},
            history=tuple(ledger.trades.closed),
            day_trades=ledger.day_trades_since(window),
            entries_today=ledger.entries_since(opened),
            orders_last_minute=ledger.orders_since(now - _MINUTE),
            equity_high=ledger.equity_high,
            equity_last_close=ledger.equity_last_close,
            suspended=frozenset(ledger.suspended),
        )


def newest_price(view: View, symbol: Symbol) -> Decimal | None:
    """The middle of the newest quote, else the last close; None if there is neither, or the source does not say: a stop needs no price."""
    try:
        quote = view.quote(symbol)
        if quote is not None:
            return quote.mid
        bars = view.bars(symbol, Timeframe.DAY, 1)
    except DataError:
        return None
    return None if bars.empty else view.instrument(symbol).round_price(float(bars["close"].iloc[-1]))


def _opening_ago(calendar: Calendar, now: datetime, sessions: int) -> datetime:
    """Opening of the first of the last `sessions` sessions, today's included."""
    day = now.date() + timedelta(days=1)
    for _ in range(sessions):
        day = calendar.previous_session(day)
    return calendar.hours(day)[0]
