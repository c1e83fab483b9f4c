"""The desk's switch fails closed: whatever cannot be read halts, and only `resume` gives back running."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.errors import DiskFullError, HomeError, JournalConflictError, JournalDamagedError
from trading_bot.domain.records import DeskState, DeskStateChange
from trading_bot.domain.values import Journaled
from trading_bot.risk.halt import DeskSwitch, write_halt_file
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.memory import MemoryJournal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


class FullJournal(MemoryJournal):
    """A journal on a full disk."""

    def append(self, *_records: Journaled) -> None:
        """Fail."""
        raise DiskFullError("no space")


class DamagedJournal(MemoryJournal):
    """A journal that cannot be read."""

    def count(self, record: type[Journaled]) -> int:
        """Fail."""
        raise JournalDamagedError(record.kind)


class RacedJournal(MemoryJournal):
    """A journal into which another process writes between our look and our append."""

    def __init__(self, rival: DeskState) -> None:
        super().__init__("desk01")
        self.rivals = [rival]

    def append(self, *records: Journaled) -> None:
        """Let the rival go first, once."""
        while self.rivals:
            number = self.count(DeskStateChange) + 1
            super().append(DeskStateChange(at=AT, state=self.rivals.pop(), by="rival", reason="first", number=number))
        super().append(*records)


@pytest.fixture
def journal() -> MemoryJournal:
    """An empty journal."""
    return MemoryJournal("desk01")


@pytest.fixture
def switch(tmp_path: Path, journal: MemoryJournal) -> DeskSwitch:
    """A switch in an empty home."""
    return DeskSwitch(tmp_path / "HALT", journal)


def states(journal: MemoryJournal) -> list[tuple[int, DeskState]]:
    """Numbers and states of all changes."""
    return [(change.number, change.state) for change in journal.all(DeskStateChange)]


def test_a_new_desk_runs(switch: DeskSwitch) -> None:
    """Nobody halted it, and its home can be read."""
    assert (switch.state(), switch.number()) == (DeskState.RUNNING, 0)


def test_a_halt_leaves_a_file_and_a_row_and_a_resume_clears_both(switch: DeskSwitch, journal: MemoryJournal, tmp_path: Path) -> None:
    """Who and why stands in both."""
    switch.halt("operator", "lunch", AT)
    assert (tmp_path / "HALT").read_text() == '{"at":"2024-01-02T14:30:00+00:00","by":"operator","reason":"lunch"}\n'
    assert switch.state() is DeskState.HALTED
    switch.resume("operator", "back", AT)
    assert (switch.state(), (tmp_path / "HALT").exists()) == (DeskState.RUNNING, False)
    assert states(journal) == [(1, DeskState.HALTED), (2, DeskState.RUNNING)]
    assert switch.explain() == (DeskState.RUNNING, "operator: back")


def test_removing_the_file_by_hand_does_not_resume(switch: DeskSwitch, tmp_path: Path) -> None:
    """The journal still says halted."""
    switch.halt("operator", "lunch", AT)
    (tmp_path / "HALT").unlink()
    assert switch.explain() == (DeskState.HALTED, "operator: lunch")


def test_the_file_alone_halts_and_the_desks_own_halt_keeps_it(switch: DeskSwitch, journal: MemoryJournal, tmp_path: Path) -> None:
    """A command writes the file at once; the running desk journals it when it serves its inbox."""
    write_halt_file(tmp_path / "HALT", "operator", "first", AT)
    assert switch.state() is DeskState.HALTED
    switch.halt("operator", "second", AT)
    assert "first" in (tmp_path / "HALT").read_text()
    assert states(journal) == [(1, DeskState.HALTED)]


def test_a_file_made_by_hand_halts(switch: DeskSwitch, tmp_path: Path) -> None:
    """`touch HALT` is enough; a resume journals that it found it, so that a crash on its way leaves the desk halted."""
    (tmp_path / "HALT").touch()
    assert switch.state() is DeskState.HALTED
    switch.resume("operator", "back", AT)
    assert (switch.state(), switch.number()) == (DeskState.RUNNING, 2)


def test_a_halt_file_tells_who_halted_and_why(switch: DeskSwitch, tmp_path: Path) -> None:
    """And when, and how it ends: what a person who finds a halted desk asks first."""
    write_halt_file(tmp_path / "HALT", "operator", "lunch", AT)
    said = f"operator: lunch (2024-01-02 14:30 UTC); only `resume` removes {tmp_path / 'HALT'}"
    assert switch.explain() == (DeskState.HALTED, said)


@pytest.mark.parametrize("content", [b"", b"stop!", b"[]", b"{}", b'{"by":1,"reason":2,"at":3}', b"\xff", b"[" * 5000])
def test_a_halt_file_with_anything_in_it_halts(switch: DeskSwitch, tmp_path: Path, content: bytes) -> None:
    """What cannot be told is no reason to trade."""
    (tmp_path / "HALT").write_bytes(content)
    said = f"a HALT file without a reason was put there; only `resume` removes {tmp_path / 'HALT'}"
    assert switch.explain() == (DeskState.HALTED, said)


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(switch: DeskSwitch, tmp_path: Path) -> None:
    """The desk looks before every send; whoever made it may never write."""
    os.mkfifo(tmp_path / "HALT")
    assert switch.state() is DeskState.HALTED


def _folder(halt: Path) -> None:
    halt.mkdir()


def _dangling_link(halt: Path) -> None:
    halt.symlink_to(halt.parent / "nowhere")


def _unreadable_file(halt: Path) -> None:
    halt.touch(mode=0)


def _no_home(halt: Path) -> None:
    halt.parent.rmdir()


def _home_is_a_file(halt: Path) -> None:
    halt.parent.rmdir()
    halt.parent.touch()


def _home_is_a_loop(halt: Path) -> None:
    halt.parent.rmdir()
    halt.parent.symlink_to(halt.parent)


ODD: tuple[Callable[[Path], None], ...] = (_folder, _dangling_link, _unreadable_file, _no_home, _home_is_a_file, _home_is_a_loop)


@pytest.mark.parametrize("make", ODD)
def test_whatever_is_odd_about_the_file_or_its_folder_halts(make: Callable[[Path], None], tmp_path: Path, journal: MemoryJournal) -> None:
    """Nothing there can be taken for permission to trade."""
    halt = tmp_path / "var" / "HALT"
    halt.parent.mkdir()
    make(halt)
    assert DeskSwitch(halt, journal).state() is DeskState.HALTED


def test_a_home_that_may_not_be_searched_halts(unprivileged: Path, journal: MemoryJournal) -> None:
    """Whether HALT is there cannot be known."""
    unprivileged.chmod(0)
    state, reason = DeskSwitch(unprivileged / "HALT", journal).explain()
    unprivileged.chmod(0o700)
    assert (state, "cannot be looked at" in reason) == (DeskState.HALTED, True)


def test_a_journal_that_cannot_be_read_halts(tmp_path: Path) -> None:
    """Without a word of the journal there is no trade."""
    state, reason = DeskSwitch(tmp_path / "HALT", DamagedJournal("desk01")).explain()
    assert (state, reason) == (DeskState.HALTED, "the journal cannot be read: desk_state")


def test_reduce_only_never_loosens_a_halt(switch: DeskSwitch, journal: MemoryJournal) -> None:
    """States only get stricter without a resume, and saying the same again adds no row."""
    switch.reduce_only("drift", "books", AT)
    switch.reduce_only("drift", "books again", AT)
    assert switch.state() is DeskState.REDUCE_ONLY
    switch.halt("operator", "stop", AT)
    switch.reduce_only("drift", "books", AT)
    assert switch.state() is DeskState.HALTED
    assert states(journal) == [(1, DeskState.REDUCE_ONLY), (2, DeskState.HALTED)]


def test_a_second_halt_keeps_the_first_ones_reason(switch: DeskSwitch, tmp_path: Path) -> None:
    """The file tells why the desk stopped, not who said so last."""
    switch.halt("operator", "first", AT)
    switch.halt("guardian", "second", AT)
    assert "first" in (tmp_path / "HALT").read_text()
    assert switch.number() == 1


def test_a_halt_on_a_full_disk_still_halts_by_its_file(tmp_path: Path) -> None:
    """The error is raised, and the desk stands."""
    journal = FullJournal("desk01")
    switch = DeskSwitch(tmp_path / "HALT", journal)
    with pytest.raises(DiskFullError):
        switch.halt("operator", "stop", AT)
    assert switch.state() is DeskState.HALTED


def test_a_halt_whose_file_cannot_be_written_still_halts_by_the_journal(tmp_path: Path, journal: MemoryJournal) -> None:
    """The error says to create the file by hand."""
    switch = DeskSwitch(tmp_path / "gone" / "HALT", journal)
    with pytest.raises(HomeError, match="create it by hand"):
        switch.halt("operator", "stop", AT)
    assert states(journal) == [(1, DeskState.HALTED)]


def test_a_resume_that_cannot_be_journaled_leaves_the_desk_halted(tmp_path: Path) -> None:
    """The file goes last."""
    (tmp_path / "HALT").touch()
    switch = DeskSwitch(tmp_path / "HALT", FullJournal("desk01"))
    with pytest.raises(DiskFullError):
        switch.resume("operator", "back", AT)
    assert switch.state() is DeskState.HALTED


def test_a_folder_in_the_place_of_the_file_is_not_removed_by_a_resume(switch: DeskSwitch, tmp_path: Path) -> None:
    """Somebody has to look; nothing is journaled."""
    (tmp_path / "HALT").mkdir()
    with pytest.raises(HomeError, match="remove it by hand, then resume"):
        switch.resume("operator", "back", AT)
    assert (switch.state(), switch.number()) == (DeskState.HALTED, 0)


def test_a_halt_that_races_with_another_process_still_halts(tmp_path: Path) -> None:
    """The rival took number 1; the halt becomes number 2."""
    journal = RacedJournal(DeskState.REDUCE_ONLY)
    DeskSwitch(tmp_path / "HALT", journal).halt("operator", "stop", AT)
    assert states(journal) == [(1, DeskState.REDUCE_ONLY), (2, DeskState.HALTED)]


def test_a_resume_that_races_with_a_halt_loses(tmp_path: Path) -> None:
    """It was said about the state before."""
    journal = RacedJournal(DeskState.HALTED)
    switch = DeskSwitch(tmp_path / "HALT", journal)
    with pytest.raises(JournalConflictError):
        switch.resume("operator", "back", AT)
    assert switch.state() is DeskState.HALTED


def test_another_processs_halt_is_seen_at_the_next_look(tmp_path: Path) -> None:
    """Two openings of one journal, without the file; a journal that was closed halts too."""
    owner, command = SqlJournal.open(tmp_path / "journal.db"), SqlJournal.open(tmp_path / "journal.db")
    switch = DeskSwitch(tmp_path / "HALT", owner)
    assert switch.state() is DeskState.RUNNING
    DeskSwitch(None, command).halt("command", "stop", AT)
    assert switch.state() is DeskState.HALTED
    owner.close()
    command.close()
    assert switch.state() is DeskState.HALTED


@given(st.lists(st.sampled_from(["halt", "reduce_only", "resume"]), max_size=12))
def test_the_state_is_the_strictest_since_the_last_resume(moves: list[str]) -> None:
    """Of any sequence of moves, in a journal without a home."""
    switch = DeskSwitch(None, MemoryJournal("desk01"))
    expected = DeskState.RUNNING
    for move in moves:
        getattr(switch, move)("x", "y", AT)
        if move == "resume":
            expected = DeskState.RUNNING
        elif move == "halt" or expected is DeskState.RUNNING:
            expected = {"halt": DeskState.HALTED, "reduce_only": DeskState.REDUCE_ONLY}[move]
        assert switch.state() is expected
