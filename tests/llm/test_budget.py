"""The budget: nothing is asked that could cost more than is allowed, whatever processes, clocks and models do."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm.spending_kit import NOON, Wall, limits, opened, reserve, reserving_process
from trading_bot.domain.errors import BreakerOpenError, BudgetError, BudgetSpentError, CallRateError, HomeLockedError, UsageLimitError
from trading_bot.domain.news import Tier
from trading_bot.llm.budget import HEALTHY, PAID, PROVOKED, READING, Budget, Usage
from trading_bot.llm.calls import Ending
from trading_bot.storage.spending import SpendingLedger

BIG = limits(usd="1000", calls=1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Database of an empty home."""
    return tmp_path / "journal.db"


@pytest.fixture
def wall() -> Wall:
    """Noon."""
    return Wall()


def paid(cost: str) -> Usage:
    """What a call is settled at."""
    return Usage(cost_usd=Decimal(cost), turns=2)


def ended(budget: Budget, call: str, ending: Ending, cost: str = "0.01") -> None:
    """One whole call."""
    reserve(budget, call, cost)
    budget.settle(call, paid(cost), ending)


def test_a_call_that_could_overspend_the_day_is_refused_and_leaves_nothing(path: Path, wall: Wall) -> None:
    """The last cent may be reserved; the text says how much is left, until when, and which setting it is."""
    budget = opened(path, wall)
    reserve(budget, "a", "0.75")
    with pytest.raises(BudgetSpentError, match=r"0\.7500 of the 1\.00 USD of 2026-11-21 .*2026-11-22 00:00:00 UTC; budget\.claude_usd"):
        reserve(budget, "b", "0.2501")
    reserve(budget, "b", "0.25")
    assert (budget.spent(), budget.left(), budget.calls_left()) == (Decimal(1), Decimal(0), 48)


def test_what_a_settled_call_did_not_use_is_free_again(path: Path, wall: Wall) -> None:
    """A reservation is replaced by the reported cost."""
    budget = opened(path, wall)
    reserve(budget, "a", "1")
    budget.settle("a", paid("0.2"), Ending.ANSWERED)
    assert budget.left() == Decimal("0.8")


def test_a_cost_above_its_reservation_is_recorded_as_it_is(path: Path, wall: Wall) -> None:
    """The truth is kept, and the day is over."""
    budget = opened(path, wall)
    reserve(budget, "a", "0.5")
    budget.settle("a", paid("1.5"), Ending.ANSWERED)
    assert (budget.spent(), budget.left()) == (Decimal("1.5"), Decimal(0))
    with pytest.raises(BudgetSpentError):
        reserve(budget, "b", "0.0001")


def test_a_reported_sum_of_floats_is_the_amount_that_was_meant(path: Path, wall: Wall) -> None:
    """It has more places than an amount may have."""
    budget = opened(path, wall)
    reserve(budget, "a")
    budget.settle("a", Usage(cost_usd=Decimal("0.00011200000000000000001")), Ending.ANSWERED)
    assert budget.spent() == Decimal("0.000112")


def test_a_killed_call_costs_its_reservation(path: Path, wall: Wall) -> None:
    """And says how much that was; again is the same."""
    budget = opened(path, wall)
    reserve(budget, "a", "0.3")
    assert [budget.forfeit("a", Ending.STALLED), budget.forfeit("a", Ending.STALLED), budget.spent()] == [Decimal("0.3")] * 3


def test_a_call_whose_process_is_killed_stays_counted(path: Path, wall: Wall) -> None:
    """Killed with SIGKILL between reservation and settlement; the next day is free of it."""
    process = reserving_process(path, "a", 1, "0.9")
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n", "reserved\n"]
        process.kill()
        process.communicate()
    budget = opened(path, wall)
    assert budget.spent() == Decimal("0.9")
    with pytest.raises(BudgetSpentError):
        reserve(budget, "b", "0.2")
    wall.move(days=1)
    reserve(budget, "b", "0.2")


def test_processes_that_reserve_at_once_never_reserve_more_than_the_day_has(path: Path, wall: Wall) -> None:
    """Four processes want 10 USD together; exactly the dollar that there is is reserved."""
    opened(path, wall)
    processes = [reserving_process(path, name, 25, "0.1") for name in "abcd"]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = "".join(process.communicate("\n", timeout=60)[0] for process in processes).split()
    assert [process.returncode for process in processes] == [0] * 4
    assert (said.count("reserved"), said.count("refused")) == (10, 90)
    assert opened(path, wall).spent() == Decimal(1)


@pytest.mark.parametrize("of", [limits(usd="0"), limits(calls=0)])
def test_a_limit_of_nothing_allows_nothing(path: Path, wall: Wall, of: object) -> None:
    """0 is no word for `no limit`: not even a call that costs nothing."""
    budget = opened(path, wall, of)  # type: ignore[arg-type]
    with pytest.raises(BudgetError):
        reserve(budget, "a", "0")
    assert budget.spent() == 0


