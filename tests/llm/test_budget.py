"""The budget: nothing is asked that could cost more than is allowed, whatever processes, clocks and models do."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from llm.spending_kit import BIG, NOON, Wall, ended, limits, opened, paid, reserve, reserving_process
from trading_bot.domain.errors import BreakerOpenError, BudgetError, BudgetSpentError, CallRateError, HomeLockedError, UsageLimitError
from trading_bot.llm.budget import HEALTHY, Usage
from trading_bot.llm.calls import Ending
from trading_bot.storage.spending import SpendingLedger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Database of an empty home."""
    return tmp_path / "journal.db"


@pytest.fixture
def wall() -> Wall:
    """Noon."""
    return Wall()


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


def test_a_trade_has_a_purse_of_its_own_on_all_its_days(path: Path, wall: Wall) -> None:
    """What was refused leaves nothing; another trade, and what is about none, may go on."""
    budget = opened(path, wall)
    reserve(budget, "a", "0.3", trade="t1")
    budget.settle("a", paid("0.25"), Ending.ANSWERED)
    wall.move(days=1)
    reserve(budget, "b", "0.25", trade="t1")
    budget.settle("b", paid("0.05"), Ending.ANSWERED)
    words = r"0\.3000 of the 0\.50 USD for the trade t1 .* budget\.claude_usd_per_trade"
    with pytest.raises(BudgetSpentError, match=words):
        reserve(budget, "c", "0.21", trade="t1")
    reserve(budget, "c", "0.2", trade="t1")
    reserve(budget, "d", "0.5", trade="t2")
    reserve(budget, "e", "0.1")
    with pytest.raises(BudgetSpentError, match="the trade t3"):
        reserve(budget, "f", "0.51", trade="t3")


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
def test_every_ending_but_the_healthy_ones_counts_against_the_models_health(path: Path, wall: Wall, ending: Ending) -> None:
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


def test_a_ledger_that_is_locked_lets_no_call_pass(path: Path, wall: Wall) -> None:
    """The error says who keeps it; nothing is reserved."""
    budget = opened(path, wall)
    with budget._ledger._database.reading() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    with SpendingLedger.open(path) as other, other.writing(), pytest.raises(HomeLockedError, match="another process"):
        reserve(budget, "a")
    assert budget.spent() == 0
