"""What can be traded, and the border between analytics (floats) and orders (exact decimals).

`round_price` and `round_quantity` are the only ways from a float to an order. They refuse NaN and infinities.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Literal

from trading_bot.domain.values import Fraction, NonNegative, Positive, Record, Symbol


class AssetClass(StrEnum):
    """Kinds of instrument."""

    EQUITY = "equity"
    CRYPTO_SPOT = "crypto_spot"
    CRYPTO_PERPETUAL = "crypto_perpetual"


class Rounding(StrEnum):
    """Direction in which a price is brought onto the tick grid."""

    NEAREST = "nearest"
    UP = "up"
    DOWN = "down"


SESSIONS_PER_YEAR = {"XNYS": 252, "24/7": 365}
"""Of each calendar, rounded: what annual figures reckon with."""
_MODES = {Rounding.NEAREST: ROUND_HALF_EVEN, Rounding.UP: ROUND_CEILING, Rounding.DOWN: ROUND_FLOOR}


class Instrument(Record):
    """One tradable thing with its venue's grid and limits."""

    symbol: Symbol
    asset_class: AssetClass = AssetClass.EQUITY
    venue: str = "XNYS"
    currency: str = "USD"
    tick_size: Positive = Decimal("0.01")
    lot_size: Positive = Decimal(1)
    minimum_notional: NonNegative = Decimal(1)
    sector: str = "unknown"
    calendar: Literal["XNYS", "24/7"] = "XNYS"
    shortable: bool = True
    leverage_cap: Positive = Decimal(1)
    """What a position may be worth as a multiple of its margin."""
    maintenance_rate: Fraction = Decimal("0.3")
    """Share of a position's value that equity may not fall below (FINRA Rule 4210(c): 30 % of a short; a long needs less). Of a
    perpetual, the venue's rate of its lowest tier, on either side: below it the venue liquidates."""

    def round_price(self, price: float | Decimal, direction: Rounding = Rounding.NEAREST) -> Decimal:
        """Return `price` on the tick grid. ValueError if it is not finite or not above 0 after rounding."""
        rounded = (_finite(price, "price") / self.tick_size).quantize(Decimal(1), _MODES[direction]) * self.tick_size
        if rounded <= 0:
            msg = f"{self.symbol}: price {price} is not above 0 on a tick of {self.tick_size}"
            raise ValueError(msg)
        return rounded

    def round_quantity(self, quantity: float | Decimal) -> Decimal:
        """Return `quantity` cut down to whole lots (never more than asked; it may be 0)."""
        exact = _finite(quantity, "quantity")
        if exact < 0:
            msg = f"{self.symbol}: quantity {quantity} is negative"
            raise ValueError(msg)
        return (exact / self.lot_size).quantize(Decimal(1), ROUND_DOWN) * self.lot_size


def _finite(value: float | Decimal, what: str) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not exact.is_finite():
        msg = f"{what} {value} is not a finite number"
        raise ValueError(msg)
    return exact
