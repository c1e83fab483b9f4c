"""A case before the gate: one proposal to open, and everything that a rule may look at.

A case is complete and still: rules are pure functions of it. Money is in the account's currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from trading_bot.domain.books import Account, Books
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Discipline, Limits, Mandate
from trading_bot.domain.margin import turns
from trading_bot.domain.market import Quote
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Proposal
from trading_bot.domain.records import DeskState
from trading_bot.domain.research import Judgement, Opinion
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.traits import PAPER, VenueTraits
from trading_bot.domain.values import ZERO, Symbol


@dataclass(frozen=True)
class Situation:
    """What holds for the whole desk at one moment."""

    now: datetime
    """Trading time."""
    session: date | None
    """The session that is open now."""
    mandate: Mandate
    mandate_expired: bool
    desk_state: DeskState
    books: Books
    account: Account
    marks: Mapping[Symbol, Decimal]
    """Newest visible price of every held symbol."""
    sectors: Mapping[Symbol, str]
    """Sector of every symbol that is held, being entered or proposed."""
    open_risk: Decimal
    """Loss if every stop of positions and working entries is hit."""
    pending: Mapping[Symbol, Decimal]
    """Value of working entries by symbol."""
    history: tuple[RoundTrip, ...]
    """Closed trades, oldest first."""
    day_trades: int
    """Round trips opened and closed in one session, over the last `DAY_TRADE_SESSIONS` sessions."""
    entries_today: int
    orders_last_minute: int
    equity_high: Decimal
    equity_last_close: Decimal
    suspended: frozenset[str] = field(default_factory=frozenset)
    """Strategies that discipline has stopped."""

    @property
    def limits(self) -> Limits:
        """The mandate's limits."""
        return self.mandate.limits

    @property
    def discipline(self) -> Discipline:
        """The mandate's brakes on behaviour."""
        return self.mandate.discipline

    @cached_property
    def equity(self) -> Decimal:
        """Equity at the marks."""
        return self.books.equity(self.marks)

    @property
    def losing_streak(self) -> int:
        """Number of losses in a row at the end of `history`."""
        return losing_streak(self.history)


@dataclass(frozen=True)
class Consent:
    """Who else has spoken on a proposal: a person, and a second judge who is not its proposer."""

    person: bool = False
    """Whether the operator approved it."""
    opinion: Opinion | None = None

    @property
    def lifts_cap(self) -> bool:
        """Whether it may be larger than what needs no approval."""
        return self.person or (self.opinion is not None and self.opinion.judgement is Judgement.APPROVE)

    @property
    def veto(self) -> str | None:
        """The second judge's reason not to do it."""
        return self.opinion.reason if self.opinion is not None and self.opinion.judgement is Judgement.VETO else None


ALONE = Consent()
"""Nobody else has spoken."""


@dataclass(frozen=True)
class Case:
    """One proposal in its situation."""

    proposal: Proposal
    situation: Situation
    instrument: Instrument
    quote: Quote | None
    consent: Consent = ALONE
    traits: VenueTraits = PAPER
    mark: Decimal | None = None
    """Price by which a perpetual's venue liquidates; None where it does not say, or for anything else."""

    @property
    def limits(self) -> Limits:
        """The mandate's limits."""
        return self.situation.limits

    @property
    def discipline(self) -> Discipline:
        """The mandate's brakes on behaviour."""
        return self.situation.discipline

    @property
    def symbol(self) -> Symbol:
        """What is to be opened."""
        return self.proposal.symbol

    @cached_property
    def price(self) -> Decimal:
        """Price that the entry is reckoned with: what it would pay now, or its limit; 0 without a quote."""
        if self.proposal.style is EntryStyle.PULLBACK and self.proposal.entry is not None:
            return self.proposal.entry
        if self.quote is None:
            return ZERO
        return self.quote.ask if self.proposal.side is Side.BUY else self.quote.bid

    @cached_property
    def risk_per_share(self) -> Decimal:
        """Loss of one share at the stop; not above 0 if the price is already beyond it."""
        return (self.price - (self.proposal.stop_loss or self.price)) * self.proposal.side.sign

    @property
    def turns(self) -> Decimal:
        """What the position may be worth, as a multiple of what it takes from the available balance."""
        return turns(self.instrument, self.proposal.side)

    @property
    def held(self) -> Decimal:
        """Absolute value held of the symbol already, working entries included."""
        position = self.situation.books.positions.get(self.symbol)
        value = abs(position.market_value(self.situation.marks[self.symbol])) if position else ZERO
        return value + self.situation.pending.get(self.symbol, ZERO)

    @property
    def gross(self) -> Decimal:
        """Absolute value of all positions and working entries."""
        marks, positions = self.situation.marks, self.situation.books.positions.items()
        return sum((abs(p.market_value(marks[s])) for s, p in positions), sum(self.situation.pending.values(), ZERO))


def losing_streak(history: tuple[RoundTrip, ...]) -> int:
    """Number of losses since the last trade that did not lose."""
    streak = 0
    for trade in reversed(history):
        if trade.profit >= 0:
            break
        streak += 1
    return streak
