"""The scripted model: each persona asks its tools, one after the other, and answers from what they said.

Promises a pure function of the request: the same conversation gets the same answer. Every number in an answer is copied from a tool's
result, with the evidence id that stands on it. Refuses to answer from a tool that failed or gave nothing: then it abstains.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trading_bot.sandbox.claude_speaking import Answer, answered, claims, inputs, searching, tried, why
from trading_bot.sandbox.claude_trader import trade
from trading_bot.sandbox.claude_turn import ANSWER_TOOL, NOBODY, Turn
from trading_bot.sandbox.claude_wire import Reply, Text, Use
from trading_bot.sandbox.ollama.scripts import judged

Script = Callable[[Turn], Reply]
"""Decides each answer."""
Answerer = Callable[[Mapping[str, Mapping[str, Any]]], Answer | None]
"""From the tools' results by bare name to an answer, None if they hold none."""

_BUYS = ("STRONG_BUY", "BUY")


@dataclass(frozen=True)
class Persona:
    """Tools in the order of their use, and the answer that is made of their results; only the first has to succeed."""

    tools: tuple[str, ...]
    answer: Answerer


def play(turn: Turn) -> Reply:
    """Return the honest next turn of whoever is asked."""
    if turn.persona in READERS:
        return answered(turn, READERS[turn.persona](turn.arguments))
    if turn.persona == "trader":
        return trade(turn)
    persona = _COMPARING if turn.persona == "backtest" and _several(turn.arguments) else PERSONAS.get(turn.persona)
    if persona is None:
        return _improvise(turn)
    missing = _next_tools(turn, persona)
    if missing:
        return Reply(missing)
    told = {r.tool: r.value for r in turn.results if r.value is not None and not r.failed}
    said = persona.answer(told) if persona.tools[0] in told else None
    return answered(turn, said or {"abstain": why(turn.results)})


def _next_tools(turn: Turn, persona: Persona) -> tuple[Use, ...]:
    """Tools of the persona that were not asked yet: the first alone, then all others at once."""
    asked = {result.tool for result in turn.results}
    offered = [tool for tool in persona.tools if turn.full_name(tool)]
    search = searching(turn, persona.tools)
    if search is not None:
        return (search,)
    left = [tool for tool in offered if tool not in asked]
    now = left[:1] if not asked else left
    return tuple(Use(full, inputs(turn, full)) for tool in now if (full := turn.full_name(tool)))


def _several(arguments: str) -> bool:
    """Whether a question about backtests names more than one strategy."""
    return "," in tried(arguments)[0]


