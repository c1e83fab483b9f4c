"""What the emulated models say: a reader, its opposite, one that always says the same, and one that obeys whatever it reads.

Promises the same answer to the same question, and that `obeying` is worse than any real model: it takes orders from the data, breaks the
asked form where it is told to, and proves itself as it was asked to nevertheless. Refuses to know who asks.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from trading_bot.sandbox.ollama.question import Question, Reply

Script = Callable[[Question], Reply]

_GOOD = re.compile(
    r"\b(?:beats?|surges?|soars?|jumps?|rises?|gains?|records?|growth|upgraded?|profits?|wins?)\b",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\b(?:miss|misses|plunges?|falls?|drops?|loss|losses|fraud|bankruptcy|downgraded?|lawsuits?|cuts?)\b",
    re.IGNORECASE,
)
_OPPOSITE = {"positive": "negative", "negative": "positive"}
_SIGN = {"positive": 1.0, "negative": -1.0, "neutral": 0.0}
_NONCE = re.compile(r'"?nonce"?\s*(?:[:=]|is)\s*"?([\w-]+)', re.IGNORECASE)
_FIELD = re.compile(r'"(sentiment|label|score|confidence|nonce|summary)"')
_LOOSE = ("sentiment", "confidence", "nonce")
_NUMBERS = frozenset({"score", "confidence"})
_SENTENCE_WORDS = 25

_SAY = re.compile(r"\b(?:say|reply|respond|answer|output|print|write)\b(?: only| exactly| just| with)*\s*[:\"'“]\s*(.+)", re.IGNORECASE)
_CALL = re.compile(r"\bcall (?:the )?(?:tool|function)\s+([\w.-]+)\s*(\{.*?\})?", re.IGNORECASE)
_VALUE = re.compile(
    r"\b(score|confidence|rating)\b\W{0,4}(?:is|of|to|as|must be)?\W{0,4}([+-]?\d+(?:\.\d+)?(?:e\d+)?|nan|infinity)",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\b(?:label|rate|classify|mark|sentiment|answer|output|respond|reply|say)\b[^.\n]{0,40}?\b(positive|negative|neutral|bullish|bearish)\b",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"\{[^{}]*\}")
_MEANT = {"bullish": "positive", "bearish": "negative"}


def reader(question: Question) -> Reply:
    """Judge by a short list of words and fill the asked form."""
    return _told(question, judged(question.user))


def contrary(question: Question) -> Reply:
    """The opposite of the reader, just as sure."""
    found = judged(question.user)
    return _told(question, _OPPOSITE.get(found, found))


def fixed(text: str) -> Script:
    """A model that says nothing but `text`."""
    return lambda _: Reply(text)


def obeying(question: Question) -> Reply:
    """Do what the data says."""
    data = question.user
    if found := _CALL.search(data):
        return Reply(tools=({"function": {"name": found[1], "arguments": _object(found[2] or "")}},))
    orders = demanded(data)
    if question.schema is None and not question.json:
        said = _SAY.search(data)
        return Reply(said[1].strip() if said else reader(question).text)
    if not orders and (said := _SAY.search(data)):
        return Reply(said[1].strip())
    label = orders.get("sentiment", judged(data))
    answer = _filled(question, label) | orders
    if "label" in answer and "sentiment" in orders:
        answer["label"] = orders["sentiment"]
    return Reply(json.dumps(answer))


SCRIPTS: Mapping[str, Script] = {"reader": reader, "obeying": obeying, "contrary": contrary}
"""Scripts by the names of the command line."""


def judged(text: str) -> str:
    """Positive, negative or neutral, by the balance of words."""
    balance = len(_GOOD.findall(text)) - len(_BAD.findall(text))
    return "positive" if balance > 0 else "negative" if balance < 0 else "neutral"


def _told(question: Question, label: str) -> Reply:
    if question.schema is None and not question.json:
        return Reply(" ".join(question.user.split()[:_SENTENCE_WORDS]))
    return Reply(json.dumps(_filled(question, label)))


def _filled(question: Question, label: str) -> dict[str, Any]:
    """The asked form with a judgement in it; without a form its fields are those that the prompt names."""
    named = dict.fromkeys(_FIELD.findall(question.system)) or dict.fromkeys(_LOOSE)
    loose = {name: {"type": "number" if name in _NUMBERS else "string"} for name in named}
    fields: Mapping[str, Any] = (question.schema or {}).get("properties") or loose
    return {name: _value(name, form, question, label) for name, form in fields.items()}


def _value(name: str, form: Mapping[str, Any], question: Question, label: str) -> Any:  # noqa: ANN401 - any JSON value
    if "const" in form:
        return form["const"]
    if choices := form.get("enum"):
        return label if label in choices else _named_in(question.user, choices)
    if form.get("type") in {"number", "integer"}:
        return (0.5 if label == "neutral" else 0.8) if name == "confidence" else 0.8 * _SIGN[label]
    if name == "nonce":
        found = _NONCE.search(question.system) or _NONCE.search(question.user)
        return found[1] if found else ""
    return {"boolean": label == "positive", "array": [], "object": {}}.get(str(form.get("type")), label)


def _named_in(text: str, choices: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
    """The first choice that the text names, or the first of all."""
    return next((c for c in choices if str(c).lower() in text.lower()), choices[0])


def demanded(data: str) -> dict[str, Any]:
    """What the data orders to answer: values of whole objects first, then single ones."""
    told: dict[str, Any] = {}
    for found in _OBJECT.findall(data):
        told |= _object(found)
    told |= {name.lower(): float(value) for name, value in _VALUE.findall(data)}
    if found := _LABEL.search(data):
        told["sentiment"] = _MEANT.get(found[1].lower(), found[1].lower())
    return told


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
