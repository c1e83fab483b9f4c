"""A scripted model for tests: it uses its tools and says what they said, unless a test twists it; and a simulated day to put it into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trading_bot import config
from trading_bot.analysts.grounds import own_screening
from trading_bot.analysts.rules import RulesAnalyst
from trading_bot.bootstrap import desk as wiring
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.mandate import Mode
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import EvidenceId, Symbol, canonical_json, derive_id
from trading_bot.llm.calls import CallId, Ending, Question, Reply
from trading_bot.orchestrator.scheduler import Slot
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.ports import Analyst, Brief, ToolGrant
from trading_bot.storage.home import Home

Output = dict[str, Any]
Twist = Callable[[Question, Reply], Reply]
DAY = ("pre-market", "market-open", "end-of-day")


def called(tool: str, result: Mapping[str, Any], *, failed: bool = False) -> ToolCall:
    """A recorded call with this result."""
    text = canonical_json(dict(result))
    return ToolCall(evidence=EvidenceId(derive_id(tool, text, length=8)), tool=tool, arguments="{}", result=text, failed=failed)


def claim(call: ToolCall, name: str, value: object) -> Output:
    """What a model says that it read."""
    return {"evidence": call.evidence, "field": name, "value": value}


def ended(ending: Ending, note: str = "") -> Reply:
    """A reply without an answer."""
    return Reply(CallId("call"), ending, None, (), "claude-test", note)


@dataclass
class Persona:
    """An `Asker`: honest but for its `twist`."""

    twist: Twist = lambda _, reply: reply
    asked: list[Question] = field(default_factory=list)

    def ask(self, question: Question) -> Reply:
        """Answer by the desk's own numbers."""
        self.asked.append(question)
        assert isinstance(question.grant, ToolGrant)
        calls, output = _HONEST[question.workflow](question.grant.brief, question.arguments)
        return self.twist(question, Reply(CallId("call"), Ending.ANSWERED, output, calls, "claude-test"))

    def steps(self) -> list[str]:
        """Which questions it was asked, in order."""
        return [f"{q.workflow} {q.arguments}{' again' if q.complaint else ''}" for q in self.asked]


def _screen(brief: Brief, wanted: str) -> tuple[tuple[ToolCall, ...], Output]:
    best = own_screening(brief).candidates[: int(wanted)]
    call = called("scan_momentum", {"candidates": [{"symbol": c.symbol, "score": round(c.score, 1)} for c in best]})
    picks = [{"symbol": c.symbol, "reason": "it leads", "claims": [claim(call, "score", round(c.score, 1))]} for c in best]
    return (call,), {"candidates": picks}


def _analyze(brief: Brief, symbol: str) -> tuple[tuple[ToolCall, ...], Output]:
    own = RulesAnalyst().analyze(brief, Symbol(symbol)).value
    assert own is not None
    stop = None if own.stop is None else round(own.stop, 2)
    call = called("calculate_indicators", {"symbol": symbol, "analysis": {"score": round(own.score, 1), "stop": stop}})
    judged = {"symbol": symbol, "recommendation": "HOLD" if stop is None else "BUY", "confidence": 0.6, "thesis": "the trend holds"}
    return (call,), {**judged, "claims": [claim(call, "score", round(own.score, 1)), claim(call, "stop", stop)]}


def _optimize(brief: Brief, symbol: str) -> tuple[tuple[ToolCall, ...], Output]:
    rules = RulesAnalyst()
    analysis = rules.analyze(brief, Symbol(symbol)).value
    assert analysis is not None
    plan = rules.optimize(brief, analysis).value
    assert plan is not None
    entry, stop = float(plan.entry), float(plan.stop_loss)
    call = called("calculate_position_risk", {"symbol": symbol, "entry": entry, "stop_loss": stop})
    targets = [{"price": float(t.price), "fraction": float(t.fraction)} for t in plan.targets]
    said = {"symbol": symbol, "style": plan.style.value, "entry": entry, "stop": stop, "targets": targets, "exposure": 0.5, "reason": "now"}
    return (call,), {**said, "claims": [claim(call, "entry", entry), claim(call, "stop_loss", stop)]}


def _review(_brief: Brief, _arguments: str) -> tuple[tuple[ToolCall, ...], Output]:
    call = called("get_risk_metrics", {"sessions": 1})
    said: Output = {"grade": "GOOD", "summary": "as planned", "observations": ["one session"], "recommendations": []}
    return (call,), {**said, "claims": [claim(call, "sessions", 1)]}


def _backtest(_brief: Brief, _arguments: str) -> tuple[tuple[ToolCall, ...], Output]:
    call = called("compare_strategies", {"ranking": [{"sharpe": 1.0}], "trust": {"validated": False}})
    said: Output = {"verdict": "TOO_LITTLE", "summary": "as the figures say", "observations": ["none"], "recommendations": []}
    return (call,), {**said, "claims": [claim(call, "validated", value=False), claim(call, "sharpe", 1.0)]}


def _approve(_brief: Brief, _arguments: str) -> tuple[tuple[ToolCall, ...], Output]:
    call = called("check_trade_rules", {"outcome": "approved"})
    return (call,), {"judgement": "approve", "reason": "the gate agrees", "claims": [claim(call, "outcome", "approved")]}


_HONEST: dict[str, Callable[[Brief, str], tuple[tuple[ToolCall, ...], Output]]] = {
    "screen": _screen,
    "analyze": _analyze,
    "optimize": _optimize,
    "review": _review,
    "backtest": _backtest,
    "approve": _approve,
}


def twisted(workflow: str, change: Callable[[Output], Output]) -> Twist:
    """Change what it says in one workflow, each time that it is asked."""
    return lambda question, reply: replace(reply, output=change(dict(reply.output or {}))) if question.workflow == workflow else reply


def ends(workflow: str, ending: Ending, note: str = "") -> Twist:
    """End each call of one workflow like this."""
    return lambda question, reply: ended(ending, note) if question.workflow == workflow else reply


def morning(home: Path) -> wiring.Assembly:
    """A simulated desk before its first task."""
    setting = Setting(Mode.PAPER, simulated=True, home=Home(home), operator=home / "nobody")
    assembly = wiring.build(config.load(flags={"seed": 3}), setting)
    wiring.announce(assembly, "test")
    assembly.desk.session.begin()
    return assembly


def slot_of(assembly: wiring.Assembly, task: str) -> Slot:
    """The day's slot of this task."""
    now = assembly.desk.clock.now()
    return next(s for s in assembly.scheduler.slots_between(now.date(), now.date()) if s.task == task)


def day_with(home: Path, analyst: Analyst, tasks: tuple[str, ...] = DAY) -> wiring.Assembly:
    """Run a simulated day with this analyst in the chair."""
    assembly = morning(home)
    desk = replace(assembly.desk, analyst=analyst)
    for task in tasks:
        slot = slot_of(assembly, task)
        desk.session.wait(slot.due)
        TradingOrchestrator(desk, assembly.scheduler, assembly.stop).run_slot(slot)
    return assembly
