"""What the news tools and the local models are asked: typed, bounded, with defaults. Promises and refuses what `queries` does."""

from typing import Annotated

from pydantic import Field

from trading_bot.domain.values import Record
from trading_bot.tools.queries import Asked, OfSymbol

MOST_HOURS = 24 * 30
LONGEST_TEXT = 4000
"""Of what a local model sees as a whole."""

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Model = Annotated[str | None, Field(max_length=100, description="one of list_models; without it they take turns")]


class News(Record):
    """One page of articles, newest first."""

    symbol: Asked | None = None
    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)] = 24
    limit: Annotated[int, Field(ge=1, le=10)] = 5
    offset: Annotated[int, Field(ge=0, le=1000)] = 0


class Impact(OfSymbol):
    """After the stories of so many days."""

    days: Annotated[int, Field(ge=1, le=365)] = 90


class Classify(Record):
    """A text, and what it may be."""

    text: Text
    labels: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = Field(min_length=2, max_length=20)
    model: Model = None


class Summarize(Record):
    """A text, and how long its summary may be."""

    text: Text
    words: Annotated[int, Field(ge=1, le=300)] = 60
    model: Model = None


class AskModel(Record):
    """A question."""

    question: Text
    model: Model = None
