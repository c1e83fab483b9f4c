"""A trade that is running: what the one who opened it said, and what was decided since. Read from journal and books, never from a model.

Promises that a fresh conversation can be briefed from it alone.
"""

from decimal import Decimal

from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import Target
from trading_bot.domain.values import Amount, DecisionId, Positive, Ratio, Record, Symbol, UtcTime


class Turn(Record):
    """One look at the trade: what was decided, and what the gate made of it."""

    at: UtcTime
    who: str
    said: str


class RunningTrade(Record):
    """One position from its opening to now."""

    id: DecisionId
    """Of the decision that opened it; all that is asked and spent about the trade goes by it."""
    symbol: Symbol
    side: Side
    quantity: Amount
    """Held now, above 0."""
    entry: Positive
    """Average price."""
    opened_at: UtcTime
    first_stop: Positive | None
    """What it began with; None of a position that the desk did not open."""
    stop: Positive | None
    """Where it rests now."""
    targets: tuple[Target, ...]
    confidence: Ratio
    thesis: str
    turns: tuple[Turn, ...] = ()
    """The last looks, oldest first."""

    @property
    def first_risk(self) -> Decimal | None:
        """Distance of the first stop from the entry: 1 R."""
        return None if self.first_stop is None else abs(self.entry - self.first_stop)
