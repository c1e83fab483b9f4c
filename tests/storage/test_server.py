"""A home whose journal a server keeps: whose it is, who owns it, what a broken connection leaves, and that no password shows."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postgres import Server, running, shell
from trading_bot import storage
from trading_bot.domain.errors import HomeError, HomeLockedError, HomeMismatchError, StorageError
from trading_bot.domain.records import CLOSE, EquityPoint, Send, SendOutcome
from trading_bot.domain.values import ONE, ZERO, ClientOrderId
from trading_bot.execution.guardian_memory import JournalCopy, Memory
from trading_bot.ports import InboxItem
from trading_bot.storage.audit import verify
from trading_bot.storage.database import Database
from trading_bot.storage.home import Home
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.owner import own_journal
from trading_bot.storage.peek import peek
from trading_bot.storage.spending import SpendingLedger

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
Named = Callable[[str], str]


def send(name: str) -> Send:
    """The end of sending one order."""
    return Send(at=AT, client_order_id=ClientOrderId(name), outcome=SendOutcome.ACKNOWLEDGED)


def home(folder: Path, url: str | None = None) -> Home:
    """A prepared home."""
    made = Home(folder, url)
    made.prepare()
    return made


def test_a_home_finds_its_journal_again_without_a_configuration(database: Named, tmp_path: Path) -> None:
    """The claim says where it is; nothing is left in files."""
    with own_journal(home(tmp_path, database("desk"))) as journal:
        journal.append(send("a"))
    later = Home(tmp_path)
    assert (later.has_journal, later.database) == (True, database("desk"))
    with SqlJournal.look(later.database) as journal:
        assert (journal.count(Send), journal.fact("desk")) == (1, journal.desk)
    assert not later.journal.exists()


def test_a_second_home_is_refused_by_name(database: Named, tmp_path: Path) -> None:
    """Two desks in one journal would send each other's orders; the first goes on."""
    own_journal(home(tmp_path / "first", database("desk"))).close()
    with pytest.raises(
        HomeMismatchError, match=r"belongs to the desk [a-z0-9]{6} of the home .*/first on .*database of its own, or a schema"
    ):
        own_journal(home(tmp_path / "second", database("desk")))
    assert not Home(tmp_path / "second").has_journal
    own_journal(Home(tmp_path / "first")).close()


def test_desks_with_a_schema_each_share_a_database(database: Named, tmp_path: Path) -> None:
    """Their journals, owners and writers do not meet."""
    urls = [f"{database('desk')}&options=-csearch_path%3D{name}" for name in ("one", "two")]
    shell(database("desk"), "CREATE SCHEMA one", "CREATE SCHEMA two")
    with own_journal(home(tmp_path / "1", urls[0])) as one, own_journal(home(tmp_path / "2", urls[1])) as two:
        one.append(send("a"))
        assert (one.count(Send), two.count(Send), one.desk == two.desk) == (1, 0, False)


def test_another_address_than_the_claimed_one_is_refused(database: Named, tmp_path: Path) -> None:
    """A desk that began anew elsewhere would not know what it holds."""
    own_journal(home(tmp_path, database("desk"))).close()
    with pytest.raises(HomeMismatchError, match=r"this home's journal is in .*storage.url names .*correct the address in .*storage.json"):
        own_journal(Home(tmp_path, database("other")))


def test_a_home_with_a_journal_in_a_file_keeps_it(database: Named, tmp_path: Path) -> None:
    """Readers go on reading the file; a desk does not come up beside it."""
    with own_journal(home(tmp_path)) as journal:
        journal.append(send("a"))
    configured = Home(tmp_path, database("desk"))
    assert configured.database == configured.journal
    with pytest.raises(HomeMismatchError, match="unset that, or use another home"):
        own_journal(configured)


def test_a_claim_that_makes_no_sense_is_an_error(tmp_path: Path) -> None:
    """It never passes for no claim."""
    made = home(tmp_path)
    made.claim_file.write_text("{}")
    with pytest.raises(HomeError, match=r"storage\.json says which database .* restore it"):
        _ = made.database


def test_one_process_owns_a_database_from_whatever_machine(database: Named, tmp_path: Path) -> None:
    """A copy of the home has a lock file of its own; the server has one owner. Readers and commands pass."""
    with own_journal(home(tmp_path, database("desk"))):
        hasty = f"{database('desk')}&options=-clock_timeout%3D1"
        with SqlJournal.look(hasty) as other:
            other.post(InboxItem("halt-1", "command", "{}", AT))
            with pytest.raises(HomeLockedError, match="another process has kept it locked"):
                other.own()
    own_journal(Home(tmp_path)).close()


def test_a_writer_waits_for_the_other_and_reads_its_head(database: Named) -> None:
    """Two threads append 40 rows each through their own connections: one chain."""
    SqlJournal.open(database("desk"), desk="desk01").close()

    def write(name: str) -> None:
        with SqlJournal.open(database("desk")) as journal:
            for n in range(40):
                journal.append(send(f"{name}{n}"))

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    result = verify(database("desk"))
    assert (result.intact, result.rows) == (True, 80)


