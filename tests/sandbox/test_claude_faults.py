"""Fault rules and lies, without a binary: a file of rules is read or refused, and each lie changes just what its name says."""

from pathlib import Path
from typing import Any

import pytest

from trading_bot.domain.errors import ConfigError
from trading_bot.sandbox.claude_faults import FAULTS, Rule, load, spoil
from trading_bot.sandbox.claude_personas import play
from trading_bot.sandbox.claude_turn import Turn
from trading_bot.sandbox.claude_wire import Reply, Use

PLAN: dict[str, Any] = {
    "nonce": "n-1",
    "symbol": "NVDA",
    "style": "pullback",
    "entry": 100.0,
    "stop": 96.0,
    "targets": [{"price": 108.0, "fraction": 1.0}],
    "exposure": 1.0,
    "reason": "the desk's own plan",
    "claims": [{"evidence": "abcdefgh", "field": "entry", "value": 100.0}],
}
HONEST = Reply((Use("StructuredOutput", PLAN),))
EARLIER = {"nonce": "n-0", "symbol": "MSFT"}
TURN = Turn({"system": "You are the optimizer of a desk.", "messages": [{"role": "user", "content": "NVDA"}]}, 100, past=(EARLIER,))


def said(fault: str) -> Any:  # noqa: ANN401 - any JSON value
    """What becomes of the honest plan."""
    reply = spoil([Rule(fault=fault)], TURN, 1, HONEST)
    assert isinstance(reply, Reply)
    assert isinstance(reply.blocks[0], Use)
    return reply.blocks[0].input


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        ("wrong_nonce", {"nonce": "0000000000000000"}),
        ("wrong_symbol", {"symbol": "SPY"}),
        ("outside_universe", {"symbol": "ZZZQ"}),
        ("invented_price", {"entry": 200.0, "stop": 192.0, "targets": [{"price": 216.0, "fraction": 1.0}]}),
        ("invented_evidence", {"claims": [{"evidence": "aaaaaaaa", "field": "entry", "value": 100.0}]}),
        ("wrong_claim", {"claims": [{"evidence": "abcdefgh", "field": "entry", "value": 99.9}]}),
        ("stop_wrong_side", {"stop": 104.0}),
        ("thousand", {"targets": PLAN["targets"] * 1000, "claims": PLAN["claims"] * 1000}),
    ],
)
def test_a_lie_changes_what_its_name_says_and_nothing_else(fault: str, changed: dict[str, Any]) -> None:
    """So that a test of one check meets one fault."""
    assert said(fault) == PLAN | changed


def test_an_answer_without_its_nonce_is_otherwise_whole() -> None:
    """Only the proof is gone."""
    assert said("no_nonce") == {name: value for name, value in PLAN.items() if name != "nonce"}


def test_an_old_answer_is_repeated_under_the_new_nonce() -> None:
    """It proves this call, and speaks of another."""
    assert said("repeat_old") == {"nonce": "n-1", "symbol": "MSFT"}


def test_an_honest_conversation_is_left_alone() -> None:
    """Rules for others, for later conversations and for later turns do nothing."""
    rules = [Rule(fault="http_500", persona="screener"), Rule(fault="empty", call=2), Rule(fault="hang_mid", turn=2)]
    assert spoil(rules, TURN, 1, HONEST) == HONEST


def test_the_same_request_gets_the_same_answer() -> None:
    """No clock, no chance."""
    assert play(TURN) == play(Turn(TURN.body, TURN.size))


def test_the_approver_asks_the_gate_for_the_proposal_as_it_was_told() -> None:
    """The tool's own names pick from the proposal; words that the tool does not know stay out."""
    told = '{"symbol": "NVDA", "side": "buy", "entry": "129.77", "stop": "125.87", "thesis": "up"}'
    schema: dict[str, Any] = {"properties": {"symbol": {}, "side": {}, "entry": {}, "stop": {}}}
    body = {
        "system": "You are the approver of a desk.",
        "tools": [{"name": "mcp__desk__check_trade_rules", "input_schema": schema}],
        "messages": [{"role": "user", "content": f"<command-args>{told}</command-args>"}],
    }
    asked = {"symbol": "NVDA", "side": "buy", "entry": "129.77", "stop": "125.87"}
    assert play(Turn(body, 100)) == Reply((Use("mcp__desk__check_trade_rules", asked),))


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    """Defaults are what is left out."""
    path = tmp_path / "faults.yaml"
    path.write_text('- {persona: screener, call: 1, fault: http_429, retry_after: 1}\n- {persona: "*", fault: slow, seconds: 0.5}\n')
    assert load(path) == (Rule(persona="screener", call=1, fault="http_429", retry_after=1), Rule(fault="slow", seconds=0.5))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- {fault: http_500}\n- {fault: gremlins}\n", f"line 2: fault gremlins is not known; known are {', '.join(FAULTS)}"),
        ("- {fault: empty, persona: broker}\n", "line 1: persona broker is not known"),
        ("- {fault: empty, when: now}\n", "line 1: when: Extra inputs are not permitted"),
        ("- {fault: empty, call: 0}\n", "line 1: call"),
        ("- nothing\n", "line 1: Input should be"),
        ("fault: empty\n", "a list of rules is wanted"),
        ("- {fault: [}\n", "not valid YAML"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    """A fault that silently never strikes would prove a safety that is not there."""
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert complaint in str(error.value)
