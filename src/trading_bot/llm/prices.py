"""What models cost by the vendors' public lists: `prices.yaml`, data with sources and dates.

Promises never to guess low: a model that is not on the list counts at the dearest price of each class, and a turn at the dearest way
to read its prompt. Refuses to know discounts.
"""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources

from pydantic import Field

from trading_bot import yaml_text
from trading_bot.domain.values import NonNegative, Record

MILLION = Decimal(1_000_000)
_FILE = "prices.yaml"
_SPELLING = r"(?:[a-z]+\.)*{name}(?:[-@]\d{{8}})?(?:-v\d+(?::\d+)?)?(?:\[1m\])?"
"""A model's name with what vendors put around it: region, date, version, long window (`us.anthropic.NAME-20251001-v1:0`)."""


class Tokens(Record):
    """Numbers of tokens by how they are charged."""

    input: int = Field(default=0, ge=0)
    """Read without a cache."""
    output: int = Field(default=0, ge=0)
    cache_read: int = Field(default=0, ge=0)
    cache_write: int = Field(default=0, ge=0)

    @classmethod
    def sum(cls, parts: "Iterable[Tokens]") -> "Tokens":
        """Return the sum of each class."""
        given = list(parts)
        return cls(**{name: sum(getattr(p, name) for p in given) for name in cls.model_fields})

    @property
    def prompt(self) -> int:
        """All that was read."""
        return self.input + self.cache_read + self.cache_write


class Price(Record):
    """USD per million tokens of one model, for prompts of more than `above` tokens."""

    model: str
    window: int = Field(gt=0)
    """Tokens of context that it takes at most."""
    input: NonNegative
    output: NonNegative
    cache_write: NonNegative
    """Kept for five minutes."""
    cache_write_1h: NonNegative
    cache_read: NonNegative
    above: int = Field(default=0, ge=0)


class Source(Record):
    """Where a vendor's prices stood, and when they were read there."""

    vendor: str
    url: str
    date: date


class PriceList(Record):
    """All prices."""

    sources: tuple[Source, ...] = Field(min_length=1)
    prices: tuple[Price, ...] = Field(min_length=1)

    @property
    def date(self) -> date:
        """When the oldest part was read."""
        return min(source.date for source in self.sources)


@cache
def price_list() -> PriceList:
    """Return the list as the package carries it."""
    text = (resources.files(__package__ or "trading_bot.llm") / _FILE).read_text("utf-8")
    return PriceList.model_validate(yaml_text.read(text, _FILE)[0])


def is_listed(model: str) -> bool:
    """Whether the list has `model`; if not, it counts at the dearest price."""
    return bool(_bands(model))


def is_model(name: str, spelled: str) -> bool:
    """Whether `spelled` is the model `name`, with what vendors put around it."""
    return re.fullmatch(_SPELLING.format(name=re.escape(name)), spelled) is not None


def cost(model: str, tokens: Tokens) -> Decimal:
    """Return the list price of `tokens` in USD.

    The band is that of all prompts together, so a call is never counted too low. A write counts as kept for five minutes: where it was
    kept for an hour, the reported cost, which knows, is the greater one.
    """
    price = _price(model, tokens.prompt)
    parts = (
        (tokens.input, price.input),
        (tokens.output, price.output),
        (tokens.cache_read, price.cache_read),
        (tokens.cache_write, price.cache_write),
    )
    return sum((count * rate for count, rate in parts), Decimal(0)) / MILLION


def maximal_turn(model: str, context_tokens: int, max_output_tokens: int) -> Decimal:
    """Return what one turn can cost at most, in USD: a prompt of so many tokens, or of the whole window, read the dearest way."""
    price = _price(model, context_tokens)
    dearest = max(price.input, price.cache_write, price.cache_write_1h, price.cache_read)
    return (min(context_tokens, price.window) * dearest + max_output_tokens * price.output) / MILLION


def _price(model: str, prompt: int) -> Price:
    """The band of `model` for a prompt of so many tokens."""
    bands = [p for p in _bands(model) if p.above == 0 or prompt > p.above]
    return max(bands, key=lambda p: p.above) if bands else _dearest(model)


def _bands(model: str) -> tuple[Price, ...]:
    return tuple(p for p in price_list().prices if is_model(p.model, model))


def _dearest(model: str) -> Price:
    prices = price_list().prices
    greatest = {name: max(getattr(p, name) for p in prices) for name in Price.model_fields if name not in {"model", "above"}}
    return Price(model=model, **greatest)
