"""The desk's home: layout, one owner, and refusals that say what to do."""

import errno
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trading_bot.domain.errors import HomeError, HomeLockedError
from trading_bot.storage.home import Home, Owner, Starting

SINCE = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared home."""
    made = Home(tmp_path / "var")
    made.prepare()
    return made


def holder(home: Home, then: str) -> subprocess.Popen[str]:
    """Another process that owns the home, says so, and does `then`."""
    code = (
        "import os, subprocess, sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from trading_bot.storage.home import Home\n"
        f"with Home(Path({str(home.path)!r})).lock('orchestrator paper', datetime(2026, 11, 21, 9, 30, tzinfo=UTC)):\n"
        f"    {then}\n"
    )
    pipes = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipes, stdout=pipes, text=True)  # noqa: S603 - our own interpreter and code
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


FORK = "r, w = os.pipe(); os.fork() or (os.write(w, b'x'), sys.stdin.readline(), os._exit(0)); os.read(r, 1)"
"""Starts a child that stays, and goes on when the child is there."""


def finish(process: subprocess.Popen[str]) -> None:
    """End a holder and its pipes."""
    process.kill()
    process.communicate()


def test_the_layout_is_that_of_the_design(tmp_path: Path) -> None:
    """Every place has its one name."""
    home = Home(tmp_path)
    places = (
        home.journal,
        home.paper,
        home.bars,
        home.llm_logs,
        home.reports,
        home.backtests,
        home.halt_file,
        home.mandate,
        home.lock_file,
    )
    names = ["journal.db", "paper.db", "bars", "logs/llm", "logs/reports", "backtests", "HALT", "mandate.yaml", "desk.lock"]
    assert [str(place.relative_to(tmp_path)) for place in places] == names


def test_a_prepared_home_is_private_and_holds_nothing_but_folders(home: Home) -> None:
    """Preparing twice is fine, and leaves no probe behind."""
    home.prepare()
    assert all(path.is_dir() for path in home.path.rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home.path, *home.path.rglob("*"))} == {0o700}


def test_a_file_in_the_place_of_the_home_is_refused(tmp_path: Path) -> None:
    """Also as one of its parents."""
    (tmp_path / "var").write_text("")
    for path in (tmp_path / "var", tmp_path / "var" / "desk"):
        with pytest.raises(HomeError, match="it is not a folder; move that file away"):
            Home(path).prepare()


def test_a_home_that_this_user_may_not_write_is_refused(unprivileged: Path) -> None:
    """The message names the folder and the way out."""
    unprivileged.chmod(0o500)
    with pytest.raises(HomeError, match=f"{unprivileged} cannot be the desk's home: this user may not write there"):
        Home(unprivileged).prepare()
    unprivileged.chmod(0o700)


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "it lies on a read-only file system; choose another folder"),
        (errno.EIO, "choose another folder with TRADING_BOT_HOME"),
    ],
)
def test_each_failure_of_the_disk_has_its_fix(number: int, fix: str, home: Home) -> None:
    """Disks that are full or read-only cannot be had in a test."""
    assert fix in str(home._unusable(OSError(number, os.strerror(number))))


def test_a_file_size_limit_is_reported_as_such(tmp_path: Path) -> None:
    """The probe is written, not only opened."""
    code = (
        "import resource, signal\nfrom pathlib import Path\nfrom trading_bot.storage.home import Home\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        f"Home(Path({str(tmp_path / 'var')!r})).prepare()\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own interpreter and code
    assert "HomeError" in done.stderr
    assert "file size limit is reached; raise it (ulimit -f)" in done.stderr


def test_a_second_owner_is_refused_and_told_who_holds_the_home(home: Home) -> None:
    """Process, purpose and time in words; afterwards the home is free."""
    process = holder(home, "print('held', flush=True); sys.stdin.readline()")
    expected = rf"is owned by process {process.pid} \(orchestrator paper, since 2026-11-21 09:30 UTC\); stop that process"
    with pytest.raises(HomeLockedError, match=expected), home.lock("run monitor", SINCE):
        pytest.fail("two owners")
    assert home.lock_owner() == Owner(process.pid, "orchestrator paper", SINCE)
    process.communicate("\n")
    assert home.lock_owner() is None
    with home.lock("run monitor", SINCE):
        assert home.lock_owner() == Owner(os.getpid(), "run monitor", SINCE)


@pytest.mark.parametrize("written", ["", '{"pid":1', "[]", '{"pid":1,"purpose":"x","since":"soon"}'])
def test_an_owner_that_has_not_said_who_it_is_still_owns_the_home(written: str, home: Home) -> None:
    """The lock counts, not the text; that is told as what it most likely is."""
    with home.lock("run monitor", SINCE):
        home.lock_file.write_text(written)
        assert home.lock_owner() == Starting()
        with pytest.raises(HomeLockedError, match="is owned by a process that is just starting"), home.lock("second", SINCE):
            pytest.fail("two owners")


def test_the_lock_dies_with_a_killed_owner(home: Home) -> None:
    """What the dead owner wrote about itself does not count."""
    process = holder(home, "print('held', flush=True); sys.stdin.readline()")
    finish(process)
    assert home.lock_owner() is None
    with home.lock("run monitor", SINCE):
        pass


@pytest.mark.parametrize("start", [FORK, "subprocess.Popen(['cat'], close_fds=False)"])
def test_a_child_that_outlives_the_owner_does_not_keep_the_lock(start: str, home: Home) -> None:
    """Neither a fork nor a started program."""
    process = holder(home, f"{start}; print('held', flush=True); os.kill(os.getpid(), 9)")
    process.wait()
    assert home.lock_owner() is None
    with home.lock("run monitor", SINCE):
        pass
    finish(process)


def test_one_process_cannot_own_a_home_twice(home: Home) -> None:
    """Two desks in one process are two desks."""
    with home.lock("first", SINCE), pytest.raises(HomeLockedError, match=r"\(first, since"), home.lock("second", SINCE):
        pytest.fail("two owners")


def test_an_error_inside_frees_the_home(home: Home) -> None:
    """The lock ends with its block, however that ends."""
    with pytest.raises(ZeroDivisionError), home.lock("first", SINCE):
        raise ZeroDivisionError
    assert home.lock_owner() is None


def test_a_home_that_was_never_made_has_no_owner_and_cannot_be_locked(tmp_path: Path) -> None:
    """The message points to `doctor`."""
    home = Home(tmp_path / "nowhere")
    assert home.lock_owner() is None
    with pytest.raises(HomeError, match="does not exist; `python -m trading_bot doctor`"), home.lock("run", SINCE):
        pytest.fail("no home")


def test_a_folder_in_the_place_of_the_lock_file_is_reported(home: Home) -> None:
    """Something odd in the home is an error, not an absent owner."""
    home.lock_file.mkdir()
    with pytest.raises(HomeError, match="a folder stands where a file belongs"), home.lock("run", SINCE):
        pytest.fail("no lock file")
