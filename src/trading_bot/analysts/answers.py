"""What a model must answer to each workflow: its JSON schema, and the strict reading of what came.

Promises exact prices (the shortest spelling of a JSON number is what was meant), text without control and direction characters, and an
end to every list. Refuses to read past what was asked for: fields that nobody asked for are not heard. The schema leaves every field
optional, because a model may abstain instead; the reading does not.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from trading_bot.domain.proposals import EntryStyle
from trading_bot.domain.research import Grade, Judgement, Recommendation, Trust
from trading_bot.domain.values import EvidenceId, Fraction, Positive, Ratio, Record, Symbol

_LONGEST_NUMBER = 32
_MOST_DIGITS = 30
_LONGEST_NOTE = 200
_MOST_COMPLAINTS = 5
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def clean(text: str, most: int) -> str:
    """Return at most `most` characters of `text` on one line, without control, invisible and direction characters."""
    visible = "".join(" " if c in "\n\r\t" else c for c in text[: 2 * most] if c in "\n\r\t" or unicodedata.category(c) not in _INVISIBLE)
    return " ".join(visible.split())[:most]


def _text(most: int) -> BeforeValidator:
    return BeforeValidator(lambda value: clean(value, most) if isinstance(value, str) else value)


def number(value: str | float | Decimal) -> Decimal | None:
    """The number that is meant, None if it is none of a sane size: arithmetic with a huge exponent would raise."""
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() and abs(exact.adjusted()) <= _MOST_DIGITS else None


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal) or len(str(value)) > _LONGEST_NUMBER:
        msg = "must be a number"
        raise ValueError(msg)
    exact = number(value)
    if exact is None:
        msg = "must be a finite number"
        raise ValueError(msg)
    return exact


Word = Annotated[str, Field(min_length=1, max_length=80)]
Named = Annotated[Symbol, Field(max_length=15), BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)]
"""A symbol in any case, as the tools take it."""
Sentence = Annotated[str, _text(300)]
Paragraph = Annotated[str, Field(min_length=1), _text(1200)]
Price = Annotated[Positive, BeforeValidator(_number)]
Share = Annotated[Fraction, BeforeValidator(_number)]
Properties = Mapping[str, Any]
Scalar = str | int | float | bool | None


class Part(Record):
    """A part of an answer."""

    model_config = ConfigDict(extra="ignore")


class Claim(Part):
    """A number or word that a tool's result is said to carry."""

    evidence: EvidenceId = Field(max_length=40)
    field: Word
    value: Annotated[Scalar, _text(300)]


Claims = Annotated[tuple[Claim, ...], Field(max_length=20)]


class Said(Part):
    """A whole answer."""

    properties: ClassVar[Properties]
    """Of its JSON schema."""

    claims: Claims = ()


S = TypeVar("S", bound=Said)

STRING = {"type": "string"}
PRICE = {"type": ["number", "string"]}


def one_of(words: type[StrEnum]) -> dict[str, Any]:
    """JSON schema of one of these words."""
    return {"enum": [word.value for word in words]}


def list_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """JSON schema of a list of objects."""
    return {"type": "array", "items": {"type": "object", "properties": dict(properties)}}


CLAIMS = list_of({"evidence": STRING, "field": STRING, "value": {}})
STRINGS = {"type": "array", "items": STRING}


class Pick(Part):
    """A symbol that deserves an analysis."""

    symbol: Named
    reason: Sentence
    claims: Claims


class Picks(Said):
    """Answer to `screen`, best first."""

    properties: ClassVar[Properties] = {"candidates": list_of({"symbol": STRING, "reason": STRING, "claims": CLAIMS})}

    candidates: tuple[Pick, ...] = Field(max_length=20)


class Judged(Said):
    """Answer to `analyze`."""

    properties: ClassVar[Properties] = {
        "symbol": STRING,
        "recommendation": one_of(Recommendation),
        "confidence": {"type": "number"},
        "thesis": STRING,
        "claims": CLAIMS,
    }

    symbol: Named
    recommendation: Recommendation
    confidence: Ratio
    thesis: Paragraph


class Leg(Part):
    """A take profit."""

    price: Price
    fraction: Share


class Plan(Said):
    """Answer to `optimize`."""

    properties: ClassVar[Properties] = {
        "symbol": STRING,
        "style": one_of(EntryStyle),
        "entry": PRICE,
        "stop": PRICE,
        "targets": list_of({"price": PRICE, "fraction": PRICE}),
        "exposure": PRICE,
        "reason": STRING,
        "claims": CLAIMS,
    }

    symbol: Named
    style: EntryStyle
    entry: Price
    stop: Price
    targets: tuple[Leg, ...] = Field(min_length=1, max_length=4)
    exposure: Share
    reason: Sentence


class Graded(Said):
    """Answer to `review`."""

    properties: ClassVar[Properties] = {
        "grade": one_of(Grade),
        "summary": STRING,
        "observations": STRINGS,
        "recommendations": STRINGS,
        "claims": CLAIMS,
    }

    grade: Grade
    summary: Paragraph
    observations: tuple[Sentence, ...] = Field(max_length=20)
    recommendations: tuple[Sentence, ...] = Field(max_length=20)


class Trusted(Said):
    """Answer to `backtest`."""

    properties: ClassVar[Properties] = {
        "verdict": one_of(Trust),
        "summary": STRING,
        "observations": STRINGS,
        "recommendations": STRINGS,
        "claims": CLAIMS,
    }

    verdict: Trust
    summary: Paragraph
    observations: tuple[Sentence, ...] = Field(max_length=20)
    recommendations: tuple[Sentence, ...] = Field(max_length=20)


class Ruling(Said):
    """Answer to `approve`."""

    properties: ClassVar[Properties] = {"judgement": one_of(Judgement), "reason": STRING, "claims": CLAIMS}

    judgement: Judgement
    reason: Sentence


def schema(answer: type[Said]) -> dict[str, Any]:
    """Return the JSON schema that a model is given; any answer may be `abstain` instead."""
    return {"type": "object", "properties": {**answer.properties, "abstain": STRING}}


def abstention(output: Mapping[str, Any]) -> str | None:
    """Return why it abstained, None if it did not; who abstains and answers all the same has abstained."""
    said = output.get("abstain")
    return clean(said, _LONGEST_NOTE) or None if isinstance(said, str) else None


def read(answer: type[S], output: Mapping[str, Any]) -> tuple[S | None, tuple[str, ...]]:
    """Return the answer, or None and what is wrong with it."""
    try:
        return answer.model_validate(dict(output)), ()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return None, told([f"{_where(e['loc'])}: {e['msg']}" for e in found])


def told(complaints: Sequence[str]) -> tuple[str, ...]:
    """The first few complaints, as they are told to a model and noted."""
    return tuple(clean(complaint, _LONGEST_NOTE) for complaint in list(dict.fromkeys(complaints))[:_MOST_COMPLAINTS])


def _where(path: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in path)
