"""Exact integers of the matching core: prices in ticks, quantities in lots, cash in quanta of 1e-8, times in nanoseconds.

Promises that a conversion there and back gives the same value. Refuses what does not lie on the grid: nothing is rounded in
silence, except where a function says in which direction.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property, lru_cache

QUANTUM = Decimal("0.00000001")
"""Smallest amount of cash that the venue keeps."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


@dataclass(frozen=True)
class Units:
    """The grid of one instrument. ValueError if a lot at one tick is not a whole number of cash quanta."""

    tick: Decimal
    lot: Decimal

    def __post_init__(self) -> None:
        if self.tick <= 0 or self.lot <= 0 or (self.tick * self.lot) % QUANTUM:
            msg = f"tick {self.tick} x lot {self.lot} is not a multiple of {QUANTUM}: set a larger lot_size or tick_size"
            raise ValueError(msg)

    @cached_property
    def worth(self) -> int:
        """Cash quanta of one lot at a price of one tick."""
        return int(self.tick * self.lot / QUANTUM)

    def ticks(self, price: Decimal) -> int:
        """`price` in ticks. ValueError off the grid."""
        return _exact(price, self.tick, "price", "tick_size")

    def ticks_down(self, price: Decimal) -> int:
        """`price` in ticks, rounded down (a bid)."""
        return int((price / self.tick).to_integral_value(ROUND_FLOOR))

    def ticks_up(self, price: Decimal) -> int:
        """`price` in ticks, rounded up (an ask)."""
        return int((price / self.tick).to_integral_value(ROUND_CEILING))

    def lots(self, quantity: Decimal) -> int:
        """`quantity` in lots. ValueError off the grid."""
        return _exact(quantity, self.lot, "quantity", "lot_size")

    def price(self, ticks: int) -> Decimal:
        """Price of `ticks`."""
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        """Quantity of `lots`."""
        return lots * self.lot

    def average(self, value: int, lots: int) -> Decimal:
        """Mean price of `lots` that cost `value` quanta, to 1e-8; 0 for no lots."""
        return (cash(value) / self.quantity(lots)).quantize(QUANTUM) if lots else Decimal(0)


def quanta(amount: Decimal) -> int:
    """`amount` of cash in quanta. ValueError if it is finer than 1e-8."""
    return _exact(amount, QUANTUM, "amount", "cash quantum")


def cash(amount: int) -> Decimal:
    """Cash of `amount` quanta."""
    return amount * QUANTUM


_MOMENTS = 64
"""What is told of one moment is told together, so that it is converted once."""


@lru_cache(_MOMENTS)
def stamp(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


@lru_cache(_MOMENTS)
def moment(nanos: int) -> datetime:
    """The UTC time `nanos` nanoseconds after 1970, to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanos // 1000)


def _exact(value: Decimal, step: Decimal, what: str, grid: str) -> int:
    count = value / step
    whole = int(count)
    if whole * step != value:
        msg = f"{what} {value} is not a multiple of the {grid} {step}: round it with the instrument first"
        raise ValueError(msg)
    return whole
