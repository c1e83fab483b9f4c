"""`backtest run`, `repeat` and `strategies`, as they are typed."""

import json
from pathlib import Path

import pytest

import frames
from cheats import CHEATS
from cli.command_line import Desk
from studying import daily_file
from trading_bot.backtest.loading import SHIPPED

WAVE = [(100.0 + n % 20, 101.0 + n % 20, 99.0 + n % 20, 100.5 + n % 20) for n in range(120)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with half a year of one symbol."""
    return daily_file(tmp_path / "data", "AAA", WAVE)


def test_a_run_is_shown_kept_and_repeated(desk: Desk, data: Path) -> None:
    """Its figures beside buy and hold; the same card gives the same result."""
    shown = desk.run("backtest", "run", "sma_cross", "--data", data, "--symbols", "aaa", "--set", "fast=3", "--set", "slow=8")
    assert shown.code == 0
    assert "sma_cross (fast=3, slow=8, stop=0) on AAA, 2024-01-02 to 2024-06-24" in shown.out
    again = desk.run("backtest", "repeat", "last")
    assert (again.code, again.out) == (0, "last: the same result, to the last digit\n")


def test_a_run_whose_data_changed_is_not_repeated(desk: Desk, data: Path) -> None:
    """One close of one bar, a cent higher: the card says which data."""
    desk.run("backtest", "run", "buy_and_hold", "--data", data, "--symbols", "AAA")
    daily_file(data, "AAA", [(100.0, 101.0, 99.0, 100.51), *WAVE[1:]])
    again = desk.run("backtest", "repeat", "last")
    assert again.code == 78
    assert "error [card_mismatch]: " in again.err
    assert "data of AAA 1d changed" in again.err


def test_a_strategy_that_reads_the_future_is_refused_by_bar_and_column(desk: Desk, data: Path, tmp_path: Path) -> None:
    """Before anything is reckoned or kept."""
    cheat = frames.strategy_file(tmp_path, CHEATS["the next close"])
    shown = desk.run("backtest", "run", cheat, "--data", data, "--symbols", "AAA")
    assert shown.code == 78
    assert "error [look_ahead]: " in shown.err
    assert "entry" in shown.err
    assert desk.run("backtest", "list").out.startswith("no run was kept yet")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense", "--symbols", "AAA"), "nonsense"),
        (("sma_cross", "--symbols", "BBB"), "BBB"),
        (("sma_cross", "--symbols", "AAA", "--set", "fast=few"), "write NAME=NUMBER"),
        (("sma_cross", "--symbols", "AAA", "--set", "speed=3"), "no parameter speed; it has fast, slow, stop"),
        (("sma_cross", "--symbols", "AAA", "--set", "fast=1"), "fast is 1; it has to be a whole number from 2 to 500"),
        (("sma_cross", "--symbols", "AAA", "--timeframe", "5m"), "AAA has no 5m bars; it has 1d"),
        (("sma_cross", "--symbols", "AAA", "--start", "2025-01-01"), "the data have AAA from 2024-01-02 to 2024-06-24"),
        (("sma_cross", "--symbols", "AAA", "--period", "a while"), "write 90d, 8w, 6m or 1y"),
        (("sma_cross", "--symbols", "AAA", "--period", "90d", "--start", "2024-02-01"), "leave --start or --period out"),
        (("sentiment", "--symbols", "AAA"), "--sentiment"),
        (("sma_cross", "--symbols", "AAA", "--share", "much"), "'much' is not a number"),
        (("sma_cross", "--symbols", "AAA", "--limits", "desk", "--share", "0.5"), "--share and --risk are limits of --limits research"),
        (("sma_cross", "--symbols", "AAA", "--share", "5"), "share is 5: input should be less than or equal to 1"),
        (("sma_cross", "--symbols", "AAA", "--share", "0"), "share is 0: input should be greater than 0"),
        (("sma_cross", "--symbols", "AAA", "--risk", "-1"), "risk is -1: "),
        (("sma_cross", "--symbols", "AAA", "--reserve", "NaN"), "reserve is NaN: "),
    ],
)
def test_what_cannot_be_run_says_why_and_what_to_do(desk: Desk, data: Path, arguments: tuple[str, ...], said: str) -> None:
    """One clear error for each, and nothing kept."""
    shown = desk.run("backtest", "run", *arguments, "--data", data)
    assert shown.code != 0
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert not (desk.home / "backtests").exists()


def test_a_period_ends_with_its_data(desk: Desk, data: Path) -> None:
    """Asked for ten years, there is half of one: no idle years dilute the figures."""
    shown = desk.run("backtest", "run", "buy_and_hold", "--data", data, "--symbols", "AAA", "--end", "2033-01-01")
    assert "2024-01-02 to 2024-06-24, 120 sessions" in shown.out


def test_shipped_strategies_are_listed_with_their_parameters(desk: Desk) -> None:
    """All of them."""
    listed = json.loads(desk.run("backtest", "strategies", "--json").out)
    assert tuple(one["name"] for one in listed) == SHIPPED
    assert all(p["least"] <= p["default"] <= p["most"] for one in listed for p in one["parameters"])


def test_a_run_may_begin_with_the_first_bar_of_old_data(desk: Desk, tmp_path: Path) -> None:
    """1998-01-02 and the days after it, and no --start: the gate's look back over five sessions finds them."""
    file = tmp_path / "OLD.csv"
    file.write_text("date,open,high,low,close,volume\n" + "".join(f"1998-01-{d:02},50,51,49,50,900000\n" for d in (2, 5, 6, 7, 8, 9)))
    shown = desk.run("backtest", "run", "buy_and_hold", "--data", file, "--symbols", "OLD")
    assert shown.code == 0, shown.err
    assert "on OLD, 1998-01-02 to 1998-01-09, 6 sessions" in shown.out
