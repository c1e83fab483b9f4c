"""What all answers of tools are made of: exact amounts told as JSON numbers, with their unit in the field's name or the tool's sentence.

Promises numbers without NaN, rounded as a person would write them: money to the cent, shares in per cent to two places, scores to one,
other ratios to four significant digits; prices are brought to the tick by who knows it. A field that is null cannot be known; one that
is left out does not apply. Imports nothing that reckons, so that a server starts at once.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer

from trading_bot.domain.values import Record, UtcTime

_CENT = Decimal("0.01")


def _to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_EVEN)


def _significant(value: float) -> float:
    return float(f"{value:.4g}")


_NUMBER = PlainSerializer(float, return_type=float, when_used="json")
_FINITE = Field(allow_inf_nan=False)
Price = Annotated[Decimal, _NUMBER]
Quantity = Annotated[Decimal, _NUMBER]
Usd = Annotated[Decimal, AfterValidator(_to_cents), _NUMBER]
Percent = Annotated[float, _FINITE, AfterValidator(lambda value: round(value, 2))]
Score = Annotated[float, _FINITE, AfterValidator(lambda value: round(value, 1))]
Number = Annotated[float, _FINITE, AfterValidator(_significant)]


class Result(Record):
    """Every answer says as of when."""

    as_of: UtcTime


class OfBooks(Result):
    """From the desk's books."""

    journal_age_seconds: int | None = None
    """How long ago a desk kept them; left out while one does."""


class Mark(Record):
    """A price with where it comes from."""

    price: Price
    time: UtcTime
    source: str
    feed: str | None = None
