"""A guardian that is killed at any moment, and started again: one stop for what is naked, one close for what is held, no more."""

import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from builders import AAPL
from guarding import Watched, watched
from trading_bot.brokers.paper import PaperBroker
from trading_bot.domain.mandate import Cure
from trading_bot.execution.guardian_intents import GuardianLog, unsettled

_POINTS = 60
"""More than a run has."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying_at(world: Watched, number: int) -> None:
    """Die before or after the wanted call of the venue or of fsync, counted from 1."""
    passed = 0

    def point() -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            _die()

    def around(method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:  # noqa: ANN401 - as the method
            point()
            done = method(*arguments)
            point()
            return done

        return counted

    for name in ("submit", "cancel"):
        setattr(PaperBroker, name, around(getattr(PaperBroker, name)))
    os.fsync = around(os.fsync)
    world.broker = world.venue()


def _look_in_child(world: Watched, number: int | None) -> bool:
    """Look twice in a process of its own, as a guardian does that was just started; whether it came through."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if number is None:
                world.broker = world.venue()
            else:
                _dying_at(world, number)
            guardian = world.guardian()
            guardian.look()
            guardian.look()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return False
    assert os.waitstatus_to_exitcode(status) == 0
    return True


@contextmanager
def _silent_desk(world: Watched) -> Any:  # noqa: ANN401 - a generator
    """A heartbeat that is old."""
    world.beat()
    world.passes(60)
    yield


def _until_through(world: Watched, number: int) -> bool:
    """Die once at this point, then come through; whether the point was reached."""
    through = _look_in_child(world, number)
    if not through:
        assert _look_in_child(world, None)
    return not through


@pytest.mark.parametrize(("what", "sells"), [(Cure.CURE, Decimal(0)), (Cure.FLATTEN, Decimal(10))])
def test_killed_at_each_point_and_started_again_it_sends_each_order_once(tmp_path: Path, what: Cure, sells: Decimal) -> None:
    """Counted at the venue: what was sold is what was held, and what guards is what is held."""
    for number in range(1, _POINTS):
        world = watched(tmp_path / str(number), stops={AAPL: Decimal(97)}, dead_desk=what)
        world.hold(10)
        world.rest_entry()
        with _silent_desk(world):
            reached = _until_through(world, number)
        sold = sum((e.fill.quantity for e in world.broker.events(0) if e.type == "order" and e.fill and e.fill.side == "sell"), Decimal(0))
        stops = [o.quantity for o in world.resting if o.role == "stop_loss"]
        assert (number, sold, stops) == (number, sells, [] if sells else [10])
        assert unsettled(GuardianLog(world.home.guardian_log).entries()) == ()
        assert world.home.lock_owner() is None
        if not reached:
            break
    else:
        pytest.fail("a run has more points than were tried")
    assert number > 10


def test_a_torn_last_line_counts_as_never_written(tmp_path: Path) -> None:
    """What it announced was not sent either; the next entry takes its place."""
    world = watched(tmp_path, stops={AAPL: Decimal(97)})
    world.hold(10)
    with _silent_desk(world):
        assert _look_in_child(world, None)
    path = world.home.guardian_log
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"entry":{"type":"be')
    log = GuardianLog(path)
    before = log.entries()
    log.append(before[0])
    assert log.entries() == (*before, before[0])
    assert path.read_bytes().startswith(whole)
