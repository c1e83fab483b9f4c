"""The budget of requests: what is kept for whom, and for how long to wait."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.network.budget import Purpose, RequestBudget


@dataclass
class Counter:
    """A steady counter that a test moves."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.seconds


def drain(budget: RequestBudget, purpose: Purpose) -> int:
    """Take until nothing is given; return how many calls there were."""
    taken = 0
    while budget.take(purpose) == 0:
        taken += 1
    return taken


def test_reads_leave_what_orders_need_and_orders_what_cancels_need() -> None:
    """Of a hundred calls, reads may use 65, orders five more, cancels twenty more, and the guardian the last ten."""
    budget = RequestBudget(100, 1, Counter())
    assert [drain(budget, purpose) for purpose in (Purpose.READ, Purpose.ORDER, Purpose.CANCEL, Purpose.GUARDIAN)] == [65, 5, 20, 10]


def test_a_refusal_says_how_long_to_wait_and_takes_nothing() -> None:
    """After exactly that long the call is given."""
    counter = Counter()
    budget = RequestBudget(10, 2, counter)
    drain(budget, Purpose.GUARDIAN)
    wait = budget.take(Purpose.GUARDIAN)
    assert wait == budget.take(Purpose.GUARDIAN) == pytest.approx(0.5)
    counter.seconds += wait
    assert budget.take(Purpose.GUARDIAN) == 0


@pytest.mark.parametrize(
    ("purpose", "longest"),
    [(Purpose.READ, 5), (Purpose.ORDER, 5), (Purpose.LOOK, 1), (Purpose.CANCEL, 1), (Purpose.GUARDIAN, 1)],
)
def test_who_was_asked_to_wait_waits_but_asks_again_after_a_while(purpose: Purpose, longest: float) -> None:
    """The vendor's word counts for every purpose, and soonest runs out for what guards a position."""
    counter = Counter()
    budget = RequestBudget(10, 1, counter)
    budget.block(30)
    assert budget.take(purpose) == longest
    counter.seconds = 0.5
    budget.block(0.1)
    assert budget.take(purpose) == longest, "each word counts anew"
    counter.seconds = 30
    assert budget.take(purpose) == 0


def test_fewer_calls_than_we_thought_are_believed_and_more_are_not() -> None:
    """Another process may have used the same key."""
    budget = RequestBudget(10, 1, Counter())
    budget.remaining(100)
    budget.remaining(3)
    assert drain(budget, Purpose.GUARDIAN) == 3


@given(st.lists(st.tuples(st.sampled_from(Purpose), st.floats(0, 5)), max_size=60))
def test_no_more_calls_are_given_than_capacity_and_refill_allow(steps: list[tuple[Purpose, float]]) -> None:
    """Whatever is asked and whenever."""
    counter, given_calls = Counter(), 0
    budget = RequestBudget(5, 2, counter)
    for purpose, passed in steps:
        counter.seconds += passed
        given_calls += budget.take(purpose) == 0
        assert given_calls <= 5 + 2 * counter.seconds + 1e-6
