"""A guardian whose files somebody changed or replaced, whose clock was set back, or whose venue another guardian works at."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from builders import AAPL
from guarding import Watched, watched
from trading_bot.domain.mandate import Cure
from trading_bot.execution.guardian_intents import GuardianLog
from trading_bot.execution.heartbeat import Heartbeat
from trading_bot.storage.home import Home, Owner

STOP = Decimal(97)
_HUGE = 2**33
_LOCKED = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    """Ten AAPL at 100 without a stop, whose last one was at 97, and a desk that has not beaten for long."""
    world = watched(tmp_path, stops={AAPL: STOP})
    world.hold(10)
    world.beat()
    world.passes(60)
    return world


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(_HUGE)


REPLACEMENTS: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link": lambda path: path.symlink_to(path.with_name("victim")),
    "dangling": lambda path: path.symlink_to(path.with_name("nowhere")),
    "huge": _huge,
    "deep": lambda path: path.write_text("[" * 100_000),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 16),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", REPLACEMENTS)
@pytest.mark.parametrize("name", ["guardian.json", "guardian.jsonl", "heartbeat.json", ".guardian.json", "journal.db", "storage.json"])
def test_whatever_lies_in_the_place_of_a_file_what_is_naked_gets_its_stop(world: Watched, name: str, what: str) -> None:
    """Nothing is waited for, and nothing outside is written to."""
    victim, path = world.home.path / "victim", world.home.path / name
    victim.write_text("somebody's own")
    path.unlink(missing_ok=True)
    REPLACEMENTS[what](path)
    for _ in range(2):
        world.guardian().look()
        world.passes(60)
    assert [(o.stop_price, o.quantity) for o in world.resting] == [(STOP, 10)]
    assert victim.read_text() == "somebody's own"
    assert not (world.home.path / "nowhere").exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", ["pipe", "folder", "link"])
def test_a_desk_that_beats_is_not_held_up_by_what_lies_there(world: Watched, what: str) -> None:
    """It goes on; the guardian does not hear it, and says so."""
    world.home.heartbeat.unlink()
    for path in (world.home.heartbeat, world.home.path / ".heartbeat.json"):
        REPLACEMENTS[what](path)
    world.beat()


def test_a_heartbeat_from_the_future_does_not_keep_a_dead_desk_alive(tmp_path: Path) -> None:
    """Neither one that says that it comes from tomorrow, nor one that is busy for a year."""
    for number, ahead in enumerate((timedelta(days=1), timedelta(0))):
        world = watched(tmp_path / str(number), dead_desk=Cure.FLATTEN)
        world.hold(10, "97")
        now = world.clock.now()
        Heartbeat(world.home.heartbeat).beat(now + ahead, now + timedelta(days=365))
        guardian = world.guardian()
        guardian.look()
        world.passes(3600 + 60)
        guardian.look()
        assert world.held == {}


def test_a_condition_that_began_in_the_future_counts_from_now(tmp_path: Path) -> None:
    """The clock was set back, or somebody wrote that."""
    world = watched(tmp_path, stops={AAPL: STOP})
    world.hold(10)
    world.beat()
    world.guardian().look()
    memory = world.home.guardian_memory
    memory.write_text(memory.read_text().replace('"since":"2024', '"since":"2034'))
    guardian = world.guardian()
    for _ in range(2):
        world.beat()
        guardian.look()
        world.passes(11)
    assert [o.stop_price for o in world.resting] == [STOP]


@contextmanager
def _holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has nothing to do with the desk, and holds a lock on a file."""
    with subprocess.Popen([sys.executable, "-c", _LOCKED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("said", ["", "[" * 4000, '{"pid":1,"purpose":"orchestrator","since":"2024-03-05T14:00:00"}'])
def test_a_home_that_an_unrelated_process_holds_is_told_and_nobody_is_killed(world: Watched, said: str) -> None:
    """Whatever the lock file says of it."""
    with _holding(world.home.lock_file) as other:
        world.home.lock_file.write_text(said)
        world.guardian().look()
        assert (other.poll(), world.resting) == (None, [])
    assert any("could not cure" in title for title in world.told.titles)


def test_a_number_that_belongs_to_another_process_by_now_is_not_killed(world: Watched) -> None:
    """The desk died, its number went to somebody else, and a third one holds the lock."""
    with _holding(world.home.path / "elsewhere") as innocent, _holding(world.home.lock_file) as holder:
        since = world.clock.now().isoformat()
        world.home.lock_file.write_text(json.dumps({"pid": innocent.pid, "purpose": "orchestrator", "since": since}))
        world.guardian().look()
        assert (innocent.poll(), holder.poll()) == (None, None)


def test_a_file_of_its_own_that_a_stopped_process_has_locked_is_not_waited_for(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told that nothing could be done, and taken up again."""
    monkeypatch.setattr("trading_bot.execution.guardian_intents._LOCK_TRIES", 3)
    guardian = world.guardian()
    with _holding(world.home.guardian_log) as other:
        other.send_signal(signal.SIGSTOP)
        guardian.look()
        assert any("could not cure" in title for title in world.told.titles)
    world.passes(60)
    guardian.look()
    assert [o.stop_price for o in world.resting] == [STOP]


def test_a_guardian_that_acts_is_not_killed_by_another_unless_it_hangs(world: Watched) -> None:
    """Its orders are in the file; who comes later looks again."""
    code = "import sys, time; from pathlib import Path; from datetime import datetime; from trading_bot.storage.home import Home\n"
    code += "with Home(Path(sys.argv[1])).lock('guardian', datetime.fromisoformat(sys.argv[2])): print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(world.home.path), world.clock.now().isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # noqa: S603 - our own code
        assert other.stdout is not None
        assert other.stdout.readline() == "up\n"
        world.guardian().look()
        assert (other.poll(), world.resting) == (None, [])
        world.passes(60)
        world.guardian().look()
        assert other.wait(5) == -signal.SIGKILL
    assert [o.stop_price for o in world.resting] == [STOP]


def test_a_home_that_cannot_be_looked_at_is_told_once_and_no_end_of_looking(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look may succeed."""
    looks = 0

    def broken(_home: Home) -> Owner | None:
        nonlocal looks
        looks += 1
        raise PermissionError("not yours")

    monkeypatch.setattr(Home, "lock_owner", broken)
    guardian = world.guardian()
    guardian.settings = guardian.settings.model_copy(update={"interval_seconds": 0.001})
    guardian.run(alive=lambda: guardian.stop.set() if looks > 3 else None)
    assert world.told.titles.count("The guardian cannot look") == 1


def test_a_line_of_its_own_file_that_was_copied_to_the_end_is_refused(world: Watched) -> None:
    """Each line names the one before."""
    world.guardian().look()
    path = world.home.guardian_log
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[1]]))
    assert "line" in GuardianLog(path).set_aside(world.clock.now())
    assert not path.exists()