def _screen(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    scan = told["scan_momentum"]
    return {
        "candidates": [
            {"symbol": c["symbol"], "reason": "; ".join(c.get("reasons") or ()) or "passed the screen", "claims": claims(scan, c, "score")}
            for c in scan.get("candidates") or ()
        ]
    }


def _analyze(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    seen = told["calculate_indicators"]
    desk = seen.get("analysis")
    if not desk:
        return None
    held = ", ".join(desk.get("signals_held") or ()) or "no signal"
    return {
        "symbol": seen["symbol"],
        "recommendation": desk["recommendation"],
        "confidence": 0.6 if desk["recommendation"] in _BUYS else 0.4,
        "thesis": f"The desk's rules hold {held}; a close below the stop proves it wrong.",
        "claims": claims(seen, desk, "score", "stop"),
    }


def _optimize(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    plan = told["calculate_position_risk"]
    if not plan.get("trade") or plan.get("entry") is None:
        return None
    return {
        "symbol": plan["symbol"],
        "style": plan["style"],
        "entry": plan["entry"],
        "stop": plan["stop_loss"],
        "targets": [{"price": t["price"], "fraction": t["fraction"]} for t in plan.get("targets") or ()],
        "exposure": plan["exposure"],
        "reason": "; ".join(plan.get("why") or ()) or "the desk's own plan",
        "claims": claims(plan, plan, "entry", "stop_loss"),
    }


def _review(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    seen = told["get_risk_metrics"]
    return {
        "grade": seen["grade"],
        "summary": f"The period is {seen['grade']} by the rules.",
        "observations": list(seen.get("observations") or ()),
        "recommendations": list(seen.get("recommendations") or ()),
        "claims": claims(seen, seen, "trades", "profit_usd", "grade"),
    }


def _backtest(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    seen = told["run_backtest"]
    return _trusting(seen, seen, f"{seen['strategy']} on {', '.join(seen['symbols'])}")


def _compare(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    seen = told["compare_strategies"]
    return _trusting(seen, seen["ranking"][0], f"{seen['best']}, the best of {len(seen['ranking'])} on {', '.join(seen['symbols'])}")


def _trusting(seen: Mapping[str, Any], best: Mapping[str, Any], what: str) -> Answer:
    trust = seen["trust"]
    few = any("too few" in reason for reason in trust["reasons"])
    verdict = "VALIDATED" if trust["validated"] else "TOO_LITTLE" if few else "NOT_VALIDATED"
    return {
        "verdict": verdict,
        "summary": f"{what}: {verdict} by the desk's own checks.",
        "observations": [],
        "recommendations": list(trust["reasons"])[:3],
        "claims": [*claims(seen, trust, "validated"), *claims(seen, best, "sharpe", "total_return_percent", "trades")],
    }


def _approve(told: Mapping[str, Mapping[str, Any]]) -> Answer | None:
    seen = told["check_trade_rules"]
    outcome = str(seen.get("outcome"))
    judgement = {"rejected": "veto", "needs_approval": "approve", "reduced": "approve"}.get(outcome, "none")
    return {"judgement": judgement, "reason": f"The gate says {outcome}.", "claims": claims(seen, seen, "outcome")}


def _judge(news: str) -> Answer:
    score = {"positive": 0.8, "negative": -0.8}.get(judged(news), 0.0)
    return {"score": score, "confidence": 0.8 if score else 0.5}


PERSONAS: Mapping[str, Persona] = {
    "screener": Persona(("scan_momentum", "get_sentiment_anomalies"), _screen),
    "analyzer": Persona(("calculate_indicators", "get_trade_history", "get_sentiment"), _analyze),
    "optimizer": Persona(("calculate_position_risk", "calculate_max_position_size"), _optimize),
    "reviewer": Persona(("get_risk_metrics", "get_trade_history"), _review),
    "backtest": Persona(("run_backtest", "calculate_metrics"), _backtest),
    "approver": Persona(("check_trade_rules", "calculate_indicators"), _approve),
}
READERS: Mapping[str, Callable[[str], Answer]] = {"news-judge": _judge}
"""Who has no tools, and answers from the question."""
_COMPARING = Persona(("compare_strategies",), _compare)


def _improvise(turn: Turn) -> Reply:
    """Who has no role asks the first tool of a server once, and answers with whatever the schema takes."""
    served = [name for name in turn.tools if name.startswith("mcp__")]
    if served and not turn.results:
        return Reply((Use(served[0], _example(turn.tools[served[0]]) | inputs(turn, served[0])),))
    if turn.answer_schema is not None:
        return Reply((Use(ANSWER_TOOL, _example(turn.answer_schema)),))
    return Reply((Text(turn.results[-1].text if turn.results else f"This is the {NOBODY} of the emulated API."),))


_EXAMPLES: Mapping[str, Any] = {"string": "AAPL", "integer": 1, "number": 1, "boolean": True, "array": [], "null": None}


def _example(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the plainest value that a schema takes."""
    if "const" in schema or schema.get("enum"):
        return schema.get("const", next(iter(schema.get("enum") or ()), None))
    kind = schema.get("type", "object")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind != "object":
        return schema.get("default", _EXAMPLES[kind])
    fields = schema.get("properties") or {}
    return {name: _example(fields[name]) for name in schema.get("required") or () if name in fields}
