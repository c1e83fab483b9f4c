"""`costs --all` and `scoreboard --all`: every desk of the machine, each by itself, and the sum."""

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.command_line import Desk
from cli.test_costs import end
from llm.spending_kit import Wall, opened, reserve
from trading_bot.cli.kinds import COINS, STOCKS

MONEY = ("calls", "failures", "open", "settled_usd", "reserved_usd")
TODAY = ("spent_today_usd", "limit_usd", "left_usd")


def spent(home: Path, *costs: str) -> None:
    """Calls of Claude today that cost so much."""
    home.mkdir(exist_ok=True)
    budget = opened(home / "journal.db", Wall(datetime.now(UTC)))
    for number, cost in enumerate(costs):
        reserve(budget, f"c{number}", "0.5")
        end(budget, f"c{number}", cost)


def purse(found: dict[str, Any]) -> tuple[Decimal, ...]:
    """What of Claude's money was spent, may be, and is left."""
    claude = next(p for p in found["purses"] if p["tier"] == "claude")
    return tuple(Decimal(claude[name]) for name in TODAY)


@pytest.fixture
def both(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk of stocks that spent 0.03 USD, and one of coins, with its own budget, that spent 0.30."""
    monkeypatch.setenv(COINS.variable, str(tmp_path / "coins"))
    (tmp_path / "trader.yaml").write_text("budget: {claude_usd_per_day: '2'}\n", "utf-8")
    spent(desk.home, "0.01", "0.02")
    spent(tmp_path / "coins", "0.3")
    return desk


def test_costs_of_all_desks_are_told_by_desk_and_summed(both: Desk, tmp_path: Path) -> None:
    """Each is exactly what it is by itself; the sum is of calls, money and budgets."""
    found = json.loads(both.run("costs", "--all", "--json").out)
    assert [(d["desk"], d["home"]) for d in found["desks"]] == [("stocks", str(both.home)), ("coins", str(tmp_path / "coins"))]
    assert found["desks"][0]["costs"] == json.loads(both.run("costs", "--json").out)
    assert found["desks"][1]["costs"] == json.loads(both.run("trader", "costs", "--json").out)
    together = found["together"]
    assert {name: together["total"][name] for name in MONEY} == {
        "calls": 3, "failures": 0, "open": 0, "settled_usd": "0.33", "reserved_usd": "0",
    }  # fmt: skip
    assert together["total"]["tokens"] == {"input": 2400, "output": 180, "cache_read": 60, "cache_write": 30}
    assert purse(together) == (Decimal("0.33"), Decimal(7), Decimal("6.67"))


def test_either_desk_tells_of_both_and_begins_with_itself(both: Desk) -> None:
    """The sum is the same."""
    ours, theirs = (json.loads(both.run(*program, "costs", "--all", "--json").out) for program in ((), ("trader",)))
    assert [d["desk"] for d in theirs["desks"]] == ["coins", "stocks"]
    assert ours["together"] == theirs["together"]


def test_a_person_sees_a_table_each_and_the_sum(both: Desk) -> None:
    """Within 80 columns, but for paths and sentences."""
    told = both.run("costs", "--all").out
    assert told.index("Desk of stocks in ") < told.index("Desk of coins in ") < told.index("All desks")
    assert "0.3300 USD of 7.00 today" in told
    assert all(len(line) <= 80 for line in told.splitlines() if not line.startswith(("Desk", "claude", "deepseek", "today")))


def test_a_third_home_is_named_once_however_often_it_is_meant(both: Desk, tmp_path: Path, traded_home: Path) -> None:
    """By the settings with which its desk last came up."""
    shutil.copytree(traded_home, tmp_path / "third")
    spent(tmp_path / "third", "1")
    named = ("--also", tmp_path / "third", "--also", tmp_path / "coins" / ".." / "third", "--also", both.home)
    found = json.loads(both.run("costs", "--all", *named, "--json").out)
    assert [d["home"] for d in found["desks"]] == [str(both.home), str(tmp_path / "coins"), str(tmp_path / "third")]
    assert purse(found["together"])[:2] == (Decimal("1.33"), Decimal(12))


def test_a_home_in_which_no_desk_ever_ran_is_no_part_of_a_sum(both: Desk, tmp_path: Path) -> None:
    """A typo would hide what it cost."""
    ended = both.run("costs", "--all", "--also", tmp_path / "thrid")
    assert (ended.code, ended.out, f"no desk ever ran in {tmp_path / 'thrid'}" in ended.err) == (1, "", True)
    assert both.run("costs", "--also", tmp_path).code == 2


def test_a_machine_with_one_desk_tells_of_that(desk: Desk) -> None:
    """Nothing is made in looking."""
    spent(desk.home, "0.01")
    found = json.loads(desk.run("costs", "--all", "--json").out)
    assert [d["desk"] for d in found["desks"]] == ["stocks"]
    assert purse(found["together"]) == purse(found["desks"][0]["costs"])
    assert not COINS.home.exists()
    assert not STOCKS.home.exists()


def test_the_scoreboard_of_all_desks_sets_their_analysts_side_by_side(both: Desk, tmp_path: Path, traded_home: Path) -> None:
    """Each board is what it is by itself."""
    for home in (both.home, tmp_path / "coins"):
        shutil.rmtree(home)
        shutil.copytree(traded_home, home)
    found = json.loads(both.run("scoreboard", "--all", "--json").out)
    assert [d["home"] for d in found] == [str(both.home), str(tmp_path / "coins")]
    assert [d["scoreboard"] for d in found] == [json.loads(both.run("scoreboard", "--json").out)] * 2
    told = both.run("scoreboard", "--all").out
    assert told.count("Plans of each analyst") == 2
    assert "Each analyst on all desks" in told
