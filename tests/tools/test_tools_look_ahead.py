"""Changing or adding anything after the as-of time changes no tool's answer: bars, splits, dividends, trades, decisions, verdicts, news."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from builders import NOW, proposal
from tools.scopes import RISE, Later, bought, decision, equity, ex, material, remembered, scope, verdict
from tools.test_tools_registry import ASKED
from trading_bot.backtest.facts import Material
from trading_bot.domain.tooling import ToolCall
from trading_bot.domain.values import DecisionId, ProposalId
from trading_bot.tools.calling import answer
from trading_bot.tools.registry import TOOLS, Tool, Toolset
from trading_bot.tools.scope import Scope

_NEWS = frozenset({Toolset.NEWS, Toolset.LOCAL_MODELS})
"""Whose answers a market does not change."""
MORE: tuple[tuple[str, dict[str, object]], ...] = (
    ("get_historical", {"symbol": RISE, "lookback": 1000}),
    ("get_historical", {"symbol": RISE, "last": "2024-03-05"}),
    ("scan_momentum", {"top": 1, "detail": True}),
    ("calculate_position_risk", {"symbol": RISE, "entry": 136.5, "stop": 133}),
    ("get_trade_history", {"symbol": RISE, "limit": 25}),
    ("get_risk_metrics", {"period_days": 30}),
    ("get_news", {"hours": 720, "limit": 10}),
    ("get_news", {"symbol": "HELD"}),
    ("get_sentiment", {"symbol": "HELD"}),
    ("get_sentiment", {"symbol": "FALL"}),
)


def _calls(of: Scope) -> list[ToolCall]:
    """Every tool's answer, some asked for more."""
    more = [answer(tool, of, arguments) for name, arguments in MORE for tool in TOOLS if tool.name == name]
    return [answer(tool, of, ASKED.get(tool.name, {})) for tool in TOOLS] + more


def _later_records() -> Material:
    """The same past, and what was written a second, an hour and some days later."""
    known, soon = material(), NOW + timedelta(seconds=1)
    _, filed, said = remembered(NOW + timedelta(days=3))
    close = proposal(at=soon, id=ProposalId("p-soon"), decision_id=DecisionId("d-soon"), symbol=RISE, expires_at=soon + timedelta(hours=1))
    return replace(
        known,
        points=[*known.points, equity(date(2024, 3, 5), "1"), equity(date(2024, 3, 6), "900000")],
        trades=[*known.trades, bought(close, "-999", soon), bought(filed, "5000", NOW + timedelta(days=9))],
        proposals=[*known.proposals, close, filed],
        verdicts=[*known.verdicts, verdict(close, "rejected"), said],
    )


@pytest.fixture(scope="module")
def before() -> list[ToolCall]:
    """What is answered in the written market."""
    return _calls(scope(propose=lambda _: "filed"))


@pytest.mark.parametrize(
    "later",
    [Later(factor=3.0), Later(factor=0.01), Later(cut=True), Later(actions=ex()), Later(factor=0.25, actions=ex()), Later(news=True)],
    ids=["up", "down", "nothing", "actions", "split", "news"],
)
def test_no_market_of_the_future_changes_an_answer(before: list[ToolCall], later: Later) -> None:
    """The stamp too: the same question gets the same evidence."""
    assert _calls(scope(later, propose=lambda _: "filed")) == before


def test_no_record_of_the_future_changes_an_answer(before: list[ToolCall]) -> None:
    """Closes, trades, proposals, verdicts and decisions from a second after on."""
    three, _, _ = remembered(NOW + timedelta(days=3))
    soon = decision("analyze", at=NOW + timedelta(seconds=1), said={"thesis": "later"})
    known = scope().decisions
    assert _calls(scope(material=_later_records(), decisions=(*known, soon, *three), propose=lambda _: "filed")) == before


def test_the_future_that_is_hidden_now_is_seen_when_it_has_come() -> None:
    """So that the comparison above compares something."""
    then = NOW + timedelta(days=10)
    plain, other = _calls(scope(now=then)), _calls(scope(Later(factor=3.0, actions=ex()), now=then, material=_later_records()))
    same = [tool.name for tool, one, two in zip(TOOLS, plain, other, strict=False) if one == two and tool.toolset not in _NEWS]
    assert same == ["get_market_status", "propose_trade"]


def test_news_that_are_hidden_now_are_seen_when_they_have_come() -> None:
    """Each of the tools that look at news, within the window."""
    then = NOW + timedelta(hours=2)
    pairs = [
        [answer(tool, scope(Later(news=later), now=then), ASKED.get(tool.name, {})) for later in (False, True)]
        for tool in TOOLS
        if tool.toolset is Toolset.NEWS
    ]
    assert [one.tool for one, two in pairs if one == two] == []


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_the_same_question_has_the_same_stamp_and_another_decision_another(tool: Tool) -> None:
    """So that evidence names one answer to one question of one decision."""
    asked = ASKED.get(tool.name, {})
    first, again = answer(tool, scope(), asked), answer(tool, scope(), asked)
    other = answer(tool, scope(decision=DecisionId("decision-2")), asked)
    assert first == again
    assert (first.result, len(first.evidence)) == (other.result, 8)
    assert first.evidence != other.evidence


def test_past_figures_are_of_the_past() -> None:
    """A spot check by hand: five closes from 100,000, the last 100,200."""
    call = answer(next(t for t in TOOLS if t.name == "get_risk_metrics"), scope(material=_later_records()), {"period_days": 30})
    assert '"end_equity_usd":100200,' in call.result
    assert Decimal(100200) == material().points[-1].equity
