"""The newest quotes of a symbol in constant memory."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.domain.values import Symbol
from trading_bot.sources.live.grid import coarser
from trading_bot.sources.live.quote_tape import QuoteTape, RawQuote
from trading_bot.sources.live.quoting import exact

A = Symbol("A")
SECOND = 10**9
MOMENTS = st.lists(st.integers(0, 7200 * SECOND), min_size=1, max_size=200)


def quote(nanos: int, bid: float = 1.0, ask: float = 2.0) -> RawQuote:
    """A quote."""
    return RawQuote(nanos, bid, ask, 1, 1)


def filled(moments: list[int]) -> QuoteTape:
    """A tape that heard quotes at these moments, in this order."""
    tape = QuoteTape()
    tape.follow([A])
    for nanos in moments:
        tape.put(A, quote(nanos))
    return tape


@given(MOMENTS, st.integers(0, 7200 * SECOND))
def test_a_quote_is_never_newer_than_the_moment_it_is_asked_for(moments: list[int], at: int) -> None:
    """Whatever came, in whatever order."""
    found = filled(moments).at(A, at)
    assert found is None or (found.nanos <= at and found.nanos in moments)


@given(MOMENTS)
def test_who_looks_now_sees_the_newest_and_who_looks_back_sees_it_almost(moments: list[int]) -> None:
    """Up to three seconds back to a quarter of a second, two minutes to five seconds, half an hour to a minute."""
    moments.sort()
    tape, newest = filled(moments), moments[-1]
    assert tape.at(A, newest) == quote(newest)
    for back, grain in ((2, 0.25), (100, 5), (1000, 60)):
        at = newest - back * SECOND
        held = [nanos for nanos in moments if nanos <= at]
        found = tape.at(A, at)
        if held and held[-1] > newest - 1700 * SECOND:
            assert found is not None
            assert held[-1] - found.nanos < grain * SECOND


def test_the_memory_of_a_symbol_does_not_grow() -> None:
    """Six hours of quotes, ten a second, leave as many as six minutes do."""

    def kept(hours: float) -> int:
        tape = filled([n * SECOND // 10 for n in range(int(hours * 36_000))])
        return sum(len(kept) for kept in tape._reels[A].tiers)

    assert kept(6) == kept(1) == 66


def test_late_crossed_one_sided_and_absurd_quotes_are_dropped() -> None:
    """So are those of symbols that nobody follows; a price without a spread is fine."""
    tape = filled([10])
    nan, inf = float("nan"), float("inf")
    for bad in (quote(9), quote(11, 3, 2), quote(11, 0, 2), quote(11, -1, 2), quote(11, nan, 2), quote(11, 1, nan), quote(11, 1, inf)):
        assert not tape.put(A, bad)
    assert not tape.put(A, RawQuote(11, 1, 2, -1, 1))
    assert not tape.put("B", quote(11))
    assert tape.at(A, 100) == quote(10)
    assert tape.put(A, quote(11, 2, 2))
    with pytest.raises(ValueError, match="could not convert"):
        tape.put(A, RawQuote(12, "x", "2", "1", "1"))


def test_a_quote_from_the_future_can_be_forgotten() -> None:
    """Then honest ones count again."""
    tape = filled([10, 10**18])
    tape.forget_after(A, 100)
    assert tape.at(A, 10**18) == quote(10)
    assert tape.put(A, quote(20))


@pytest.mark.parametrize(
    ("ours", "venue", "merged"),
    [("0.01", "0.05", "0.05"), ("0.1", "0.05", "0.1"), ("0.07", "0.05", "0.05"), ("1", "0.000000001", "1"), ("0.01", None, "0.01")],
)
def test_the_coarser_step_holds_if_the_venue_can_take_it(ours: str, venue: str | None, merged: str) -> None:
    """Ours only where it is a multiple of the venue's."""
    assert coarser(Decimal(ours), None if venue is None else Decimal(venue)) == Decimal(merged)


def test_numbers_of_the_wire_become_the_decimals_that_were_meant() -> None:
    """Floats by their shortest text; no more than twelve places."""
    assert [exact(n) for n in (100.01, "70000.10", 3, 1e-07)] == [Decimal(t) for t in ("100.01", "70000.1", "3", "0.0000001")]
    assert exact(1 / 3) == Decimal("0.333333333333")
