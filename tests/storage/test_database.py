"""The journal on disk and on a server: durability, several processes, migrations, and bad files with errors that say what to do."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine
from sqlalchemy.exc import IntegrityError

from postgres import shell, unguard
from trading_bot.domain.errors import (
    DeskError,
    DiskFullError,
    HomeError,
    HomeLockedError,
    HomeMismatchError,
    JournalDamagedError,
    SchemaTooNewError,
)
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId
from trading_bot.ports import InboxItem
from trading_bot.storage import migrations
from trading_bot.storage.audit import verify
from trading_bot.storage.database import Address, Database, url_of
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.schema import VERSIONS, metadata, on_a_server

A = TypeVar("A", Path, str)
Place = Callable[[str], Any]
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


class Wall:
    """A wall clock that stands still."""

    def now(self) -> datetime:
        """Noon."""
        return datetime(2026, 11, 21, 12, tzinfo=UTC)


def send(name: str) -> Send:
    """The end of sending one order."""
    return Send(at=AT, client_order_id=ClientOrderId(name), outcome=SendOutcome.ACKNOWLEDGED)


def made(path: A, count: int = 3) -> A:
    """A closed journal with `count` rows."""
    journal = SqlJournal.open(path, desk="desk01")
    journal.append(*(send(f"o{n}") for n in range(count)))
    journal.close()
    return path


def test_a_commit_is_synced_to_disk_in_wal_mode(tmp_path: Path) -> None:
    """synchronous=FULL is 2; foreign keys are on; a busy database is waited for."""
    journal = SqlJournal.open(tmp_path / "journal.db")
    with journal._database.reading() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    journal.close()
    assert pragmas == ["wal", 2, 1, 10000]


def test_a_desk_part_is_drawn_once_and_remembered(place: Place) -> None:
    """Two homes draw different ones; a home keeps its own."""
    desks = []
    for path in (place("a"), place("b"), place("a")):
        journal = SqlJournal.open(path)
        desks.append(journal.desk)
        journal.close()
    assert desks[0] == desks[2] != desks[1]
    assert all(len(desk) == 6 for desk in desks)


def test_another_desk_part_than_the_remembered_one_is_refused(place: Place) -> None:
    """Order ids of one home never change their desk part."""
    with pytest.raises(HomeMismatchError, match="made with desk desk01, not desk02"):
        SqlJournal.open(made(place("journal")), desk="desk02")


def test_a_home_remembers_what_it_was_made_for(place: Place) -> None:
    """The same facts are fine, new ones are added, a different one is refused and nothing is kept of that call."""
    with SqlJournal.open(place("journal")) as journal:
        journal.bind({"clock kind": "simulated", "seed": "7"})
        journal.bind({"clock kind": "simulated", "account": "paper-1"})
        with pytest.raises(HomeMismatchError, match="made with seed 7, not 8"):
            journal.bind({"universe": "x", "seed": "8"})
    with SqlJournal.open(place("journal")) as journal:
        assert [journal.fact(name) for name in ("clock kind", "seed", "account", "universe")] == ["simulated", "7", "paper-1", None]


def test_a_fact_that_may_change_is_remembered_as_it_was_last(place: Place) -> None:
    """Apart from the journal's own clock and head, whatever its name."""
    with SqlJournal.open(place("journal")) as journal:
        journal.mark_clock(AT)
        for value in ("first", "second"):
            journal.remember("clock", value)
        assert (journal.fact("clock"), journal.clock()) == ("second", AT)


def test_rows_carry_the_wall_time_of_their_writing(place: Place) -> None:
    """Beside the trading time, or nothing without a wall clock."""
    for wall in (Wall(), None):
        journal = SqlJournal.open(place("journal"), wall=wall)
        journal.append(send(f"wall-{wall is None}"))
        journal.close()
    with closing(Database.open(place("journal"))) as database, database.reading() as connection:
        rows = [tuple(row) for row in connection.exec_driver_sql("SELECT at, wall FROM journal ORDER BY seq")]
    at = "2024-01-02T14:30:00.000000+00:00"
    assert rows == [(at, "2026-11-21T12:00:00.000000+00:00"), (at, None)]


