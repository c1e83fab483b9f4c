"""What each tool is asked: typed, bounded, with defaults. The schemas of these records are what a model is told.

Promises that a symbol is spelled like one before anything looks for it, and that every size has an end. Refuses fields that it does
not know, and numbers that are none. Imports nothing that reckons, so that a server starts at once.
"""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from trading_bot.domain.values import Record, Symbol

MOST_BARS = 1000
PAGE_BARS = 100
_SYMBOL = re.compile(r"[A-Za-z0-9]+([.\-/][A-Za-z0-9]+)*")
_LONGEST_SYMBOL = 15
_LONGEST_NUMBER = 32
_PLACES = 8


def _symbol(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_SYMBOL or _SYMBOL.fullmatch(value) is None:
        msg = f"must be a symbol such as AAPL or BTC/USD: 1 to {_LONGEST_SYMBOL} letters and digits, joined by . - or /"
        raise ValueError(msg)
    return value.upper()


def _number(value: object) -> Decimal:
    """JSON has one kind of number: its shortest spelling is what was meant."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal) or len(str(value)) > _LONGEST_NUMBER:
        msg = "must be a number"
        raise ValueError(msg)
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        exact = Decimal("NaN")
    if not exact.is_finite():
        msg = "must be a finite number"
        raise ValueError(msg)
    return exact


Asked = Annotated[Symbol, BeforeValidator(_symbol), WithJsonSchema({"type": "string"})]
Level = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(gt=0, le=10_000_000),
    AfterValidator(lambda price: round(price, _PLACES)),
    WithJsonSchema({"type": "number"}),
]
"""A price, as traded."""
Share = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(ge=0.001, le=1),
    AfterValidator(lambda share: round(share, 4)),
    WithJsonSchema({"type": "number", "maximum": 1}),
]
Offset = Annotated[int, Field(ge=0, le=100_000), WithJsonSchema({"type": "integer"})]
Stamp = Annotated[str, Field(pattern=r"^[a-z2-7]{8}$"), WithJsonSchema({"type": "string"})]
"""Evidence of an earlier result."""
Bars = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d"]
Direction = Literal["buy", "sell"]
"""Of the position: buy for a long, sell for a short."""


class Nothing(Record):
    """No question: the tool has one answer."""


class OfSymbol(Record):
    """About one symbol."""

    symbol: Asked


class OfSymbolOrMarket(Record):
    """About one symbol, or about the market as a whole."""

    symbol: Asked | None = None


class Historical(OfSymbol):
    """The last `lookback` bars, `PAGE_BARS` a page."""

    timeframe: Bars = "1d"
    lookback: Annotated[int, Field(ge=1, le=MOST_BARS)] = 20
    last: date | None = Field(default=None, description="newest day wanted")
    offset: Offset = 0


class Indicators(OfSymbol):
    """Of the newest closed bar."""

    timeframe: Bars = "1d"


class Scan(Record):
    """The best of the universe, and, on demand, why each other symbol is out."""

    top: Annotated[int, Field(ge=1, le=20)] = 5
    detail: bool = Field(default=False, description="list each eliminated symbol")
    offset: Offset = 0


class Page(Record):
    """One page of what is held."""

    offset: Offset = 0


class History(Record):
    """One page of what was done and decided, newest first."""

    symbol: Asked | None = None
    limit: Annotated[int, Field(ge=1, le=25)] = 5
    offset: Offset = 0


class Prices(OfSymbol):
    """Prices to look at; what is left out comes from the desk's own plan."""

    entry: Level | None = None
    stop: Level | None = None
    side: Direction = "buy"


class Size(Prices):
    """How much of it."""

    exposure: Share = Field(default_factory=lambda: Decimal(1))


class Trade(OfSymbol):
    """A trade as it would be proposed."""

    side: Direction = "buy"
    entry: Level
    stop: Level
    targets: tuple[Level, ...] = Field(default_factory=tuple, max_length=4, description="prices of equal parts")
    style: Literal["now", "pullback"] = "now"
    exposure: Share = Field(default_factory=lambda: Decimal(1))


class Propose(Trade):
    """A trade that shall be proposed."""

    confidence: Annotated[float, Field(ge=0, le=1)]
    thesis: Annotated[str, Field(min_length=1, max_length=1000)]
    evidence: tuple[Stamp, ...] = Field(default_factory=tuple, max_length=20)
    horizon_days: Annotated[int, Field(ge=1, le=365)] = 20


class Period(Record):
    """The last so many calendar days, today included."""

    period_days: Annotated[int, Field(ge=1, le=3650)] = 7
