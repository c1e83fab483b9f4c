"""The emulated market: a path of prices, its trading hours, and the hand that may hold, halt or split it.

Promises that what the hand does holds from the moment it was done, and changes nothing before. Refuses nothing: a symbol that the path
does not have raises NoDataError.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np

from trading_bot.brokers.matching import TickQuote
from trading_bot.brokers.units import SECOND, Units, moment, stamp
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import Calendar
from trading_bot.sandbox.exchange.path import Block, EmulatedBar, Path, units_of

_BEFORE, _AFTER = timedelta(hours=5, minutes=30), timedelta(hours=4)
_LONGEST_BREAK = timedelta(days=14)
_FAR = 2**61


class Phase(IntEnum):
    """What may trade."""

    CLOSED = 0
    EXTENDED = 1
    REGULAR = 2


@dataclass(frozen=True)
class Range:
    """Doubled middle prices between which nothing can happen: a quote matters at `low` or below, and at `high` or above."""

    low: int = _FAR
    high: int = -_FAR


@dataclass(frozen=True)
class _Held:
    """A quote that a hand holds from `since` on; `bid` is None after it let go."""

    since: int
    bid: int | None
    ask: int


@dataclass(frozen=True)
class Sized:
    """A quote, and the lots that can be traded with it."""

    quote: TickQuote
    size: int


class EmulatedMarket:
    """Quotes, bars and hours of every symbol."""

    def __init__(self, path: Path, calendars: Callable[[str], Calendar], *, always_open: bool = False, tick_ns: int = SECOND) -> None:
        self._path = path
        self._calendars = calendars
        self._step = tick_ns
        self.always_open = always_open
        self._held: dict[Symbol, _Held] = {}
        self._halted: dict[Symbol, int] = {}
        self._ratios: dict[Symbol, list[tuple[int, Fraction]]] = {}
        self._units: dict[Symbol, Units] = {}
        self._hours: dict[Symbol, tuple[int, int, int, int]] = {}
        self.touched = 0
        """How often a hand has changed what was to come."""

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """All that is traded here."""
        return self._path.symbols

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits. NoDataError if it is not traded here."""
        return self._path.instrument(symbol)

    def units(self, symbol: Symbol) -> Units:
        """Its grid in integers."""
        if symbol not in self._units:
            self._units[symbol] = units_of(self.instrument(symbol))
        return self._units[symbol]

    # -- hours -----------------------------------------------------------------------------------------------------------

    def session(self, symbol: Symbol, at: datetime) -> tuple[datetime, datetime]:
        """Opening and closing of the session that is open at `at`, or of the next one; 24/7 ones are UTC days."""
        calendar = self._calendars(self.instrument(symbol).calendar)
        for day in calendar.sessions(at.date() - timedelta(days=1), at.date() + _LONGEST_BREAK):
            opening, closing = calendar.hours(day)
            if closing > at:
                return opening, closing
        raise NoDataError(f"{symbol}: no session within {_LONGEST_BREAK.days} days of {at.isoformat()}; the calendar ends before")

    def phase(self, symbol: Symbol, at: int) -> Phase:
        """What may trade at `at` (ns), a halt not counted."""
        if self.always_open or self.instrument(symbol).calendar == "24/7":
            return Phase.REGULAR
        known = self._hours.get(symbol)
        if known is None or not known[0] <= at < known[3]:
            known = self._hours[symbol] = self._spans(symbol, at)
        begin, opening, closing, end = known
        if opening <= at < closing:
            return Phase.REGULAR
        return Phase.EXTENDED if begin <= at < end else Phase.CLOSED

    def trading(self, symbol: Symbol, after: int, wanted: Phase) -> tuple[int, int]:
        """Begin and end of the first span, ending after `after`, in which `wanted` or more may trade."""
        if self.always_open or self.instrument(symbol).calendar == "24/7":
            return after, _FAR
        begin, opening, closing, end = self._spans(symbol, after)
        found = (opening, closing) if wanted is Phase.REGULAR else (begin, end)
        return found if found[1] > after else self.trading(symbol, end, wanted)

    def _spans(self, symbol: Symbol, at: int) -> tuple[int, int, int, int]:
        now = moment(at)
        opening, closing = self.session(symbol, now - _AFTER)
        if closing + _AFTER <= now:
            opening, closing = self.session(symbol, now)
        return stamp(opening - _BEFORE), stamp(opening), stamp(closing), stamp(closing + _AFTER)

    # -- the hand --------------------------------------------------------------------------------------------------------

    def set_quote(self, symbol: Symbol, bid: Decimal, ask: Decimal, at: int) -> None:
        """Hold bid and ask from `at` on; matching has to have come that far (`Exchange.advance`)."""
        self.touched += 1
        units = self.units(symbol)
        self._held[symbol] = _Held(at, units.ticks_down(bid), units.ticks_up(ask))

    def let_go(self, symbol: Symbol, at: int) -> None:
        """Follow the path again."""
        self.touched += 1
        if symbol in self._held:
            self._held[symbol] = _Held(at, None, 0)

    def halt(self, symbol: Symbol, until: int = _FAR) -> None:
        """Nothing trades until `until` (ns), or until `resume`."""
        self.touched += 1
        self._halted[symbol] = until

    def resume(self, symbol: Symbol) -> None:
        """End a halt."""
        self.touched += 1
        self._halted.pop(symbol, None)

    def halted(self, symbol: Symbol, at: int) -> bool:
        """Whether it is halted at `at`."""
        return at < self._halted.get(symbol, -1)

    def split(self, symbol: Symbol, ratio: Fraction, at: int) -> None:
        """Divide prices by `ratio` from `at` on (`ratio` new for one old), a quote held by hand too."""
        self.touched += 1
        held = self._held.get(symbol)
        if held is not None and held.bid is not None:
            self._held[symbol] = _Held(at, *(int(v[0]) for v in _divided(np.array([held.bid]), np.array([held.ask]), ratio)))
        self._ratios.setdefault(symbol, []).append((at, ratio))

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends of the source, by rising ex-date."""
        return self._path.actions(symbol)

    # -- quotes ----------------------------------------------------------------------------------------------------------

    def quote(self, symbol: Symbol, at: int) -> TickQuote | None:
        """Newest quote at `at` (ns), None before the first."""
        sized = self.sized(symbol, at)
        return None if sized is None else sized.quote

    def sized(self, symbol: Symbol, at: int) -> Sized | None:
        """The same with its size."""
        held = self._held.get(symbol)
        found = self._path.last(symbol, at)
        if held is not None and held.since <= at and held.bid is not None:
            size = found[3] if found is not None else 1_000_000
            return Sized(TickQuote(held.bid, held.ask, max(held.since, at // self._step * self._step)), max(size, 1))
        if found is None:
            return None
        time, bid, ask, size = found
        bids, asks = self._scaled(symbol, np.array([at]), np.array([bid]), np.array([ask]))
        return Sized(TickQuote(int(bids[0]), int(asks[0]), time), size)

    def price(self, symbol: Symbol, at: int) -> Decimal | None:
        """Middle of the newest quote, on the grid."""
        quote = self.quote(symbol, at)
        return None if quote is None else self.units(symbol).price((quote.bid + quote.ask) // 2)

    def walk(self, symbol: Symbol, after: int, until: int, matters: Range = Range()) -> Iterator[Sized]:
        """Quotes after `after` up to `until`, those alone that leave the range `matters`; none while halted."""
        after = max(after, min(self._halted.get(symbol, -1), until))
        held = self._held.get(symbol)
        turn = until if held is None else min(max(held.since, after), until)
        if held is None or held.bid is None:
            yield from self._walk_path(symbol, after, until, matters)
            return
        yield from self._walk_path(symbol, after, turn - 1, matters)
        if not matters.low < held.bid + held.ask < matters.high:
            size = (self._path.last(symbol, turn) or (0, 0, 0, 1_000_000))[3]
            for time in range(max(after // self._step + 1, -(-held.since // self._step)) * self._step, until + 1, self._step):
                yield Sized(TickQuote(held.bid, held.ask, time), max(size, 1))

    def _walk_path(self, symbol: Symbol, after: int, until: int, matters: Range) -> Iterator[Sized]:
        if until <= after:
            return
        for block in self._path.blocks(symbol, after, until):
            first, last = np.searchsorted(block.times, [after, until], side="right").tolist()
            part = Block(block.times[first:last], block.bids[first:last], block.asks[first:last], block.size)
            bids, asks = self._scaled(symbol, part.times, part.bids, part.asks)
            doubled = bids + asks
            for number in np.flatnonzero((doubled <= matters.low) | (doubled >= matters.high)).tolist():
                yield Sized(TickQuote(int(bids[number]), int(asks[number]), int(part.times[number])), block.size)

    def _scaled(self, symbol: Symbol, times: np.ndarray, bids: np.ndarray, asks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for at, ratio in self._ratios.get(symbol, ()):
            low, high = _divided(bids, asks, ratio)
            bids, asks = np.where(times >= at, low, bids), np.where(times >= at, high, asks)
        return bids, asks

    # -- history ---------------------------------------------------------------------------------------------------------

    def bars(self, symbol: Symbol, timeframe: Timeframe, start: datetime, end: datetime) -> list[EmulatedBar]:
        """Bars that begin from `start` on and have ended by `end`, oldest first, in trading hours."""
        self.instrument(symbol)
        found = []
        for begun, ended, values in self._path.bars(symbol, timeframe, stamp(start), stamp(end)):
            if ended <= stamp(end) and self._trades(symbol, begun, timeframe):
                numbers = [float(v) for v in values]
                found.append(EmulatedBar(moment(begun), moment(ended), *numbers))
        return found

    def _trades(self, symbol: Symbol, begun: int, timeframe: Timeframe) -> bool:
        if timeframe is not Timeframe.DAY:
            return self.phase(symbol, begun) is Phase.REGULAR
        calendar = self._calendars(self.instrument(symbol).calendar)
        return self.always_open or calendar.is_session(moment(begun).astimezone(UTC).date())


def _divided(bids: np.ndarray, asks: np.ndarray, ratio: Fraction) -> tuple[np.ndarray, np.ndarray]:
    low = np.maximum(bids * ratio.denominator // ratio.numerator, 1)
    return low, np.maximum(-(-asks * ratio.denominator // ratio.numerator), low + 1)
