"""Whatever a user gets wrong ends in a sentence that says what to do, with exit status 78 (1 where it may pass, 2 for the command line)."""

import sqlite3
from pathlib import Path

import pytest

from cli.command_line import Desk

BACKTEST = ("orchestrator", "--orchestrator-mode", "backtest", "--start", "2024-01-02", "--end", "2024-02-01")

USAGE = {
    ("frobnicate",): "No such command",
    ("run", "lunch"): "is not one of",
    ("orchestrator", "--orchestrator-mode", "backtest"): "a backtest needs --start and --end",
    ("orchestrator", "--orchestrator-mode", "backtest", "--fast"): "a backtest needs --start and --end",
    ("orchestrator", "--orchestrator-mode", "backtest", "--start", "2024-02-30", "--end", "2024-03-01"): "does not match the format",
    ("orchestrator", "--orchestrator-mode", "backtest", "--start", "2024-06-01", "--end", "2024-01-01"): "is before --start",
    ("orchestrator", "--orchestrator-mode", "backtest", "--start", "2024-01-06", "--end", "2024-01-07"): "there is no trading session",
    ("orchestrator", "--start", "2024-01-02"): "belong to --orchestrator-mode backtest",
    ("orchestrator", "--fast", "--orchestrator-mode", "live"): "it cannot be live",
    ("orchestrator", "--fast", "--sessions", "0"): "not in the range",
    ("report", "--day", "2024-13-77"): "does not match the format",
    ("--config", "missing.yaml", "status"): "does not exist",
    ("bars", "import", "--data", "somewhere", "--symbols", ","): "--symbols names none",
}


def damage(home: Path, name: str) -> None:
    """Overwrite a database, and take away what SQLite could mend it from."""
    for file in home.glob(f"{name}*"):
        file.unlink()
    (home / name).write_bytes(b"noise" * 4096)


@pytest.mark.parametrize(("command", "message"), USAGE.items())
def test_a_command_that_makes_no_sense_is_a_usage_error(desk: Desk, command: tuple[str, ...], message: str) -> None:
    """Exit status 2, and nothing is made."""
    ended = desk.run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert message in " ".join(ended.err.split())
    assert not desk.home.exists()


DATA = {
    ("--source", "files"): "--data PATH",
    ("--data", "missing"): "there is no such file or folder",
    ("--data", "empty"): "no bars in the files",
    ("--data", "empty.csv"): "empty.csv cannot be read",
    ("--source", "nosuch"): "known are alpaca, bybit, files",
    ("--symbols", ","): "must have at least one item",
    ("--symbols", "AAPL,aapl"): "AAPL is there twice",
    ("--cash", "-5"): "must be greater than 0",
    ("--cash", "nan"): "must be a finite number",
    ("--start", "2010-01-04", "--end", "2010-02-01"): "there are no bars from 2010-01-04 to 2010-02-01; the data have AAPL, MSFT, ",
    ("--start", "1900-01-06", "--end", "2400-02-10"): "it reaches from",
}


