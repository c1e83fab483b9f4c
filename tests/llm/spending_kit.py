"""What tests of the budget share: a wall clock to turn by hand, small limits, and a process of its own that reserves."""

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from trading_bot.domain.news import Tier
from trading_bot.llm.budget import Budget, Usage
from trading_bot.llm.calls import Ending
from trading_bot.settings import BudgetSettings
from trading_bot.storage.spending import SpendingLedger

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MODEL = "claude-haiku-4-5"


@dataclass
class Wall:
    """A wall clock that stands where it is put."""

    moment: datetime = field(default=NOON)

    def now(self) -> datetime:
        """Where it stands."""
        return self.moment

    def move(self, **delta: float) -> None:
        """Turn it, back too."""
        self.moment += timedelta(**delta)


def limits(usd: str = "1", calls: int = 50, failures: int = 3, minutes: int = 15) -> BudgetSettings:
    """Limits of a day of one dollar."""
    return BudgetSettings(
        claude_usd_per_day=Decimal(usd),
        claude_news_usd_per_day=Decimal(usd) / 2,
        claude_usd_per_trade=Decimal(usd) / 2,
        deepseek_usd_per_day=Decimal(usd),
        calls_per_hour=calls,
        breaker_failures=failures,
        breaker_minutes=minutes,
    )


def reserve(budget: Budget, call: str, amount: str = "0.1", workflow: str = "screen", model: str = MODEL, trade: str = "") -> None:  # noqa: PLR0913, PLR0917 - what tests vary
    """Set an amount aside."""
    budget.reserve(call, decision_id=f"decision of {call}", workflow=workflow, model=model, amount=Decimal(amount), trade=trade)


def opened(path: Path, wall: Wall, of: BudgetSettings | None = None, tier: Tier = Tier.CLAUDE) -> Budget:
    """The budget of a home's tier, through a connection of its own."""
    return Budget(SpendingLedger.open(path), of or limits(), wall, tier)


BIG = limits(usd="1000", calls=1000)


def paid(cost: str) -> Usage:
    """What a call is settled at."""
    return Usage(cost_usd=Decimal(cost), turns=2)


def ended(budget: Budget, call: str, ending: Ending, cost: str = "0.01") -> None:
    """One whole call."""
    reserve(budget, call, cost)
    budget.settle(call, paid(cost), ending)


_RESERVE = """
import sys
from decimal import Decimal
from pathlib import Path
from llm.spending_kit import Wall, opened, limits, reserve
from trading_bot.domain.errors import BudgetSpentError
path, name, count, amount = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
budget = opened(path, Wall(), limits(calls=100000))
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    try:
        reserve(budget, f"{name}-{number}", amount)
    except BudgetSpentError:
        print("refused", flush=True)
    else:
        print("reserved", flush=True)
sys.stdin.readline()
"""


def reserving_process(path: Path, name: str, count: int, amount: str) -> "subprocess.Popen[str]":
    """A process that says `ready`, waits for a line, reserves so often, and waits for another line before it ends."""
    command = [sys.executable, "-c", _RESERVE, str(path), name, str(count), amount]
    tests = Path(__file__).resolve().parents[1]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tests, env={"PYTHONPATH": str(tests)}
    )
