"""`costs`, and what `status` says of money: the ledger of model calls as its owner sees it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cli.command_line import Desk
from llm.spending_kit import Wall, opened, reserve
from trading_bot.domain.errors import ModelUnavailableError
from trading_bot.domain.news import Sentiment, Tier
from trading_bot.llm.budget import Budget, Usage
from trading_bot.llm.calls import Ending
from trading_bot.llm.metering import MeteredModel
from trading_bot.llm.prices import Tokens
from trading_bot.ports.news import Passage
from trading_bot.storage.spending import SpendingLedger


def end(budget: Budget, call: str, cost: str, ending: Ending = Ending.ANSWERED) -> None:
    """Settle a call."""
    tokens = Tokens(input=800, output=60, cache_read=20, cache_write=10)
    budget.settle(call, Usage(cost_usd=Decimal(cost), tokens=tokens, turns=2), ending)


def used(desk: Desk) -> datetime:
    """A home with two calls yesterday and three today, of which one failed and one is open. Returns now."""
    desk.home.mkdir()
    wall = Wall(datetime.now(UTC) - timedelta(days=1))
    budget = opened(desk.home / "journal.db", wall)
    for call, workflow, cost in (("y1", "screen", "0.02"), ("y2", "analyze", "0.3")):
        reserve(budget, call, "0.5", workflow)
        end(budget, call, cost)
    wall.move(days=1)
    reserve(budget, "t1", "0.1", "screen")
    end(budget, "t1", "0.03")
    reserve(budget, "t2", "0.1", "analyze", model="claude-next")
    end(budget, "t2", "0.1", Ending.STALLED)
    reserve(budget, "t3", "0.25", "optimize")
    return wall.moment


def test_a_home_that_never_ran_has_spent_nothing(desk: Desk) -> None:
    """And asking makes no home."""
    outcome = desk.run("costs")
    assert (outcome.code, desk.home.exists()) == (0, False)
    assert ": nothing" in outcome.out
    assert "left     5.0000 USD today, 50 calls within this hour" in outcome.out


def test_costs_are_told_by_workflow_model_and_token_class(desk: Desk) -> None:
    """With failures, what is still open, the forecast and what is left; yesterday belongs to the forecast alone."""
    today = used(desk).date().isoformat()
    found = json.loads(desk.run("costs", "--json").out)
    zero, one = ({"input": 800 * n, "output": 60 * n, "cache_read": 20 * n, "cache_write": 10 * n} for n in (0, 1))

    def share(name: str, usd: str, *, failures: int = 0, reserved: str = "0") -> dict[str, object]:
        tokens = one if reserved == "0" else zero
        opened_calls = 0 if reserved == "0" else 1
        sums = {"calls": 1, "failures": failures, "open": opened_calls, "settled_usd": usd, "reserved_usd": reserved}
        return {"name": name, **sums, "tokens": tokens}

    both = {"input": 1600, "output": 120, "cache_read": 40, "cache_write": 20}
    assert found == {
        "first": today,
        "last": today,
        "total": {"name": "all", "calls": 3, "failures": 1, "open": 1, "settled_usd": "0.13", "reserved_usd": "0.25", "tokens": both},
        "by_tier": [
            {**share("claude", "0.13", failures=1), "calls": 3, "open": 1, "reserved_usd": "0.25", "tokens": both, "median_seconds": 0.0}
        ],
        "by_workflow": [share("analyze", "0.1", failures=1), share("optimize", "0", reserved="0.25"), share("screen", "0.03")],
        "by_model": [
            {**share("claude-haiku-4-5", "0.03"), "calls": 2, "open": 1, "reserved_usd": "0.25"},
            share("claude-next", "0.1", failures=1),
        ],
        "by_trade": [],
        "today": today,
        "purses": [
            {"tier": "claude", "spent_today_usd": "0.38", "forecast_usd": "0.58", "limit_usd": "5", "left_usd": "4.62"},
            {"tier": "deepseek", "spent_today_usd": "0", "forecast_usd": "0", "limit_usd": "2", "left_usd": "2"},
        ],
        "spent_today_usd": "0.38",
        "forecast_usd": "0.58",
        "limit_usd": "5",
        "left_usd": "4.62",
        "calls_left": 47,
    }


def test_costs_fit_a_terminal_of_80_columns_and_say_what_they_do_not_know(desk: Desk) -> None:
    """An open call, and a model that has no list price."""
    used(desk)
    out = desk.run("costs").out
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith(("open", "price", "today")))
    assert "0.2500 USD are reserved by 1 calls that have not ended, and count as spent" in out
    assert "claude-next: not on the list of" in out
    assert "0.3800 USD of 5.00; 0.5800 expected" in out


@dataclass
class Slow:
    """A local model that takes two seconds, and fails where there is nothing to read."""

    wall: Wall
    tier = Tier.OLLAMA
    name = "ollama"

    def judge(self, passages: Sequence[Passage]) -> Sequence[Sentiment]:
        """Neutral."""
        self.wall.move(seconds=2)
        if not passages:
            raise ModelUnavailableError("out of memory")
        return [Sentiment(score=0, confidence=1, tier=self.tier, model="llama3.2") for _ in passages]

    def price(self) -> Decimal:
        """Nothing."""
        return Decimal(0)


def read_by_all(desk: Desk) -> MeteredModel:
    """A home in which a local model, DeepSeek and Claude have read, in two, one and four seconds. Returns the local one."""
    desk.home.mkdir()
    wall, path = Wall(datetime.now(UTC)), desk.home / "journal.db"
    ids = map(str, range(100))
    local = MeteredModel(Slow(wall), SpendingLedger.open(path), wall, lambda: next(ids))
    local.judge([Passage("news")])
    with pytest.raises(ModelUnavailableError):
        local.judge([])
    for tier, cost, seconds in ((Tier.DEEPSEEK, "0.001", 1), (Tier.CLAUDE, "0.02", 4)):
        budget = opened(path, wall, None, tier)
        reserve(budget, f"call of {tier}", "0.1", "judge-news", "deepseek-flash" if tier is Tier.DEEPSEEK else "claude-haiku-4-5")
        wall.move(seconds=seconds)
        end(budget, f"call of {tier}", cost)
    return local


def test_every_tier_has_its_costs_its_time_and_what_is_left_of_its_money(desk: Desk) -> None:
    """What costs nothing is counted too, and no list price is missed for it."""
    read_by_all(desk)
    found = json.loads(desk.run("costs", "--json").out)
    told = [(t["name"], t["calls"], t["failures"], t["settled_usd"], t["median_seconds"]) for t in found["by_tier"]]
    assert told == [("ollama", 2, 1, "0", 2.0), ("deepseek", 1, 0, "0.001", 1.0), ("claude", 1, 0, "0.02", 4.0)]
    assert {(p["tier"], p["spent_today_usd"], p["left_usd"]) for p in found["purses"]} == {
        ("claude", "0.02", "4.98"),
        ("deepseek", "0.001", "1.999"),
    }
    assert (found["left_usd"], found["calls_left"], found["total"]["settled_usd"]) == ("4.98", 49, "0.021")
    out = desk.run("costs").out
    assert "deepseek 0.0010 USD of 2.00 today, 0.0010 expected; 1.9990 left" in out
    assert "left     4.9800 USD today, 49 calls within this hour" in out
    assert "not on the list" not in out
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("today"))


def test_a_free_reading_goes_on_where_its_row_cannot_be_written(desk: Desk) -> None:
    """No money hangs on it."""
    local = read_by_all(desk)
    local._ledger.close()
    assert local.judge([Passage("news")])[0].model == "llama3.2"


def test_a_trade_that_was_watched_has_its_costs_and_a_look_that_opened_none_has_none(desk: Desk) -> None:
    """The opening counts with the looks after it; where nothing was traded there is no table."""
    desk.home.mkdir()
    budget = opened(desk.home / "journal.db", Wall(datetime.now(UTC)))

    def look(call: str, decision: str, trade: str) -> None:
        budget.reserve(call, decision_id=decision, workflow="watch", model="claude-haiku-4-5", amount=Decimal("0.1"), trade=trade)
        end(budget, call, "0.01")

    look("c1", "d1", "d1")
    assert "trade" not in desk.run("costs").out
    for call, decision, trade in (("c2", "d2", "d2"), ("c3", "d3", "d2"), ("c4", "d4", "d2")):
        look(call, decision, trade)
    found = json.loads(desk.run("costs", "--json").out)
    assert [(share["name"], share["calls"], share["settled_usd"]) for share in found["by_trade"]] == [("d2", 3, "0.03")]
    assert "trade" in desk.run("costs").out


def test_another_day_and_several_days_can_be_asked_for(desk: Desk) -> None:
    """Up to and with the day that is named."""
    now = used(desk)
    yesterday, today = (now - timedelta(days=1)).date().isoformat(), now.date().isoformat()
    asked = [json.loads(desk.run("costs", *arguments, "--json").out) for arguments in (("--day", yesterday), ("--days", "2"))]
    assert [(a["first"], a["last"], a["total"]["calls"]) for a in asked] == [(yesterday, yesterday, 2), (yesterday, today, 5)]


def test_status_tells_what_the_ledger_says_of_the_wall_clocks_day(traded: Desk) -> None:
    """Although the desk's own day is one of 2024."""
    budget = opened(traded.home / "journal.db", Wall(datetime.now(UTC)))
    reserve(budget, "c1")
    end(budget, "c1", "0.03")
    reserve(budget, "c2", "0.25")
    found = json.loads(traded.run("status", "--json").out)
    assert (found["daily_cost"], found["budget_remaining"]) == ("0.28", "4.72")
