"""What a position takes of an account, by instrument and side. Pure.

Promises one rule for every venue, engine and tool: of a perpetual either side takes its value over its leverage; a stock or a coin that
is bought takes its value over its leverage, sold short half of its value beside the proceeds. Refuses to know prices.
"""

from decimal import Decimal

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import is_leveraged
from trading_bot.domain.values import ZERO

SHORT_TURNS = Decimal(2)
"""What is sold short may be worth, as a multiple of what it takes beside its proceeds: 150 % in all (Regulation T, 12 CFR 220.12)."""


def turns(instrument: Instrument, side: Side) -> Decimal:
    """What a position may be worth, as a multiple of what it takes from the available balance."""
    return instrument.leverage_cap if side is Side.BUY or is_leveraged(instrument) else SHORT_TURNS


def maintenance(instrument: Instrument, side: Side) -> Decimal:
    """Share of a position's value that equity may not fall below; 0 for what was bought outright, which its own value covers."""
    return instrument.maintenance_rate if side is Side.SELL or is_leveraged(instrument) else ZERO
