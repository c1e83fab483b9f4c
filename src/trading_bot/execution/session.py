"""The one event loop. Backtest, simulated day, paper and live desk run through it; what differs is plugged in.

    wait until something is due -> book what the venue told on the way -> serve the inbox -> run what is due

Promises that reached trading time is durable before anything is done at it, so that a desk which was killed goes on at the
moment where it died and repeats nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.ports import Broker, Clock, Journal

_TICK = timedelta(seconds=5)
"""How often a desk on a real clock looks at venue and inbox."""


class Agenda(Protocol):
    """What there is to do, and when."""

    def next_due(self) -> datetime | None:
        """When the next thing is due (it may be past), None when there is nothing more."""

    def run_due(self) -> None:
        """Do what is due now."""


class Session:
    """Runs an agenda against clock, venue and inbox."""

    def __init__(  # noqa: PLR0913 - the loop is where they meet
        self, *, clock: Clock, journal: Journal, broker: Broker, engine: Engine, inbox: Inbox, stop: threading.Event
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._broker = broker
        self._engine = engine
        self._inbox = inbox
        self._stop = stop
        self._running = False
        self.turn = threading.Lock()
        """Held while the loop works, and free while it waits: who has it may look at the desk from another thread."""

    def begin(self) -> None:
        """Catch up after a start: with the venue, with doubtful orders, with the inbox."""
        self._journal.mark_clock(self._clock.now())
        self._engine.start()
        self._inbox.serve()
        self._engine.withdraw()

    def run(self, agenda: Agenda) -> None:
        """Run until the agenda is empty or the desk is asked to stop."""
        with self.turn:
            self._running = True
            try:
                self._run(agenda)
            finally:
                self._running = False

    def _run(self, agenda: Agenda) -> None:
        self.begin()
        while not self._stop.is_set():
            due = agenda.next_due()
            if due is None:
                return
            self.wait(due)
            if not self._stop.is_set():
                agenda.run_due()

    def wait(self, moment: datetime) -> None:
        """Go to `moment`, booking on the way what the venue tells when it tells it, and serving the inbox."""
        while not self._stop.is_set() and self._clock.now() < moment:
            wake = self._broker.next_event_time(moment) or moment
            if not self._clock.simulated:
                wake = min(wake, self._clock.now() + _TICK)
            with self._standing_aside():
                self._clock.sleep_until(wake)
            self._journal.mark_clock(self._clock.now())
            self._engine.resolve()
            self._engine.pump()
            self._inbox.serve()
            self._engine.withdraw()

    @contextmanager
    def _standing_aside(self) -> Iterator[None]:
        """Let others have their turn, if this is the loop's."""
        if not self._running:
            yield
            return
        self.turn.release()
        try:
            yield
        finally:
            self.turn.acquire()
