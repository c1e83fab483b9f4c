"""`history` and `status` of a desk of coins: what each trade earned and cost, why it ended, and how the running one stands."""

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cli.command_line import Desk
from coin_kit import BTC, Script, assembled, market, opening, proposing, run
from trading_bot.domain.events import CashReason, CashUpdate
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import ProposalKind
from trading_bot.execution.ledger import Ledger
from trading_bot.llm.budget import Budget, Usage
from trading_bot.llm.calls import Ending
from trading_bot.orchestrator.closed_trades import closed_trades, funding_of
from trading_bot.settings import BudgetSettings
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.spending import SpendingLedger

LIMITS = {"claude_usd_per_day": "5", "claude_news_usd_per_day": "1", "claude_usd_per_trade": "1", "deepseek_usd_per_day": "1"}
CALLS = {"calls_per_hour": 50, "breaker_failures": 3, "breaker_minutes": 15}


class Wall:
    """A wall clock that stands."""

    def now(self) -> datetime:
        """Always the same."""
        return datetime(2026, 1, 2, 12, tzinfo=UTC)


def charge(home: Path, trade: str, usd: str) -> None:
    """Book calls about a trade: the one that opened it, and one that watched it."""
    with SpendingLedger.open(home / "journal.db") as ledger:
        budget = Budget(ledger, BudgetSettings.model_validate({**LIMITS, **CALLS}), Wall())
        for workflow in ("open", "watch"):
            identity = f"{trade}-{workflow}"
            budget.reserve(identity, decision_id=identity, workflow=workflow, model="m", amount=Decimal("0.1"), trade=trade)
            budget.settle(identity, Usage(cost_usd=Decimal(usd) / 2), Ending.ANSWERED)


@pytest.fixture(scope="module", name="traded_once")
def _traded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a long that was closed by a proposal over a funding, and a short that runs."""
    folder = tmp_path_factory.mktemp("coins")
    script = Script(opens={"07:00": opening(), "11:00": opening(Side.SELL)}, watches={"08:15": proposing(ProposalKind.CLOSE)})
    ended = run(assembled(folder / "home", market(folder), script), "10-06 11:15")
    assert [task for task, status, _ in ended if status != "done"] == []
    return folder / "home"


@pytest.fixture
def coins(trader: Desk, traded_once: Path) -> Desk:
    """A copy of it."""
    shutil.copytree(traded_once, trader.home)
    return trader


def test_a_closed_trade_is_told_with_all_that_it_earned_and_cost(coins: Desk) -> None:
    """Profit after fees and funding, less the calls about it; and who closed it with which words."""
    first = json.loads(coins.run("history", "--json").out)
    charge(coins.home, first[0]["id"], "0.0250")
    [trade] = json.loads(coins.run("history", "--json").out)
    assert (trade["symbol"], trade["side"], trade["closed_by"], trade["why"]) == ("BTCUSDT", "buy", "close", "script: by the script")
    assert (trade["opened_at"], trade["closed_at"]) == ("2025-10-06T07:00:00Z", "2025-10-06T08:15:00Z")
    assert Decimal(trade["claude_usd"]) == Decimal("0.0250")
    assert Decimal(trade["net"]) == Decimal(trade["profit"]) - Decimal("0.0250")
    gross = (Decimal(trade["exit"]) - Decimal(trade["entry"])) * Decimal(trade["quantity"])
    assert Decimal(trade["profit"]) == pytest.approx(gross - Decimal(trade["fees"]) + Decimal(trade["funding"]), abs=Decimal("0.0001"))
    shown = coins.run("history").out
    assert "10-06 08:15 buy BTCUSDT" in " ".join(shown.split())
    assert "10-06 07:00 to 10-06 08:15: script: by the script" in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_the_running_trade_is_told_with_how_it_stands(coins: Desk) -> None:
    """Entry, stop, mark, unrealised, liquidation, and what Claude has cost on it so far."""
    found = json.loads(coins.run("status", "--json").out)
    now = found["trade"]
    charge(coins.home, now["trade"]["id"], "0.5")
    now = json.loads(coins.run("status", "--json").out)["trade"]
    assert (now["trade"]["symbol"], now["trade"]["side"], now["claude_usd"]) == ("BTCUSDT", "sell", "0.5")
    entry, mark, quantity = (Decimal(x) for x in (now["trade"]["entry"], now["mark"], now["trade"]["quantity"]))
    assert Decimal(now["unrealised"]) == (entry - mark) * quantity
    assert Decimal(now["liquidation"]) > Decimal(now["trade"]["stop"]) > entry
    assert float(now["liquidation_distance"]) == pytest.approx(float(Decimal(now["liquidation"]) / mark - 1))
    assert [look["task"] for look in found["looks"]] == ["look-1115", "look-1100", "look-1045"]
    assert (found["failures"], found["next_task"]["task"]) == (0, "look-1130")
    shown = " ".join(coins.run("status").out.split())
    assert "trade sell" in shown
    assert "Claude 0.5000 USD on it so far" in shown
    assert "Mon 2025-10-06 11:15 UTC: done, hold BTCUSDT" in shown


def test_status_says_what_it_can_where_prices_are_gone(coins: Desk, traded_once: Path) -> None:
    """The files were moved away: the trade is told all the same, and its mark is unknown."""
    file = traded_once.parent / f"{BTC}_5m.csv"
    file.rename(file.with_suffix(".away"))
    try:
        now = json.loads(coins.run("status", "--json").out)["trade"]
        assert (now["mark"], now["unrealised"], now["liquidation"]) == (None, None, None)
        assert "unknown" in coins.run("status").out
    finally:
        file.with_suffix(".away").rename(file)


def test_funding_belongs_to_the_trade_that_was_held_when_it_was_paid(traded_once: Path) -> None:
    """Not to the next one, nor to another coin."""
    with SqlJournal.look(traded_once / "journal.db") as journal:
        ledger = Ledger(journal)
        [trade] = ledger.trades.closed
        before = funding_of(ledger, trade)
        for number, (symbol, at) in enumerate([(BTC, trade.closed_at), (BTC, trade.opened_at), ("ETHUSDT", trade.closed_at)], start=1):
            paid = CashUpdate.model_validate({"sequence": number, "at": at, "reason": CashReason.FUNDING, "amount": "-2", "symbol": symbol})
            ledger.events.append(paid)
        assert funding_of(ledger, trade) == before - 2
        [told] = closed_trades(journal, ledger, 5, lambda _: Decimal(0))
    assert told.funding == before - 2
    assert told.profit == trade.profit + before - 2


def test_a_home_without_a_trade_says_none(trader: Desk, tmp_path: Path) -> None:
    """And one without a desk how to start one."""
    assert "start a desk with `claude-trader start`" in trader.run("history").err
    run(assembled(trader.home, market(tmp_path), Script()), "10-06 00:00")
    assert trader.run("history", "--json").out == "[]\n"
    assert trader.run("history").out == "Closed trades, newest first: none\n"


def test_the_newest_come_first_and_no_more_than_were_asked_for(trader: Desk, tmp_path: Path) -> None:
    """Three trades, two of them told."""
    hours = ("01", "05", "09")
    script = Script(opens={f"{h}:00": opening() for h in hours}, watches={f"{h}:15": proposing(ProposalKind.CLOSE) for h in hours})
    run(assembled(trader.home, market(tmp_path), script), "10-06 10:00")
    found = json.loads(trader.run("history", "--limit", "2", "--json").out)
    assert [one["opened_at"] for one in found] == ["2025-10-06T09:00:00Z", "2025-10-06T05:00:00Z"]
