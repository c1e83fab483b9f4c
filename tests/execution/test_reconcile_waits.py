"""Books and broker are read one after the other while things happen: what is only on its way is no difference."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from builders import NOW, proposal
from desks import Bar, SmallDesk, small_desk
from trading_bot.domain.records import DeskState, Drift
from trading_bot.execution.clock import SimulatedClock

FLAT: list[Bar] = [(100, 100.2, 99.8, 100)] * 60


class Walking(SimulatedClock):
    """Goes on by itself for all that the desk can see."""

    simulated = False


@pytest.fixture
def desk() -> SmallDesk:
    """A desk whose time goes on by 50 ms with each breath."""
    clock = Walking(NOW)
    made = small_desk(FLAT, clock=clock)
    made.engine._parts = replace(made.engine._parts, breathe=lambda: clock.sleep_until(clock.now() + timedelta(milliseconds=50)))
    return made


def test_a_fill_that_the_stream_tells_later_than_positions_show_it_is_no_drift(desk: SmallDesk) -> None:
    """A desk that went reduce-only for it would wait for a person after every busy minute."""
    told, late = desk.broker.events, NOW + timedelta(seconds=2)
    desk.broker.events = lambda after: told(after) if desk.clock.now() >= late else ()
    desk.engine.handle(proposal())
    assert desk.engine.compare() != ()
    assert desk.engine.reconcile() == ()
    assert desk.engine.compare() == ()
    assert desk.switch.state() is DeskState.RUNNING
    assert desk.journal.count(Drift) == 0


def test_a_drift_that_lasts_is_told_and_not_waited_for_again(desk: SmallDesk) -> None:
    """Two and a half seconds are enough for what was on its way; what is known already costs no time."""
    desk.engine.handle(proposal())
    held = desk.broker.positions
    desk.broker.positions = lambda: tuple(p.model_copy(update={"quantity": p.quantity + Decimal(1)}) for p in held())
    before = desk.clock.now()
    assert len(desk.engine.reconcile()) == 1
    assert timedelta(seconds=2.5) <= desk.clock.now() - before < timedelta(seconds=3)
    assert desk.switch.state() is DeskState.REDUCE_ONLY
    before = desk.clock.now()
    assert len(desk.engine.reconcile()) == 1
    assert desk.clock.now() == before
    assert desk.journal.count(Drift) == 1
