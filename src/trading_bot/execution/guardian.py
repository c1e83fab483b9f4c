"""The guardian: looks at desk and venue from outside, tells people, and cures or flattens by the mandate when the desk does not.

    look -> judge -> tell -> (what lasts, and what the mandate lets it do:) announce -> kill the owner -> take the home -> act -> verify

Promises that it works while the desk hangs, is dead, or its journal cannot be read; that its announcement is durable before it kills, and
each order before it is sent; that it holds the home while it acts, and looks at the venue again once it holds it. Refuses to kill a desk
that lives for what it is curing within its time, to do anything while there is nothing to do, to touch what the desk never meant to open
(unless a person has it close everything), and to open or enlarge.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trading_bot.domain.errors import DeskError, HomeLockedError, StorageError
from trading_bot.domain.mandate import Cure, GuardianOrders, Limits
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.records import DeskState
from trading_bot.domain.values import Symbol
from trading_bot.execution import guardian_plan as plan
from trading_bot.execution import heartbeat
from trading_bot.execution.guardian_hands import Hands
from trading_bot.execution.guardian_intents import Began, Ended, GuardianLog, Meant, unsettled
from trading_bot.execution.guardian_memory import JournalCopy, Memory, MemoryFile
from trading_bot.execution.guardian_owner import acting_elsewhere, kill_owner
from trading_bot.execution.guardian_sight import NAME, Condition, Holdings, Sight, judge
from trading_bot.execution.guardian_telling import Telling, due
from trading_bot.ports import Notifier, WallClock
from trading_bot.risk.halt import DeskSwitch, write_halt_file
from trading_bot.settings import GuardianSettings
from trading_bot.storage.home import Home
from trading_bot.storage.memory import MemoryJournal

_KILL_PATIENCE_S = 10.0
_ACT_PATIENCE = timedelta(seconds=20)
"""How long one act may wait for the venue; what is not done then is taken up again later."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_REST = 5
"""So many intervals pass after an act that was not enough, before the next one."""
_CALM_LOOKS = 3
"""A venue is asked so often within the time that a position may lack its stop, while all is well: its budget of calls is the desk's."""
_VENDOR_CALM, _VENDOR_URGENT = timedelta(seconds=2), timedelta(seconds=1)
"""And never more often than that over a network: a look takes three calls, and vendors allow some 200 a minute."""


Scope = Callable[[Holdings], Holdings]
"""Which part of what is held an act is about."""


@dataclass(frozen=True)
class Orders:
    """What the mandate allows, as it can be verified now."""

    guardian: GuardianOrders
    limits: Limits
    no_mandate: str = ""
    """Why none holds; then nothing but curing is allowed."""
    universe: tuple[Symbol, ...] = ()
    """What the desk may open."""


