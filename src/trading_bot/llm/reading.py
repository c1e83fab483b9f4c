"""How a model reads a stranger's text: a prompt from a file, the text in an envelope, and an answer that is believed or refused.

Promises that the text stands between two lines which it cannot contain, holds no bracket that a model's own template could take for a
change of speaker, and is short enough to leave the instructions in sight; that an answer carries the nonce of its question; and that a bad
one is asked for again once, without a word of what it said. Refuses to look for an answer inside other words.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import resources
from string import Template
from typing import Literal, TypeVar

from pydantic import ValidationError

from trading_bot.domain.errors import BadAnswerError
from trading_bot.domain.news import Sentiment, Tier
from trading_bot.domain.values import Ratio, Record
from trading_bot.llm.ollama_server import Answer, Question
from trading_bot.llm.plain import visible
from trading_bot.ports.news import Passage

TEXT_BYTES = 4000
"""Of a stranger's text; what comes after them is not read."""
UNSURE = 0.5
"""Below this confidence somebody, or the same once more, is asked."""
_NAME_BYTES = 80
_SIGNS = {"positive": 1.0, "negative": -1.0, "neutral": 0.0}
_PROMPTS = resources.files("trading_bot") / "llm" / "reading_prompts"
_BRACKETS = str.maketrans("<>[]", "()()")
"""Models' templates mark their speakers by brackets, and Ollama heeds such marks inside texts too."""


class Proof(Record):
    """What every form carries."""

    nonce: str
    """Of the question: whoever wrote the text cannot know it."""


class Judgement(Proof):
    """What a model says of a piece of news."""

    sentiment: Literal["positive", "negative", "neutral"]
    confidence: Ratio

    def told(self, tier: Tier, model: str) -> Sentiment:
        """The same as a number."""
        return Sentiment(score=_SIGNS[self.sentiment] * self.confidence, confidence=self.confidence, tier=tier, model=model)


T = TypeVar("T")
F = TypeVar("F", bound=Proof)
J = TypeVar("J", bound=Judgement)


def prompt(name: str, **fields: object) -> str:
    """The prompt of a job, its fields filled in."""
    return Template((_PROMPTS / f"{name}.md").read_text("utf-8")).substitute(fields)


def tamed(text: str, most: int = TEXT_BYTES) -> str:
    """`text` on one line, without invisible characters and brackets, at most `most` bytes."""
    return visible(text, most).translate(_BRACKETS).encode()[:most].decode(errors="ignore").strip()


def fresh(draw: Callable[[], str], text: str) -> str:
    """A nonce that does not occur in `text`."""
    nonce = draw()
    while nonce in text:
        nonce = draw()
    return nonce


def about(passage: Passage) -> str:
    """Whom a passage is judged for."""
    return tamed(f"{passage.name or passage.symbol or 'what it speaks of'}", _NAME_BYTES)


def enveloped(text: str, nonce: str) -> str:
    """A tamed text between its two lines."""
    return f"BEGIN {nonce}\n{text}\nEND {nonce}"


def believed(form: type[F], text: str, nonce: str, model: str) -> F:
    """A model's answer. BadAnswerError unless it is the form, the whole form and nothing but the form, for this very question."""
    try:
        found = form.model_validate_json(text, strict=True)
    except ValidationError as error:
        wrong = ", ".join(sorted({".".join(map(str, e["loc"])) or "no JSON" for e in error.errors()}))
        raise BadAnswerError(f"{model} did not answer as asked ({visible(wrong, 80)}): another model or tier has to answer") from None
    if found.nonce != nonce:
        raise BadAnswerError(f"{model} answered without this question's nonce: another model or tier has to answer")
    return found


def asked_twice(
    ask: Callable[[Question, str | None], Answer],
    draw: Callable[[], str],
    put: Callable[[str], Question],
    read: Callable[[Answer, str], T],
    model: str | None = None,
) -> tuple[T, Answer]:
    """What `read` makes of the answer to `put`; after a bad answer the same model is asked once more.

    `draw` gives a nonce for each question. BadAnswerError where both answers are bad.
    """
    nonce = draw()
    answer = ask(put(nonce), model)
    try:
        return read(answer, nonce), answer
    except BadAnswerError:
        nonce = draw()
    question = put(nonce)
    answer = ask(replace(question, system=question.system + prompt("repair")), answer.model)
    return read(answer, nonce), answer


def judged(
    ask: Callable[[Question, str | None], Answer],
    draw: Callable[[], str],
    passage: Passage,
    form: type[J],
    job: str = "sentiment",
) -> tuple[J, Answer]:
    """What a model says of a passage, by the prompt of `job` and in its form; asked twice at most."""
    text, whose, schema = tamed(passage.text), about(passage), form.model_json_schema()

    def put(nonce: str) -> Question:
        return Question(prompt(job, about=whose, nonce=nonce), enveloped(text, nonce), schema)

    def read(answer: Answer, nonce: str) -> J:
        return believed(form, answer.text, nonce, answer.model)

    return asked_twice(ask, partial(fresh, draw, text), put, read)
