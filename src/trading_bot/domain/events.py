"""What a venue tells: order updates with their fills, cash, splits. Books are made from these alone.

`sequence` is the venue's own running number, from 1 without gaps; it makes reading resumable and booking idempotent.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trading_bot.domain.orders import Fill, Order
from trading_bot.domain.values import Amount, Journaled, Positive, Record, Symbol, UtcTime


class CashReason(StrEnum):
    """Why cash moved other than by a trade."""

    DEPOSIT = "deposit"
    DIVIDEND = "dividend"
    BORROW = "borrow"
    FUNDING = "funding"
    CASH_IN_LIEU = "cash_in_lieu"


class OrderUpdate(Record):
    """An order changed; `order` is what it is now, `fill` what was executed, if anything."""

    type: Literal["order"] = "order"
    sequence: int = Field(ge=1)
    at: UtcTime
    order: Order
    fill: Fill | None = None


class CashUpdate(Record):
    """Cash was paid in (positive) or out (negative)."""

    type: Literal["cash"] = "cash"
    sequence: int = Field(ge=1)
    at: UtcTime
    reason: CashReason
    amount: Amount
    symbol: Symbol | None = None


class SplitUpdate(Record):
    """A position was split; resting orders follow as order updates of their own."""

    type: Literal["split"] = "split"
    sequence: int = Field(ge=1)
    at: UtcTime
    symbol: Symbol
    ratio: Positive
    quantity_after: Amount
    """Signed quantity held after the split, fractions already paid out in cash."""


BrokerEvent = Annotated[OrderUpdate | CashUpdate | SplitUpdate, Field(discriminator="type")]


class BookedEvent(Journaled):
    """A broker event as the journal keeps it; `at` is the event's own time."""

    kind: ClassVar[str] = "broker_event"

    event: BrokerEvent

    @property
    def key(self) -> str:
        """The venue's sequence number, padded so that text order is number order."""
        return f"{self.event.sequence:012d}"
