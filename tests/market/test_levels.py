"""Support and resistance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading_bot.market.levels import Levels, find_levels, swings

PRICES = st.lists(st.floats(1, 1000), max_size=60)


def test_a_swing_counts_from_the_bar_that_confirms_it() -> None:
    """The high of 14 on the fourth bar is known on the seventh; nothing lies low enough for a swing low."""
    highs = np.array([10, 11, 12, 14, 13, 12, 11, 10], dtype=float)
    tops, bottoms = swings(highs, highs - 1)
    assert np.flatnonzero(~np.isnan(tops)).tolist() == [6]
    assert tops[6] == 14
    assert np.isnan(bottoms).all()


def test_a_plateau_is_one_swing() -> None:
    """Two equal lows: the first is the swing."""
    lows = np.array([10, 9, 8, 5, 5, 8, 9, 10, 11], dtype=float)
    _, bottoms = swings(lows + 1, lows)
    assert bottoms[~np.isnan(bottoms)].tolist() == [5]


def test_swings_within_half_an_atr_are_one_level_and_the_nearest_count() -> None:
    """With an ATR of 2: 95.0 and 95.8 make 95.4; 99 is another; above lie 103 and 110."""
    prices = np.array([110.0, 95.0, np.nan, 103.0, 95.8])
    assert find_levels(prices, 98.0, 2.0) == Levels(support=95.4, resistance=103.0)
    assert find_levels(np.append(prices, 97.0), 98.0, 2.0) == Levels(support=97.0, resistance=103.0)


def test_without_a_swing_below_or_above_there_is_no_level() -> None:
    """None on that side."""
    assert find_levels(np.array([95.0]), 90.0, 1.0) == Levels(None, 95.0)
    assert find_levels(np.array([95.0]), 99.0, 1.0) == Levels(95.0, None)
    assert find_levels(np.array([np.nan]), 99.0, 1.0) == Levels(None, None)


@given(PRICES, st.integers(0, 60))
def test_swings_of_a_prefix_are_the_prefix_of_the_swings(prices: list[float], count: int) -> None:
    """Later bars change no swing that is known."""
    values = np.array(prices)
    for whole, part in zip(swings(values, values), swings(values[:count], values[:count]), strict=True):
        np.testing.assert_array_equal(whole[:count], part)


@given(PRICES, st.floats(1, 1000), st.floats(0, 50))
def test_support_lies_below_the_price_and_resistance_above(prices: list[float], price: float, atr: float) -> None:
    """Whatever the swings."""
    levels = find_levels(np.array(prices), price, atr)
    assert levels.support is None or levels.support < price
    assert levels.resistance is None or levels.resistance > price