@dataclass
class Guardian:
    """Watches one home. `connect` gives hands at the venue, and knows by the memory which orders are the desk's."""

    home: Home
    settings: GuardianSettings
    connect: Callable[[Memory, tuple[OrderIntent, ...]], Hands]
    orders: Callable[[], Orders]
    notifier: Notifier
    clock: WallClock
    stop: threading.Event
    say: Callable[[str], None] = lambda _line: None
    _hands: Hands | None = None
    _began: datetime | None = None
    _stays: bool = False
    _rest: datetime | None = None
    """When it may act again after an act that was not enough."""
    _last: tuple[datetime, Holdings] | None = None
    """What the venue said, and when."""
    _memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self._telling = Telling(self.notifier, self.say)
        self._log = GuardianLog(self.home.guardian_log)
        self._file = MemoryFile(self.home.guardian_memory)
        self._copy = JournalCopy(self.home)
        self._memory = self._file.read()
        self._told_venue = frozenset[str]()
        self._damage = ""
        self._urgent = False
        self._hindrance = ""
        self._beat: tuple[heartbeat.Beat | None, datetime | None] = (None, None)
        self._switch = DeskSwitch(self.home.halt_file, MemoryJournal("nobody"))

    def run(self, ready: Callable[[], None] = lambda: None, alive: Callable[[], None] = lambda: None) -> None:
        """Look until asked to stop. `ready`: called after the first look, `alive`: after each."""
        self._stays = True
        self._look_on()
        ready()
        while not self.stop.wait(self.settings.interval_seconds):
            self._look_on()
            alive()
        self.close()

    def close(self) -> None:
        """End the connection to the venue."""
        self._disconnect()

    def flatten(self, cause: str) -> bool:
        """Close everything for a person, whatever the mandate says, also what is not the desk's; whether nothing is left to do.

        Raises DeskError for what hinders it.
        """
        try:
            return self._act(Cure.FLATTEN, cause, lambda seen: seen, withdraw=True)
        finally:
            self.close()

    def look(self) -> tuple[Condition, ...]:
        """Look once, tell what is new, act if something asks for it; return what is not as it should be."""
        sight = self._sight()
        found = judge(sight, self.settings)
        self._urgent = any(c.reaction is not None for c in found)
        self._memory = self._telling.remember(self._memory, found, sight.now)
        lasting = due(self._memory, found, sight.now)
        self._memory = self._telling.tell(self._memory, lasting)
        reaction = Cure.FLATTEN if any(c.reaction is Cure.FLATTEN for c in lasting) else Cure.CURE
        causes = [c for c in lasting if c.reaction is not None]
        if causes and (self._rest is None or sight.now >= self._rest):
            self._react(reaction, causes, sight)
        self._file.write(self._memory)
        return found

    def _look_on(self) -> None:
        """Look; what hinders that (a home that cannot be read, say) is told once, and is no end of looking."""
        hindrance = ""
        try:
            self.look()
        except (DeskError, OSError) as error:
            hindrance = str(error)
        if hindrance and hindrance != self._hindrance:
            self._telling.announce("The guardian cannot look", hindrance)
        self._hindrance = hindrance

    # -- looking -----------------------------------------------------------------------------------------------------

    def _sight(self) -> Sight:
        now = self.clock.now()
        self._began = self._began or now
        self._set_damaged_log_aside()
        fresh = self._refresh()
        orders = self.orders()
        seen, trouble = self._ask(now)
        state, why = self._switch.explain()
        return Sight(
            now=now,
            began=self._began,
            stays=self._stays,
            owner=self.home.lock_owner(),
            beat=self._heard(now),
            halted=why if state is DeskState.HALTED else "",
            broker=seen,
            trouble=trouble,
            memory=self._memory,
            ours=self._ours(orders),
            fresh=fresh,
            orders=orders.guardian,
            daily_loss=orders.limits.daily_loss,
            no_mandate=orders.no_mandate,
        )

    def _set_damaged_log_aside(self) -> None:
        """A file that was changed by somebody must not keep positions naked: begin a new one, and tell."""
        if (told := self._log.set_aside(self.clock.now())) and told != self._damage:
            self._telling.announce("The guardian's own file was damaged", told)
        self._damage = told

    def _heard(self, now: datetime) -> heartbeat.Beat | None:
        beat = heartbeat.read(self.home.heartbeat)
        if beat != self._beat[0]:
            self._beat = (beat, now)
        first = self._beat[1]
        return beat if beat is None or first is None else beat.seen(first)

    def _refresh(self) -> bool:
        try:
            self._memory = self._copy.refresh(self._memory)
        except StorageError:
            return False
        return True

    def _ours(self, orders: Orders) -> frozenset[Symbol]:
        """What the desk ever meant to open; as long as its journal cannot be read, also what it may have opened since."""
        return self._memory.ours(() if self._copy.was_read else orders.universe)

    def _ask(self, now: datetime) -> tuple[Holdings | None, str]:
        """What the venue says; between two looks at it, what it said a moment ago."""
        if self._last is not None and now - self._last[0] < self._spacing():
            return self._last[1], ""
        try:
            if self._unknown():
                self._disconnect()
            self._hands = self._hands or self._connected()
            self._hands.note_arrivals()
            seen = self._hands.look()
        except DeskError as error:
            self._disconnect()
            return None, f"{error.code}: {error}"
        self._last = (now, seen)
        self._memory = self._memory.looked(now, seen.account.equity)
        return seen, ""

    def _spacing(self) -> timedelta:
        """How long an answer of the venue holds: while something may have to be done not at all, but for the vendor's limits."""
        vendor = self._hands is not None and not self._hands.broker.foresees
        if self._urgent:
            return _VENDOR_URGENT if vendor else timedelta(0)
        calm = timedelta(seconds=self.settings.naked_seconds / _CALM_LOOKS)
        return max(calm, _VENDOR_CALM) if vendor else calm

    def _unknown(self) -> bool:
        """Whether the desk means to send what the connection was not told of: some venues show legs only to who knows them."""
        return not {i.key for i in self._memory.intents} <= self._told_venue

    def _connected(self) -> Hands:
        self._told_venue = frozenset(i.key for i in self._memory.intents)
        own = tuple(OrderIntent(at=e.at, order=e.order) for e in self._log.entries() if isinstance(e, Meant))
        return self.connect(self._memory, own)

    def _disconnect(self) -> None:
        if self._hands is not None:
            with suppress(DeskError):
                self._hands.broker.close()
        self._hands = self._last = None

    # -- acting ------------------------------------------------------------------------------------------------------

    def _react(self, what: Cure, causes: list[Condition], sight: Sight) -> None:
        """Act; what fails is told, and tried again when a while has passed."""
        cause = "; ".join(c.title for c in causes)
        try:
            withdraw = bool(sight.halted) and any(c.key == "entries" for c in causes)
            done = self._act(what, cause, lambda seen: seen.only(self._ours(self.orders())), withdraw=withdraw)
        except (DeskError, OSError) as error:
            self._telling.announce(f"The guardian could not {what}", f"{cause}. {error}")
            done = False
        self._rest = None if done else self.clock.now() + timedelta(seconds=_REST * self.settings.interval_seconds)

    def _act(self, what: Cure, cause: str, scope: Scope, *, withdraw: bool) -> bool:
        """Do `what`, and return whether it is done. Nothing is killed, and nothing sent, if there is nothing to do."""
        self._disconnect()
        self._refresh()
        self._hands = hands = self._connected()
        if not _steps(what, hands, scope(hands.look()), withdraw=withdraw):
            return True
        with self._taken(what, cause):
            self._disconnect()
            self._refresh()
            self._hands = hands = self._connected()
            complete, told = self._work(what, hands, scope, withdraw=withdraw)
            note = "; ".join(told) or "nothing was left to do"
            result = "done" if complete else "not done yet: it waits for the venue, and is looked at again"
            self._log.append(Ended(at=self.clock.now(), what=what, note=f"{result}: {note}"))
        self._last = None
        self._telling.announce(f"The guardian acted ({what}): {result}", f"Because: {cause}. {note}")
        return complete

    @contextmanager
    def _taken(self, what: Cure, cause: str) -> Iterator[None]:
        """Hold the home: announced first, its owner killed, its lock taken."""
        now, owner = self.clock.now(), self.home.lock_owner()
        if acting_elsewhere(owner, NAME, now, 2 * _ACT_PATIENCE):
            raise HomeLockedError(f"another guardian acts already: {owner}")
        self._log.append(Began(at=now, what=what, cause=cause, kills="" if owner is None else str(owner)))
        if what is Cure.FLATTEN:
            write_halt_file(self.home.halt_file, NAME, cause, now)
        killed = kill_owner(self.home, _KILL_PATIENCE_S)
        with self.home.lock(NAME, now):
            if killed is not None:
                self._telling.announce("The guardian killed the desk", f"It was {killed}. Because: {cause}.")
            yield

    def _work(self, what: Cure, hands: Hands, scope: Scope, *, withdraw: bool) -> tuple[bool, tuple[str, ...]]:
        """Look, plan and do until there is nothing left, or the time is over; whether it is complete, and what was done."""
        told: list[str] = []
        until, pause = self.clock.now() + _ACT_PATIENCE, _FIRST_PAUSE_S
        while True:
            seen = hands.look()
            steps = _steps(what, hands, scope(seen), withdraw=withdraw)
            complete = not steps and not unsettled(self._log.entries()) and (what is Cure.CURE or plan.is_flat(scope(seen)))
            if complete or self.clock.now() >= until or self.stop.is_set():
                return complete, tuple(dict.fromkeys(told))
            told += hands.work(steps, seen)
            self.stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _steps(what: Cure, hands: Hands, seen: Holdings, *, withdraw: bool) -> tuple[plan.Step, ...]:
    """What is left to do."""
    return plan.flatten(seen, hands.broker.traits) if what is Cure.FLATTEN else plan.cure(seen, hands.broker.traits, withdraw=withdraw)
