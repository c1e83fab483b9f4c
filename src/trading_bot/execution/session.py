"""The one event loop. Backtest, simulated day, paper and live desk run through it; what differs is plugged in.

    wait until something is due -> book what the venue told on the way -> serve the inbox -> run what is due

Promises that reached trading time is durable before anything is done at it, so that a desk which was killed goes on at the moment where
it died and repeats nothing; that a venue which cannot be reached is asked again and stops nothing else; and that on a real clock books,
stops and inbox are looked after while an analyst thinks.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from trading_bot.domain.errors import BrokerKeysError
from trading_bot.execution.apart import AWAY, Apart
from trading_bot.execution.clock import Bell
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.ports import Broker, Clock, Journal

_TICK = timedelta(seconds=5)
"""How often a desk on a real clock looks at venue and inbox."""
_SOON = timedelta(seconds=0.5)
"""The same, while something is under way."""
_SIMULATED_TICK = timedelta(minutes=1)
"""How often a simulated desk looks at a venue that cannot say when something will happen."""
_TOLD_AFTER = timedelta(minutes=1)
"""A person is told of a venue that is away for so long; of keys that it refuses, at once."""
_COMPARED_EVERY = timedelta(minutes=5)
T = TypeVar("T")
_log = structlog.get_logger()


class Agenda(Protocol):
    """What there is to do, and when."""

    def next_due(self) -> datetime | None:
        """When the next thing is due (it may be past), None when there is nothing more."""

    def run_due(self) -> None:
        """Do what is due now."""


class Session:
    """Runs an agenda against clock, venue and inbox. `beat` is called on every turn, for who watches whether the desk lives."""

    def __init__(  # noqa: PLR0913 - the loop is where they meet
        self,
        *,
        clock: Clock,
        journal: Journal,
        broker: Broker,
        engine: Engine,
        inbox: Inbox,
        stop: threading.Event,
        bell: Bell | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._broker = broker
        self._engine = engine
        self._inbox = inbox
        self._stop = stop
        self._bell = bell or Bell()
        self._beat = beat
        self._running = False
        self._started = False
        self._away_since: datetime | None = None
        self._away_told = False
        self._compared = clock.now()
        self.turn = threading.Lock()
        """Held while the loop works, and free while it waits: who has it may look at the desk from another thread."""

    def begin(self) -> None:
        """Catch up after a start: with the venue, with doubtful orders, with the inbox."""
        self._journal.mark_clock(self._clock.now())
        self._tend()

    def run(self, agenda: Agenda, ready: Callable[[], None] = lambda: None) -> None:
        """Run until the agenda is empty or the desk is asked to stop. `ready`: called once it has caught up."""
        with self.turn:
            self._running = True
            try:
                self.begin()
                ready()
                self._run(agenda)
            finally:
                self._running = False
                self._broker.close()

    def _run(self, agenda: Agenda) -> None:
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
            with self._standing_aside():
                self._clock.sleep_until(self._next_look(moment))
            self._journal.mark_clock(self._clock.now())
            self._tend()

    def attend(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; on a real clock books and stops are looked after until it does."""
        if self._clock.simulated or not self._running:
            return work()
        with ThreadPoolExecutor(1, "analyst") as pool:
            future = pool.submit(work)
            future.add_done_callback(lambda _: self._bell.ring())
            while not future.done():
                with self._standing_aside():
                    self._bell.wait((_SOON if self._engine.restless else _TICK).total_seconds())
                self._tend()
            return future.result()

    def _next_look(self, moment: datetime) -> datetime:
        """When to look at the venue next, at `moment` at the latest."""
        now = self._clock.now()
        if not self._clock.simulated:
            return min(moment, now + (_SOON if self._engine.restless else _TICK))
        if self._broker.foresees:
            return self._broker.next_event_time(moment) or moment
        return min(moment, now + (_SOON if self._engine.restless else _SIMULATED_TICK))

    def _tend(self) -> None:
        """One look at venue and inbox. A venue that is away is noted, and everything else goes on."""
        self._beat()
        try:
            self._see_venue()
            self._note_back()
        except AWAY as error:
            self._note_away(error)
        try:
            self._inbox.serve()
            self._engine.withdraw()
            self._inbox.press_on()
        except AWAY as error:
            self._note_away(error)

    def _see_venue(self) -> None:
        if not self._started:
            self._engine.start(self._bell.ring)
            self._started = True
            return
        apart = Apart()
        with apart.one():
            self._engine.resolve()
        with apart.one():
            self._engine.pump()
        apart.end()
        if not self._clock.simulated and self._clock.now() - self._compared >= _COMPARED_EVERY:
            self._compared = self._clock.now()
            self._engine.reconcile()

    def _note_away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since, self._away_told = self._clock.now(), False
            _log.warning("the venue cannot be reached; no new risk is taken meanwhile", error=str(error))
        if not self._away_told and (isinstance(error, BrokerKeysError) or self._clock.now() - self._away_since >= _TOLD_AFTER):
            self._away_told = True
            self._engine.tell("The venue cannot be reached", f"since {self._away_since:%H:%M} UTC: {error}")

    def _note_back(self) -> None:
        if self._away_since is not None:
            self._engine.reconcile()
            _log.info("the venue answers again", away_since=self._away_since.isoformat())
            self._away_since = None

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
