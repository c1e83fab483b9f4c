"""When to listen and when to read: the stream is quick, the reads are sure.

Promises a read every 15 s, at once after the stream came (back), and every 2 s while it is down or mute, after a failure, and for as long
as an execution is missing. What the stream tells is handed on before anything is asked: books do not wait for answers, and answers for
books no longer than a moment. A stream that keeps silent about an execution which a read finds counts as mute until it speaks again, and is
connected anew.
"""

import logging
from collections.abc import Callable

from trading_bot.brokers.alpaca.reading import Reading
from trading_bot.brokers.alpaca.story import Story
from trading_bot.brokers.alpaca.stream import Updates

READ_EVERY = 15.0
"""Seconds between two reads while the stream speaks and nothing is missing."""
READ_SOON = 2.0
"""The same otherwise."""
RENEW_AFTER = 20.0
"""A stream that is mute for so long is connected anew."""
ASKED_WITHIN = 0.25
"""For so long questions are put off while the stream goes on telling."""
_LOG = logging.getLogger(__name__)


class Syncing:
    """Brings the story up to date. `again`: asks for another call soon; `always`: read at each call, for a clock that stands still."""

    def __init__(  # noqa: PLR0913 - where listening and reading meet
        self, reading: Reading, story: Story, stream: Updates, steady: Callable[[], float], again: Callable[[], None], *, always: bool
    ) -> None:
        self._reading = reading
        self._story = story
        self._stream = stream
        self._steady = steady
        self._again = again
        self._always = always
        self._read_at = steady()
        self._connections = 0
        self._mute_since: float | None = None
        self._unexplained: dict[str, object] = {}
        self._hurried = False
        self._behind = False
        """Whether the last read failed, or a message was not understood."""
        self._heard_since: float | None = None
        """Since when it has been speaking without a pause in which something could be asked."""

    def sync(self) -> None:
        """Take in what the stream said; read if it is time. BrokerUnavailableError if that fails."""
        if self._listen() and not self._always and self._may_wait():
            self._again()
            return
        self._heard_since = None
        self._reading.follow_up()
        if self._is_due():
            self._read()

    def _listen(self) -> bool:
        """Take in what the stream said; whether it said anything."""
        messages = self._stream.drain()
        for message in messages:
            try:
                self._story.hear(message)
            except (KeyError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
                # Not believed, and no reason to stop: the next read says what is true.
                _LOG.warning("alpaca trade updates: a message that makes no sense (%s) is not booked", type(error).__name__)
                self._behind = True
        return bool(messages)

    def _may_wait(self) -> bool:
        """Whether questions can be put off once more."""
        now = self._steady()
        self._heard_since = now if self._heard_since is None else self._heard_since
        return now - self._heard_since < ASKED_WITHIN

    def hurry(self, kind: str, seen: object) -> None:
        """The account shows what the story does not explain: read soon, once for each such sight."""
        if self._unexplained.get(kind) != seen:
            self._unexplained[kind] = seen
            self._hurried = True

    def explained(self, kind: str) -> None:
        """The account shows what the story says: the next sight that it does not explain is a new one."""
        self._unexplained.pop(kind, None)

    def _is_due(self) -> bool:
        waited, again = self._steady() - self._read_at, self._stream.connections != self._connections
        if self._always or ((again or self._story.owes_fee) and not self._behind):
            return True
        soon = again or self._behind or self._hurried or self._stream.mute or bool(self._story.chronicle.incomplete())
        return waited >= (READ_SOON if soon else READ_EVERY)

    def _read(self) -> None:
        connections = self._stream.connections
        self._read_at, self._behind = self._steady(), True
        if connections != self._connections:
            self._reading.recent()
        unheard = self._reading.read()
        self._behind = self._hurried = self._story.owes_fee = False
        if connections != self._connections:
            self._hurried = True  # once more, in case the stream began to tell a moment after this read
        elif unheard:
            self._stream.doubt()
        self._connections = connections
        self._renew()

    def _renew(self) -> None:
        now = self._steady()
        if not self._stream.mute:
            self._mute_since = None
        elif self._mute_since is None:
            self._mute_since = now
        elif now - self._mute_since >= RENEW_AFTER:
            self._mute_since = now
            self._stream.renew()
