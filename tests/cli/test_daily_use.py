"""What a user and cron see of a desk day by day: quick help, one slot run once, and the same state told by every command."""

import json
import os
import subprocess
import sys

import pytest

from cli.command_line import Desk

HELP = """
import sys
from trading_bot.cli.kinds import COINS, STOCKS
from trading_bot.cli import main, trader
for program, kind in ((main, STOCKS), (trader, COINS)):
    for command in [[], *([name] for name in kind.commands)]:
        try:
            program([*command, "--help"])
        except SystemExit as end:
            assert end.code == 0, command
print(sorted(sys.modules.keys() & {"pandas", "numpy", "pydantic", "sqlalchemy", "talib", "exchange_calendars", "rich.console"}))
"""


def test_help_loads_nothing_heavy() -> None:
    """It answers at once, for every command."""
    made = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)  # noqa: S603 - our own script
    assert made.stdout.splitlines()[-1] == "[]"


def test_a_workflow_runs_once_however_often_it_is_called(desk: Desk) -> None:
    """The second call says so and changes nothing."""
    first, second = desk.run("run", "pre-market", "--fast"), desk.run("run", "pre-market", "--fast")
    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("pre-market of 2024-03-05: done: ")
    assert second.out == first.out.replace(": done", ": had run already; done", 1)


def test_two_calls_at_once_run_the_workflow_once(desk: Desk) -> None:
    """One waits for the other."""
    environment = {**os.environ, "TRADING_BOT_HOME": str(desk.home)}
    command = [sys.executable, "-m", "trading_bot", "run", "pre-market", "--fast"]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603 - our own command
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("had run already" in text for text in said) == [False, True]


@pytest.mark.parametrize("workflow", ["pre-market", "market-open", "monitor", "end-of-day", "weekly"])
def test_every_workflow_can_be_run_by_itself(desk: Desk, workflow: str) -> None:
    """On a simulated home, its next slot."""
    ended = desk.run("run", workflow, "--fast")
    assert ended.code == 0
    assert ended.out.startswith(workflow)
    assert ": done: " in ended.out


def test_a_workflow_that_is_not_due_says_when_it_is(desk: Desk) -> None:
    """On the real clock `weekly` is due for two days a week, and cron may call it at any time."""
    desk.sign_mandate()
    ended = desk.run("run", "weekly")
    assert ended.code == 0
    assert "weekly is not due; next " in ended.out or "weekly of " in ended.out


def test_a_finished_session_is_told_alike_by_every_command(traded: Desk) -> None:
    """Status, trades, report and audit speak of the same journal."""
    status = json.loads(traded.run("status", "--json").out)
    trades = json.loads(traded.run("trades", "--json").out)
    report = json.loads(traded.run("report", "--day", "2024-03-05", "--json").out)
    audit = json.loads(traded.run("audit", "verify", "--json").out)
    assert {"running", "mode", "workflow_state", "daily_cost", "budget_remaining", "trades_today", "next_task"} <= status.keys()
    assert (status["mode"], status["clock"], status["running"]) == ("paper", "simulated", False)
    assert status["next_task"]["task"] == "pre-market"
    assert float(status["equity"]) == float(report["equity"]["end"])
    assert {p["symbol"] for p in status["positions"]} == {p["symbol"] for p in trades["open"]}
    assert (audit["intact"], audit["anchors"]) == (True, 1)


@pytest.mark.parametrize("command", [("status",), ("trades",), ("report",), ("doctor",), ("audit", "verify")])
def test_what_is_shown_fits_into_80_columns(traded: Desk, command: tuple[str, ...]) -> None:
    """Only paths may be longer."""
    ended = traded.run(*command)
    assert ended.code == 0
    assert [line for line in ended.out.splitlines() if len(line) > 80 and str(traded.home) not in line] == []


def test_the_same_session_exports_the_same_journal(traded: Desk, desk: Desk) -> None:
    """Two homes, one seed."""
    once = traded.run("journal", "export").out
    other = desk.home.parent / "other"
    assert desk.run("--home", other, "orchestrator", "--fast").code == 0
    assert desk.run("--home", other, "journal", "export").out == once


def test_a_simulated_desk_is_halted_and_resumed_without_a_passphrase(traded: Desk) -> None:
    """The state that came of it is told, not the one that was asked for."""
    assert "The desk is halted" in traded.run("halt").out
    assert "The desk is halted" in traded.run("reduce-only").out
    assert "The desk is running" in traded.run("resume").out
    assert "The desk is reduce_only" in traded.run("reduce-only").out


def test_a_halted_desk_says_who_halted_it_and_why_in_his_own_words(traded: Desk) -> None:
    """Brackets included; `status` and `doctor` say the same."""
    assert traded.run("halt", "--reason", "lunch [/b] [red]now").code == 0
    for command in ("status", "doctor"):
        assert "lunch [/b] [red]now" in traded.run(command).out


def test_a_flatten_after_the_close_says_what_waits_for_the_market(traded: Desk) -> None:
    """A position that is still held is not taken for one that was forgotten."""
    held = json.loads(traded.run("status", "--json").out)["positions"][0]["symbol"]
    said = traded.run("halt", "--flatten").out
    assert said.endswith(f"The desk is halted; it holds {held}. Closing orders wait for the market: {held}.\n")


def test_a_home_may_be_halted_before_its_first_desk(desk: Desk) -> None:
    """Nothing trades in it until somebody resumes."""
    assert desk.run("halt").code == 0
    assert desk.run("run", "pre-market", "--fast").code == 0
    assert json.loads(desk.run("status", "--json").out)["desk_state"] == "halted"


def test_the_doctor_of_a_new_home_names_the_one_thing_that_is_missing(desk: Desk) -> None:
    """With its fix, and exit status 1."""
    ended = desk.run("doctor", "--json")
    failed = [found for found in json.loads(ended.out) if not found["passed"]]
    assert ended.code == 1
    assert [found["name"] for found in failed] == ["mandate"]
    assert "`mandate sign`" in failed[0]["fix"]
    assert desk.run("doctor", "--fast").code == 0
