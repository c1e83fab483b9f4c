"""What the loop does while a venue is away, and while an analyst thinks."""

import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from execution.test_guard_at_venues import STOCK
from trading_bot.domain.proposals import ProposalKind
from trading_bot.domain.records import Command, CommandAction, CommandDone, DeskState
from trading_bot.execution.clock import RealClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.session import Session
from trading_bot.monitoring.systemd import Systemd
from trading_bot.ports import Broker, InboxItem
from trading_bot.storage.memory import MemoryJournal
from venues import alpaca_desk

_LONG = 20.0


class Looked:
    """Engine, inbox and broker of a loop, which count how often they are looked at."""

    restless = True
    foresees = False

    def __init__(self) -> None:
        self.looks = threading.Semaphore(0)

    def start(self, _ring: object) -> None:
        """Nothing."""

    def resolve(self) -> None:
        """Nothing."""

    def pump(self) -> None:
        """Count."""
        self.looks.release()

    def serve(self) -> None:
        """Nothing."""

    def press_on(self) -> None:
        """Nothing."""

    def withdraw(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Thinking:
    """An agenda of one task: an analyst who answers only after the loop has looked at the venue three more times."""

    def __init__(self, looked: Looked) -> None:
        self.looked = looked
        self.session: Session | None = None
        self.answer: str | None = None
        self.thread: threading.Thread | None = None

    def next_due(self) -> datetime | None:
        """Now, once."""
        return datetime.now(UTC) if self.answer is None else None

    def run_due(self) -> None:
        """Ask."""
        assert self.session is not None
        self.answer = self.session.attend(self._think)

    def _think(self) -> str:
        self.thread = threading.current_thread()
        while self.looked.looks.acquire(blocking=False):
            pass
        seen = sum(1 for _ in range(3) if self.looked.looks.acquire(timeout=_LONG))
        return f"{seen} looks"


def test_stops_are_looked_after_while_an_analyst_thinks() -> None:
    """On a real clock the loop goes on; the answer comes back to whoever asked."""
    looked, stop = Looked(), threading.Event()
    clock, agenda = RealClock(stop), Thinking(looked)
    session = Session(
        clock=clock, journal=MemoryJournal("desk01"), broker=cast("Broker", looked), engine=cast("Engine", looked),
        inbox=cast("Inbox", looked), stop=stop, bell=clock.bell,
    )  # fmt: skip
    agenda.session = session
    session.run(agenda)
    assert agenda.answer == "3 looks"
    assert agenda.thread is not threading.current_thread()


def test_systemd_hears_that_the_desk_has_caught_up_and_of_every_turn_while_an_analyst_thinks(tmp_path: Path) -> None:
    """By its own socket: a desk that hangs is one that falls silent, however long a model may take."""
    looked, stop, path = Looked(), threading.Event(), tmp_path / "notify"
    clock, agenda, parts = RealClock(stop), Thinking(looked), cast("Any", looked)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(path))
        door.settimeout(_LONG)
        systemd = Systemd({"NOTIFY_SOCKET": str(path)})
        agenda.session = session = Session(
            clock=clock, journal=MemoryJournal("desk01"), broker=parts, engine=parts, inbox=parts, stop=stop, bell=clock.bell,
            beat=systemd.alive,
        )  # fmt: skip
        session.run(agenda, systemd.ready)
        assert agenda.answer == "3 looks"
        assert [door.recv(100) for _ in range(5)] == [b"WATCHDOG=1", b"READY=1", *[b"WATCHDOG=1"] * 3]


def test_what_an_analyst_raises_reaches_who_asked() -> None:
    """Though it was raised in another thread."""
    looked, stop = Looked(), threading.Event()
    clock = RealClock(stop)
    parts: dict[str, Any] = {"broker": looked, "engine": looked, "inbox": looked}
    session = Session(clock=clock, journal=MemoryJournal("desk01"), stop=stop, bell=clock.bell, **parts)
    raised: list[str] = []

    class Failing:
        def next_due(self) -> datetime | None:
            return None if raised else datetime.now(UTC)

        def run_due(self) -> None:
            try:
                session.attend(lambda: 1 // 0)
            except ZeroDivisionError as error:
                raised.append(str(error))

    session.run(Failing())
    assert len(raised) == 1


def test_a_venue_that_is_away_stops_neither_the_loop_nor_a_halt() -> None:
    """What a person says is carried out; when the venue is back, books and broker agree, and the stop was there all along."""
    with alpaca_desk(STOCK) as desk:
        desk.propose(targets=())
        desk.fault(fault="unreachable", seconds=120)
        desk.wait(30)
        said = Command(action=CommandAction.HALT, by="a test", reason="away").canonical()
        desk.journal.post(InboxItem("command-1", "command", said, datetime.now(UTC)))
        desk.wait(30)
        assert desk.journal.get(CommandDone, "command-1") is not None
        assert desk.switch.state() is DeskState.HALTED
        desk.wait(120)
        assert desk.told.titles == ["The venue cannot be reached"]
        assert desk.stopped == desk.held > 0
        assert desk.is_sound()


def test_a_flatten_goes_on_until_nothing_is_held() -> None:
    """The venue refuses the first closing orders; they are asked for again while the desk stays halted."""
    with alpaca_desk(STOCK) as desk:
        desk.propose(targets=())
        desk.fault(fault="reject", on="order", nth=1, times=3)
        said = Command(action=CommandAction.FLATTEN, by="a test", reason="enough").canonical()
        desk.journal.post(InboxItem("command-1", "command", said, datetime.now(UTC)))
        desk.wait(timedelta(minutes=10).total_seconds())
        assert desk.held == 0
        assert desk.is_sound()
        assert desk.propose(ProposalKind.OPEN, targets=()) is not None
        assert desk.held == 0, "a halted desk opens nothing"
