"""The state machine: ten states, only the moves of its table, all of them journaled."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.errors import IllegalTransitionError
from trading_bot.domain.records import Transition
from trading_bot.domain.values import TaskRunId
from trading_bot.execution.clock import SimulatedClock
from trading_bot.orchestrator.workflow import TRANSITIONS, Event, Workflow, WorkflowState
from trading_bot.storage.memory import MemoryJournal

NOW = datetime(2024, 3, 5, 11, 30, tzinfo=UTC)


def begun() -> tuple[MemoryJournal, Workflow]:
    """A workflow that has begun a task run, and its journal."""
    journal = MemoryJournal("desk01")
    workflow = Workflow(journal, SimulatedClock(NOW))
    workflow.begin(TaskRunId("2024-03-05:pre-market"))
    return journal, workflow


def test_there_are_ten_states_and_each_can_be_reached_and_left() -> None:
    """No state is a dead end or unreachable."""
    assert len(WorkflowState) == 10
    assert set(TRANSITIONS.values()) == set(WorkflowState)
    assert {before for before, _ in TRANSITIONS} == set(WorkflowState)


def test_a_move_that_is_not_in_the_table_raises_and_changes_nothing() -> None:
    """IDLE cannot optimise."""
    journal, workflow = begun()
    with pytest.raises(IllegalTransitionError, match="optimize does nothing in state IDLE"):
        workflow.fire(Event.OPTIMIZE)
    assert workflow.state is WorkflowState.IDLE
    assert journal.all(Transition) == ()


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_whatever_is_fired_an_error_can_be_reset_and_every_move_is_journaled(events: list[Event]) -> None:
    """Random events: moves that happened are in the journal, in order, joined end to end."""
    journal, workflow = begun()
    moved = 0
    for event in events:
        if (workflow.state, event) in TRANSITIONS:
            workflow.fire(event, why="drawn")
            moved += 1
    if workflow.state is not WorkflowState.ERROR:
        workflow.fire(Event.FAIL)
        moved += 1
    assert workflow.fire(Event.RESET) is WorkflowState.IDLE
    rows = journal.all(Transition)
    assert len(rows) == moved + 1
    assert all(left.after == right.before for left, right in pairwise(rows))


def test_a_task_run_again_after_a_crash_journals_the_same_moves_once() -> None:
    """A new process begins IDLE and fires the same: no new rows."""
    journal, workflow = begun()
    workflow.fire(Event.SCREEN, symbol="AAPL")
    again = Workflow(journal, SimulatedClock(NOW))
    again.begin(TaskRunId("2024-03-05:pre-market"))
    again.fire(Event.SCREEN, symbol="AAPL")
    again.fire(Event.ANALYZE, symbol="AAPL")
    assert [(t.number, t.after) for t in journal.all(Transition)] == [(1, "PRE_MARKET_SCREENING"), (2, "TRADE_ANALYSIS")]
    assert again.context == {"symbol": "AAPL"}