def test_a_call_that_costs_more_than_a_day_is_not_sent_to_tomorrow(path: Path, wall: Wall) -> None:
    """Waiting would not help."""
    with pytest.raises(BudgetSpentError, match="one call alone is more than a day may cost"):
        reserve(opened(path, wall), "a", "1.01")


def test_a_day_ends_at_midnight_utc_and_pays_for_what_it_began(path: Path, wall: Wall) -> None:
    """A call that is settled after midnight belongs to the day of its reservation."""
    budget = opened(path, wall)
    wall.moment = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
    reserve(budget, "late", "1")
    wall.move(seconds=1)
    budget.settle("late", paid("0.4"), Ending.ANSWERED)
    assert budget.left() == Decimal(1)
    wall.move(seconds=-1)
    assert budget.left() == Decimal(1), "the clock went back: today is the newest day that the ledger knows"


def test_a_clock_that_is_set_back_frees_no_money_and_no_calls(path: Path, wall: Wall) -> None:
    """Not by a day, nor by a year: the ledger's newest time is the earliest that it believes."""
    budget = opened(path, wall, limits(calls=2))
    reserve(budget, "a", "0.9")
    wall.move(days=-400)
    with pytest.raises(BudgetSpentError, match="2026-11-21"):
        reserve(budget, "b", "0.2")
    reserve(budget, "b", "0.1")
    with pytest.raises(CallRateError):
        reserve(budget, "c", "0")


def test_the_hour_is_a_window_that_slides(path: Path, wall: Wall) -> None:
    """The text says when the next call is free; then it is."""
    budget = opened(path, wall, limits(calls=2))
    reserve(budget, "a")
    wall.move(minutes=20)
    reserve(budget, "b")
    with pytest.raises(
        CallRateError, match=r"2 calls were made within an hour, 2 are allowed: the next is free at 2026-11-21 13:00:00 UTC"
    ):
        reserve(budget, "c")
    wall.move(minutes=40)
    reserve(budget, "c")
    assert budget.calls_left() == 0


def test_failures_in_a_row_open_the_breaker_and_one_trial_at_a_time_closes_it(path: Path, wall: Wall) -> None:
    """After the pause one call is let through; its failure opens the breaker again, its success closes it."""
    budget = opened(path, wall, BIG)
    for number in range(3):
        ended(budget, f"bad {number}", Ending.API_ERROR)
    with pytest.raises(
        BreakerOpenError, match=r"the last 3 calls failed \(the last: api_error\); no further call until 2026-11-21 12:15:00"
    ):
        reserve(budget, "too soon")
    wall.move(minutes=15)
    reserve(budget, "trial")
    with pytest.raises(BreakerOpenError, match="one trial call is under way"):
        reserve(budget, "beside it")
    budget.settle("trial", paid("0.01"), Ending.CRASHED)
    with pytest.raises(BreakerOpenError, match="the last: crashed"):
        reserve(budget, "too soon again")
    wall.move(minutes=15)
    ended(budget, "second trial", Ending.ANSWERED)
    reserve(budget, "one")
    reserve(budget, "beside")


def test_a_trial_whose_process_died_does_not_keep_the_breaker_open(path: Path, wall: Wall) -> None:
    """After another pause the next trial is let through."""
    budget = opened(path, wall, BIG)
    for number in range(3):
        ended(budget, f"bad {number}", Ending.SILENT)
    wall.move(minutes=15)
    reserve(budget, "dies")
    wall.move(minutes=15)
    reserve(budget, "trial")


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_but_four_counts_against_the_models_health(path: Path, wall: Wall, ending: Ending) -> None:
    """A refusal and a limit are answers of a healthy model."""
    budget = opened(path, wall, BIG)
    for number in range(3):
        ended(budget, f"call {number}", ending)
    expected: Callable[[], contextlib.AbstractContextManager[object]] = (
        contextlib.nullcontext if ending in HEALTHY else lambda: pytest.raises(BreakerOpenError)
    )
    with expected():
        reserve(budget, "next")


def test_a_usage_limit_is_waited_for_and_named(path: Path, wall: Wall) -> None:
    """In every process of the home, until the vendor's own time."""
    reset = NOON + timedelta(hours=3)
    budget = opened(path, wall)
    reserve(budget, "a")
    budget.settle("a", paid("0"), Ending.USAGE_LIMIT, resets_at=reset)
    with pytest.raises(UsageLimitError, match="until 2026-11-21 15:00:00 UTC"):
        reserve(opened(path, wall), "b")
    wall.moment = reset
    reserve(budget, "b")


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


def test_a_ledger_that_is_locked_lets_no_call_pass(path: Path, wall: Wall) -> None:
    """The error says who keeps it; nothing is reserved."""
    budget = opened(path, wall)
    with budget._ledger._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    with SpendingLedger.open(path) as other, other.writing(), pytest.raises(HomeLockedError, match="another process"):
        reserve(budget, "a")
    assert budget.spent() == 0


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
