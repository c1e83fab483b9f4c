"""`backtest sweep`, `optimize` and `walk-forward` as a user types them."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.command_line import Desk, Outcome
from sweeping import bars_file, market, own_strategy


@pytest.fixture
def on(desk: Desk, tmp_path: Path) -> Any:  # noqa: ANN401 - a function of a command and its flags
    """Run a command of `backtest` on 700 invented bars."""
    data = ("--data", bars_file(tmp_path, market()), "--symbols", "AAPL")

    def run(command: str, strategy: str, *flags: object) -> Outcome:
        return desk.run("backtest", command, strategy, *data, *flags)

    return run


def test_a_sweep_shows_the_best_keeps_its_run_and_writes_all_cells(on: Any, desk: Desk, tmp_path: Path) -> None:  # noqa: ANN401 - a fixture
    """2 x 3 combinations: three are shown, six written, one run kept with all cells and how many it was the best of."""
    file = tmp_path / "cells.csv"
    ended = on("sweep", "sma_cross", "--grid", "fast=3;5,slow=20:40:10", "--top", 3, "--output", file, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert len(told["best"]) == 3
    sharpes = [cell["sharpe"] for cell in told["best"]]
    assert sharpes == sorted(sharpes, reverse=True)
    assert told["hindsight"]["tried"] == told["hindsight"]["pbo_trials"] == 6
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    assert [(row["fast"], row["slow"]) for row in rows] == [(f, s) for f in ("3", "5") for s in ("20", "30", "40")]
    best = max(rows, key=lambda row: float(row["sharpe"]))
    assert float(best["sharpe"]) == sharpes[0]
    kept = json.loads((desk.home / "backtests" / told["run"] / "result.json").read_text())
    assert kept["plan"]["values"] == told["best"][0]["values"]
    assert kept["performance"]["sharpe"] == pytest.approx(sharpes[0])
    assert "best of 6 combinations by sharpe" in kept["notes"][0]
    assert kept["card"]["plan"] == kept["plan"]
    assert len(json.loads((desk.home / "backtests" / told["run"] / "cells.json").read_text())) == 6


def test_a_sweep_for_people_says_that_it_is_in_sample(on: Any, tmp_path: Path) -> None:  # noqa: ANN401 - a fixture
    """With the user's own strategy, by its path; cells as JSON."""
    file = tmp_path / "cells.json"
    ended = on("sweep", own_strategy(tmp_path), "--grid", "falls=1:3,hold=4;8", "--objective", "total_return", "--output", file)
    assert ended.code == 0, ended.err
    assert "in-sample: the best of 6 combinations by total_return" in ended.out
    assert "overfitting" in ended.out
    assert "deflated Sharpe" in ended.out
    assert len(json.loads(file.read_text())) == 6


def test_a_million_is_not_begun_without_a_yes(on: Any, desk: Desk) -> None:  # noqa: ANN401 - a fixture
    """Not on a terminal: refused at once, with how long it would take and what to say."""
    ended = on("sweep", "sma_cross", "--grid", "fast=2:101,slow=102:201,stop=0:9.9:0.1")
    assert ended.code != 0
    assert "1,000,000 combinations: about " in ended.err
    assert "--yes" in ended.err
    assert not list((desk.home / "backtests").glob("*/result.json"))


