"""`backtest list`, `report`, `compare` and `validate` on runs that were kept."""

import json
import webbrowser
from datetime import UTC, datetime
from pathlib import Path

import pytest

import results
from cli.command_line import Desk
from trading_bot.backtest.plan import Cell
from trading_bot.backtest.shelf import Shelf

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def keep(desk: Desk, seed: int, drift: float = 0.0004, cells: int = 0, trades: int = 0) -> str:
    """Keep a run of 250 sessions, and the grid that it was picked from."""
    rest = {"total_return": 0.1, "max_drawdown": 0.1, "trades": 30, "win_rate": 0.5, "profit_factor": 1.2, "final_equity": "110"}
    grid = [Cell.model_validate({"values": {"fast": float(n), "slow": 50.0}, "sharpe": n / 10, **rest}) for n in range(cells)]
    days = results.days(250)
    trips = [results.trade(days[n], "5" if n % 3 else "-4") for n in range(trades)]
    made = results.result(
        results.walk(250, seed, drift),
        command=f"run {seed}",
        benchmark=results.walk(250, seed + 100, 0.0),
        trades=trips,
        notes=["AAPL: prices are not as traded"],
    )
    return Shelf(desk.home / "backtests").save(made, AT, grid)


def test_runs_are_listed_with_their_figures(desk: Desk) -> None:
    """The newest last, as a table and as JSON."""
    runs = [keep(desk, seed) for seed in (1, 2)]
    shown = desk.run("backtest", "list")
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines() if "sma_cross" in line] == runs
    listed = json.loads(desk.run("backtest", "list", "--json").out)
    assert [one["run"] for one in listed] == runs
    assert listed[0]["plan"]["symbols"] == ["AAPL"]


def test_an_empty_home_says_how_to_make_a_run(desk: Desk) -> None:
    """A list is empty, which is no error; a run that is asked for is."""
    listed = desk.run("backtest", "list")
    assert (listed.code, listed.out.strip()) == (0, "no run was kept yet: `backtest run STRATEGY` makes one")
    asked = desk.run("backtest", "report", "last")
    assert asked.code != 0
    assert "no run is kept in" in asked.err


@pytest.mark.parametrize("command", ["report", "validate"])
def test_a_name_that_no_run_has_is_answered_with_those_there_are(desk: Desk, command: str) -> None:
    """Words, and no traceback."""
    run = keep(desk, 1)
    asked = desk.run("backtest", command, "nonsense")
    assert asked.code != 0
    assert "there is no run 'nonsense'" in asked.err
    assert run in asked.err
    assert "Traceback" not in asked.err


def test_a_report_is_written_where_it_is_wanted(desk: Desk, tmp_path: Path) -> None:
    """By default with the home's reports; the path is what the command prints."""
    run = keep(desk, 1, cells=6)
    written = Path(desk.run("backtest", "report", "last").out.replace("\n", ""))
    assert written == desk.home / "logs" / "reports" / f"backtest_{run}.html"
    elsewhere = tmp_path / "deep" / "page.html"
    assert desk.run("backtest", "report", run[:4], "--output", elsewhere).code == 0
    html = elsewhere.read_text("utf-8")
    assert html == written.read_text("utf-8")
    assert "NOT AS TRADED" in html
    assert "Judged as the best of 6 trials" in html
    assert "Sharpe ratio of 6 values of fast" in html


def test_a_report_that_cannot_be_written_says_what_to_do(desk: Desk, tmp_path: Path) -> None:
    """A folder's place is taken by a file."""
    keep(desk, 1)
    (tmp_path / "file").write_text("here", "utf-8")
    asked = desk.run("backtest", "report", "last", "--output", tmp_path / "file" / "page.html")
    assert asked.code == 1
    assert "name a place with --output FILE" in asked.err.replace("\n", " ")


def test_open_shows_the_page_in_a_browser_and_says_if_there_is_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser is asked for the file's own address."""
    run = keep(desk, 1)
    asked: list[str] = []

    def started(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    monkeypatch.setattr(webbrowser, "open", started)
    assert desk.run("backtest", "report", "last", "--open").err == ""
    assert "open the file yourself" in desk.run("backtest", "report", "last", "--open").err
    assert asked == [(desk.home / "logs" / "reports" / f"backtest_{run}.html").as_uri()] * 2


def test_two_runs_are_compared_in_words_and_as_json(desk: Desk) -> None:
    """What they earned, over which sessions, and what they were made from."""
    a, b = keep(desk, 1, trades=3), keep(desk, 2, trades=3)
    shown = desk.run("backtest", "compare", a, b)
    assert shown.code == 0
    heads, figures = (f"A {a}", f"B {b}"), ("Sharpe ratio", "250 common sessions", "A less B")
    for words in (*heads, *figures, "3 begin at the same moment", "made from the same"):
        assert words in shown.out
    found = json.loads(desk.run("backtest", "compare", a, "last", "--json").out)
    assert (found["a"], found["b"], found["overlap"]["common"]) == (a, b, 250)
    assert found["differs"] == []


def test_validation_ends_with_1_if_a_run_did_not_pass(desk: Desk) -> None:
    """A walk without drift; every reason is told."""
    run = keep(desk, 1, drift=0.0)
    shown = desk.run("backtest", "validate", "last")
    assert shown.code == 1
    assert f"run {run}: NOT PASSED, as the best of 1 trials" in shown.out
    judged = json.loads(desk.run("backtest", "validate", "last", "--json").out)
    assert (judged["run"], judged["passed"]) == (run, False)
    assert all(reason in shown.out for reason in judged["reasons"])


def test_validation_ends_with_0_if_a_run_passed(desk: Desk) -> None:
    """A strong and steady gain over many trades."""
    keep(desk, 1, drift=0.003, trades=120)
    shown = desk.run("backtest", "validate", "last")
    assert (shown.code, "PASSED" in shown.out, "NOT PASSED" in shown.out) == (0, True, False), shown.out


def test_a_run_from_a_sweep_is_judged_as_the_best_of_all_its_combinations(desk: Desk) -> None:
    """Unless a person knows of more."""
    keep(desk, 1, cells=40)
    assert "as the best of 40 trials" in desk.run("backtest", "validate", "last").out
    assert "as the best of 500 trials" in desk.run("backtest", "validate", "last", "--trials", 500).out
    assert desk.run("backtest", "validate", "last", "--trials", 0).code == 2
