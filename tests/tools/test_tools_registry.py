"""The table of tools: what is in it exists, says what it does to the world, answers by its schema, and costs nothing to list."""

import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from tools.scopes import HELD, RISE, scope
from trading_bot.domain.errors import ToolFailedError
from trading_bot.domain.tooling import TAINTING
from trading_bot.domain.values import canonical_json
from trading_bot.tools import wire
from trading_bot.tools.calling import answer, payload
from trading_bot.tools.queries_backtest import OfRun
from trading_bot.tools.registry import TOOLS, Tool, Toolset, tool_named

TRADE = {"symbol": RISE, "entry": 136.5, "stop": 133}
ASKED: dict[str, dict[str, Any]] = {
    "get_quote": {"symbol": RISE},
    "get_historical": {"symbol": RISE, "lookback": 3},
    "calculate_indicators": {"symbol": RISE},
    "detect_regime": {"symbol": RISE},
    "get_position_details": {"symbol": HELD},
    "calculate_position_risk": {"symbol": RISE},
    "check_trade_rules": TRADE,
    "calculate_max_position_size": {"symbol": RISE},
    "propose_trade": {**TRADE, "confidence": 0.6, "thesis": "it rises"},
    "run_backtest": {"strategy": "sma_cross", "symbols": [RISE], "values": {"fast": 5, "slow": 10}},
    "compare_strategies": {"strategies": ["sma_cross", "momentum"], "symbols": [RISE]},
    "get_sentiment": {"symbol": RISE},
    "get_news_impact": {"symbol": RISE},
    "classify_text": {"text": "It rises.", "labels": ["good", "bad"]},
    "summarize": {"text": "It rises, and rises.", "words": 2},
    "ask_local_model": {"question": "Does it rise?"},
    "test_parameter_sensitivity": {"strategy": "sma_cross", "symbols": [RISE], "vary": {"fast": [3, 5], "slow": [10, 20]}},
}
"""A question for each tool that needs one."""


def test_the_tools_are_those_that_were_promised_each_on_its_server() -> None:
    """Thirty-one, by toolset."""
    assert {toolset: [t.name for t in TOOLS if t.toolset is toolset] for toolset in Toolset} == {
        Toolset.MARKET_DATA: [
            "get_quote",
            "get_historical",
            "get_market_status",
            "calculate_indicators",
            "scan_momentum",
            "detect_regime",
        ],
        Toolset.POSITION: ["get_positions", "get_position_details", "get_portfolio_summary", "get_buying_power", "get_trade_history"],
        Toolset.RISK: [
            "calculate_position_risk",
            "get_portfolio_exposure",
            "check_trade_rules",
            "calculate_max_position_size",
            "get_risk_metrics",
            "propose_trade",
        ],
        Toolset.BACKTEST: [
            "run_backtest",
            "calculate_metrics",
            "compare_strategies",
            "generate_equity_curve",
            "test_parameter_sensitivity",
        ],
        Toolset.NEWS: ["get_news", "get_sentiment", "get_sentiment_anomalies", "get_news_impact"],
        Toolset.LOCAL_MODELS: ["list_models", "classify_text", "summarize", "ask_local_model", "get_model_health"],
    }


def test_what_goes_back_to_texts_from_outside_taints() -> None:
    """Every tool of news and of local models, and no other."""
    assert {tool.name for tool in TOOLS if tool.toolset in {Toolset.NEWS, Toolset.LOCAL_MODELS}} == TAINTING


@pytest.mark.parametrize("tool", TOOLS, ids=lambda t: t.name)
def test_every_tool_answers_by_its_own_output_schema(tool: Tool) -> None:
    """On a desk where there is something to say, and with a stamp."""
    of = scope(propose=lambda _: "waits for the engine")
    if issubclass(tool.query, OfRun):
        answer(tool_named("run_backtest"), of, ASKED["run_backtest"])
    call = answer(tool, of, ASKED.get(tool.name, {}))
    assert not call.failed, call.result
    schema = wire.listed(tool).output_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(payload(call), schema)
    assert len(call.result) < 2_200


def test_only_the_filing_of_a_proposal_is_not_read_only() -> None:
    """As each client is told."""
    told = {tool.name: wire.listed(tool).annotations for tool in TOOLS}
    assert [name for name, hints in told.items() if hints is None or not hints.read_only_hint] == ["propose_trade"]


def test_all_that_a_model_is_told_of_all_tools_is_short() -> None:
    """Names, sentences and input schemas together; a workflow is granted a few of them."""
    told = [{"name": t.name, "description": t.does, "input_schema": wire.input_schema(t)} for t in TOOLS]
    assert len(canonical_json(told)) < 10_000
    assert max(len(canonical_json(one)) for one in told) < 900


def test_listing_the_tools_imports_nothing_that_reckons() -> None:
    """In a process of its own."""
    code = (
        "import sys, trading_bot.tools.registry, trading_bot.tools.calling; print(sorted({'pandas', 'numpy', 'talib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own code
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_a_name_that_is_almost_right_is_answered_with_the_right_one() -> None:
    """And one that is not, with all."""
    with pytest.raises(ToolFailedError, match=r"did you mean get_quote"):
        tool_named("getquote")
    with pytest.raises(ToolFailedError, match=r"get_quote, get_historical.*propose_trade"):
        tool_named("x" * 200_000)
    assert tool_named("get_quote") is TOOLS[0]
