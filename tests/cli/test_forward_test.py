"""`forward-test` collects what a paper desk did, good and bad, from its own journal."""

import json
from pathlib import Path

from cli.command_line import Desk
from trading_bot.domain.records import DeskState
from trading_bot.execution.clock import SystemWallClock
from trading_bot.risk.halt import DeskSwitch
from trading_bot.storage.journal import SqlJournal


def test_a_session_is_collected_with_its_figures(traded: Desk, tmp_path: Path) -> None:
    """One of one: profit and trades are the journal's, the clock is named, nothing failed."""
    page = tmp_path / "forward.md"
    done = traded.run("forward-test", "--sessions", 1, "--output", page)
    assert done.code == 0
    text = page.read_text("utf-8")
    assert "1 of 1 sessions in paper mode on a simulated clock and invented prices" in text
    assert "Nothing that the journal knows of." in text
    told = json.loads(traded.run("forward-test", "--sessions", 1, "--json").out)
    status = json.loads(traded.run("status", "--json").out)
    assert told["facts"]["end_equity"] == status["equity"]
    assert told["answered"]["rules"] > 1


def test_a_test_that_is_not_whole_says_how_much_is_missing(traded: Desk) -> None:
    """One session of fifteen."""
    done = traded.run("forward-test")
    assert done.code == 1
    assert "**Not whole yet: 14 sessions are missing.**" in done.out


def test_what_went_wrong_is_told(traded: Desk) -> None:
    """A halt inside the session stands in the list."""
    with SqlJournal.open(traded.home / "journal.db", SystemWallClock()) as journal:
        reached = journal.clock()
        assert reached is not None
        DeskSwitch(None, journal).halt("test", "somebody pulled the plug", reached)
    done = traded.run("forward-test", "--sessions", 1)
    assert f"{DeskState.HALTED} by test: somebody pulled the plug" in done.out


def test_a_home_without_a_desk_says_how_to_start_one(desk: Desk) -> None:
    """Nothing to collect."""
    done = desk.run("forward-test")
    assert done.code == 1
    assert "start a desk with `orchestrator`" in done.err
