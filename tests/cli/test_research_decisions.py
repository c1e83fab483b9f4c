"""`backtest decisions` at the command line: what a user sees, what is kept, and what each mistake is answered."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from cli.command_line import Desk
from decision_kit import record, settings
from trading_bot.backtest.plan import Engine
from trading_bot.backtest.shelf import Shelf
from trading_bot.bootstrap.cassettes import META
from trading_bot.storage.home import Home

SYMBOLS = ("SPY", "NVDA")
DAYS = (date(2024, 2, 5), date(2024, 2, 6))


@pytest.fixture(scope="module")
def plain(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recorded days."""
    folder = tmp_path_factory.mktemp("recorded") / "plain"
    record(folder, settings(shared / "data/us_daily_core", SYMBOLS), *DAYS)
    return folder


@pytest.fixture(scope="module")
def blind(shared: Path, plain: Path) -> Path:
    """The same two days behind a mask."""
    folder = plain.parent / "blind"
    record(folder, settings(shared / "data/us_daily_core", SYMBOLS), *DAYS, mask=7)
    return folder


@pytest.fixture
def bare(plain: Path, tmp_path: Path) -> Path:
    """Cassettes alone, without what they were recorded on."""
    return shutil.copytree(plain, tmp_path / "bare", ignore=shutil.ignore_patterns(META))


def test_a_folder_alone_is_enough_and_the_run_is_kept(desk: Desk, plain: Path) -> None:
    """Table, cut-off, run on the shelf, report in the home."""
    done = desk.run("backtest", "decisions", "--from", plain)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "decisions of claude-haiku-4-5 from 8 recorded calls: 8 of 8 questions were answered" in said
    assert "claude-haiku-4-5 may have read about 2 sessions (up to 2025-07-31), and not about 0" in said
    kept = Shelf(Home(desk.home).backtests).load("last")
    assert (kept.engine, kept.plan.symbols, kept.sessions) == (Engine.DESK, SYMBOLS, DAYS)
    assert [path.name for path in Home(desk.home).reports.glob("decisions_*.json")]


def test_masked_beside_unmasked_with_the_leak_score(desk: Desk, plain: Path, blind: Path) -> None:
    """Two runs are kept; two days are too few for a score, and that is said in place of one."""
    done = desk.run("backtest", "decisions", "--from", plain, "--blind-from", blind, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    leak = told["leak"]["may_know"]
    assert (leak["pairs"], leak["agreement"], leak["score"]) == (2, 1.0, None)
    assert leak["why"].startswith("no leak score: 2 measured pairs in 2 sessions are too few")
    assert [day["may_know"] for day in told["decisions"]["days"]] == [True, True]
    assert told["blind"]["performance"] == told["decisions"]["performance"]
    assert len(Shelf(Home(desk.home).backtests).list()) == 2
    assert json.loads(Path(told["report"]).read_text("utf-8"))["leak"] == told["leak"]
    assert any("no leak score: 2 measured pairs" in note for note in told["decisions"]["notes"])
    shown = " ".join(desk.run("backtest", "decisions", "--from", plain, "--blind-from", blind).out.split())
    assert "leak score, days that it may have read about: 2 judgements in both runs (100.0% agree), 0 in one alone" in shown
    assert "no leak score: 2 measured pairs" in shown


def test_a_part_of_the_period_may_be_asked_for(desk: Desk, plain: Path) -> None:
    """The first day alone."""
    done = desk.run("backtest", "decisions", "--from", plain, "--end", "2024-02-05", "--json")
    assert [day["session"] for day in json.loads(done.out)["decisions"]["days"]] == ["2024-02-05"]


def test_a_bare_folder_says_what_is_missing_and_works_with_it(desk: Desk, shared: Path, bare: Path) -> None:
    """The questions tell period and symbols; nobody can tell the data."""
    done = desk.run("backtest", "decisions", "--from", bare)
    assert done.code == 2
    assert "does not say what it was recorded on" in done.err
    assert done.err.rstrip().endswith("give --data")
    data = shared / "data/us_daily_core"
    found = desk.run("backtest", "decisions", "--from", bare, "--data", data / "SPY.csv", "--data", data / "NVDA.csv", "--json")
    assert found.code == 0, found.err
    assert json.loads(found.out)["decisions"]["symbols"] == list(SYMBOLS)


def test_a_day_that_was_not_recorded_is_named(desk: Desk, plain: Path) -> None:
    """The records end on 2024-02-06; a longer period meets their end on the next day."""
    done = desk.run("backtest", "decisions", "--from", plain, "--end", "2024-02-07")
    assert done.code == 78
    assert "2024-02-07 pre-market: the cassettes do not hold /screen 5 as of 2024-02-07" in done.err


def test_masking_afterwards_is_refused(desk: Desk, plain: Path, blind: Path) -> None:
    """--blind wants masked cassettes, and --blind-from nothing else."""
    refused = desk.run("backtest", "decisions", "--from", plain, "--blind")
    assert refused.code == 2
    assert "nobody can mask afterwards what a model saw" in refused.err
    assert desk.run("backtest", "decisions", "--from", blind, "--blind").code == 0
    swapped = desk.run("backtest", "decisions", "--from", blind, "--blind-from", plain)
    assert swapped.code == 2
    assert "--blind-from the masked one" in swapped.err


def test_a_recording_without_money_ends_at_once_and_can_go_on(
    desk: Desk, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No program is started; the day and the reason are told, and another recording does not fit into the folder."""
    monkeypatch.setenv("TRADING_BOT__BUDGET__CLAUDE_USD_PER_DAY", "0")
    monkeypatch.setenv("TRADING_BOT__CLAUDE__BINARY", "/no-such-program")
    data = shared / "data/us_daily_core" / "SPY.csv"
    asked = ["backtest", "decisions", "--record", tmp_path / "new", "--data", data, "--symbols", "SPY", "--start", "2024-02-05", "--end"]
    done = desk.run(*asked, "2024-02-09")
    assert done.code == 78
    assert "2024-02-05 pre-market: nobody can be asked (over_budget: " in done.err
    assert "the same command goes on from there" in done.err
    monkeypatch.setenv("TRADING_BOT__BUDGET__CLAUDE_USD_PER_DAY", "5")
    assert "2024-02-05 pre-market: nobody can be asked (not_started: " in desk.run(*asked, "2024-02-09").err
    other = desk.run(*asked, "2024-02-06")
    assert "holds another recording" in other.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say either --from CASSETTES"),
        (("--record", "new"), "--record needs --start and --end"),
        (("--record", "new", "--start", "2024-02-06", "--end", "2024-02-05"), "--end 2024-02-05 is before --start 2024-02-06"),
        (("--from", "."), "holds no recorded call"),
    ],
)
def test_what_cannot_be_meant_is_explained(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    """Without a traceback."""
    done = desk.run("backtest", "decisions", *arguments)
    assert done.code in {2, 78}
    assert said in done.err
    assert "Traceback" not in done.err