@pytest.mark.parametrize(("flags", "message"), DATA.items())
def test_data_that_cannot_serve_are_named(desk: Desk, tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    """One clear line for paths, symbols, dates and cash; no report is written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.csv").touch()
    ended = desk.run(*BACKTEST, *flags)
    assert (ended.code, ended.out) == (78, "")
    assert ended.err.startswith("error [")
    assert message in ended.err
    assert not list(desk.home.glob("logs/reports/*"))


def test_an_unknown_symbol_is_named_with_those_there_are(desk: Desk, shared: Path) -> None:
    """A typo in a ticker is found by reading."""
    ended = desk.run(*BACKTEST, "--data", shared / "data" / "us_daily_core", "--symbols", "AAPL,APPL")
    assert ended.code == 78
    assert ended.err == "error [no_data]: APPL: no bars in the files; they hold AAPL, NVDA, QQQ, SPY, TSLA\n"


def test_a_backtest_may_start_on_a_weekend(desk: Desk, shared: Path) -> None:
    """It begins with the next session."""
    flags = ("--start", "2024-01-06", "--end", "2024-01-12", "--data", shared / "data" / "us_daily_core", "--symbols", "AAPL")
    ended = desk.run("orchestrator", "--orchestrator-mode", "backtest", *flags)
    assert ended.code == 0
    assert "5 sessions" in ended.out


def test_a_backtest_beyond_its_data_says_where_they_end(desk: Desk, shared: Path) -> None:
    """Sessions without prices would otherwise pass for sessions without trades."""
    flags = ("--start", "2025-01-27", "--end", "2025-02-07", "--data", shared / "data" / "us_daily_core", "--symbols", "AAPL")
    ended = desk.run("orchestrator", "--orchestrator-mode", "backtest", *flags)
    assert ended.code == 0
    assert "NO PRICES of AAPL 1d after 2025-01-31" in ended.out


def test_a_typo_in_the_settings_names_key_file_and_line(desk: Desk, tmp_path: Path) -> None:
    """Found in the working folder's config.yaml too."""
    (tmp_path / "config.yaml").write_text("risk:\n  limits:\n    positon: 0.1\n", "utf-8")
    ended = desk.run("run", "pre-market", "--fast")
    assert ended.code == 78
    assert ended.err == "error [config_invalid]: config.yaml, line 3: risk.limits.positon is not a known setting (a typo?)\n"


@pytest.mark.parametrize("command", [("status",), ("trades",), ("resume",), ("reduce-only",), ("journal", "export"), ("audit", "verify")])
def test_a_home_without_a_desk_says_how_to_start_one(desk: Desk, command: tuple[str, ...]) -> None:
    """Looking makes nothing."""
    ended = desk.run(*command)
    assert ended.code == 1
    assert "start a desk with `orchestrator`" in ended.err
    assert not desk.home.exists()


def test_a_home_that_is_a_file_is_refused(desk: Desk) -> None:
    """With the fix."""
    desk.home.write_text("not a folder", "utf-8")
    ended = desk.run("orchestrator", "--fast")
    assert ended.code == 78
    assert "is not a folder; move that file away, or choose another folder with TRADING_BOT_HOME" in ended.err


@pytest.mark.parametrize("command", [("status",), ("trades",), ("run", "market-open", "--fast"), ("audit", "verify"), ("resume",)])
def test_a_damaged_journal_is_never_traded_or_shown(traded: Desk, command: tuple[str, ...]) -> None:
    """It says what to do with it."""
    damage(traded.home, "journal.db")
    ended = traded.run(*command)
    assert (ended.code, ended.out) == (78, "")
    assert "error [journal_damaged]" in ended.err
    assert "restore it from a backup" in ended.err


@pytest.mark.parametrize("command", [("status",), ("run", "market-open", "--fast"), ("audit", "verify")])
def test_a_journal_of_a_newer_version_is_refused(traded: Desk, command: tuple[str, ...]) -> None:
    """Nothing is migrated back."""
    with sqlite3.connect(traded.home / "journal.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    ended = traded.run(*command)
    assert ended.code == 78
    assert "update the program" in ended.err


def test_a_damaged_venue_is_refused(traded: Desk) -> None:
    """The paper broker's file is the truth about positions."""
    damage(traded.home, "paper.db")
    ended = traded.run("run", "pre-market", "--fast")
    assert ended.code == 78
    assert "cannot be used" in ended.err


def test_halt_is_in_place_even_if_the_journal_is_damaged(traded: Desk) -> None:
    """The file is written first."""
    damage(traded.home, "journal.db")
    ended = traded.run("halt")
    assert ended.code == 78
    assert "HALT is in place" in ended.out
    assert (traded.home / "HALT").exists()


def test_a_halt_file_that_cannot_be_read_halts(traded: Desk) -> None:
    """A folder in its place cannot be read, and only a person removes it."""
    (traded.home / "HALT").mkdir()
    assert '"desk_state": "halted"' in traded.run("status", "--json").out
    ended = traded.run("resume")
    assert ended.code == 78
    assert "remove it by hand, then resume" in ended.err


@pytest.mark.parametrize("content", ["{", "{}", "[]"])
@pytest.mark.parametrize("command", [("report",), ("audit", "verify")])
def test_a_report_that_was_cut_off_is_named(traded: Desk, command: tuple[str, ...], content: str) -> None:
    """`audit verify` does not pass over an anchor that it cannot read."""
    report = next(traded.home.glob("logs/reports/daily_*.json"))
    report.write_text(content, "utf-8")
    ended = traded.run(*command)
    assert ended.code == 78
    assert f"{report} is not a report" in ended.err


def test_an_export_that_cannot_be_written_is_a_sentence(traded: Desk, tmp_path: Path) -> None:
    """With the path."""
    ended = traded.run("journal", "export", "--output", tmp_path / "missing" / "file")
    assert ended.code == 1
    assert ended.err.startswith("error [system]")


def test_an_unknown_backtest_is_not_answered_with_the_desks_journal(traded: Desk) -> None:
    """Another journal than the one that was asked for would be believed."""
    ended = traded.run("journal", "export", "--backtest", "nosuch")
    assert (ended.code, ended.out) == (1, "")
    assert "has no backtest nosuch" in ended.err


def test_a_simulated_home_is_not_traded_on_the_real_clock(traded: Desk) -> None:
    """The message names both ways on, and comes before any mandate is asked for."""
    ended = traded.run("orchestrator")
    assert ended.code == 78
    assert "holds a desk on a simulated clock: go on with it with --fast, or name another home" in ended.err


def test_a_simulated_home_keeps_its_seed(traded: Desk) -> None:
    """Another market would make nonsense of its books."""
    ended = traded.run("orchestrator", "--fast", "--seed", "99")
    assert ended.code == 78
    assert "holds a simulated desk with seed" in ended.err
