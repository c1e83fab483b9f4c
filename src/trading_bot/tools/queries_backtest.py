"""What the backtest tools are asked: shipped strategies by name, symbols, days, parameters, each with its cap.

Promises that a strategy is one of ours before anything is loaded: a path would be code. Refuses more symbols, points or cells than a
caller waits for. Imports nothing that reckons, so that a server starts at once.
"""

import re
from collections.abc import Mapping, Sized
from datetime import date
from math import prod
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from trading_bot.domain.values import Record
from trading_bot.plugins import PRICE_ONLY
from trading_bot.tools.queries import Asked, Stamp

MOST_SYMBOLS = 10
MOST_CELLS = 200
MOST_POINTS = 100
_MOST_VALUES = 12
_PERIOD = re.compile(r"[1-9]\d{0,3}[dwmy]")


def _shipped(value: object) -> str:
    if value not in PRICE_ONLY:
        msg = f"must be one of {', '.join(PRICE_ONLY)}: only shipped strategies run here, without news"
        raise ValueError(msg)
    return str(value)


def _unique(symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(symbols))


def _readable(period: str) -> str:
    if _PERIOD.fullmatch(period) is None:
        msg = "must be 90d, 8w, 6m, 1y or the like"
        raise ValueError(msg)
    return period


def _within_cap(vary: Mapping[str, Sized]) -> Mapping[str, Sized]:
    cells = prod(len(values) for values in vary.values())
    if cells > MOST_CELLS:
        msg = f"the grid has {cells} cells and may have {MOST_CELLS}: send fewer values"
        raise ValueError(msg)
    return vary


StrategyName = Annotated[str, BeforeValidator(_shipped), WithJsonSchema({"enum": list(PRICE_ONLY)})]
Symbols = Annotated[
    tuple[Asked, ...],
    Field(min_length=1, max_length=MOST_SYMBOLS),
    AfterValidator(_unique),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": MOST_SYMBOLS}),
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Real = Annotated[float, Field(allow_inf_nan=False)]
_NUMBER = {"type": "number"}
Values = Annotated[dict[Name, Real], Field(max_length=_MOST_VALUES), WithJsonSchema({"type": "object", "additionalProperties": _NUMBER})]
Grid = Annotated[
    dict[Name, Annotated[tuple[Real, ...], Field(min_length=1)]],
    Field(min_length=1, max_length=2),
    AfterValidator(_within_cap),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "array", "items": _NUMBER}}),
]


class Days(Record):
    """On which symbols and days; daily bars."""

    symbols: Symbols
    period: Annotated[str, AfterValidator(_readable)] = Field(default="1y", description="90d, 8w, 6m, 1y, up to the last day")
    start: date | None = None
    end: date | None = None


class Run(Days):
    """One strategy."""

    strategy: StrategyName
    values: Values = Field(default_factory=dict, description="parameters; left out: the strategy's defaults")


class Compare(Days):
    """Several strategies with their defaults."""

    strategies: Annotated[tuple[StrategyName, ...], Field(min_length=2, max_length=5), AfterValidator(_unique)]


class OfRun(Record):
    """About one run."""

    run: Stamp | None = Field(default=None, description="left out: the last")


class Points(OfRun):
    """How finely."""

    points: Annotated[int, Field(ge=10, le=MOST_POINTS)] = 30


class Sensitivity(Run):
    """One strategy over a grid of one or two parameters."""

    vary: Grid = Field(description=f"values of one or two parameters, {MOST_CELLS} cells at most")
