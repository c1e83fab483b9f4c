"""Several processes at one home, a disk without room, and what is durable when: the desk stops clearly, or goes on as if alone."""

import json
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from killing import Day
from trading_bot.bootstrap import desk as bootstrap
from trading_bot.domain.orders import ApprovedOrder, Order, OrderIntent
from trading_bot.domain.records import Command, CommandAction
from trading_bot.execution.clock import SystemWallClock
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.ports import InboxItem
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal

SEED = 3
"""A day with two entries, one stopped out."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a day exports that was left alone."""
    day = Day(tmp_path_factory.mktemp("undisturbed"), SEED)
    day.finish()
    return day.exported()


def desk(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "trading_bot", "--home", str(home), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command


def test_every_intent_is_in_the_file_before_its_order_reaches_the_venue(tmp_path: Path) -> None:
    """Seen through a second connection at the moment of the call: verdict and intent are committed, the venue has nothing yet."""
    day = Day(tmp_path, SEED)
    assembly = bootstrap.build(day.settings, day.setting)
    seen: list[bool] = []
    broker: Any = assembly.broker
    send = broker.submit

    def looking(order: ApprovedOrder) -> Order:
        identity = order.spec.client_order_id
        with closing(sqlite3.connect(tmp_path / "journal.db")) as other, closing(sqlite3.connect(tmp_path / "paper.db")) as venue:
            wanted = [("intent", identity), ("verdict", order.verdict_id)]
            found = [other.execute("SELECT 1 FROM journal WHERE kind = ? AND key = ?", row).fetchone() for row in wanted]
            there = venue.execute("SELECT 1 FROM orders WHERE client_order_id = ?", (identity,)).fetchone()
        seen.append(all(found) and there is None)
        answer: Order = send(order)
        return answer

    broker.submit = looking
    bootstrap.announce(assembly, "test")
    today = assembly.desk.clock.now().date()
    slots = assembly.scheduler.slots_between(today, today)
    TradingOrchestrator(assembly.desk, assembly.scheduler, assembly.stop, until=slots[1].due).run()
    assert seen
    assert all(seen)
    assert len(seen) == assembly.journal.count(OrderIntent)


def test_readers_that_hammer_a_running_desk_neither_disturb_it_nor_see_a_torn_journal(undisturbed: list[str], tmp_path: Path) -> None:
    """`status`, `journal export` and `audit verify` beside the desk; the day exports as if alone."""
    running = desk(tmp_path, "orchestrator", "--fast", "--seed", str(SEED))
    verified = looked = 0
    commands = (("audit", "verify"), ("status",), ("audit", "verify"), ("journal", "export"))
    while running.poll() is None:
        readers = [(arguments, desk(tmp_path, *arguments)) for arguments in commands if (tmp_path / "journal.db").exists()]
        for arguments, reader in readers:
            _, error = reader.communicate(timeout=60)
            assert "Traceback" not in error
            verified += arguments == ("audit", "verify") and reader.returncode == 0
            looked += 1
    running.communicate()
    assert running.returncode == 0
    assert looked > verified > 0
    assert Day(tmp_path, SEED).exported() == undisturbed


def test_beside_an_orchestrator_neither_a_second_one_nor_a_run_touches_the_home(tmp_path: Path) -> None:
    """The second orchestrator is told who holds it; a `run` has nothing to do."""
    with Home(tmp_path).lock("orchestrator", SystemWallClock().now()):
        second, run = (desk(tmp_path, *arguments) for arguments in (("orchestrator", "--fast"), ("run", "pre-market", "--fast")))
        _, error = second.communicate(timeout=60)
        said = "".join(run.communicate(timeout=60))
    assert second.returncode != 0
    assert "is owned by" in error
    assert "orchestrator" in said
    assert not (tmp_path / "journal.db").exists()


def test_commands_posted_before_the_desk_starts_are_carried_out_at_its_start(tmp_path: Path) -> None:
    """A reduce-only that waits in the inbox holds before the first order."""
    day = Day(tmp_path, SEED)
    now = SystemWallClock().now()
    assembly = bootstrap.build(day.settings, day.setting)
    body = Command(action=CommandAction.REDUCE_ONLY, by="test", reason="early").canonical()
    assembly.journal.post(InboxItem("early", "command", body, now))
    day.finish()
    with SqlJournal.look(tmp_path / "journal.db") as journal:
        assert journal.count(OrderIntent) == 0
        assert journal.pending() == ()


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_whatever_lies_at_halt_halts(kind: str, tmp_path: Path) -> None:
    """A folder, a file without permissions, a link to nowhere: no entry in the whole day."""
    halt = tmp_path / "HALT"
    match kind:
        case "folder":
            halt.mkdir()
        case "file":
            halt.touch(mode=0)
        case _:
            halt.symlink_to("nowhere")
    day = Day(tmp_path, SEED)
    day.finish()
    with SqlJournal.look(tmp_path / "journal.db") as journal:
        assert journal.count(OrderIntent) == 0


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Files of this process and of its children cannot grow beyond `size` bytes: as a full disk does, writes fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [40_000, 90_000, 150_000, 220_000, 300_000, 400_000])
def test_a_desk_without_room_stops_with_an_error_and_goes_on_to_the_same_day(room: int, undisturbed: list[str], tmp_path: Path) -> None:
    """Wherever writing fails, in journal, venue or report: nothing is sent without its intent, and nothing is lost."""
    with file_limit(room):
        running = desk(tmp_path, "orchestrator", "--fast", "--seed", str(SEED))
        _, error = running.communicate(timeout=120)
    if running.returncode != 0:
        assert "Traceback" not in error
        assert error.startswith(("error [database_away]", "error [disk_full]"))
    day = Day(tmp_path, SEED)
    if not day.is_over():
        day.finish()
    assert day.exported() == undisturbed
    assert day.problems() == []


def test_a_journal_that_another_process_keeps_locked_for_a_while_holds_the_desk_up_and_no_more(
    undisturbed: list[str], tmp_path: Path
) -> None:
    """The desk waits for its turn; the day is the same."""
    day = Day(tmp_path, SEED)
    day.run(kill_at=60)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        running = desk(tmp_path, "orchestrator", "--fast", "--seed", str(SEED))
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=4)
        other.execute("ROLLBACK")
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert day.exported() == undisturbed
    assert all(json.loads(line) for line in day.exported())
