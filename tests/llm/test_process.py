"""A program that is run for the desk: its lines arrive, its deadlines hold, and nothing of it is left behind."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trading_bot.llm.process import Cut, Deadlines, Exit, run

PATIENT = Deadlines(first_word=20, idle=20, total=20, most_bytes=4_000_000)


def told(script: str, deadlines: Deadlines = PATIENT, stop_at: str | None = None) -> tuple[Exit, list[str]]:
    """Run a Python script; a line is a first word as soon as it is there."""
    lines: list[str] = []

    def read(line: str) -> str | None:
        lines.append(line)
        return "stop" if line == stop_at else None

    argv = [sys.executable, "-u", "-c", script]
    end = run(argv, {"PATH": os.environ["PATH"]}, Path.cwd(), deadlines, read, has_spoken=lambda: bool(lines))
    return end, lines


def is_gone(pid: int) -> bool:
    """Whether no process has this number, or only a dead one."""
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_program_that_ends_tells_its_lines_and_its_exit_status() -> None:
    """Half a line at the end is no line; what it wrote on standard error is kept."""
    end, lines = told("import sys; print('one'); print('two'); print('half', end=''); print('why', file=sys.stderr); sys.exit(3)")
    assert lines == ["one", "two"]
    assert (end.code, end.cut, end.errors) == (3, None, "why\n")


def test_a_program_that_says_nothing_is_silent() -> None:
    """The first deadline holds before the first word."""
    end, lines = told("import time; time.sleep(60)", replace(PATIENT, first_word=0.3))
    assert (end.cut, lines, end.code) == (Cut.SILENT, [], -signal.SIGKILL)


def test_a_program_that_stops_talking_has_stalled() -> None:
    """The second deadline holds between two words."""
    end, lines = told("import time; print('hello'); time.sleep(60)", replace(PATIENT, idle=0.3))
    assert (end.cut, lines) == (Cut.STALLED, ["hello"])


def test_a_program_that_talks_for_ever_is_ended_in_time() -> None:
    """The total deadline holds however lively it is."""
    end, _ = told("import time\nwhile True: print('more'); time.sleep(0.01)", replace(PATIENT, total=0.5))
    assert end.cut is Cut.STALLED


@pytest.mark.parametrize("script", ["print('x' * 9_000_000)", "while True: print('x' * 1000)"])
def test_a_flood_is_cut_off(script: str) -> None:
    """One endless line and endless lines alike."""
    end, _ = told(script)
    assert end.cut is Cut.TOO_LONG


def test_the_reader_can_end_it() -> None:
    """What the first line shows can be enough."""
    end, lines = told("import time; print('bad'); print('more'); time.sleep(60)", stop_at="bad")
    assert (end.cut, end.reason, lines) == (Cut.BY_READER, "stop", ["bad"])


def test_a_program_that_closes_its_output_and_lives_on_is_ended() -> None:
    """A closed pipe is no end."""
    end, _ = told("import os, time; print('hi'); os.close(1); os.close(2); time.sleep(60)", replace(PATIENT, idle=0.3))
    assert (end.cut, end.code) == (Cut.STALLED, -signal.SIGKILL)


def test_children_that_are_left_behind_die_with_their_group() -> None:
    """They hold the pipe open, and neither keep us waiting nor survive."""
    script = "import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(c.pid)"
    end, lines = told(script)
    assert (end.code, end.cut) == (0, None)
    assert is_gone(int(lines[0]))


def test_a_program_that_is_not_there_raises() -> None:
    """Who runs it says what that means."""
    with pytest.raises(OSError, match="No such file"):
        run(["/no-such-program"], {}, Path.cwd(), PATIENT, lambda _: None, has_spoken=lambda: True)
