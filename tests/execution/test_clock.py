"""Clocks: time never goes back, a jump is an error, a stop ends a sleep."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from trading_bot.domain.errors import ClockError
from trading_bot.execution.clock import Bell, RealClock, SimulatedClock

BEGIN = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Machine:
    """A machine whose clock and counter the test moves."""

    def __init__(self) -> None:
        self.wall, self.count = BEGIN, 1000.0

    def now(self) -> datetime:
        """What its clock says."""
        return self.wall

    def pass_by(self, seconds: float, *, clock: float | None = None) -> None:
        """Let `seconds` pass while the clock moves by `clock` seconds, by as many if not given."""
        self.count += seconds
        self.wall += timedelta(seconds=seconds if clock is None else clock)


def real(machine: Machine) -> RealClock:
    """A real clock on this machine."""
    return RealClock(threading.Event(), machine, lambda: machine.count)


def test_a_real_clock_tells_what_the_machine_tells() -> None:
    """Ordinary time."""
    machine = Machine()
    clock = real(machine)
    machine.pass_by(3600)
    assert clock.now() == BEGIN + timedelta(hours=1)


@pytest.mark.parametrize("jump", [-3600.0, -31.0, 31.0, 86_400.0])
def test_a_jump_of_the_machines_clock_raises(jump: float) -> None:
    """Forwards or backwards by more than half a minute: somebody has to look."""
    machine = Machine()
    clock = real(machine)
    machine.pass_by(10, clock=10 + jump)
    with pytest.raises(ClockError, match="clock jumped"):
        clock.now()


def test_a_small_step_back_is_held_and_never_seen() -> None:
    """NTP sets the clock back by two seconds: time stands until it has caught up."""
    machine = Machine()
    clock = real(machine)
    machine.pass_by(10)
    first = clock.now()
    machine.pass_by(1, clock=-1)
    assert clock.now() == first
    machine.pass_by(5)
    assert clock.now() > first


def test_a_stop_ends_a_sleep_at_once() -> None:
    """A sleep of a day returns when the desk is asked to stop."""
    stop = threading.Event()
    machine = Machine()
    clock = RealClock(stop, machine, lambda: machine.count)
    sleeper = threading.Thread(target=clock.sleep_until, args=(BEGIN + timedelta(days=1),))
    sleeper.start()
    stop.set()
    sleeper.join(timeout=10)
    assert not sleeper.is_alive()


class _LateEvent(threading.Event):
    """An event that is set in the moment in which a wait for it has ended in vain."""

    def wait(self, timeout: float | None = None) -> bool:
        """Return what an event does, and be set right after it."""
        told = super().wait(timeout)
        self.set()
        return told


def test_a_ring_that_comes_as_a_wait_ends_in_vain_wakes_the_next_one() -> None:
    """Else a fill would lie unbooked until somebody looks by himself."""
    bell = Bell()
    bell._rung = _LateEvent()
    assert not bell.wait(0)
    assert bell.wait(0)


def test_a_simulated_clock_moves_only_by_being_moved_and_never_back() -> None:
    """It stands still by itself."""
    clock = SimulatedClock(BEGIN)
    clock.sleep_until(BEGIN + timedelta(hours=1))
    clock.sleep_until(BEGIN)
    assert clock.now() == BEGIN + timedelta(hours=1)