@pytest.mark.parametrize("statement", ["UPDATE journal SET body = '{}' WHERE seq = 1", "DELETE FROM journal WHERE seq = 3"])
def test_the_database_itself_refuses_to_change_or_remove_rows(statement: str, place: Place) -> None:
    """Even to a database shell, unless the trigger is dropped first."""
    path = made(place("journal"))
    with pytest.raises(IntegrityError, match="append-only"):
        shell(path, statement)


def test_the_migrated_schema_is_the_declared_one(place: Place) -> None:
    """Tables made by the steps and tables that the code reads agree, and the list of versions is that of the steps."""
    address = made(place("journal"))
    engine = create_engine(url_of(address))
    declared = MetaData()
    for table in (*metadata.tables.values(), *(() if isinstance(address, Path) else on_a_server.tables.values())):
        table.to_metadata(declared)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), declared) == []
    engine.dispose()
    steps = ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()
    assert tuple(step.revision for step in steps)[::-1] == VERSIONS


def test_an_up_to_date_journal_opens_without_loading_alembic(place: Place) -> None:
    """Every command of the desk opens the journal; most need no migration."""
    path = made(place("journal"))
    reopen = f"from trading_bot.storage.journal import SqlJournal; SqlJournal.open({str(path)!r})"
    code = f"import sys; {reopen}; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own interpreter and code


def test_a_journal_of_a_newer_schema_is_refused_and_left_alone(place: Place) -> None:
    """The message says to update the program."""
    path = made(place("journal"))
    shell(path, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(SchemaTooNewError, match=f"schema 0999, this program knows up to {VERSIONS[-1]}; update the program"):
        SqlJournal.open(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Nothing is written into somebody's notes."""
    path = tmp_path / "journal.db"
    path.write_text("these are notes, not a database\n" * 100)
    with pytest.raises(JournalDamagedError, match="it is not a database; restore it from a backup"):
        SqlJournal.open(path)
    assert path.read_text().startswith("these are notes")


def test_another_programs_database_is_refused(place: Place) -> None:
    """Its tables are not ours to add to."""
    path = place("paper")
    shell(path, "CREATE TABLE orders (id INTEGER)")
    with pytest.raises(JournalDamagedError, match="is a database, but not a journal"):
        SqlJournal.open(path)


def test_a_truncated_journal_is_refused_or_its_reading_is(tmp_path: Path) -> None:
    """Half a file never passes for a journal."""
    path = made(tmp_path / "journal.db", 300)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(JournalDamagedError, match="restore it from a backup"):
        SqlJournal.open(path).all(Send)


def test_a_row_that_cannot_be_parsed_is_damage(place: Place) -> None:
    """The message points to `audit verify`."""
    path = made(place("journal"))
    unguard(path)
    shell(path, "UPDATE journal SET body = '{\"at\":1}' WHERE seq = 2")
    journal = SqlJournal.open(path)
    with pytest.raises(JournalDamagedError, match="audit verify"):
        journal.all(Send)
    journal.close()


def test_a_remembered_head_set_back_is_damage_and_writes_nothing(place: Place) -> None:
    """A row that would take a taken number contradicts the chain."""
    path = made(place("journal"))
    shell(path, "UPDATE meta SET value = '1:00' WHERE key = 'head'")
    journal = SqlJournal.open(path)
    with pytest.raises(JournalDamagedError, match="audit verify"):
        journal.append(send("new"))
    assert journal.count(Send) == 3
    journal.close()


def test_a_full_disk_keeps_what_was_there_and_writes_go_on_once_there_is_space(tmp_path: Path) -> None:
    """The failed append leaves nothing behind."""
    path = made(tmp_path / "journal.db")
    journal = SqlJournal.open(path)
    with journal._database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    many = [send(f"x{n}") for n in range(500)]
    with pytest.raises(DiskFullError, match="free some space"):
        journal.append(*many)
    assert journal.count(Send) == 3
    with journal._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    journal.append(*many)
    journal.close()
    assert verify(path).rows == 503


@pytest.mark.parametrize(("place", "error"), [("missing/journal.db", HomeError), (".", HomeError)])
def test_a_place_that_cannot_hold_a_journal_is_refused(place: str, error: type[DeskError], tmp_path: Path) -> None:
    """A folder that is missing, or a folder where the file should be."""
    with pytest.raises(error, match="its folder must exist and be writable"):
        SqlJournal.open(tmp_path / place)


def test_a_write_to_a_read_only_journal_says_so(tmp_path: Path) -> None:
    """query_only makes any user, root too, meet SQLite's read-only error."""
    journal = SqlJournal.open(made(tmp_path / "journal.db"))
    with journal._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(HomeError, match="read-only; make file and folder writable"):
        journal.append(send("new"))
    journal.close()


def test_a_database_that_stays_locked_is_reported_and_nothing_is_written(tmp_path: Path) -> None:
    """The error may be retried."""
    path = made(tmp_path / "journal.db")
    journal = SqlJournal.open(path)
    with journal._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HomeLockedError, match="nothing was written, try again"):
        journal.append(send("new"))
    other.execute("ROLLBACK")
    other.close()
    journal.append(send("new"))
    journal.close()


def test_two_openings_see_each_others_rows_and_chain_them(place: Place) -> None:
    """The head is read inside each transaction, and the inbox serves both."""
    path = place("journal")
    owner, command = SqlJournal.open(path), SqlJournal.open(path)
    for n in range(5):
        owner.append(send(f"owner{n}"))
        command.append(send(f"command{n}"))
    command.post(InboxItem("halt-1", "command", "{}", AT))
    assert [i.id for i in owner.pending()] == ["halt-1"]
    assert len(owner.all(Send)) == len(command.all(Send)) == 10
    assert owner.head() == command.head()
    owner.close()
    command.close()
    assert verify(path).intact


def _write_many(path: Address, name: str) -> None:
    journal = SqlJournal.open(path)
    for n in range(50):
        journal.append(send(f"{name}{n}"))
    journal.close()


def test_processes_that_open_a_new_journal_at_once_share_one_chain(place: Place) -> None:
    """One of them migrates, all of them write, the chain holds."""
    path = place("journal")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(path, name)) for name in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    result = verify(path)
    assert (result.intact, result.rows) == (True, 150)


