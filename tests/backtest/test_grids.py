"""Grids of parameters as people type them."""

import pytest

from trading_bot.backtest.grid import Reach, parse_grid, parse_space
from trading_bot.backtest.strategy import Parameter, Signals, Strategy
from trading_bot.domain.errors import StrategyError
from trading_bot.market.frame import IndicatorFrame


def nothing(frame: IndicatorFrame, **_: float) -> Signals:
    """Never trade."""
    return Signals.of(frame, entry=frame.close < 0, exit=frame.close < 0)


PARAMETERS = (Parameter("fast", 20, 2, 100), Parameter("slow", 50, 2, 500), Parameter("stop", 2.0, 0.0, 10.0))
STRATEGY = Strategy("cross", "", PARAMETERS, nothing)


def test_a_range_holds_both_its_ends() -> None:
    """5:20:5 is 5, 10, 15, 20; 5:22:5 is the same; whole numbers stay whole."""
    assert parse_grid(STRATEGY, "fast=5:20:5").axes[0].values == (5, 10, 15, 20)
    assert parse_grid(STRATEGY, "fast=5:22:5").axes[0].values == (5, 10, 15, 20)
    assert all(isinstance(value, int) for value in parse_grid(STRATEGY, "fast=5:7").axes[0].values)


def test_steps_of_real_numbers_do_not_drift() -> None:
    """0 to 0.3 by 0.1 ends with 0.3, not with 0.30000000000000004."""
    assert parse_grid(STRATEGY, "stop=0:0.3:0.1").axes[0].values == (0.0, 0.1, 0.2, 0.3)


def test_lists_keep_their_order_and_one_value_is_a_list_of_one() -> None:
    """Values come as typed."""
    grid = parse_grid(STRATEGY, "stop=2; 0;1.5, fast=7")
    assert [axis.values for axis in grid.axes] == [(2.0, 0.0, 1.5), (7,)]


def test_cells_are_counted_and_made_one_by_one() -> None:
    """2 fast times 3 slow are 6; the last parameter turns fastest; a fixed value holds in all."""
    grid = parse_grid(STRATEGY, "fast=5;10,slow=20:40:10", {"stop": 1.0})
    assert len(grid) == 6
    assert grid.combo(1) == {"fast": 5, "slow": 30, "stop": 1.0}
    assert grid.combos(3, 99) == [{"fast": 10, "slow": slow, "stop": 1.0} for slow in (20, 30, 40)]


def test_a_grid_of_fifty_million_is_counted_at_once() -> None:
    """Counting builds no cell: 99 x 499 x 1001 = 49,450,401."""
    assert len(parse_grid(STRATEGY, "fast=2:100,slow=2:500,stop=0:10:0.01")) == 49_450_401


def test_neighbours_are_one_step_away_and_inside_the_grid() -> None:
    """Of a 2 x 3 grid, cell 1 (row 0, middle) touches all others; the corner 0 touches 1, 3 and 4."""
    grid = parse_grid(STRATEGY, "fast=5;10,slow=20:40:10")
    assert sorted(grid.neighbours(1)) == [0, 2, 3, 4, 5]
    assert sorted(grid.neighbours(0)) == [1, 3, 4]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the grid is empty"),
        (" , ", "the grid is empty"),
        ("fast", "'fast' is no part of a grid"),
        ("fast=", "'fast=' is no part of a grid"),
        ("=5", "'=5' is no part of a grid"),
        ("slwo=1;2", "has no parameter slwo; it has fast, slow, stop"),
        ("fast=5:x:5", "'x' is no number"),
        ("fast=5;;7", "'' is no number"),
        ("fast=nan", "'nan' is no number to try"),
        ("stop=0:inf:1", "'inf' is no number to try"),
        ("fast=5:50:0", "has the step 0; a step has to be above 0"),
        ("fast=5:50:-5", "has the step -5"),
        ("fast=50:5:5", "is empty: 5 is before 50"),
        ("fast=1:2:3:4", "has to be name=first:last:step"),
        ("stop=1:2", "has to be name=first:last:step"),
        ("fast=5:200:5", "fast is 200; it has to be a whole number from 2 to 100"),
        ("fast=5;5.5", "fast is 5.5; it has to be a whole number"),
        ("fast=5;6;5", "fast has 5 twice"),
        ("fast=5,fast=6", "fast is in the grid twice"),
        ("stop=0:10:0.000001", "10,000,001 values; take a greater step"),
    ],
)
def test_what_cannot_be_a_grid_is_refused_with_what_to_write(text: str, says: str) -> None:
    """Every refusal names the part."""
    with pytest.raises(StrategyError) as refused:
        parse_grid(STRATEGY, text)
    assert says in str(refused.value)


def test_a_parameter_cannot_vary_and_stand_still() -> None:
    """A fixed value of what the grid varies is a mistake of the command."""
    with pytest.raises(StrategyError, match="fast is in the grid and has a fixed value too"):
        parse_grid(STRATEGY, "fast=5;6", {"fast": 7})


def test_a_space_is_ranges_of_any_value_or_of_steps() -> None:
    """Whole numbers go by 1 unless told, real ones take any value; the last step is the last that fits: 20, 30, 40 of 20:45:10."""
    space = parse_space(STRATEGY, "fast=5:50,slow=20:45:10,stop=0:2")
    assert space == (Reach("fast", 5, 50, 1.0), Reach("slow", 20, 40, 10.0), Reach("stop", 0.0, 2.0, None))


def test_without_words_the_space_is_all_that_has_no_fixed_value() -> None:
    """The strategy's own bounds."""
    assert parse_space(STRATEGY, None, {"fast": 5}) == (Reach("slow", 2, 500, 1), Reach("stop", 0.0, 10.0, None))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fast=5;6", "'5;6' is no number"),
        ("fast=5", "is no range to search"),
        ("stop=2:1", "leaves nothing to search"),
        ("stop=1:1", "leaves nothing to search"),
        ("slow=20:25:10", "its step is too great"),
        ("fast=5:5", "leaves nothing to search"),
        ("fast=5:500", "fast is 500; it has to be"),
        ("speed=1:2", "has no parameter speed"),
    ],
)
def test_what_cannot_be_searched_is_refused(text: str, says: str) -> None:
    """Every refusal names the part."""
    with pytest.raises(StrategyError) as refused:
        parse_space(STRATEGY, text)
    assert says in str(refused.value)
