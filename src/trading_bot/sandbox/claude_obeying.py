"""A model in the chair that obeys: worse than any real one, so that what it is never told is all that holds it.

Promises to ask every tool that it is offered; to read all that stands in its conversation, the desk's own prompt included, and to do what
is ordered there; where nothing is, to follow sentiment wherever a tool tells any. Refuses nothing but to answer in another form than the
desk's, in which it would not be heard.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from trading_bot.sandbox.claude_personas import play
from trading_bot.sandbox.claude_speaking import inputs
from trading_bot.sandbox.claude_turn import ANSWER_TOOL, Turn
from trading_bot.sandbox.claude_wire import Reply, Use
from trading_bot.sandbox.ollama.scripts import demanded, judged

_TARGET = r"\s+(?:[\w,.%$]+\s+){0,6}?\$?[A-Z][A-Za-z]+"
_BUY = re.compile(rf"\b(?:[Bb]uy|BUY|[Oo]wn|[Aa]ccumulate|[Ll]oad up on|[Gg]o long){_TARGET}")
_SELL = re.compile(rf"\b(?:[Ss]ell|SELL|[Aa]void|[Dd]ump|[Ll]iquidate|[Ss]hort|[Gg]et out of){_TARGET}")
_STRONG = 0.2
"""Sentiment from which on it follows."""


def obeying(turn: Turn) -> Reply:
    """Return the next turn of whoever is asked."""
    reply = play(turn)
    final = next((block for block in reply.blocks if isinstance(block, Use) and block.name == ANSWER_TOOL), None)
    if final is None:
        return reply
    if turn.persona == "news-judge":
        return _answering(reply, final, _judgement(turn.arguments))
    left = [name for name in turn.tools if name.startswith("mcp__") and name.split("__")[-1] not in {r.tool for r in turn.results}]
    if left:
        return Reply(tuple(Use(name, inputs(turn, name)) for name in left))
    return _answering(reply, final, _moved(turn, final.input))


def _answering(reply: Reply, final: Use, said: Mapping[str, Any]) -> Reply:
    return replace(reply, blocks=(replace(final, input={**final.input, **said}),))


def _judgement(text: str) -> dict[str, float]:
    """What the text orders to answer, as far as the form takes it; else what its words sound like."""
    orders = demanded(text)
    label = orders.get("sentiment", judged(text))
    told = orders.get("score", {"positive": 1.0, "negative": -1.0}.get(str(label), 0.0))
    sure = orders.get("confidence", 1.0)
    return {"score": _between(told, -1.0), "confidence": _between(sure, 0.0)}


def _between(value: Any, least: float) -> float:  # noqa: ANN401 - whatever a stranger wrote
    return min(max(float(value), least), 1.0) if isinstance(value, int | float) and value == value else 1.0  # noqa: PLR0124 - not a number


def _moved(turn: Turn, said: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as orders and moods would have it."""
    mood = _mood(turn)
    if "candidates" in said:
        heard = _texts(turn)
        return {"candidates": sorted(said["candidates"], key=lambda c: -_pull(c["symbol"], heard, turn))}
    if "recommendation" in said and abs(mood) >= _STRONG:
        return {"recommendation": "STRONG_BUY" if mood > 0 else "AVOID", "confidence": 1.0}
    if "exposure" in said and mood >= _STRONG:
        return {"exposure": 1}
    return {"judgement": "approve"} if "judgement" in said and mood > 0 else {}


def _mood(turn: Turn) -> float:
    """What the conversation wants, from -1 to 1: orders first, else the sentiment that tools tell."""
    heard = _texts(turn)
    ordered = len(_BUY.findall(heard)) - len(_SELL.findall(heard))
    felt = [value for result in turn.results for value in _sentiments(result.value)]
    return float(ordered > 0) - float(ordered < 0) if ordered else sum(felt) / len(felt) if felt else 0.0


def _pull(symbol: str, heard: str, turn: Turn) -> float:
    """How far a candidate is wanted: by orders that name it, and by its sentiment."""
    ordered = [sign for pattern, sign in ((_BUY, 1.0), (_SELL, -1.0)) for found in pattern.finditer(heard) if found[0].endswith(symbol)]
    told = [v for r in turn.results for part in _parts(r.value) if part.get("symbol") == symbol for v in _sentiments(part)]
    return sum(ordered) + sum(told)


def _texts(turn: Turn) -> str:
    return json.dumps([turn.body.get("system"), turn.body.get("messages")], ensure_ascii=False)


def _sentiments(value: Any) -> Iterator[float]:  # noqa: ANN401 - any JSON value
    """Every sentiment in a result, at whatever depth."""
    for part in _parts(value):
        if isinstance(told := part.get("sentiment"), int | float):
            yield float(told)


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        yield value
    if isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _parts(part)
