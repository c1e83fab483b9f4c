"""When and how Bybit is asked for what the stream may have missed.

Promises that what the venue did since the last event becomes known whatever the stream does: a read finds it, soon if something is
open to doubt (no stream, a mute one, an order without its executions, an acknowledgement without an acceptance), else on a slow period.
While the stream tells, questions are put off for a moment: books do not wait for answers.
"""

import logging
from collections.abc import Callable

from trading_bot.brokers.bybit.bookkeeping import Bookkeeper
from trading_bot.brokers.bybit.rounds import Rounds
from trading_bot.brokers.bybit.stream import PrivateStream
from trading_bot.domain.errors import BrokerUnavailableError
from trading_bot.domain.values import ClientOrderId

DOUBT_SECONDS, MUTE_SECONDS, WORKING_SECONDS, CALM_SECONDS, CASH_SECONDS = 1.0, 2.0, 3.0, 15.0, 60.0
"""Between reads: while something is open to doubt, without a stream that speaks, while orders work, and else; the log of cash.

A stream can answer pings and tell nothing: while orders work, reads must not be far apart.
"""
ASKED_WITHIN = 0.25
"""For so long questions are put off while the stream goes on telling."""
_PATIENCE = 30.0
"""Seconds for which an acknowledged order may stay untold before it is no longer asked for with every read."""
_NONSENSE = (KeyError, ValueError, TypeError, ArithmeticError, AttributeError, BrokerUnavailableError)
_LOG = logging.getLogger(__name__)


class Syncing:
    """Listens to the stream, and knows when to ask. `again` has it called once more, soon."""

    def __init__(
        self, rounds: Rounds, books: Bookkeeper, stream: PrivateStream, steady: Callable[[], float], again: Callable[[], None]
    ) -> None:
        self._rounds = rounds
        self._books = books
        self._stream = stream
        self._steady = steady
        self._again = again
        self._heard_since: float | None = None
        """Since when it has been speaking without a pause in which something could be asked."""
        self._read_at = self._cash_at = float("-inf")
        self._seen_connections = 0
        self._mute = self._unfinished = False
        self._acknowledged: dict[ClientOrderId, float] = {}

    def expect(self, identity: ClientOrderId) -> None:
        """An order was acknowledged, and is not told yet."""
        self._acknowledged[identity] = self._steady()

    def hurry(self) -> None:
        """The account shows what the books do not explain: read soon, the log of cash too."""
        self._unfinished, self._cash_at = True, float("-inf")

    def drain(self) -> bool:
        """Take in what the stream brought; whether it brought anything."""
        messages = self._stream.take()
        for message in messages:
            try:
                self._books.message(message)
            except _NONSENSE as error:
                # Not believed, and no reason to lose the next ones: a read says what is true, and says so if it is this.
                _LOG.warning("bybit stream: a message that makes no sense (%s) is not booked", type(error).__name__)
                self._unfinished = True
        self._mute = self._mute and not messages
        if not messages:
            self._heard_since = None
        elif self._heard_since is None:
            self._heard_since = self._steady()
        return bool(messages)

    def due(self) -> bool:
        """Whether it is time to read, and the stream leaves time for it."""
        if not self._is_time():
            return False
        if self._heard_since is None or self._steady() - self._heard_since >= ASKED_WITHIN:
            return True
        self._again()
        return False

    def _is_time(self) -> bool:
        if self._stream.connections != self._seen_connections and not self._unfinished:
            return True
        self._forget_told()
        doubt = self._unfinished or bool(self._acknowledged) or self._books.unsettled() or self._books.funding_seen
        return self._steady() - self._read_at >= (DOUBT_SECONDS if doubt else self._pause())

    def _pause(self) -> float:
        if self._mute or not self._stream.live:
            return MUTE_SECONDS
        return WORKING_SECONDS if self._books.chronicle.working() else CALM_SECONDS

    def read(self) -> None:
        """Ask for everything that may be new."""
        connections = self._stream.connections
        before = len(self._books.chronicle.after(0))
        self._read_at, self._unfinished, self._heard_since = self._steady(), True, None
        self._rounds.trades(tuple(self._acknowledged))
        self._forget_told()
        if self._books.funding_seen or self._steady() - self._cash_at >= CASH_SECONDS:
            self._rounds.cash()
            self._cash_at = self._steady()
        # What a read finds and a connected stream has not told makes the stream suspect, until it speaks again.
        told = len(self._books.chronicle.after(0)) > before
        self._mute = self._stream.live and (self._mute or told)
        self._seen_connections, self._unfinished = connections, False

    def _forget_told(self) -> None:
        now = self._steady()
        told = self._books.chronicle.order
        self._acknowledged = {i: at for i, at in self._acknowledged.items() if told(i) is None and now - at < _PATIENCE}
