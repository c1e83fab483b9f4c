"""Grids of parameters: `fast=5:50:5,slow=20:200:10,stop=0;1.5;2`.

An axis is a range `first:last:step` with both ends (the step of whole numbers is 1 unless told), a list `a;b;c`, or one value.
Promises that a grid is counted and any of its cells made without building it. Refuses unknown parameters, values outside a
parameter's bounds, empty ranges and what cannot be read, each with what to write instead.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product

from trading_bot.backtest.strategy import Parameter, Strategy, Values
from trading_bot.domain.errors import StrategyError

FORM = "write name=first:last:step or name=a;b;c, with commas between parameters, e.g. fast=5:50:5,slow=20;50;200"
MOST_ON_AXIS = 1_000_000
_RANGE = (2, 3)


@dataclass(frozen=True)
class Axis:
    """One parameter and the values that it takes, in the order given."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Grid:
    """All combinations of `axes`; parameters that are on none keep the value in `fixed`. The last axis turns fastest."""

    axes: tuple[Axis, ...]
    fixed: Mapping[str, float]

    def __len__(self) -> int:
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values on each axis."""
        return tuple(len(axis.values) for axis in self.axes)

    def combo(self, number: int) -> dict[str, float]:
        """Every parameter of cell `number`, 0 to `len(grid) - 1`."""
        found = dict(self.fixed)
        for axis in reversed(self.axes):
            number, at = divmod(number, len(axis.values))
            found[axis.name] = axis.values[at]
        return found

    def combos(self, first: int, last: int) -> list[dict[str, float]]:
        """Cells from `first` up to and without `last`."""
        return [self.combo(number) for number in range(first, min(last, len(self)))]

    def neighbours(self, number: int) -> Iterator[int]:
        """Cells one step away from `number` on one or more axes, those at an edge of the grid left out."""
        place, shape = _place(number, self.shape), self.shape
        for step in product((-1, 0, 1), repeat=len(shape)):
            moved = tuple(at + by for at, by in zip(place, step, strict=True))
            if any(step) and all(0 <= at < size for at, size in zip(moved, shape, strict=True)):
                yield _number(moved, shape)


def parse_grid(strategy: Strategy, text: str, given: Values | None = None) -> Grid:
    """The grid that `text` describes for `strategy`. `given`: values of parameters that do not vary.

    StrategyError says what is wrong and what to write.
    """
    known = {p.name: p for p in strategy.parameters}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise StrategyError(f"the grid is empty: {FORM}")
    axes: list[Axis] = []
    for part in parts:
        name, equals, values = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not values:
            raise StrategyError(f"{part!r} is no part of a grid: {FORM}")
        if any(axis.name == name for axis in axes):
            raise StrategyError(f"{name} is in the grid twice; name each parameter once")
        strategy.values({name: known[name].default} if name in known else {name: 0.0})
        axes.append(Axis(name, _checked(strategy, known[name], _values(known[name], part, values))))
    both = sorted(axis.name for axis in axes if axis.name in (given or {}))
    if both:
        raise StrategyError(f"{', '.join(both)} is in the grid and has a fixed value too; leave one of them out")
    return Grid(tuple(axes), strategy.values(given or {}))


def _values(parameter: Parameter, part: str, text: str) -> Sequence[Decimal]:
    if ":" in text:
        return _range(parameter, part, [_decimal(part, piece) for piece in text.split(":")])
    return [_decimal(part, piece) for piece in text.split(";")]


def _range(parameter: Parameter, part: str, ends: Sequence[Decimal]) -> Sequence[Decimal]:
    if len(ends) not in _RANGE or (len(ends) == _RANGE[0] and not parameter.whole):
        raise StrategyError(f"{part!r} has to be name=first:last:step: {FORM}")
    first, last = ends[:2]
    step = ends[2] if len(ends) == _RANGE[1] else Decimal(1)
    if step <= 0:
        raise StrategyError(f"{part!r} has the step {step}; a step has to be above 0")
    if last < first:
        raise StrategyError(f"{part!r} is empty: {last} is before {first}")
    count = int((last - first) / step) + 1
    if count > MOST_ON_AXIS:
        raise StrategyError(f"{part!r} has {count:,} values; take a greater step (at most {MOST_ON_AXIS:,} values for one parameter)")
    return [first + step * n for n in range(count)]


def _decimal(part: str, text: str) -> Decimal:
    try:
        found = Decimal(text.strip())
    except InvalidOperation as error:
        raise StrategyError(f"{part!r}: {text.strip()!r} is no number; {FORM}") from error
    if not found.is_finite():
        raise StrategyError(f"{part!r}: {text.strip()!r} is no number to try; {FORM}")
    return found


def _checked(strategy: Strategy, parameter: Parameter, values: Sequence[Decimal]) -> tuple[float, ...]:
    """As the strategy takes them; its own words for what is out of bounds."""
    told = [float(value) for value in values]
    for end in (min(told), max(told), *(value for value in told if parameter.whole and value != int(value))):
        strategy.values({parameter.name: end})
    if len(set(told)) < len(told):
        twice = next(value for value in told if told.count(value) > 1)
        raise StrategyError(f"{parameter.name} has {twice:g} twice in the grid; name each value once")
    return tuple(int(value) for value in told) if parameter.whole else tuple(told)


def _place(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    found: list[int] = []
    for size in reversed(shape):
        number, at = divmod(number, size)
        found.append(at)
    return tuple(reversed(found))


def _number(place: Sequence[int], shape: Sequence[int]) -> int:
    number = 0
    for at, size in zip(place, shape, strict=True):
        number = number * size + at
    return number