def test_what_append_returned_from_outlives_a_kill(place: Place) -> None:
    """The process prints each name after its append, and is killed in the middle."""
    path = place("journal")
    code = (
        f"import sys; sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:2]]!r}\n"
        "from test_database import SqlJournal, send\n"
        f"journal = SqlJournal.open({str(path)!r})\n"
        "for n in range(100000):\n"
        "    journal.append(send(f'k{n}'), send(f'l{n}'))\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own interpreter and code
    assert process.stdout is not None
    seen = [int(process.stdout.readline()) for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    seen += [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    journal = SqlJournal.open(path)
    names = [s.client_order_id for s in journal.all(Send)]
    journal.close()
    assert set(names) >= {f"{part}{n}" for n in seen for part in "kl"}
    assert len(names) % 2 == 0
    assert verify(path).intact


def test_many_that_open_one_new_file_at_once_and_write_all_get_it(tmp_path: Path) -> None:
    """Where two turn it into a WAL at once, SQLite refuses one of them without waiting."""
    everybody = Barrier(6)

    def use(path: Path, number: int) -> None:
        everybody.wait()
        with closing(Database.open(path, lambda _: None)) as database, database.writing() as connection:
            connection.exec_driver_sql(f"CREATE TABLE t{number} (x)")

    with ThreadPoolExecutor(everybody.parties) as pool:
        for again in range(10):
            for done in [pool.submit(use, tmp_path / f"{again}.db", number) for number in range(everybody.parties)]:
                done.result()


def test_a_relaxed_file_keeps_its_commits_from_a_process_alone(tmp_path: Path) -> None:
    """synchronous=NORMAL is 1; the next who opens it is not relaxed."""
    database = Database.open(tmp_path / "journal.db")
    database.relax()
    with closing(database), database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    with closing(Database.open(tmp_path / "journal.db")) as again, again.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