def test_at_a_terminal_a_million_is_asked_about(desk: Desk, tmp_path: Path) -> None:
    """No is no."""
    data = bars_file(tmp_path, market(200))
    arguments = ("backtest", "sweep", "sma_cross", "--data", data, "--symbols", "AAPL", "--grid", "fast=2:101,slow=102:201,stop=0:9.9:0.1")
    with desk.at_terminal(*map(str, arguments)) as person:
        person.expect("1,000,000 combinations: about .* Begin")
        person.sendline("n")
        person.expect("Aborted")
    assert not list((desk.home / "backtests").glob("*/result.json"))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--grid", "fats=1:3"), "has no parameter fats"),
        (("--grid", ""), "the grid is empty"),
        (("--grid", "fast=3;5", "--set", "fast=4"), "fast is in the grid and has a fixed value too"),
        (("--grid", "fast=3;5", "--output", "cells.xls"), "name a file that ends in .csv or .json"),
        (("--grid", "fast=3;5", "--output", "no/where/cells.csv"), "there is no folder"),
        (("--grid", "fast=3;5", "--cluster", "nowhere"), "is no address of a Dask scheduler"),
        ((), "--grid"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_with_what_to_do(on: Any, flags: tuple[str, ...], says: str) -> None:  # noqa: ANN401 - a fixture
    """Before anything is reckoned."""
    ended = on("sweep", "sma_cross", *flags)
    assert ended.code != 0
    assert says in " ".join(ended.err.split())


def test_nothing_that_trades_has_no_best(on: Any) -> None:  # noqa: ANN401 - a fixture
    """A thousand trades are wanted of a few: no run is kept."""
    ended = on("sweep", "sma_cross", "--grid", "fast=3;5", "--least-trades", 1000)
    assert ended.code == 0, ended.err
    assert "no combination has a score" in ended.out
    assert "run " not in ended.out


def test_a_search_goes_on_where_it_was(on: Any) -> None:  # noqa: ANN401 - a fixture
    """4 trials, then 6 in all: two more, in the same study."""
    flags = ("--space", "fast=2:20,slow=21:60", "--least-trades", 1, "--seed", 3)
    first = on("optimize", "sma_cross", *flags, "--trials", 4)
    assert first.code == 0, first.err
    assert "4 trials, 0 of them from before" in " ".join(first.out.split())
    again = on("optimize", "sma_cross", *flags, "--trials", 6)
    assert "6 trials, 4 of them from before" in " ".join(again.out.split())
    assert "in-sample: the best of 6 combinations by sharpe" in again.out
    assert "6 trials, 6 of them from before" in " ".join(on("optimize", "sma_cross", *flags, "--trials", 6).out.split())


def test_a_walk_forward_is_kept_as_one_run(on: Any, desk: Desk) -> None:  # noqa: ANN401 - a fixture
    """700 sessions: 4 windows of 100 after 300."""
    flags = ("--grid", "fast=3;5,slow=15;30", "--train", 300, "--test", 100, "--least-trades", 1)
    ended = on("walk-forward", "sma_cross", *flags, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert len(told["windows"]) == 4
    assert len(told["sessions"]) == 400
    assert (desk.home / "backtests" / told["run"] / "result.json").is_file()
    shown = on("walk-forward", "sma_cross", *flags)
    assert "efficiency" in shown.out
    runs = [json.loads(path.read_text("utf-8")) for path in (desk.home / "backtests").glob("*/result.json")]
    assert [run["equity"] for run in runs] == [told["equity"]] * 2  # --json is part of what was typed, so each has its card


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "give either --grid"),
        (("--grid", "fast=3;5", "--trials", "3"), "give either --grid"),
        (("--grid", "fast=3;5", "--train", "600", "--test", "101"), "700 sessions, and --train 600, --embargo 0 and --test 101 need 701"),
    ],
)
def test_a_walk_forward_that_cannot_be_is_refused(on: Any, flags: tuple[str, ...], says: str) -> None:  # noqa: ANN401 - a fixture
    """With the numbers."""
    ended = on("walk-forward", "sma_cross", *flags)
    assert ended.code != 0
    assert says in " ".join(ended.err.split())


SWITCHED = '''"""Honest as it stands; the values that a search may pick let it read the bars to come."""

import numpy as np

from trading_bot.backtest.strategy import Parameter, Signals, Strategy


def _signals(frame, ahead):
    rises = np.append(frame.close[ahead:], np.zeros(ahead)) > np.append(np.zeros(1), frame.close[:-1])
    return Signals.of(frame, entry=rises, exit=~rises)


STRATEGY = Strategy("switched", "Peek on demand.", (Parameter("ahead", 0, 0, 3),), _signals)
'''


@pytest.mark.parametrize(
    "flags",
    [
        ("sweep", "--grid", "ahead=0:2:1"),
        ("optimize", "--space", "ahead=0:2", "--trials", 8),
        ("walk-forward", "--grid", "ahead=0:2:1", "--train", 300, "--test", 100),
    ],
    ids=lambda flags: flags[0],
)
def test_a_peek_that_only_picked_values_switch_on_is_found_and_nothing_is_kept(
    on: Any,  # noqa: ANN401 - a fixture
    desk: Desk,
    tmp_path: Path,
    flags: tuple[object, ...],
) -> None:
    """With its default the strategy is honest; who reads one bar ahead or two wins, and is refused with the values that do it."""
    file = own_strategy(tmp_path, SWITCHED)
    assert on("run", file).code == 0
    before = list((desk.home / "backtests").glob("*/result.json"))
    ended = on(flags[0], file, *flags[1:])
    assert ended.code != 0
    assert re.search(r"strategy switched \(ahead=[12]\) reads the future", ended.err.replace("\n", " ")), ended.err
    assert list((desk.home / "backtests").glob("*/result.json")) == before
