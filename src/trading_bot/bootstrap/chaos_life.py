"""A life of a desk in a run of chaos, as a process: what it is started with, what befalls it, and what its exit code says.

Promises that it dies at the write point of its journal that it is told to, that its disk can be full and its clock wrong, and that it
always ends with a code of its own. Trades an emulator alone.
"""

import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from ctypes import c_double
from datetime import datetime, timedelta
from typing import Any

import structlog

from trading_bot.bootstrap.chaos_desk import Desk, Life, Wires
from trading_bot.domain.errors import BrokerError, ClockError, DataError, StorageError
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.ports import Journal, WallClock
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

AT_REST, STORAGE_FAILED, CLOCK_FAILED, RESTLESS, BROKEN, VENUE_AWAY = 0, 11, 12, 13, 14, 15
"""Exit codes of a life."""
_HOME_LEFT = 64 * 1024
"""Bytes that a full disk lets every file of the desk have."""


class _Skewed:
    """A wall clock that somebody else sets wrong; right at the start: one that was wrong before is no jump."""

    def __init__(self, offset: c_double) -> None:
        self._offset = offset
        self._at_start = offset.value
        self._true = SystemWallClock()

    def now(self) -> datetime:
        """The machine's time and the offset."""
        return self._true.now() + timedelta(seconds=self._offset.value - self._at_start)


class _Doomed:
    """A journal whose process dies before or after one of its writes."""

    def __init__(self, journal: SqlJournal, die_at: int) -> None:
        self._journal = journal
        self._die_at = die_at
        self._passed = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a journal has
        found = getattr(self._journal, name)
        return self._around(found) if name in {"append", "consume", "mark_clock"} else found

    def _around(self, write: Callable[..., None]) -> Callable[..., None]:
        def counted(*parts: Any) -> None:  # noqa: ANN401 - what the write takes
            self._point()
            write(*parts)
            self._point()

        return counted

    def _point(self) -> None:
        self._passed += 1
        if self._passed == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def live(life: Life, wires: Wires) -> None:
    """Run one life in this process and end it with an exit code."""
    code = BROKEN
    with (life.home / f"life-{life.number:03d}.log").open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        signal.signal(signal.SIGUSR1, _fill_disk)
        try:
            if life.spoil is not None:
                life.spoil()
            code = _trade(life, wires)
        except StorageError:
            code = STORAGE_FAILED
            traceback.print_exc()
        except ClockError:
            code = CLOCK_FAILED
            traceback.print_exc()
        except BaseException:  # noqa: BLE001  # edge: whatever happens in the child must become its exit status
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)


def _fill_disk(*_: object) -> None:
    """From now on no file of this process can grow."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_HOME_LEFT, resource.RLIM_INFINITY))


def _trade(life: Life, wires: Wires) -> int:
    stop = threading.Event()
    wall: WallClock = _Skewed(wires.offset)
    clock = RealClock(stop, wall)
    home = Home(life.home)
    home.prepare()
    with home.lock("chaos", wall.now()):
        journal = SqlJournal.open(home.database, wall)
        reached = journal.clock()
        if reached is not None and clock.now() < reached:
            raise ClockError(f"the clock says {clock.now()}, this desk has seen {reached}")
        doomed: Journal = _Doomed(journal, life.die_at)
        try:
            desk = Desk(life, wires, doomed, clock, home, stop)
        except (BrokerError, DataError) as error:
            structlog.get_logger().info("the desk cannot come up", error=str(error))
            return VENUE_AWAY
        desk.session.run(desk)
        return AT_REST if desk.rested else RESTLESS
