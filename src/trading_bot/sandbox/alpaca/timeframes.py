"""Bars of every length that Alpaca has, put together from those that the market has.

Promises Alpaca's own stamps: a stock's day begins at New York's midnight, a week on its Monday, a month on its first; and that both
ends of a span count. 400 for a length that Alpaca has not.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.orders import RefusedError
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import EmulatedBar

_NEW_YORK = ZoneInfo("America/New_York")
_SPELLED = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_MOMENT = timedelta(microseconds=1)
_UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
_COUNTS = {"Min": range(1, 61), "Hour": range(1, 24), "Day": (1,), "Week": (1,), "Month": (1, 2, 3, 4, 6, 12)}
_MINUTES = ((60, Timeframe.HOUR), (30, Timeframe.MINUTE_30), (15, Timeframe.MINUTE_15), (5, Timeframe.MINUTE_5), (1, Timeframe.MINUTE))
_HOURS = ((4, Timeframe.HOUR_4), (1, Timeframe.HOUR))
_MOST = 2000
"""Bars of the market that are looked at in one go."""
_FIRST = datetime(1990, 1, 1, tzinfo=UTC)
_LENGTHS = {
    "Min": timedelta(minutes=1),
    "Hour": timedelta(hours=1),
    "Day": timedelta(days=1),
    "Week": timedelta(days=7),
    "Month": timedelta(days=31),
}


@dataclass(frozen=True)
class Span:
    """A length of bars, such as 10 minutes."""

    count: int
    unit: str

    @property
    def base(self) -> Timeframe:
        """The longest bars of the market that it can be put together from."""
        tables = {"Min": _MINUTES, "Hour": _HOURS}
        return next((frame for size, frame in tables.get(self.unit, ()) if self.count % size == 0), Timeframe.DAY)

    @property
    def length(self) -> timedelta:
        """The most that one bar spans."""
        return self.count * _LENGTHS[self.unit]

    def start(self, at: datetime, zone: ZoneInfo | None) -> datetime:
        """When the bar began that `at` lies in; days and longer ones by the clock of `zone`, else UTC."""
        local = at.astimezone(zone or UTC)
        if self.unit in {"Min", "Hour"}:
            midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight + (at - midnight) // self.length * self.length
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.unit == "Week":
            day -= timedelta(days=day.weekday())
        if self.unit == "Month":
            day = day.replace(month=(day.month - 1) // self.count * self.count + 1, day=1)
        return day.astimezone(UTC)


def span_of(told: str) -> Span:
    """A length as the API spells it."""
    found = _SPELLED.fullmatch(told)
    unit = _UNITS.get(found[2], found[2]) if found else ""
    if found is None or int(found[1]) not in _COUNTS[unit]:
        raise RefusedError(400, None, f"invalid timeframe: {told}")
    return Span(int(found[1]), unit)


def walk(
    span: Span, within: tuple[datetime, datetime], tell: Callable[[tuple[datetime, datetime]], list[EmulatedBar]], *, backwards: bool
) -> Iterator[EmulatedBar]:
    """Bars as `tell` tells them, a stretch at a time, so that a page of a long history costs no more than a page."""
    start, end = max(within[0], _FIRST), within[1]
    stretch = max(_MOST * span.base.duration, span.length)
    while start <= end:
        ends = (max(start, end - stretch), end) if backwards else (start, min(end, start + stretch))
        found = tell(ends)
        yield from reversed(found) if backwards else found
        stretch *= 1 if found else 2
        start, end = (start, ends[0] - _MOMENT) if backwards else (ends[1] + _MOMENT, end)


def bars_of(market: EmulatedMarket, symbol: Symbol, span: Span, within: tuple[datetime, datetime], now: datetime) -> list[EmulatedBar]:
    """Bars that begin `within`, both ends counted, of what has closed by `now`; oldest first."""
    zone = _NEW_YORK if market.instrument(symbol).asset_class is AssetClass.EQUITY else None
    start, end = within
    days = span.base is Timeframe.DAY
    margin = span.length + (timedelta(days=1) if days else timedelta(0))
    closed = market.bars(symbol, span.base, start - margin, min(end + margin, now))
    stamped = [replace(bar, start=_midnight(bar.start, zone)) if days else bar for bar in closed]
    grouped = groupby(stamped, key=lambda bar: span.start(bar.start, zone))
    return [_joined(begun, list(parts)) for begun, parts in grouped if start <= begun <= end]


def today_of(market: EmulatedMarket, symbol: Symbol, now: datetime) -> EmulatedBar | None:
    """The bar of the day that is going on, of what has closed of it; None if it has not traded yet."""
    zone = _NEW_YORK if market.instrument(symbol).asset_class is AssetClass.EQUITY else None
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    quarters = market.bars(symbol, Timeframe.MINUTE_15, midnight, now)
    parts = [*quarters, *market.bars(symbol, Timeframe.MINUTE, quarters[-1].end if quarters else midnight, now)]
    return _joined(_midnight(midnight, zone), parts) if parts else None


def _midnight(begun: datetime, zone: ZoneInfo | None) -> datetime:
    """The market's days are those of UTC: the same date, by the clock of `zone`."""
    return begun if zone is None else begun.replace(tzinfo=zone).astimezone(UTC)


def _joined(begun: datetime, parts: list[EmulatedBar]) -> EmulatedBar:
    high, low = max(b.high for b in parts), min(b.low for b in parts)
    return replace(parts[0], start=begun, end=parts[-1].end, high=high, low=low, close=parts[-1].close, volume=sum(b.volume for b in parts))
