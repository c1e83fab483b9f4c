"""A server's database as the settings and the commands see it: named by address, with a password that stays where it was given."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from postgres import Server, running
from trading_bot.bootstrap.desk import build
from trading_bot.bootstrap.setting import Setting
from trading_bot.cli.root import cli
from trading_bot.config import load, recall
from trading_bot.domain.errors import ConfigError, DatabaseAwayError, StorageError
from trading_bot.domain.mandate import Mode
from trading_bot.domain.news import FeedHealth
from trading_bot.storage.database import Database
from trading_bot.storage.home import Home
from trading_bot.storage.news import NewsStore
from trading_bot.storage.owner import own_journal
from trading_bot.storage.server_bars import ServerBars

URL = "TRADING_BOT__STORAGE__URL"
Named = Callable[[str], str]


def test_the_address_is_a_setting_like_any_other() -> None:
    """From the environment, with a password by reference; how the driver is called is the program's business."""
    config = load(environment={URL: "postgresql://desk:${WORD}@db.example:5433/desk?sslmode=require", "WORD": "s3cret"})
    assert config.storage.url == "postgresql+psycopg://desk:s3cret@db.example:5433/desk?sslmode=require"
    assert load().storage.url is None


@pytest.mark.parametrize(
    "url",
    [
        "mysql://desk:s3cret@db/desk",
        "postgresql://desk:s3cret@db",
        "postgresql://desk:s3/cret@db/desk",
        "postgresql://desk:s3@cret@db/desk",
        "postgresql://desk@db/desk?password=s3cret",
        "s3cret",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    """The variable is named, the password is not."""
    with pytest.raises(ConfigError, match=f"{URL}: storage.url") as caught:
        load(environment={URL: url})
    assert not any(part in str(caught.value) for part in ("s3cret", "cret@", "s3@"))


def test_what_is_shown_of_a_configuration_has_no_password() -> None:
    """Dumped, printed or remembered; and where things are kept decides no trade."""
    config = load(environment={URL: "postgresql://desk:s3cret@db/desk"})
    assert recall(config.canonical()).storage.url == "postgresql+psycopg://desk@db/desk"
    assert "s3cret" not in config.canonical() + repr(config) + str(config.storage)
    assert config.trading_digest() == load().trading_digest()


def test_a_desk_comes_up_on_a_server_and_leaves_no_password_there(server: Server, tmp_path: Path) -> None:
    """Its facts, configuration included, are in the database; another desk cannot come up on it."""
    server.execute("CREATE DATABASE facts")
    config = load(environment={URL: server.url("facts", "desk", "s3cret")})
    made = build(config, Setting(Mode.PAPER, simulated=True, home=Home(tmp_path / "a", config.storage.url), operator=tmp_path))
    made.close()
    made.journal.close()  # type: ignore[attr-defined]  # a desk's that is no backtest
    opened = Database.open(server.url("facts"))
    with opened.reading() as connection:
        facts = str(connection.exec_driver_sql("SELECT key, value FROM meta").all())
    opened.close()
    assert ("fact config" in facts, "s3cret" in facts) == (True, False)
    told = CliRunner().invoke(cli, ["--home", str(tmp_path / "a"), "audit", "verify"], env={URL: config.storage.url})
    assert told.output.startswith("intact: ")
    told = CliRunner().invoke(cli, ["--home", str(tmp_path / "a"), "doctor", "--fast"], env={URL: config.storage.url})
    assert ("rows in postgresql+psycopg://desk@/facts" in told.output, "s3cret" in told.output) == (True, False)


def test_halt_works_while_the_database_is_down(tmp_path: Path) -> None:
    """The HALT file needs no server; the command then says that nobody could be told."""
    with running() as started:
        started.execute("CREATE DATABASE desk")
        home = Home(tmp_path, started.url("desk"))
        home.prepare()
        own_journal(home).close()
        started.stop()
        done = CliRunner().invoke(cli, ["--home", str(tmp_path), "halt"])
        started.start()
    assert "HALT is in place" in done.output
    assert (home.halt_file.is_file(), type(done.exception)) == (True, DatabaseAwayError)


def test_imported_bars_are_listed_and_read_from_the_server(database: Named, shared: Path, tmp_path: Path) -> None:
    """The same lines as from files, and nothing in the home."""
    files = str(shared / "data" / "us_daily_core" / "SPY.csv")
    lines = []
    for name, url in (("server", database("bars")), ("file", None)):
        home = ["--home", str(tmp_path / name)]
        done = CliRunner().invoke(
            cli, [*home, "bars", "import", "--data", files, "--symbols", "SPY"], env={URL: url}, catch_exceptions=False
        )
        listed = CliRunner().invoke(cli, [*home, "bars", "list"], env={URL: url}, catch_exceptions=False)
        lines.append((done.output, listed.output))
    assert lines[0] == lines[1]
    assert "SPY" in lines[0][1]
    assert not list((tmp_path / "server" / "bars").iterdir())


def test_a_hypertable_is_made_only_where_the_server_can(database: Named, tmp_path: Path) -> None:
    """A plain server says so and keeps its table; files have no server to ask."""
    bars = ServerBars(database("bars"))
    with pytest.raises(StorageError, match="has no TimescaleDB; bars stay in one plain table"):
        bars.partition()
    assert bars.symbols() == ()
    done = CliRunner().invoke(cli, ["--home", str(tmp_path), "bars", "hypertable"])
    assert (done.exit_code, "bars are files" in done.output) == (1, True)


def test_news_on_a_server_are_there_on_machines_that_read_none(database: Named, tmp_path: Path) -> None:
    """No desk has come up on it; and who only looks makes nothing there."""
    url, now = database("gazette"), datetime(2026, 3, 9, tzinfo=UTC)
    home = ["--home", str(tmp_path / "elsewhere")]
    before = CliRunner().invoke(cli, [*home, "news", "top"], env={URL: url})
    with NewsStore.open(url) as store, store.writing() as page:
        page.feed_did(FeedHealth(feed="wire", asked_at=now, answered_at=now, articles=0))
    after = CliRunner().invoke(cli, [*home, "news", "status"], env={URL: url}, catch_exceptions=False)
    assert ("nobody has read news" in before.output, "wire" in after.output) == (True, True)
