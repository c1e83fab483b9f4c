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
_FINE = _SECOND // 4
ABSURD = 1e12
_TIERS = ((_FINE, 12), (5 * _SECOND, 24), (60 * _SECOND, 30))
"""Width of a slot and how many are kept: besides the newest quote, the first one of each slot.

What was the newest quote at a moment is so known to 1/4 s for three seconds back, to 5 s for two minutes, to a minute for half an hour.
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


class _Reel:
    """What is kept of one symbol."""

    __slots__ = ("newest", "tiers")

    def __init__(self) -> None:
        self.newest: RawQuote | None = None
        self.tiers: tuple[deque[RawQuote], ...] = tuple(deque(maxlen=count) for _, count in _TIERS)

    def begin(self, quote: RawQuote) -> None:
        """Keep the first quote of a slot; a wider slot begins with a narrower one."""
        for (width, _), kept in zip(_TIERS, self.tiers, strict=True):
            if not kept or kept[-1].nanos // width != quote.nanos // width:
                kept.append(quote)

    def at(self, nanos: int) -> RawQuote | None:
        """The newest at or before `nanos`: the narrow slots hold the latest, so that the first find is the best."""
        if self.newest is not None and self.newest.nanos <= nanos:
            return self.newest
        return next((quote for kept in self.tiers for quote in reversed(kept) if quote.nanos <= nanos), None)


class QuoteTape:
    """Quotes of the symbols that were named to it; others are ignored."""

    def __init__(self) -> None:
        self._reels: dict[str, _Reel] = {}
        self._lock = threading.Lock()

    def follow(self, symbols: Iterable[Symbol]) -> None:
        """Keep quotes of these symbols too."""
        with self._lock:
            for symbol in symbols:
                self._reels.setdefault(symbol, _Reel())

    def put(self, symbol: str, quote: RawQuote) -> bool:
        """Keep `quote`; False if it cannot be used. ValueError or TypeError for what is no number."""
        reel = self._reels.get(symbol)
        nanos, bid, ask, bid_size, ask_size, _ = quote
        if reel is None or not (0 < float(bid) <= float(ask) < ABSURD):
            return False
        if not (0 <= float(bid_size) < ABSURD and 0 <= float(ask_size) < ABSURD):
            return False
        with self._lock:
            newest = reel.newest
            if newest is not None and nanos < newest.nanos:
                return False
            if newest is None or nanos // _FINE != newest.nanos // _FINE:
                reel.begin(quote)
            reel.newest = quote
        return True

    def at(self, symbol: Symbol, nanos: int) -> RawQuote | None:
        """The newest quote that was published at or before `nanos`, None if there is none any more."""
        reel = self._reels.get(symbol)
        if reel is None:
            return None
        with self._lock:
            return reel.at(nanos)

    def forget_after(self, symbol: Symbol, nanos: int) -> None:
        """Drop quotes that claim a later time: one of them would make every honest one look old."""
        reel = self._reels.get(symbol)
        if reel is None or reel.newest is None or reel.newest.nanos <= nanos:
            return
        with self._lock:
            for kept in reel.tiers:
                while kept and kept[-1].nanos > nanos:
                    kept.pop()
            reel.newest = reel.tiers[0][-1] if reel.tiers[0] else None
