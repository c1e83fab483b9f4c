"""How positions are guarded at each vendor's venue, as tables. Imports no vendor's library: who only asks should not wait for one.

Sources are in docs/brokers.md.
"""

from datetime import timedelta

from trading_bot.domain.orders import OrderType
from trading_bot.domain.traits import Attachment, VenueTraits
from trading_bot.domain.values import Symbol

ALPACA_EQUITY = VenueTraits(
    attachment=Attachment.LEGS,
    legs_wake_late=True,
    one_leg_pair=True,
    legs_share_life=True,
    stop_beside_entry=False,
    exits_reserve=True,
    caps_exits=False,
    whole_lots_rest=True,
    stop_lifetime=timedelta(days=90),
    exits_told_within=timedelta(milliseconds=700),
    exits_follow_splits=False,
)
ALPACA_CRYPTO = VenueTraits(
    attachment=Attachment.NONE,
    stop_beside_entry=False,
    pairs=False,
    stop_type=OrderType.STOP_LIMIT,
    trails=False,
    targets_rest=False,
    exits_reserve=True,
    caps_exits=False,
)
BYBIT_LINEAR = VenueTraits(attachment=Attachment.POSITION_STOP, pairs=False, exits_told_within=timedelta(milliseconds=700))
BYBIT_SPOT = VenueTraits(attachment=Attachment.NONE, pairs=False, trails=False, targets_rest=False, caps_exits=False)


def alpaca_traits(symbol: Symbol) -> VenueTraits:
    """Of a stock, or of a coin pair, whose name has a slash."""
    return ALPACA_CRYPTO if "/" in symbol else ALPACA_EQUITY


def bybit_traits(category: str) -> VenueTraits:
    """Of a category of instruments."""
    return BYBIT_LINEAR if category == "linear" else BYBIT_SPOT
