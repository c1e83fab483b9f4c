"""The real binary against an API that lies and fails: each ending by its name, its runs counted, its cost paid, its record kept."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from claude_kit import mcp_server
from llm.manager_kit import Bench, bench, charged, conversations, outside, running
from tools import scopes
from trading_bot.llm.calls import Ending
from trading_bot.ports import ToolAccess, ToolGrant
from trading_bot.sandbox.claude_api import ClaudeApi, Rule
from trading_bot.tools.host import HttpToolHost

SHORT = {"first_byte_seconds": 3, "idle_seconds": 3, "total_seconds": 8}
IMPATIENT = {"first_byte_seconds": 10, "idle_seconds": 1.5, "total_seconds": 15}


@dataclass(frozen=True)
class Case:
    """A fault of the API, and what has to come of it."""

    ending: Ending
    runs: int
    """Conversations that the API hears."""
    rule: Mapping[str, Any]
    equal: bool = True
    """Whether the ledger says what the API charged; else it says more."""
    claude: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "a bad request": Case(Ending.API_ERROR, 2, {"fault": "http_400"}),
    "a wrong key": Case(Ending.NO_LOGIN, 1, {"fault": "http_401"}),
    "too many requests": Case(Ending.API_ERROR, 2, {"fault": "http_429"}),
    "a server error": Case(Ending.API_ERROR, 2, {"fault": "http_500"}),
    "an overloaded server": Case(Ending.API_ERROR, 2, {"fault": "http_529", "turn": 2}),
    "not a byte": Case(Ending.SILENT, 2, {"fault": "hang_first"}, equal=False, claude=SHORT),
    "a hang in mid-air": Case(Ending.STALLED, 2, {"fault": "hang_mid", "turn": 2}, equal=False, claude=IMPATIENT),
    "a connection that breaks": Case(Ending.API_ERROR, 2, {"fault": "drop_mid", "turn": 2}, equal=False),
    "another nonce": Case(Ending.UNPARSEABLE, 2, {"fault": "wrong_nonce"}),
    "no nonce": Case(Ending.UNPARSEABLE, 2, {"fault": "no_nonce"}),
    "half JSON": Case(Ending.UNPARSEABLE, 2, {"fault": "bad_json"}),
    "words for an answer": Case(Ending.UNPARSEABLE, 2, {"fault": "no_structured"}),
    "an empty answer": Case(Ending.UNPARSEABLE, 2, {"fault": "empty"}),
    "a refusal": Case(Ending.REFUSED, 1, {"fault": "refusal"}),
    "a refusal in words": Case(Ending.REFUSED, 1, {"fault": "refusal_text"}),
    "tools that nobody granted": Case(Ending.FORBIDDEN, 1, {"fault": "disobey"}),
    "a look for keys": Case(Ending.FORBIDDEN, 1, {"fault": "leak_env"}),
    "a loop until the turns are over": Case(Ending.TURN_LIMIT, 1, {"fault": "loop"}, claude={"max_turns": 3}),
    "a loop until the money is gone": Case(Ending.OVER_BUDGET, 1, {"fault": "loop"}, claude={"usd_per_call": "0.003"}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_by_its_name_paid_and_recorded(name: str, tmp_path: Path) -> None:
    """One retry where it can help; one line and one attempt a run; the ledger never says less than the API."""
    case = CASES[name]
    with ClaudeApi(faults=[Rule(**case.rule)]) as api, bench(tmp_path / "home", api.url, **case.claude) as desk:
        reply = desk.ask()
        assert (reply.ending, reply.output, conversations(api)) == (case.ending, None, case.runs), reply.note
        assert desk.settled() == charged(api) if case.equal else desk.settled() > charged(api)
        assert_recorded(desk, case.ending, case.runs)
        assert running(desk.home.path) == []


def assert_recorded(desk: Bench, ending: Ending, runs: int) -> None:
    """Log, ledger and cassette tell the same, and hold no path of this machine."""
    (cassette,) = desk.cassettes()
    calls = desk.calls()
    assert [line["outcome"] for line in desk.lines()] == [ending] * runs
    assert [call.settlement.outcome for call in calls if call.settlement] == [ending] * runs
    assert [attempt.ending for attempt in cassette.attempts] == [ending] * runs
    assert [line["call_id"] for line in desk.lines()] == [attempt.call_id for attempt in cassette.attempts]
    assert sorted(attempt.call_id for attempt in cassette.attempts) == sorted(call.call_id for call in calls)
    assert str(desk.home.path) not in cassette.note


def test_an_honest_answer_is_believed_and_costs_what_the_api_charged(tmp_path: Path) -> None:
    """With its tool calls, its output without the nonce, and all token classes."""
    with ClaudeApi(faults=[Rule(fault="cached", read=1000, write=500)]) as api, bench(tmp_path / "home", api.url) as desk:
        reply = desk.ask()
        assert (reply.ending, [call.tool for call in reply.calls]) == (Ending.ANSWERED, ["scan_momentum"])
        assert desk.settled() == charged(api)
        assert_recorded(desk, Ending.ANSWERED, 1)
        (call,) = desk.calls()
    assert call.settlement is not None
    usage = [charge.usage for charge in api.charges]
    assert (call.settlement.cache_read, call.settlement.cache_write) == (1000 * len(usage), 500 * len(usage))
    assert call.settlement.input == sum(used["input_tokens"] for used in usage)


def test_a_failure_that_passes_is_helped_by_the_retry(tmp_path: Path) -> None:
    """Both runs are paid, and both stand in the record."""
    with ClaudeApi(faults=[Rule(fault="http_529", call=1, turn=2)]) as api, bench(tmp_path / "home", api.url) as desk:
        assert desk.ask().ending is Ending.ANSWERED
        assert desk.settled() == charged(api)
    assert [attempt.ending for attempt in desk.cassettes()[0].attempts] == [Ending.API_ERROR, Ending.ANSWERED]


def test_a_usage_limit_stops_every_call_until_its_reset(tmp_path: Path) -> None:
    """On a subscription the API says when; until then nothing is asked, and nothing is spent."""
    resets = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    rule = Rule(fault="http_429", limit="rejected", resets_at=int(resets.timestamp()), retry_after=7200)
    with ClaudeApi(faults=[rule]) as api:
        users = {"CLAUDE_CODE_OAUTH_TOKEN": "made-up-token", "HOME": str(tmp_path / "user")}
        around = {name: value for name, value in outside(api.url).items() if name != "ANTHROPIC_API_KEY"} | users
        with bench(tmp_path / "home", api.url, around=around, billing="subscription") as desk:
            first, second = desk.ask("d1"), desk.ask("d2")
            (call,) = desk.calls()
    assert (first.ending, second.ending, second.note) == (Ending.USAGE_LIMIT, Ending.OVER_BUDGET, "usage_limit")
    assert call.settlement is not None
    assert (call.settlement.resets_at, call.settlement.cost_usd, conversations(api)) == (resets, Decimal(0), 1)
    assert "made-up-token" not in (desk.home.llm_logs / f"{call.day:%Y%m%d}.jsonl").read_text("utf-8")


@dataclass(frozen=True)
class OtherDoor:
    """A tool host that sends the binary somewhere else."""

    real: HttpToolHost
    url: str

    @contextmanager
    def open(self, grant: ToolGrant) -> Iterator[ToolAccess]:
        """Open the grant behind another address."""
        with self.real.open(grant) as run:
            run.url = self.url
            yield run

    def schemas(self, tools: Sequence[str]) -> list[dict[str, object]]:
        """Those of the real host."""
        return self.real.schemas(tools)


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    yield f"http://127.0.0.1:{port}/mcp"


@pytest.mark.parametrize(
    ("door", "words"),
    [
        (nobody, "the tool server is failed"),
        (lambda: mcp_server({}), "tools missing"),
        (lambda: mcp_server({"other": dict}), "not granted: mcp__desk__other"),
    ],
)
def test_a_server_that_is_not_there_or_has_other_tools_ends_the_run_before_the_model_is_asked(
    door: Callable[[], AbstractContextManager[str]], words: str, tmp_path: Path
) -> None:
    """The binary itself would go on without them, and call it a success."""
    real = HttpToolHost(lambda brief: scopes.scope(decision=brief.decision_id))
    with door() as url, ClaudeApi() as api, bench(tmp_path / "home", api.url, host=OtherDoor(real, url)) as desk:
        reply = desk.ask()
        assert (reply.ending, words in reply.note) == (Ending.TOOL_MISSING, True), reply.note
        assert desk.settled() >= charged(api)
        assert_recorded(desk, Ending.TOOL_MISSING, 2)
    real.close()


def test_an_unknown_command_ends_the_run_and_is_not_tried_again(tmp_path: Path) -> None:
    """The binary would hand the words to the model as they are."""
    with ClaudeApi() as api, bench(tmp_path / "home", api.url, commands={"other.md": "Be quiet.\n"}) as desk:
        assert desk.ask().ending is Ending.UNKNOWN_COMMAND
        assert desk.settled() >= charged(api)
        assert_recorded(desk, Ending.UNKNOWN_COMMAND, 1)


def test_ten_million_bytes_are_not_believed_and_are_paid(tmp_path: Path) -> None:
    """Once: what floods today floods again. The record leaves the flood out."""
    with ClaudeApi(faults=[Rule(fault="huge", turn=1)]) as api, bench(tmp_path / "home", api.url) as desk:
        assert desk.ask().ending is Ending.TOO_LONG
        assert_recorded(desk, Ending.TOO_LONG, 1)
        assert desk.settled() == charged(api)
        assert len(desk.cassettes()[0].canonical()) < 1_000_000
        assert running(desk.home.path) == []
