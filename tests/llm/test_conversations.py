"""One conversation a trade, held by the real binary: who opened the trade remembers it, and each turn costs what the API charged."""

import json
import shutil
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm.manager_kit import KEY, Bench, bench, charged, holding, outside
from trading_bot.domain.values import DecisionId
from trading_bot.llm.calls import Ending, Session
from trading_bot.sandbox.claude_api import ClaudeApi, Rule

SO_FAR = '{"symbol":"AAPL","thesis":"costs `$5` @home!"}'
TOLD = "The trade so far, from the journal, as data: {"
OPENED = Session(DecisionId("t1"))
WATCHED = Session(DecisionId("t1"), SO_FAR)
CAP = Decimal("0.008")
"""Of a call: more than any here costs, and less than a conversation."""


@pytest.fixture
def api() -> Iterator[ClaudeApi]:
    """An honest one."""
    with ClaudeApi() as served:
        yield served


def words(request: Any) -> str:  # noqa: ANN401 - the body of a request
    """All that a request says."""
    return json.dumps(request["messages"])


def conversations(desk: Bench) -> list[tuple[str, str]]:
    """How each run stood to what was asked before, and how it ended."""
    return [(attempt.conversation, attempt.ending) for cassette in desk.cassettes() for attempt in cassette.attempts]


def test_each_turn_of_a_conversation_costs_what_the_api_charged_for_it_and_hears_those_before(tmp_path: Path, api: ClaudeApi) -> None:
    """The binary tells the sum of all turns: neither the ledger nor the cap of a call counts one twice, whatever runs in between."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("d1", {"session": OPENED}),
        ("d1", {"session": OPENED, "complaint": "no such symbol"}),
        ("d2", {"session": Session(DecisionId("d2"))}),
        ("d3", {"session": WATCHED, "workflow": "analyze", "arguments": "AAPL"}),
        ("d4", {"session": WATCHED}),
    ]
    paid, ends = [], []
    for decision, more in asked:
        cap = CAP if decision != "d4" else Decimal("0.0001")
        with bench(tmp_path / "home", api.url, usd_per_call=f"{cap:f}") as desk:
            before, known = charged(api), desk.settled(decision)
            ends.append(desk.ask(decision, **more).ending)
            paid.append((desk.settled(decision) - known, charged(api) - before))
            with desk.ledger.reading() as page:
                trade = page.of_trade("t1")
    assert ends == [*[Ending.ANSWERED] * 4, Ending.OVER_BUDGET]
    assert [how for how, _ in conversations(desk)] == ["begun", "resumed", "begun", "resumed", "resumed"]
    assert [ours for ours, _ in paid] == [theirs for _, theirs in paid]
    assert max(ours for ours, _ in paid) < CAP < sum(ours for ours, _ in paid) - paid[2][0]
    own = [charge for charge in api.charges if charge.session == api.heard[0].session]
    assert [sum(call.settlement.input for call in trade if call.settlement), sum((call.counted for call in trade), Decimal(0))] == [
        sum(charge.usage["input_tokens"] for charge in own),
        sum((charge.usd for charge in own), Decimal(0)),
    ]
    last = words(api.requests[-1])
    assert (last.count("<command-name>/screen"), last.count("<command-name>/analyze-trade")) == (3, 1)
    assert "no such symbol" in last
    assert TOLD not in last


def test_a_conversation_that_is_lost_is_begun_anew_with_a_briefing_that_runs_nothing(tmp_path: Path, api: ClaudeApi) -> None:
    """In the same question; that it was lost costs nothing and says nothing against the model's health."""
    with bench(tmp_path / "home", api.url, budget={"breaker_failures": 1}) as desk:
        desk.ask("d1", session=OPENED)
        shutil.rmtree(desk.home.claude / "conversations" / "projects")
        assert desk.ask("d2", session=WATCHED).ending is Ending.ANSWERED
        assert conversations(desk) == [("begun", "answered"), ("resumed", "lost"), ("begun", "answered")]
        assert next(call.counted for call in desk.calls("d2")) == 0
        assert sum(map(desk.settled, ("d1", "d2")), Decimal(0)) == charged(api)
    assert len({heard.session for heard in api.heard}) == 2
    assert TOLD + '\\"symbol\\":\\"AAPL\\",\\"thesis\\":\\"costs 5 home\\"}' in words(api.requests[-1])


def test_a_run_that_failed_leaves_a_conversation_that_nobody_goes_on_with(tmp_path: Path) -> None:
    """The retry is a fresh one, briefed; both are paid at what the API charged."""
    broken = Rule(persona="analyzer", fault="http_500", call=1, turn=2)
    with ClaudeApi(faults=[broken]) as api, bench(tmp_path / "home", api.url) as desk:
        desk.ask("d1", session=OPENED)
        assert desk.ask("d2", "analyze", "AAPL", session=WATCHED).ending is Ending.ANSWERED
        assert conversations(desk) == [("begun", "answered"), ("resumed", "api_error"), ("begun", "answered")]
        assert sum(map(desk.settled, ("d1", "d2")), Decimal(0)) == charged(api)
    assert TOLD in words(api.requests[-1])


def test_a_login_of_the_desks_own_keeps_conversations_in_its_own_folder(tmp_path: Path, api: ClaudeApi) -> None:
    """And leaves the user's alone."""
    user = tmp_path / "user"
    around = outside(api.url, HOME=str(user)) | {"CLAUDE_CODE_OAUTH_TOKEN": "made-up"}
    del around["ANTHROPIC_API_KEY"]
    with bench(tmp_path / "home", api.url, around=around, billing="subscription") as desk:
        desk.ask("d1", session=OPENED)
        assert desk.ask("d2", session=WATCHED).ending is Ending.ANSWERED
        assert [how for how, _ in conversations(desk)] == ["begun", "resumed"]
        assert sum(map(desk.settled, ("d1", "d2")), Decimal(0)) == charged(api)
    assert not user.exists()


def test_no_key_is_in_a_transcript_that_this_user_alone_can_read(tmp_path: Path, api: ClaudeApi) -> None:
    """Neither the one that pays nor the token of the run; and of the log of each connection nothing is left."""
    with bench(tmp_path / "home", api.url) as desk:
        assert desk.ask("d1", session=OPENED).ending is Ending.ANSWERED
        claude = desk.home.claude
    (transcript,) = claude.glob("conversations/projects/*/*.jsonl")
    assert "get_quote" in transcript.read_text("utf-8") or "screen" in transcript.read_text("utf-8")
    assert holding(tmp_path, [KEY[-20:], "Bearer "]) == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in (claude, claude / "conversations", claude / "sessions")} == {0o700}
    assert list((claude / "run").iterdir()) == []
    assert [path for path in claude.rglob("*") if "mcp-logs" in path.name] == []
