"""Perpetuals carried with leverage: margin, and the price at which the venue would end a position. Pure.

Promises the isolated price: where other money of the account stands behind a position too, liquidation lies further away, and what is
reckoned here is the nearer. Refuses nothing else: the rules of the gate decide by it.
"""

from decimal import Decimal

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.orders import Side
from trading_bot.domain.values import ONE, ZERO, Positive, Record, Symbol, divided


class MarginState(Record):
    """How one leveraged position stands at its venue."""

    symbol: Symbol
    mark: Positive
    liquidation: Positive | None
    """None where no price would bring it about."""


def is_leveraged(instrument: Instrument) -> bool:
    """Whether a venue may end a position in it by itself."""
    return instrument.asset_class is AssetClass.CRYPTO_PERPETUAL


def liquidation_price(side: Side, entry: Decimal, instrument: Instrument) -> Decimal | None:
    """Price at which a position entered at `entry` has lost its margin but for the maintenance; None if no price above 0 does.

    entry x (1 - 1/leverage + maintenance) of a long, its mirror of a short (Bybit, isolated margin, USDT contracts, without fees).
    """
    share = divided(ONE, instrument.leverage_cap) - instrument.maintenance_rate
    price = entry * (ONE - side.sign * share)
    return price if price > ZERO else None
