"""What a climb is held to have cost, by the ledger that the desk and every worker share."""

from decimal import Decimal
from pathlib import Path

from trading_bot import config
from trading_bot.bootstrap.climbing import Readers
from trading_bot.domain.news import Tier
from trading_bot.execution.clock import SystemWallClock
from trading_bot.llm.budget import READING, Budget, Usage
from trading_bot.llm.deepseek import KEY
from trading_bot.storage.home import Home
from trading_bot.storage.spending import SpendingLedger


def test_neither_the_desk_s_own_questions_nor_what_is_only_set_aside_are_the_cost_of_news(tmp_path: Path) -> None:
    """Another worker's call that goes on may still end at nothing."""
    made, home = config.load(), Home(tmp_path)
    home.prepare()
    with Readers(made, home, None, {KEY: "made-up"}) as readers, SpendingLedger.open(home.database) as ledger:
        budget = Budget(ledger, made.budget, SystemWallClock(), Tier.DEEPSEEK)
        for call, workflow in (("mine", READING), ("open", READING), ("analysis", "analyze")):
            budget.reserve(call, decision_id=call, workflow=workflow, model="deepseek-flash", amount=Decimal("0.01"))
        for call in ("mine", "analysis"):
            budget.settle(call, Usage(cost_usd=Decimal("0.003")), "answered")
        assert readers.spent(Tier.DEEPSEEK) == Decimal("0.003")
