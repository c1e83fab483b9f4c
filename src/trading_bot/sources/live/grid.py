"""A venue's grid and what the configuration says of an instrument, as one.

Promises that what comes out is a grid on which the venue accepts orders, and never a permission that either side withholds.
"""

from decimal import Decimal

from pydantic import Field

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Record


class Grid(Record):
    """What a venue says of an instrument; None where it says nothing."""

    asset_class: AssetClass
    venue: str
    currency: str
    tick_size: Decimal | None = Field(default=None, gt=0)
    lot_size: Decimal | None = Field(default=None, gt=0)
    minimum_notional: Decimal = Decimal(0)
    shortable: bool
    leverage_cap: Decimal | None = None


def merged(ours: Instrument, grid: Grid) -> Instrument:
    """Return `ours` on the venue's grid: its step where ours is finer or does not fit, its limits where they are stricter."""
    cap = ours.leverage_cap if grid.leverage_cap is None else min(ours.leverage_cap, grid.leverage_cap)
    return ours.model_copy(
        update={
            "asset_class": grid.asset_class,
            "venue": grid.venue,
            "currency": grid.currency,
            "tick_size": coarser(ours.tick_size, grid.tick_size),
            "lot_size": coarser(ours.lot_size, grid.lot_size),
            "minimum_notional": max(ours.minimum_notional, grid.minimum_notional),
            "shortable": ours.shortable and grid.shortable,
            "leverage_cap": cap,
        }
    )


def coarser(ours: Decimal, venue: Decimal | None) -> Decimal:
    """Our step if it is a multiple of the venue's, else the venue's."""
    return ours if venue is None or ours % venue == 0 else venue
