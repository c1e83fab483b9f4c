"""One position with all that its guard looks at: its plan, its orders, and what its venue can do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.domain.books import Position
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import Order, OrderRole, OrderType
from trading_bot.domain.proposals import Target
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ZERO
from trading_bot.execution.protection import guarding


@dataclass(frozen=True)
class Plan:
    """What was meant for a position when it was opened."""

    stop: Decimal | None
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Held:
    """One position with what guards it."""

    position: Position
    traits: VenueTraits
    working: Sequence[Order]
    plan: Plan
    stop: Decimal | None
    """Where its stop belongs."""
    instrument: Instrument

    @property
    def naked(self) -> Decimal:
        """Quantity without a live stop or close, in whole lots: what fees in coins leave of a lot can be neither guarded nor sold."""
        return self.instrument.round_quantity(abs(self.position.quantity) - guarding(self.position, self.working))

    @property
    def oversized(self) -> bool:
        """Whether its stops would close more than is held."""
        return sum((o.remaining for o in self.orders(OrderRole.STOP_LOSS)), ZERO) > abs(self.position.quantity)

    @property
    def trails(self) -> bool:
        """Whether its stop follows the price: then that was wanted instead of targets, and pairs would end it."""
        return any(o.type is OrderType.TRAILING_STOP for o in self.working)

    def orders(self, role: OrderRole) -> list[Order]:
        """Its working orders of one role."""
        return [o for o in self.working if o.role is role]
