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
    axes = [Axis(p.name, _checked(strategy, p, _values(p, part, values))) for p, part, values in _parts(strategy, text, given or {})]
    return Grid(tuple(axes), strategy.values(given or {}))


@dataclass(frozen=True)
class Reach:
    """What a search may try of one parameter: from `low` to `high`, both included; any value, or every `step`."""

    name: str
    low: float
    high: float
    step: float | None


def parse_space(strategy: Strategy, text: str | None, given: Values | None = None) -> tuple[Reach, ...]:
    """Ranges to search, `fast=5:50,slow=20:200:10`; without `text` the bounds of every parameter that has no value in `given`.

    StrategyError says what is wrong and what to write.
    """
    if text is None:
        return tuple(Reach(p.name, p.least, p.most, 1 if p.whole else None) for p in strategy.parameters if p.name not in (given or {}))
    found = []
    for parameter, part, values in _parts(strategy, text, given or {}):
        ends = [_decimal(part, piece) for piece in values.split(":")]
        if len(ends) not in _RANGE:
            raise StrategyError(f"{part!r} is no range to search: write name=first:last or name=first:last:step")
        if ends[0] >= ends[1]:
            raise StrategyError(f"{part!r} leaves nothing to search: the first has to be below the last")
        step = ends[2] if len(ends) == _RANGE[1] else Decimal(1) if parameter.whole else None
        known = _checked(strategy, parameter, _range(parameter, part, [*ends[:2], step]) if step is not None else ends)
        if len(known) == 1:
            raise StrategyError(f"{part!r} leaves nothing to search: its step is too great")
        found.append(Reach(parameter.name, known[0], known[-1], None if step is None else float(step)))
    return tuple(found)


def _parts(strategy: Strategy, text: str, given: Values) -> Iterator[tuple[Parameter, str, str]]:
    """Each part of `text`: its parameter, itself, and what stands behind the equals sign."""
    known = {p.name: p for p in strategy.parameters}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise StrategyError(f"the grid is empty: {FORM}")
    seen: set[str] = set()
    for part in parts:
        name, equals, values = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not values:
            raise StrategyError(f"{part!r} is no part of a grid: {FORM}")
        if name not in known:
            strategy.values({name: 0.0})  # its own words for a name that it does not have
        if name in seen:
            raise StrategyError(f"{name} is in the grid twice; name each parameter once")
        if name in given:
            raise StrategyError(f"{name} is in the grid and has a fixed value too; leave one of them out")
        seen.add(name)
        yield known[name], part, values


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
