"""Perpetuals carried with leverage: the price at which the venue would end a position. Pure.

Promises the isolated price: where other money of the account stands behind a position too, liquidation lies further away, and what is
reckoned here is the nearer. Refuses nothing else: the rules of the gate decide by it.
"""

from decimal import Decimal
from fractions import Fraction

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import Side
from trading_bot.domain.values import ZERO, Positive, Record, Symbol, divided


class MarginState(Record):
    """How one leveraged position stands at its venue."""

    symbol: Symbol
    mark: Positive
    liquidation: Positive | None
    """None where no price would bring it about."""


def is_leveraged(instrument: Instrument) -> bool:
    """Whether a venue may end a position in it by itself."""
    return instrument.asset_class is AssetClass.CRYPTO_PERPETUAL


def liquidation_share(side: Side, instrument: Instrument) -> Fraction:
    """The liquidation price as an exact share of the entry price; not above 0 where no price brings it about.

    1 - 1/leverage + maintenance of a long, its mirror of a short (Bybit, isolated margin, USDT contracts, without fees).
    """
    return 1 - side.sign * (1 / Fraction(instrument.leverage_cap) - Fraction(instrument.maintenance_rate))


def liquidation_price(side: Side, entry: Decimal, instrument: Instrument) -> Decimal | None:
    """Price at which a position entered at `entry` has lost its margin but for the maintenance; None if no price above 0 does."""
    share = liquidation_share(side, instrument)
    price = divided(entry * share.numerator, Decimal(share.denominator))
    return price if price > ZERO else None
