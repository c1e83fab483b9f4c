"""Market data as the desk sees it: timeframes, quotes, corporate actions, feeds and price bases.

Every price carries its time, source and feed. Bars themselves are pandas frames (see `ports.BarSeries`).
"""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from trading_bot.domain.values import Amount, NonNegative, Positive, Record, Symbol, UtcTime


class Timeframe(StrEnum):
    """Length of a bar."""

    MINUTE = "1m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    MINUTE_30 = "30m"
    HOUR = "1h"
    HOUR_4 = "4h"
    DAY = "1d"

    @property
    def duration(self) -> timedelta:
        """Length of one bar; a day is 24 hours here, though an exchange's session is shorter."""
        return _DURATIONS[self]


_DURATIONS = {
    Timeframe.MINUTE: timedelta(minutes=1),
    Timeframe.MINUTE_5: timedelta(minutes=5),
    Timeframe.MINUTE_15: timedelta(minutes=15),
    Timeframe.MINUTE_30: timedelta(minutes=30),
    Timeframe.HOUR: timedelta(hours=1),
    Timeframe.HOUR_4: timedelta(hours=4),
    Timeframe.DAY: timedelta(days=1),
}


class Feed(StrEnum):
    """Whose trades a source saw; rules on volume need `CONSOLIDATED`."""

    CONSOLIDATED = "consolidated"
    SINGLE_VENUE = "single_venue"


class PriceBasis(StrEnum):
    """What a source's prices are."""

    AS_TRADED = "as_traded"
    """What printed on the day, or brought back to it with the file's own events."""
    NOT_AS_TRADED = "not_as_traded"
    """Adjusted in a way that cannot be undone (or unstated): marked in every report."""


class Quote(Record):
    """Best bid and ask at one moment, as traded."""

    symbol: Symbol
    bid: Positive
    ask: Positive
    bid_size: NonNegative
    ask_size: NonNegative
    time: UtcTime
    source: str
    feed: Feed

    @model_validator(mode="after")
    def _not_crossed(self) -> Self:
        if self.bid > self.ask:
            msg = f"{self.symbol}: bid {self.bid} is above ask {self.ask}"
            raise ValueError(msg)
        return self

    @property
    def mid(self) -> Decimal:
        """Middle of bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def spread(self) -> Decimal:
        """Ask less bid."""
        return self.ask - self.bid


class Split(Record):
    """`ratio` new shares for one old, from the opening of the ex-date on."""

    symbol: Symbol
    ex: UtcTime
    ratio: Positive


class Dividend(Record):
    """Cash per share as traded on the ex-date, paid to who held it before the opening of the ex-date."""

    symbol: Symbol
    ex: UtcTime
    amount: Positive


CorporateAction = Split | Dividend


class Contract(Record):
    """What a perpetual's venue says of it at one moment, beside its quote."""

    symbol: Symbol
    mark: Positive
    """Price that margin, funding and liquidation are reckoned with."""
    funding_rate: Amount
    """What longs pay shorts at the next funding, or paid at the last where the next is not told; below 0 the shorts pay."""
    next_funding_at: UtcTime
    time: UtcTime


class Funding(Record):
    """What a perpetual's longs pay its shorts at one moment, as a share of the position's value; below 0 the shorts pay."""

    symbol: Symbol
    at: UtcTime
    rate: Amount
