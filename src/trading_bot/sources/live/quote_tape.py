"""The newest quotes of each symbol, in constant memory, written by a stream and read at any moment of the last half hour.

Promises that a quote is never newer than the moment at which it is asked for, that a quote which is crossed, one-sided or older
than the newest is dropped, and that the memory of a symbol does not grow. Refuses to build records: raw tuples go in and come
out, since thousands arrive in a second and few are ever looked at.
"""

import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from trading_bot.domain.values import Symbol

_SECOND = 10**9
_ABSURD = 1e12
_TIERS = ((_SECOND // 4, 12), (5 * _SECOND, 24), (60 * _SECOND, 30))
"""Width of a slot and how many are kept: of each slot its last quote.

A look back of 3 s is exact to 1/4 s, of 2 min to 5 s, of 30 min to a minute.
"""


class RawQuote(NamedTuple):
    """A quote as a vendor said it; numbers are floats or decimal texts."""

    nanos: int
    """The venue's own time, nanoseconds since 1970."""
    bid: float | str
    ask: float | str
    bid_size: float | str
    ask_size: float | str
    polled: bool = False


Slots = deque[RawQuote]


class QuoteTape:
    """Quotes of the symbols that were named to it; others are ignored."""

    def __init__(self) -> None:
        self._slots: dict[str, tuple[Slots, ...]] = {}
        self._lock = threading.Lock()

    def follow(self, symbols: Iterable[Symbol]) -> None:
        """Keep quotes of these symbols too."""
        with self._lock:
            for symbol in symbols:
                if symbol not in self._slots:
                    self._slots[symbol] = tuple(deque(maxlen=count) for _, count in _TIERS)

    def put(self, symbol: str, quote: RawQuote) -> bool:
        """Keep `quote`; False if it cannot be used. ValueError or TypeError for what is no number."""
        slots = self._slots.get(symbol)
        if slots is None or not (0 < float(quote.bid) <= float(quote.ask) < _ABSURD):
            return False
        if not (0 <= float(quote.bid_size) < _ABSURD and 0 <= float(quote.ask_size) < _ABSURD):
            return False
        with self._lock:
            if slots[0] and quote.nanos < slots[0][-1].nanos:
                return False
            for (width, _), slot in zip(_TIERS, slots, strict=True):
                if slot and slot[-1].nanos // width == quote.nanos // width:
                    slot[-1] = quote
                else:
                    slot.append(quote)
        return True

    def at(self, symbol: Symbol, nanos: int) -> RawQuote | None:
        """The newest quote that was published at or before `nanos`, None if there is none any more."""
        with self._lock:
            for slot in self._slots.get(symbol, ()):
                for quote in reversed(slot):
                    if quote.nanos <= nanos:
                        return quote
        return None

    def forget_after(self, symbol: Symbol, nanos: int) -> None:
        """Drop quotes that claim a later time: one of them would make every honest one look old."""
        with self._lock:
            for slot in self._slots.get(symbol, ()):
                while slot and slot[-1].nanos > nanos:
                    slot.pop()
