"""What a venue says of its perpetuals beside their quotes, from the same stream and the same poll.

Promises the newest word at or before the moment asked for, with the venue's own time, in constant memory; that a word which makes no
sense, or is older than the newest, is dropped; and that nothing is asked for twice where a poll of quotes told it. Refuses to call an
old word new: if a poll fails the last one is returned with its own time; if there is none, the failure is raised.
"""

import threading
from collections import deque
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from trading_bot.domain.market import Contract
from trading_bot.domain.values import Symbol
from trading_bot.sources.live.quote_tape import ABSURD
from trading_bot.sources.live.quoting import SKEW, LiveQuotes, exact
from trading_bot.sources.sessions import MILLI, SECOND, moment_of, nanoseconds

_YOUNG = 10 * SECOND
"""A word of this age is polled for."""
_SLOT, _SLOTS = 15 * SECOND, 120
"""Besides the newest word, the first one of each slot is kept: half an hour."""


class RawContract(NamedTuple):
    """A venue's word as it was said."""

    nanos: int
    """The venue's own time, nanoseconds since 1970."""
    mark: str
    rate: str
    next_millis: str


class LiveContracts:
    """Perpetuals of one market. `quotes`: those of the same market, whose poll tells of both."""

    def __init__(self, quotes: LiveQuotes) -> None:
        self._quotes = quotes
        self._newest: dict[str, RawContract] = {}
        self._kept: dict[str, deque[RawContract]] = {}
        self._lock = threading.Lock()

    def follow(self, symbol: Symbol) -> None:
        """Keep what is said of this one too; of others it is ignored."""
        with self._lock:
            self._kept.setdefault(symbol, deque(maxlen=_SLOTS))

    def heard(self, symbol: str, said: RawContract) -> None:
        """Take in a word, from any thread."""
        kept = self._kept.get(symbol)
        if kept is None or not _makes_sense(said) or said.nanos > nanoseconds(self._quotes.now()) + SKEW:
            return
        with self._lock:
            newest = self._newest.get(symbol)
            if newest is not None and said.nanos < newest.nanos:
                return
            if newest is None or newest.nanos // _SLOT != said.nanos // _SLOT:
                kept.append(said)
            self._newest[symbol] = said

    def at(self, symbol: Symbol, moment: datetime) -> Contract | None:
        """The newest word at or before `moment`, None if there was none. SourceFailedError if that cannot be known."""
        nanos = nanoseconds(moment)
        found = self._find(symbol, nanos)
        if (found is None or nanos - found.nanos > _YOUNG) and self._quotes.is_present(moment):
            self._quotes.fill()
            # What a poll told is as of now, not as of the moment when the question was asked.
            found = self._find(symbol, nanos) or self._find(symbol, nanoseconds(self._quotes.now()))
            if found is None and self._quotes.failure is not None:
                raise self._quotes.failure
        return None if found is None else _contract(symbol, found)

    def _find(self, symbol: Symbol, nanos: int) -> RawContract | None:
        with self._lock:
            newest = self._newest.get(symbol)
            if newest is None or newest.nanos <= nanos:
                return newest
            return next((said for said in reversed(self._kept[symbol]) if said.nanos <= nanos), None)


def _makes_sense(said: RawContract) -> bool:
    try:
        return 0 < Decimal(said.mark) < ABSURD and abs(Decimal(said.rate)) < 1 and int(said.next_millis) > 0
    except (ArithmeticError, ValueError, TypeError):
        return False


def _contract(symbol: Symbol, said: RawContract) -> Contract:
    return Contract(
        symbol=symbol,
        mark=exact(said.mark),
        funding_rate=exact(said.rate),
        next_funding_at=moment_of(int(said.next_millis) * MILLI),
        time=moment_of(said.nanos),
    )
