"""A task that was killed or stopped in its middle and is run again later, as on a real clock: it finishes, and repeats nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from trading_bot import config
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.mandate import Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.proposals import Proposal, Verdict
from trading_bot.domain.records import ReportMade, TaskRun, TaskStatus, Transition
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.storage.home import Home

MORNING = ("pre-market", "market-open")
DAY = (*MORNING, "end-of-day")


class KilledError(BaseException):
    """Stands for SIGKILL: nobody in the desk catches it."""


def started(home: Path) -> bootstrap.Assembly:
    """The next process on the simulated desk of `home`."""
    setting = Setting(Mode.PAPER, simulated=True, home=Home(home), operator=home / "nobody")
    assembly = bootstrap.build(config.load(flags={"seed": 3}), setting)
    bootstrap.announce(assembly, "test")
    assembly.desk.session.begin()
    return assembly


def run(assembly: bootstrap.Assembly, task: str, later: timedelta = timedelta(0)) -> None:
    """Run the day's slot of this task, so much after it is due."""
    now = assembly.desk.clock.now()
    slot = next(s for s in assembly.scheduler.slots_between(now.date(), now.date()) if s.task == task)
    assembly.desk.session.wait(slot.due + later)
    TradingOrchestrator(assembly.desk, assembly.scheduler, assembly.stop).run_slot(slot)


def die_at_append(assembly: bootstrap.Assembly, number: int) -> None:
    """Let the journal's write with this number be the last thing that the process did."""
    journal: Any = assembly.journal
    append, seen = journal.append, [0]

    def counted(*records: Any) -> None:  # noqa: ANN401 - as the journal's
        append(*records)
        seen[0] += 1
        if seen[0] == number:
            raise KilledError

    journal.append = counted


def what_happened(assembly: bootstrap.Assembly) -> tuple[object, ...]:
    """Everything that must not depend on the kill: without times."""
    journal = assembly.journal
    moves = [(t.task_run, t.number, t.before, t.event, t.after) for t in journal.all(Transition)]
    sizes = [(i.order.spec.symbol, i.order.spec.quantity) for i in journal.all(OrderIntent)]
    ends = [(r.id, r.status) for r in journal.all(TaskRun) if r.status.is_end]
    return moves, [p.id for p in journal.all(Proposal)], [v.id for v in journal.all(Verdict)], sizes, ends


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """A day's tasks that nobody disturbed."""
    assembly = started(tmp_path_factory.mktemp("undisturbed"))
    for task in DAY:
        run(assembly, task)
    return what_happened(assembly)


@pytest.mark.parametrize(
    ("killed", "number"),
    [("pre-market", 4), ("pre-market", 6), ("pre-market", 9), ("market-open", 3), ("market-open", 6), ("end-of-day", 4), ("end-of-day", 5)],
)
def test_a_task_killed_and_run_again_some_seconds_later_ends_as_if_it_had_not_been(
    killed: str, number: int, undisturbed: tuple[object, ...], tmp_path: Path
) -> None:
    """Moves, proposals and reports that were journaled before the kill are recalled, with the times that they had."""
    assembly = started(tmp_path)
    for task in DAY:
        if task == killed:
            die_at_append(assembly, number)
            with pytest.raises(KilledError):
                run(assembly, task)
            assembly = started(tmp_path)
            assembly.desk.clock.sleep_until(assembly.desk.clock.now() + timedelta(seconds=20))
        run(assembly, task)
    assert what_happened(assembly) == undisturbed
    assert len(assembly.journal.all(ReportMade)) == 1


def test_a_desk_stopped_while_it_waits_for_a_sane_market_goes_on_with_the_same_proposals(tmp_path: Path) -> None:
    """The open is not over because somebody stopped the desk: the next start takes it up again within its grace."""
    assembly = started(tmp_path)
    run(assembly, "pre-market")
    object.__setattr__(assembly.desk, "limits", assembly.desk.limits.model_copy(update={"max_spread": 0}))
    wait = assembly.desk.session.wait

    def stopping(moment: Any) -> None:  # noqa: ANN401 - as the session's
        if assembly.journal.all(TaskRun)[-1].task == "market-open":
            assembly.stop.set()
        wait(moment)

    assembly.desk.session.wait = stopping  # type: ignore[method-assign]
    run(assembly, "market-open")
    assert assembly.journal.all(Verdict) == ()
    assert [r.status for r in assembly.journal.all(TaskRun) if r.task == "market-open"] == [TaskStatus.STARTED]
    following = started(tmp_path)
    run(following, "market-open")
    assert len(following.journal.all(Verdict)) == len(following.journal.all(Proposal)) > 0
