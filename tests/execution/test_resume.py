"""A resume is one step: killed anywhere on its way, it leaves the desk halted or done, never something in between."""

from datetime import datetime
from pathlib import Path

import pytest

from builders import NOW
from desks import SmallDesk, small_desk
from trading_bot.domain.records import Command, CommandAction, CommandDone, DeskState, DeskStateChange, StrategySuspension
from trading_bot.domain.values import Journaled
from trading_bot.ports import InboxItem

FLAT = [(100.0, 100.2, 99.8, 100.0)] * 12


class Killed(BaseException):
    """Stands for the end of the process."""


def command(desk: SmallDesk, action: CommandAction, name: str, at: datetime = NOW) -> None:
    """Post a command."""
    desk.journal.post(InboxItem(name, "command", Command(action=action, by="operator", reason="a test").canonical(), at))


def halted(tmp_path: Path) -> SmallDesk:
    """A desk that was halted and whose strategy is suspended."""
    desk = small_desk(FLAT, halt_file=tmp_path / "HALT")
    command(desk, CommandAction.HALT, "halt")
    desk.inbox.serve()
    suspension = StrategySuspension(at=NOW, strategy="momentum", suspended=True, reason="8 losses in a row")
    desk.journal.append(suspension)
    desk.engine.ledger.note_suspension(suspension)
    return desk


def test_a_resume_clears_file_state_and_suspensions_at_once(tmp_path: Path) -> None:
    """Afterwards the desk runs, and a rebuilt ledger agrees."""
    desk = halted(tmp_path)
    command(desk, CommandAction.RESUME, "resume")
    desk.inbox.serve()
    again = small_desk(FLAT, halt_file=tmp_path / "HALT", journal=desk.journal, broker=desk.broker, clock=desk.clock)
    assert desk.switch.state() is DeskState.RUNNING
    assert not (tmp_path / "HALT").exists()
    assert again.engine.ledger.suspended == desk.engine.ledger.suspended == {}
    assert again.engine.ledger.equity_high == desk.engine.ledger.equity_high


def test_a_resume_killed_before_its_write_leaves_the_desk_halted_and_is_done_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is gone already, the journal still says halted; the item waits, and its second start does it once."""
    desk = halted(tmp_path)
    command(desk, CommandAction.RESUME, "resume")

    def die(_item: str, *_records: Journaled) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(desk.journal, "consume", die)
        with pytest.raises(Killed):
            desk.inbox.serve()
    assert desk.switch.state() is DeskState.HALTED
    again = small_desk(FLAT, halt_file=tmp_path / "HALT", journal=desk.journal, broker=desk.broker, clock=desk.clock)
    assert again.switch.state() is DeskState.RUNNING
    assert [c.state for c in desk.journal.all(DeskStateChange)] == [DeskState.HALTED, DeskState.RUNNING]
    assert [c.refused for c in desk.journal.all(CommandDone)] == ["", ""]
