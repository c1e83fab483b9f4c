"""The desk's day as a state machine: ten states, one table of moves, every move journaled with its context.

Promises that a move which is not in the table raises, that every error leads to ERROR and every ERROR can be reset without
touching positions, and that a task which is run again after a crash recalls the moves that it journaled before and goes on behind them.
"""

from enum import StrEnum

from trading_bot.domain.errors import IllegalTransitionError
from trading_bot.domain.records import Transition
from trading_bot.domain.values import TaskRunId
from trading_bot.ports import Clock, Journal


class WorkflowState(StrEnum):
    """Where the desk is in its day."""

    IDLE = "IDLE"
    PRE_MARKET_SCREENING = "PRE_MARKET_SCREENING"
    TRADE_ANALYSIS = "TRADE_ANALYSIS"
    POSITION_OPTIMIZATION = "POSITION_OPTIMIZATION"
    MARKET_EXECUTION = "MARKET_EXECUTION"
    INTRADAY_MONITORING = "INTRADAY_MONITORING"
    END_OF_DAY_REVIEW = "END_OF_DAY_REVIEW"
    WEEKLY_REVIEW = "WEEKLY_REVIEW"
    BACKTESTING = "BACKTESTING"
    ERROR = "ERROR"


class Event(StrEnum):
    """What moves the desk."""

    SCREEN = "screen"
    ANALYZE = "analyze"
    OPTIMIZE = "optimize"
    EXECUTE = "execute"
    MONITOR = "monitor"
    REVIEW_DAY = "review_day"
    REVIEW_WEEK = "review_week"
    BACKTEST = "backtest"
    FINISH = "finish"
    FAIL = "fail"
    RESET = "reset"


_S, _E = WorkflowState, Event
_STARTS = {
    _E.SCREEN: _S.PRE_MARKET_SCREENING,
    _E.ANALYZE: _S.TRADE_ANALYSIS,
    _E.EXECUTE: _S.MARKET_EXECUTION,
    _E.MONITOR: _S.INTRADAY_MONITORING,
    _E.REVIEW_DAY: _S.END_OF_DAY_REVIEW,
    _E.REVIEW_WEEK: _S.WEEKLY_REVIEW,
    _E.BACKTEST: _S.BACKTESTING,
}
TRANSITIONS: dict[tuple[WorkflowState, Event], WorkflowState] = {
    **{(_S.IDLE, event): state for event, state in _STARTS.items()},
    (_S.PRE_MARKET_SCREENING, _E.ANALYZE): _S.TRADE_ANALYSIS,
    (_S.TRADE_ANALYSIS, _E.ANALYZE): _S.TRADE_ANALYSIS,
    (_S.TRADE_ANALYSIS, _E.OPTIMIZE): _S.POSITION_OPTIMIZATION,
    (_S.TRADE_ANALYSIS, _E.EXECUTE): _S.MARKET_EXECUTION,
    (_S.POSITION_OPTIMIZATION, _E.ANALYZE): _S.TRADE_ANALYSIS,
    (_S.POSITION_OPTIMIZATION, _E.OPTIMIZE): _S.POSITION_OPTIMIZATION,
    (_S.MARKET_EXECUTION, _E.MONITOR): _S.INTRADAY_MONITORING,
    (_S.INTRADAY_MONITORING, _E.EXECUTE): _S.MARKET_EXECUTION,
    (_S.WEEKLY_REVIEW, _E.BACKTEST): _S.BACKTESTING,
    **{(state, _E.FINISH): _S.IDLE for state in _S if state not in {_S.IDLE, _S.ERROR}},
    **{(state, _E.FAIL): _S.ERROR for state in _S if state is not _S.ERROR},
    (_S.ERROR, _E.RESET): _S.IDLE,
}


class Workflow:
    """The state machine of one desk. A new process begins IDLE; an unfinished task is run again from its start."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._task_run = TaskRunId("")
        self._number = 0
        self.state = WorkflowState.IDLE
        self.context: dict[str, str] = {}

    def begin(self, task_run: TaskRunId) -> None:
        """Number the moves of one task run from 1."""
        if self.state is not WorkflowState.IDLE:
            msg = f"a task cannot begin in state {self.state}; reset the workflow first"
            raise IllegalTransitionError(msg)
        self._task_run, self._number, self.context = task_run, 0, {}

    def first_move(self, task_run: TaskRunId) -> Transition | None:
        """The first move that a task run ever made, perhaps in a process that died since; None if it made none."""
        return self._journal.get(Transition, Transition.key_of(task_run, 1))

    def fire(self, event: Event, **context: str) -> WorkflowState:
        """Move by `event`, keep `context`, journal both, and return the new state. IllegalTransitionError if the table lacks it."""
        after = TRANSITIONS.get((self.state, event))
        if after is None:
            msg = f"{event} does nothing in state {self.state}"
            raise IllegalTransitionError(msg)
        self.context |= context
        if not self._recall(event):
            self._journal.append(
                Transition(
                    at=self._clock.now(),
                    task_run=self._task_run,
                    number=self._number,
                    before=self.state,
                    event=event,
                    after=after,
                    context=dict(sorted(context.items())),
                )
            )
        self.state = after
        return after

    def _recall(self, event: Event) -> bool:
        """Go to the next number; True if an earlier run of the task journaled this move there. Its other moves are passed."""
        self._number += 1
        while (known := self._journal.get(Transition, Transition.key_of(self._task_run, self._number))) is not None:
            if (known.before, known.event) == (self.state, event):
                return True
            self._number += 1
        return False
