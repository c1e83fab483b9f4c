"""Both paid tiers on one ledger: what one has used up, met or failed at says nothing of the other."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.spending_kit import BIG, Wall, ended, limits, opened, paid, reserve
from trading_bot.domain.errors import BreakerOpenError, BudgetError, BudgetSpentError, UsageLimitError
from trading_bot.domain.news import Tier
from trading_bot.llm.budget import HEALTHY, PAID, PROVOKED, READING, Budget, Usage
from trading_bot.llm.calls import Ending


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Database of an empty home."""
    return tmp_path / "journal.db"


@pytest.fixture
def wall() -> Wall:
    """Noon."""
    return Wall()


def test_each_tier_has_money_calls_breaker_and_usage_limit_of_its_own(path: Path, wall: Wall) -> None:
    """What one has used up, or met, says nothing of the other; the hour's calls are Claude's."""
    claude, deepseek = (opened(path, wall, limits(calls=4), tier) for tier in PAID)
    assert PAID == (Tier.CLAUDE, Tier.DEEPSEEK)
    reserve(claude, "all", "1")
    with pytest.raises(BudgetSpentError, match=r"budget\.claude_usd_per_day"):
        reserve(claude, "more", "0.1")
    for number in range(3):
        ended(deepseek, f"bad {number}", Ending.API_ERROR)
    with pytest.raises(BreakerOpenError):
        reserve(deepseek, "shut")
    wall.move(days=1)
    reserve(claude, "limited")
    claude.settle("limited", paid("0"), Ending.USAGE_LIMIT, resets_at=wall.moment + timedelta(hours=1))
    ended(deepseek, "trial", Ending.ANSWERED, "0.1")
    for number in range(8):
        reserve(deepseek, f"good {number}", "0.1")
    with pytest.raises(UsageLimitError, match="let `--analyst rules` or `auto` go on"):
        reserve(claude, "waits")
    with pytest.raises(BudgetSpentError, match=r"0\.9000 of the 1\.00 USD .* budget\.deepseek_usd_per_day"):
        reserve(deepseek, "too much", "0.2")
    assert (claude.spent(), deepseek.spent(), claude.calls_left(), deepseek.calls_left()) == (Decimal(0), Decimal("0.9"), 3, None)


def test_a_clock_that_is_set_back_frees_no_tiers_money(path: Path, wall: Wall) -> None:
    """What a tier reserves while the clock is wrong belongs to the newest day that any tier has seen."""
    claude, deepseek = (opened(path, wall, None, tier) for tier in PAID)
    reserve(claude, "a", "0.9")
    wall.move(days=-400)
    reserve(deepseek, "b", "1")
    wall.move(days=400)
    with pytest.raises(BudgetSpentError, match="of 2026-11-21"):
        reserve(deepseek, "c", "0.1")


@pytest.mark.parametrize("ending", sorted(set(Ending) - HEALTHY))
def test_a_text_cannot_shut_a_tier_up(path: Path, wall: Wall, ending: Ending) -> None:
    """What a headline can bring a reader to do opens no breaker; a server that fails does, whoever asks."""
    budget = opened(path, wall, BIG)
    for number in range(3):
        reserve(budget, f"call {number}", workflow=READING)
        budget.settle(f"call {number}", paid("0.01"), ending)
    expected: Callable[[], contextlib.AbstractContextManager[object]] = (
        contextlib.nullcontext if ending in PROVOKED else lambda: pytest.raises(BreakerOpenError)
    )
    with expected():
        reserve(budget, "next")


_STEP = st.tuples(
    st.sampled_from(("reserve", "settle", "die", "forfeit", "reopen", "later", "earlier")),
    st.sampled_from(PAID),
    st.integers(min_value=0, max_value=60),
    st.integers(min_value=0, max_value=100),
)


@dataclass
class Tiers:
    """Both paid tiers of one home, and the calls of each that are under way."""

    path: Path
    wall: Wall = field(default_factory=Wall)
    running: dict[Tier, dict[str, Decimal]] = field(default_factory=lambda: {tier: {} for tier in PAID})
    budgets: dict[Tier, Budget] = field(default_factory=dict)

    def reopen(self, tier: Tier) -> None:
        """A process that starts anew."""
        self.close(tier)
        self.budgets[tier] = opened(self.path, self.wall, limits(calls=10000), tier)

    def close(self, tier: Tier) -> None:
        """A process that ends."""
        if tier in self.budgets:
            self.budgets[tier]._ledger.close()

    def do(self, action: str, tier: Tier, cents: int, share: int, name: str) -> None:
        """One event; nothing where no call is under way that could meet it."""
        budget, running = self.budgets[tier], self.running[tier]
        call = next(iter(running), name)
        match action:
            case "reserve":
                with contextlib.suppress(BudgetError):
                    reserve(budget, name, f"0.{cents:02}")
                    running[name] = Decimal(cents) / 100
            case "reopen":
                self.reopen(tier)
            case "later" | "earlier":
                self.wall.move(minutes=cents if action == "later" else -cents)
            case _ if call in running:
                self.end(action, tier, call, running.pop(call), share)

    def end(self, action: str, tier: Tier, call: str, reserved: Decimal, share: int) -> None:
        """One call's end; a call that dies has none."""
        if action == "settle":
            self.budgets[tier].settle(call, Usage(cost_usd=reserved * share / 100), Ending.ANSWERED)
        elif action == "forfeit":
            assert self.budgets[tier].forfeit(call, Ending.REFUSED) == reserved


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEP, max_size=30))
def test_no_order_of_events_lets_a_tiers_day_reserve_more_than_its_limit(steps: list[tuple[str, Tier, int, int]]) -> None:
    """Settled at no more than reserved, no tier's day passes its limit: reservations, deaths, restarts and clocks in any order."""
    with tempfile.TemporaryDirectory() as folder:
        both = Tiers(Path(folder) / "journal.db")
        for tier in PAID:
            both.reopen(tier)
        for number, (action, tier, cents, share) in enumerate(steps):
            both.do(action, tier, cents, share, f"call {number}")
            spent = {whose: budget.spent() for whose, budget in both.budgets.items()}
            assert max(spent.values()) <= 1
            assert {whose: budget.left() for whose, budget in both.budgets.items()} == {whose: 1 - usd for whose, usd in spent.items()}
        for tier in PAID:
            both.close(tier)


def test_news_leave_claude_money_for_the_desks_own_questions(path: Path, wall: Wall) -> None:
    """Half of the dollar is theirs: the third reading is refused by name, and a screen still passes."""
    claude = opened(path, wall)
    for number in range(2):
        reserve(claude, f"news {number}", "0.2", workflow=READING)
    with pytest.raises(BudgetSpentError, match=r"0\.4000 of the 0\.50 USD .* budget\.claude_news_usd_per_day"):
        reserve(claude, "one more", "0.2", workflow=READING)
    reserve(claude, "screen", "0.5")
    assert claude.spent() == Decimal("0.9")
