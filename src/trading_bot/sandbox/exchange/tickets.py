"""What the book holds and tells: orders as they come, orders as they work, and what happens to them. Frozen values."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.brokers.units import Units
from trading_bot.domain.orders import OrderType
from trading_bot.domain.values import Symbol


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What somebody wants traded. `side`: +1 buys, -1 sells."""

    symbol: Symbol
    side: int
    kind: OrderType
    quantity: Decimal
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    """Distance of a trailing stop."""
    trail_percent: Decimal | None = None
    """The same in percent of the best price."""
    rises: bool | None = None
    """Whether a stop triggers as prices rise; left out: buys do, sells trigger as they fall."""
    reduce_only: bool = False
    immediate: bool = False
    """What cannot trade at once ends (IOC)."""
    whole: bool = False
    """All at once or nothing (with `immediate`: FOK)."""
    post_only: bool = False
    """Ends instead of trading at once."""
    extended: bool = False
    """Trades outside the regular session too."""
    client_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Working:
    """An order in the book: prices in ticks, quantities in lots, times in ns."""

    number: int
    ticket: Ticket
    units: Units
    quantity: int
    limit: int | None
    stop: int | None
    """Where the stop stands now; a trailing one moves."""
    best: int | None = None
    """Best middle price since a trailing stop rests (its high-water mark)."""
    filled: int = 0
    value: int = 0
    """Sum of lots times ticks that were filled."""
    triggered: bool = False
    placed_at: int
    looked_at: int = -1
    """Time of the last quote that it was tried with; -1 before the first."""
    next_at_most: int | None = None
    """A hand's limit on its next execution."""
    pause: int = 0
    """How long nothing follows after that execution."""
    paused_until: int = -1

    @property
    def remaining(self) -> int:
        """Lots still to be filled."""
        return self.quantity - self.filled

    @property
    def waits(self) -> bool:
        """Whether its stop was not touched yet."""
        return self.stop is not None and not self.triggered

    @property
    def trails(self) -> bool:
        """Whether its stop follows the price."""
        return self.ticket.kind is OrderType.TRAILING_STOP

    @property
    def average(self) -> Decimal:
        """Mean price of its fills; 0 before the first."""
        return self.units.tick * self.value / self.filled if self.filled else Decimal(0)


@dataclass(frozen=True)
class Triggered:
    """A stop was touched: the order works as a market or limit order from now on."""

    order: Working
    at: int


@dataclass(frozen=True)
class Executed:
    """Something was traded; `order` is as it is afterwards. `execution` rises from 1."""

    order: Working
    execution: int
    quantity: Decimal
    price: Decimal
    at: int
    maker: bool


@dataclass(frozen=True)
class Moved:
    """A trailing stop stands elsewhere now."""

    order: Working
    at: int


@dataclass(frozen=True)
class Lapsed:
    """An order that had to trade at once could not, or a post-only one would have; it is out of the book."""

    order: Working
    at: int


Happening = Triggered | Executed | Moved | Lapsed
Listener = Callable[[Happening], None]
