"""What a venue can do to guard a position: the differences between venues that the engine has to know, as data.

The paper venue's are the defaults. Nothing below asks for a venue's name.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from trading_bot.domain.orders import OrderType
from trading_bot.domain.values import Record


class Attachment(StrEnum):
    """What an entry can carry to the venue."""

    LEGS = "legs"
    """Stop and target as orders of their own, which cancel each other."""
    POSITION_STOP = "position_stop"
    """A stop that the venue keeps for the whole position, from the first fill on."""
    NONE = "none"


class VenueTraits(Record):
    """How one kind of instrument is guarded at one venue."""

    attachment: Attachment = Attachment.LEGS
    legs_wake_late: bool = False
    """Legs wake only when their entry is completely filled: a partial fill is naked until then."""
    one_leg_pair: bool = False
    """An entry has one pair of legs, and no second entry may work beside them: several targets need pairs of their own afterwards."""
    legs_share_life: bool = False
    """The legs of an entry end when its own time in force ends."""
    stop_beside_entry: bool = True
    """A stop may rest while an entry of the same symbol works."""
    pairs: bool = True
    """A target and a stop that cancel each other may be placed for what is held."""
    stop_type: Literal[OrderType.STOP, OrderType.STOP_LIMIT] = OrderType.STOP
    """A stop-limit can be jumped over, and has to be watched."""
    trails: bool = True
    """A stop may follow the price."""
    targets_rest: bool = True
    """A target may rest beside the stop; else the engine watches its price."""
    exits_reserve: bool = False
    """A resting exit holds back what it would sell: it has to be canceled before anything else can close that."""
    caps_exits: bool = True
    """The venue itself keeps exits from closing more than is held, and ends those that have nothing left to close."""
    whole_lots_rest: bool = False
    """Only whole units rest good-till-canceled; a fraction is guarded day by day."""
    stop_lifetime: timedelta | None = None
    """After so long the venue itself ends a resting order."""
    exits_told_within: timedelta = timedelta(0)
    """An exit that the venue makes by itself may be told so long after the fill that woke it."""
    exits_follow_splits: bool = True
    """The venue adjusts resting exits at a split; else they are placed anew."""


PAPER = VenueTraits()
