"""Local models for people and for Claude: a label, a short text or an answer, at no price but time.

Promises plain words on one line, capped on both ways, and a label that is one of those given. What a model says may repeat whatever the
text told it to say: it is a stranger's text still. Refuses what does not fit into a model's sight, instead of reading a part of it.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from trading_bot.domain.errors import BadAnswerError, ModelError
from trading_bot.domain.values import Ratio
from trading_bot.llm.ollama_pool import OllamaPool
from trading_bot.llm.ollama_server import Answer, Question
from trading_bot.llm.plain import plain
from trading_bot.llm.reading import TEXT_BYTES, Proof, asked_twice, believed, enveloped, fresh, prompt, tamed
from trading_bot.ports.news import ModelHealth

_LABELS = range(2, 21)
_LABEL_BYTES = 40
_WORDS = range(1, 301)
_ANSWER = 4000


class Labelled(Proof):
    """What a model says of a text."""

    label: str
    confidence: Ratio


class PooledModels:
    """The models of `pool`; `draw` gives nonces."""

    def __init__(self, pool: OllamaPool, draw: Callable[[], str]) -> None:
        self._pool = pool
        self._draw = draw

    def health(self) -> Sequence[ModelHealth]:
        """Every model on every server."""
        return self._pool.health()

    def classify(self, text: str, labels: Sequence[str], model: str | None = None) -> tuple[str, float, str]:
        """One of `labels`, how sure (0 to 1), and the model that said so."""
        known = {tamed(label, _LABEL_BYTES): label for label in labels}
        if len(labels) not in _LABELS or len(known) != len(labels) or "" in known:
            raise ModelError(f"labels: {_LABELS.start} to {_LABELS.stop - 1} different ones of at most {_LABEL_BYTES} bytes are wanted")
        clean, schema = _fitting(text), _schema(list(known))

        def put(nonce: str) -> Question:
            return Question(
                prompt("classify", labels=json.dumps(list(known), ensure_ascii=False), nonce=nonce), enveloped(clean, nonce), schema
            )

        def read(answer: Answer, nonce: str) -> Labelled:
            said = believed(Labelled, answer.text, nonce, answer.model)
            if said.label not in known:
                raise BadAnswerError(f"{answer.model} chose a label that was not given: ask another model, or give clearer labels")
            return said

        said, answer = asked_twice(self._pool.ask, partial(fresh, self._draw, clean), put, read, model)
        return known[said.label], said.confidence, answer.model

    def summarize(self, text: str, words: int, model: str | None = None) -> tuple[str, str]:
        """At most `words` words, and the model that wrote them."""
        if words not in _WORDS:
            raise ModelError(f"words: {_WORDS.start} to {_WORDS.stop - 1} are possible, not {words}")
        clean = _fitting(text)

        def put(nonce: str) -> Question:
            return Question(prompt("summarize", words=words, nonce=nonce), enveloped(clean, nonce))

        told, answer = asked_twice(self._pool.ask, partial(fresh, self._draw, clean), put, _spoken, model)
        said = told.split()
        return told if len(said) <= words else " ".join(said[:words]) + "…", answer.model

    def ask(self, question: str, model: str | None = None) -> tuple[str, str]:
        """An answer as text, and the model that gave it."""
        clean = _fitting(question)
        told, answer = asked_twice(self._pool.ask, self._draw, lambda _: Question(prompt("ask"), clean), _spoken, model)
        return told, answer.model


def _fitting(text: str) -> str:
    """A text that a model sees as a whole."""
    size, clean = len(text.encode()), tamed(text)
    if size > TEXT_BYTES or not clean:
        raise ModelError(f"the text has {size} bytes, and 1 to {TEXT_BYTES} that can be seen are possible: shorten it, or send parts")
    return clean


def _spoken(answer: Answer, _: str) -> str:
    """Words that can be shown; cut by the cap of tokens they say so."""
    told = plain(answer.text, _ANSWER)
    if not told:
        raise BadAnswerError(f"{answer.model} said nothing: ask another model")
    return told + "…" if answer.cut else told


def _schema(labels: Sequence[str]) -> dict[str, Any]:
    form = Labelled.model_json_schema()
    return form | {"properties": form["properties"] | {"label": {"type": "string", "enum": list(labels)}}}
