"""What a venue tells: order updates with their fills, cash, splits. Books are made from these alone.

`sequence` runs from 1 without gaps and makes reading resumable: the venue's own number, or, where a venue numbers nothing, the one that
its adapter gives to each thing once (`brokers/chronicle.py`).
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
    FEE = "fee"
    """Charged apart from the fill that it belongs to."""
    OTHER = "other"
    """What the venue names in a way that this version does not know."""


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
    reference: str = ""
    """The venue's own id of it; makes booking idempotent where the venue does not number its events."""


class SplitUpdate(Record):
    """A position was split; resting orders follow as order updates of their own."""

    type: Literal["split"] = "split"
    sequence: int = Field(ge=1)
    at: UtcTime
    symbol: Symbol
    ratio: Positive
    quantity_after: Amount
    """Signed quantity held after the split, fractions already paid out in cash."""
    reference: str = ""
    """As for cash."""


BrokerEvent = Annotated[OrderUpdate | CashUpdate | SplitUpdate, Field(discriminator="type")]


class BookedEvent(Journaled):
    """A broker event as the journal keeps it; `at` is the event's own time."""

    kind: ClassVar[str] = "broker_event"

    event: BrokerEvent

    @property
    def key(self) -> str:
        """The venue's sequence number, padded so that text order is number order."""
        return f"{self.event.sequence:012d}"
