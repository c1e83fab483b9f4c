"""What can differ between our books and the broker, and what the desk does about each kind. The table is the policy.

The desk never trades to mend its own books: what is not adopted from the broker's own events, or cured by a protective order, is told,
and no new risk is taken until a person has looked.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from trading_bot.domain.values import Record


class DifferenceKind(StrEnum):
    """Kinds of difference."""

    UNKNOWN_FILL = "unknown_fill"
    """The broker filled more, or less, of an order of ours than we know."""
    ORPHAN_ORDER = "orphan_order"
    """An order that bears our desk's name rests at the broker, and our books do not have it as working."""
    LOST_ORDER = "lost_order"
    """Our books have an order as working that does not rest at the broker."""
    FOREIGN_ORDER = "foreign_order"
    """An order rests at the broker that somebody else placed."""
    FOREIGN_POSITION = "foreign_position"
    """The broker holds what we never traded."""
    QUANTITY_DRIFT = "quantity_drift"
    """The broker holds another quantity than we do."""
    CASH_DRIFT = "cash_drift"
    MISSING_PROTECTION = "missing_protection"
    """Some of a position has no live stop."""


class Reaction(StrEnum):
    """What the desk does."""

    ADOPT = "adopt"
    """Book what the broker tells; if it still differs after that, no new risk."""
    CURE = "cure"
    """Give it a stop, or close what can have none."""
    REDUCE_ONLY = "reduce_only"
    """Take no new risk until a person has looked and resumes."""
    TELL = "tell"
    """Tell a person, and go on."""


REACTIONS: Mapping[DifferenceKind, Reaction] = MappingProxyType(
    {
        DifferenceKind.UNKNOWN_FILL: Reaction.ADOPT,
        DifferenceKind.LOST_ORDER: Reaction.ADOPT,
        DifferenceKind.ORPHAN_ORDER: Reaction.REDUCE_ONLY,
        DifferenceKind.FOREIGN_ORDER: Reaction.TELL,
        DifferenceKind.FOREIGN_POSITION: Reaction.REDUCE_ONLY,
        DifferenceKind.QUANTITY_DRIFT: Reaction.REDUCE_ONLY,
        DifferenceKind.CASH_DRIFT: Reaction.REDUCE_ONLY,
        DifferenceKind.MISSING_PROTECTION: Reaction.CURE,
    }
)
WHY: Mapping[DifferenceKind, str] = MappingProxyType(
    {
        DifferenceKind.UNKNOWN_FILL: "an event of the broker has not reached us yet, or was lost",
        DifferenceKind.LOST_ORDER: "the broker ended it, and its event has not reached us yet, or was lost",
        DifferenceKind.ORPHAN_ORDER: "our journal was put back to an earlier state, or two desks share one name",
        DifferenceKind.FOREIGN_ORDER: "somebody else trades on this account",
        DifferenceKind.FOREIGN_POSITION: "it was there before this desk, or somebody else trades on this account",
        DifferenceKind.QUANTITY_DRIFT: "somebody else changed it, or the broker did without an event that we know",
        DifferenceKind.CASH_DRIFT: "cash moved for a reason that the broker has not told us",
        DifferenceKind.MISSING_PROTECTION: "its stop ended, or could not be placed yet",
    }
)


class Difference(Record):
    """One difference, in the words of both sides."""

    kind: DifferenceKind
    subject: str
    """What differs: `cash`, `position AAPL`, `order ID`."""
    books: str
    broker: str

    @property
    def reaction(self) -> Reaction:
        """What the desk does about it."""
        return REACTIONS[self.kind]

    @property
    def why(self) -> str:
        """What it usually comes from."""
        return WHY[self.kind]

    def __str__(self) -> str:
        return f"{self.subject}: books {self.books}, broker {self.broker}"