def break_in_the_middle(journal: SqlJournal, address: str) -> None:
    """Write half of something, and lose the connection."""
    with journal._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM meta")
        shell(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trading-bot'")
        connection.exec_driver_sql("DELETE FROM inbox")


def test_a_connection_that_breaks_in_a_write_leaves_nothing_and_is_not_taken_up_again(database: Named) -> None:
    """The desk stops; whoever starts next finds the journal as it was."""
    with SqlJournal.open(database("desk"), desk="desk01") as journal:
        journal.append(send("a"))
        with pytest.raises(StorageError, match="start again"):
            break_in_the_middle(journal, database("desk"))
        for again in (lambda: journal.append(send("b")), lambda: journal.count(Send)):
            with pytest.raises(StorageError, match="start again"):
                again()
    with SqlJournal.open(database("desk")) as journal:
        journal.append(send("b"))
        assert journal.count(Send) == 2
    assert verify(database("desk")).intact


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that a test may take down."""
    with running() as started:
        yield started


def test_a_guardian_remembers_from_a_server_what_it_would_from_a_file(server: Server, tmp_path: Path) -> None:
    """The same rows give the same memory; while the server cannot be asked it keeps what it has."""
    server.execute("CREATE DATABASE guarded")
    memories = []
    for made in (home(tmp_path / "server", server.url("guarded")), home(tmp_path / "file")):
        copy = JournalCopy(made)
        with pytest.raises(StorageError, match="has no journal"):
            copy.refresh(Memory())
        with own_journal(made, desk="desk01") as journal:
            journal.append(send("a"), EquityPoint(at=AT, session=AT.date(), label=CLOSE, equity=ONE, cash=ONE, exposure=ZERO))
            journal.bind({"account": "paper-1"})
        memories.append(copy.refresh(Memory()))
    assert memories[0] == memories[1]
    assert (memories[0].desk, memories[0].facts, memories[0].baseline()) == ("desk01", {"account": "paper-1"}, ONE)
    server.execute("DROP DATABASE guarded WITH (FORCE)")
    with pytest.raises(StorageError):
        JournalCopy(Home(tmp_path / "server")).refresh(memories[0])


def test_a_server_that_goes_down_and_comes_back(tmp_path: Path) -> None:
    """While it is down a look fails at once, the claim still says that there is a journal, and the desk stops; then all is there."""
    with own_server() as server:
        server.execute("CREATE DATABASE desk")
        made = home(tmp_path, server.url("desk"))
        with own_journal(made) as journal:
            journal.append(send("a"))
            assert peek(made.database, (Send.kind,), 0).rows[0][:2] == (1, "send")
            server.stop()
            with pytest.raises(StorageError, match="start again"):
                journal.append(send("b"))
        assert made.has_journal
        for look in (
            lambda: peek(made.database, (), 0),
            lambda: SqlJournal.look(made.database),
            lambda: SpendingLedger.open(made.database),
        ):
            with pytest.raises(StorageError):
                look()
        server.start()
        with own_journal(made) as journal:
            assert journal.all(Send) == (send("a"),)


@pytest.mark.parametrize(
    ("database_part", "words"),
    [
        ("desk:s3cret@/nowhere?host={folder}", "there is no such database|does not exist"),
        ("desk:s3cret@127.0.0.1:1/desk", "cannot be reached"),
    ],
)
def test_no_password_shows_in_what_went_wrong(server: Server, tmp_path: Path, database_part: str, words: str) -> None:
    """Neither in the error, nor in the claim, nor in what the home shows of itself."""
    url = f"postgresql+psycopg://{database_part.format(folder=server.folder)}"
    made = home(tmp_path, url)
    for ask in (lambda: own_journal(made), lambda: peek(made.database, (), 0), lambda: SpendingLedger.open(made.database)):
        with pytest.raises((StorageError, HomeError)) as caught:
            ask()
        assert "s3cret" not in "".join(map(str, (caught.value, caught.value.__cause__, made)))
    with pytest.raises((StorageError, HomeError), match=words):
        own_journal(made)


def test_no_password_is_kept_in_the_home(server: Server, tmp_path: Path) -> None:
    """The claim has the address without it; the configuration brings it along."""
    server.execute("CREATE DATABASE withpass")
    url = server.url("withpass", "desk", "s3cret")
    own_journal(home(tmp_path, url)).close()
    assert all(b"s3cret" not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert Home(tmp_path, url).database == url


def test_a_database_that_cannot_hold_every_character_is_refused(server: Server) -> None:
    """SQL_ASCII takes bytes without knowing them."""
    server.execute("CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII'")
    with pytest.raises(HomeError, match="ENCODING 'UTF8'"):
        SqlJournal.open(server.url("bytes"))


def test_a_schema_that_is_not_there_is_named(database: Named) -> None:
    """Tables are not made in somebody else's."""
    with pytest.raises(HomeError, match="its schema is missing; make it"):
        SqlJournal.open(f"{database('desk')}&options=-csearch_path%3Dmissing")


def test_a_commit_is_waited_for_whatever_the_role_says(server: Server, database: Named) -> None:
    """A role's own setting would let a commit return before it is on disk."""
    server.execute("CREATE ROLE hasty LOGIN SUPERUSER", "ALTER ROLE hasty SET synchronous_commit = off")
    url = database("desk").replace("//desk@", "//hasty@")
    with closing(Database.open(url)) as opened, opened.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_nobody_opens_the_journals_file_but_the_home_says_so() -> None:
    """Who went by the file's path would look past a server, and make an empty journal beside it."""
    source = Path(storage.__file__).parents[1]
    askers = {p.relative_to(source).as_posix() for p in source.rglob("*.py") if re.search(r"\bhome\.journal\b", p.read_text("utf-8"))}
    assert askers == set()
