"""How a scripted model asks and answers: a question's facts as tools ask for them, claims with their evidence, answers in the wanted form.

Promises pure functions of the request. Refuses to make up a fact: what the question does not say is left out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trading_bot.sandbox.claude_turn import ANSWER_TOOL, SEARCH_TOOL, Result, Turn
from trading_bot.sandbox.claude_wire import Reply, Text, Use

Answer = Mapping[str, Any]

_SYMBOL = re.compile(r"\b[A-Z][A-Z0-9]{0,9}(?:[./-][A-Z0-9]{1,6})?\b")
_NUMBER = re.compile(r"\b\d+\b")
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_PAIR = re.compile(r"--?([a-z_]+)[ =](\S+)|\b([a-z_]+)[=:] ?([^\s,;]+)")
_TRIED = re.compile(r"([a-z_]+(?:,[a-z_]+)*)\s+([A-Z0-9][A-Z0-9./-]*(?:,[A-Z0-9][A-Z0-9./-]*)*)(?:\s|$)")
"""Strategies, then symbols."""
_FAILED = "a tool failed or gave nothing"


def answered(turn: Turn, said: Answer) -> Reply:
    """Return an answer in the form that is wanted: by the answer tool, with its nonce, or in words."""
    if turn.answer_schema is None:
        return Reply((Text("\n".join(_prose(said))),))
    known = turn.answer_schema.get("properties") or said
    proof = {} if turn.nonce is None else {"nonce": turn.nonce}
    return Reply((Use(ANSWER_TOOL, proof | {name: value for name, value in said.items() if name in known}),))


def asking(turn: Turn, uses: Mapping[str, Sequence[Mapping[str, Any]]]) -> Reply:
    """Use tools by their bare names, or abstain where one is not offered or was asked in vain. Hidden ones are searched for first."""
    search = searching(turn, tuple(uses))
    if search is not None:
        return Reply((search,))
    full = {tool: turn.full_name(tool) for tool in uses}
    if None in full.values() or {result.tool for result in turn.results} & set(uses):
        return answered(turn, {"abstain": why(turn.results)})
    return Reply(tuple(Use(str(full[tool]), asked) for tool, each in uses.items() for asked in each))


def searching(turn: Turn, tools: Sequence[str]) -> Use | None:
    """The search that loads those of these tools which cannot be called yet; None if there are none, or it was made."""
    hidden = [name for tool in tools if turn.full_name(tool) is None and (name := turn.deferred_name(tool))]
    return Use(SEARCH_TOOL, {"query": "select:" + ",".join(hidden)}) if hidden and not turn.searched else None


def inputs(turn: Turn, full: str) -> dict[str, Any]:
    """Return what a tool would be asked: those of the question's facts that its schema knows."""
    schema = turn.tools.get(full) or {}
    wanted = schema.get("properties") or {}
    return {name: value for name, value in _facts(turn.arguments).items() if name in wanted}


def _facts(arguments: str) -> dict[str, Any]:
    """What a question says, under the names by which tools ask for it."""
    braced = _OBJECT.search(arguments)
    told = _value(braced[0]) if braced else None
    named = dict(told) if isinstance(told, dict) else {a or c: _value(b or d) for a, b, c, d in _PAIR.findall(arguments.partition("\n")[0])}
    symbol, number = _SYMBOL.search(arguments), _NUMBER.search(arguments)
    facts: dict[str, Any] = {"timeframe": "1d"}
    facts |= {"symbol": symbol[0]} if symbol else {}
    facts |= {"top": int(number[0]), "period_days": int(number[0])} if number else {}
    facts |= {"stop": named["stop_loss"]} if "stop_loss" in named else {}
    facts |= {"period_days": named["period"]} if "period" in named else {}
    strategies, symbols = tried(arguments)
    if strategies:
        facts |= {"strategy": strategies, "strategies": strategies.split(","), "symbols": symbols.split(",")}
    return facts | named


def tried(arguments: str) -> tuple[str, str]:
    """The strategies and the symbols of a question about backtests, each joined by commas; empty for another."""
    found = _TRIED.match(arguments)
    return (found[1], found[2]) if found else ("", "")


def _value(word: str) -> object:
    try:
        return json.loads(word)
    except ValueError:
        return word


def why(results: Sequence[Result]) -> str:
    """Why it abstains: the first tool that failed, in its own words."""
    words = next((r.text for r in results if r.failed), "")
    return f"{_FAILED}: {words[:120]}" if words else _FAILED


def claims(source: Mapping[str, Any], values: Mapping[str, Any], *fields: str) -> list[dict[str, Any]]:
    """Quote fields of a result (or of a part of it), with the result's evidence."""
    known = [field for field in fields if values.get(field) is not None]
    return [{"evidence": source.get("evidence", ""), "field": field, "value": values[field]} for field in known]


def _prose(said: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in said.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{name}:"
            for item in value:
                yield f"{indent}- " + ", ".join(f"{k} {v}" for k, v in item.items() if not isinstance(v, list))
        else:
            yield f"{indent}{name}: {'; '.join(map(str, value)) if isinstance(value, list) else value}"
