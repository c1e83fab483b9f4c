"""Guardian and desk come up with the machine: the last heartbeat is old, and the desk is on its way."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from execution.test_guardian_at_venues import Passing
from guarding import Watched, watched
from trading_bot.domain.mandate import Cure
from trading_bot.execution.guardian import Guardian

_OFF = timedelta(minutes=10)


@pytest.fixture
def rebooted(tmp_path: Path) -> Watched:
    """A guarded position whose desk beat for the last time before the machine went off; the mandate wants a dead desk's closed."""
    world = watched(tmp_path, dead_desk=Cure.FLATTEN)
    world.hold(10, stop="97")
    world.beat()
    world.passes(_OFF.total_seconds())
    return world


def standing(world: Watched) -> Guardian:
    """A guardian whose waiting lets the world's time pass."""
    guardian = world.guardian()
    guardian.stop = Passing(world.clock)
    return guardian


def until(guardian: Guardian, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Let it look for so long, with something done after each look."""
    end = guardian.clock.now() + timedelta(seconds=seconds)

    def alive() -> None:
        meanwhile()
        if guardian.clock.now() >= end:
            guardian.stop.set()

    guardian.run(alive=alive)


def test_a_desk_that_comes_up_beside_its_guardian_is_not_taken_for_dead(rebooted: Watched) -> None:
    """It has as long as a desk may be silent; nothing is closed, and nothing halted."""
    up = rebooted.clock.now() + timedelta(seconds=20)
    until(standing(rebooted), 120, lambda: rebooted.beat() if rebooted.clock.now() >= up else None)
    assert (rebooted.held, rebooted.told.titles, rebooted.home.halt_file.exists()) == ({"AAPL": 10}, [], False)


def test_a_desk_that_does_not_come_up_is_dead(rebooted: Watched) -> None:
    """What the mandate says is done."""
    until(standing(rebooted), 60)
    assert (rebooted.held, rebooted.home.halt_file.exists()) == ({}, True)
    assert rebooted.told.titles[0] == "The desk does not answer"


def test_who_looks_once_judges_by_the_last_heartbeat(rebooted: Watched) -> None:
    """From cron there is no later look that it could wait for."""
    found = rebooted.guardian().look()
    assert [c.key for c in found] == ["desk"]
    assert rebooted.held == {}
