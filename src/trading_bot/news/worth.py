"""What climbing was worth later: had the desk leaned by as much as the reading changed, with the money that was at risk.

    worth = (after - before) x return of the symbol up to the horizon x money at risk - cost

Promises a horizon fixed beforehand, counted from the answer, and prices known by then. Refuses a judgement while the horizon is not over,
without a price at both ends, and of what nobody answered.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from trading_bot.domain.news import Escalation, EscalationEnd
from trading_bot.domain.values import ZERO, Amount, Finite, NonNegative, Ratio, Record, Symbol, UtcTime
from trading_bot.news.horizons import Horizon, Price, a_day, moved

_MICRO = Decimal("0.000001")


class Worth(Record):
    """What one answer was worth."""

    id: str
    """Of the escalation."""
    until: UtcTime
    change: Finite
    """Of the reading."""
    moved: Finite
    """Return of the symbol up to the horizon."""
    right: bool | None
    """Whether the change pointed where the price went; None where either stood still."""
    worth: Amount
    """USD, its cost taken off."""


class Account(Record):
    """What climbing came to."""

    climbed: int = Field(ge=0)
    """Everything that wished to climb."""
    answered: int = Field(ge=0)
    cost: NonNegative
    """Of all, whether they were answered or not."""
    judged: int = Field(ge=0)
    """Answers whose horizon is over and whose prices are known."""
    worth: Amount
    """Of those that were judged."""
    right: Ratio | None
    """Share of those that pointed anywhere; None where none did."""


Prices = Callable[[Symbol], Price | None]


def worth(escalation: Escalation, prices: Prices, now: datetime, horizon: Horizon = a_day) -> Worth | None:
    """What `escalation` was worth as far as it can be known at `now`."""
    until = horizon(escalation.at)
    if escalation.end is not EscalationEnd.ANSWERED or escalation.after is None or until > now:
        return None
    price = prices(escalation.symbol)
    went = None if price is None else moved(price, escalation.at, until)
    if went is None:
        return None
    change = escalation.after - escalation.before
    gained = Decimal(repr(change * went)) * escalation.at_risk
    return Worth(
        id=escalation.id,
        until=until,
        change=change,
        moved=went,
        right=change * went > 0 if change * went else None,
        worth=(gained - escalation.cost).quantize(_MICRO),
    )


def account(escalations: Sequence[Escalation], prices: Prices, now: datetime, horizon: Horizon = a_day) -> Account:
    """What climbing came to by `now`."""
    judged = [found for e in escalations if (found := worth(e, prices, now, horizon)) is not None]
    pointed = [w.right for w in judged if w.right is not None]
    return Account(
        climbed=len(escalations),
        answered=sum(1 for e in escalations if e.end is EscalationEnd.ANSWERED),
        cost=sum((e.cost for e in escalations), ZERO),
        judged=len(judged),
        worth=sum((w.worth for w in judged), ZERO),
        right=sum(pointed) / len(pointed) if pointed else None,
    )
