"""When a conversation is begun and when gone on with, by a program that stands for the binary and keeps no transcript but its own sums."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm.manager_kit import bench, outside, program
from llm.test_manager_kills import forked, wait_until
from trading_bot import config
from trading_bot.domain.errors import ReplayMissError, StoppedError
from trading_bot.domain.values import DecisionId
from trading_bot.llm.asking import Describer
from trading_bot.llm.calls import Ending, Session
from trading_bot.llm.cassette import Cassette, Player
from trading_bot.llm.invocation import BILLING
from trading_bot.tools.host import HttpToolHost

NOWHERE = "http://127.0.0.1:9"
OPENED, WATCHED = Session(DecisionId("t1")), Session(DecisionId("t1"), '{"symbol":"AAPL"}')
NOTES = """
seen = os.path.join(os.path.dirname(ARGS[0]), "seen.jsonl")
past = [json.loads(line) for line in open(seen)] if os.path.exists(seen) else []
option = next((flag for flag in ("--session-id", "--resume", "--no-session-persistence") if flag in ARGS))
name = "" if option == "--no-session-persistence" else after(option)
with open(seen, "a") as file:
    print(json.dumps({"option": option, "name": name, "prompt": after("-p"), "env": dict(os.environ)}), file=file)
runs = 1 + sum(told["name"] == name for told in past) if option == "--resume" else 1
SUM = {**RESULT, "total_cost_usd": 0.01 * runs, "modelUsage": {"claude-haiku-4-5": {"inputTokens": 100 * runs, "outputTokens": 10 * runs}}}
"""
"""Tells how it was called, and what the conversation cost in all."""
HONEST = "say(INIT, WORD, SUM)"
ONCE_MORE = 110 * Decimal("0.000002")
"""USD that it may cost to read what one run read and said."""


def seen(folder: Path) -> list[Mapping[str, Any]]:
    """How the program was called, run by run."""
    return [json.loads(line) for line in (folder / "seen.jsonl").read_text("utf-8").splitlines()]


def options(folder: Path) -> list[tuple[str, int]]:
    """Each run's option, and which conversation it named, counted from the first."""
    runs = seen(folder)
    names = list(dict.fromkeys(run["name"] for run in runs))
    return [(run["option"].removeprefix("--"), names.index(run["name"]) + 1) for run in runs]


def test_a_trade_has_one_conversation_and_each_run_is_paid_once(tmp_path: Path) -> None:
    """A repair goes on with it, a question that opens another trade does not; what is remembered is reserved for."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        desk.ask("d1", session=OPENED)
        desk.ask("d1", session=OPENED, complaint="no such symbol")
        desk.ask("d2", session=Session(DecisionId("t2")))
        desk.ask("d3", session=WATCHED)
        calls = [call for name in ("d1", "d2", "d3") for call in desk.calls(name)]
    assert [call.counted for call in calls] == [Decimal("0.01")] * 4
    more = [call.reserved_usd - calls[0].reserved_usd for call in calls]
    assert more == [0, ONCE_MORE, 0, ONCE_MORE]
    assert options(tmp_path) == [("session-id", 1), ("resume", 1), ("session-id", 2), ("resume", 1)]
    assert [run["prompt"].count("The trade so far") for run in seen(tmp_path)] == [0] * 4


def test_the_opening_question_that_is_put_again_begins_again(tmp_path: Path) -> None:
    """By a desk that died before it had the answer, or that asks otherwise."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        desk.ask("d1", session=OPENED)
        desk.ask("d1", arguments="2", session=OPENED)
    assert options(tmp_path) == [("session-id", 1), ("session-id", 2)]


def test_a_conversation_that_has_grown_too_long_is_given_up_for_a_briefed_one(tmp_path: Path) -> None:
    """By what its last turn read and said."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST), session_tokens=109) as desk:
        desk.ask("d1", session=OPENED)
        desk.ask("d2", session=WATCHED)
    assert options(tmp_path) == [("session-id", 1), ("session-id", 2)]
    assert [run["prompt"].count("The trade so far") for run in seen(tmp_path)] == [0, 1]


UNCLEAN = {
    "a crash": "say(INIT, WORD); os.abort()",
    "another nonce": "say(INIT, WORD, {**SUM, 'structured_output': {'nonce': 'x', 'abstain': 'so'}})",
    "a tool that nobody granted": (
        "say(INIT, {**WORD, 'message': {**WORD['message'], 'content': [{'type': 'tool_use', 'name': 'Bash', 'input': {}}]}}, SUM)"
    ),
    "a refusal": "say(INIT, WORD, {**SUM, 'stop_reason': 'refusal', 'structured_output': None})",
    "a stall": "say(INIT, WORD); time.sleep(60)",
    "a bill of ten tokens for a thousand words": (
        "say(INIT, {**WORD, 'message': {'model': 'x', 'content': [{'type': 'text', 'text': 'word ' * 1000}]}}, SUM)"
    ),
    "an answer whose cost nobody knows": "say(INIT, WORD, {**SUM, 'modelUsage': {'x': {'inputTokens': 10**400}}})",
}


@pytest.mark.parametrize("name", UNCLEAN)
def test_after_a_run_that_ended_badly_the_next_question_begins_afresh(name: str, tmp_path: Path) -> None:
    """Nobody knows what such a conversation holds, or what it has cost."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        desk.ask("d1", session=OPENED)
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, UNCLEAN[name]), idle_seconds=0.3) as desk:
        desk.ask("d2", session=WATCHED, complaint="so that it is put once")
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        assert desk.ask("d3", session=WATCHED).ending is Ending.ANSWERED
    assert options(tmp_path) == [("session-id", 1), ("resume", 1), ("session-id", 2)]


def test_a_desk_that_is_killed_or_stopped_in_mid_run_begins_afresh_and_counts_what_it_reserved(tmp_path: Path) -> None:
    """Its next start puts the same question again."""
    home, hanging = tmp_path / "home", program(tmp_path, NOTES, "say(INIT, WORD); time.sleep(60)")
    kill_in_mid_run(home, hanging, "d1")
    with bench(home, NOWHERE, program=hanging, budget=purse("5")) as desk:
        desk.manager._around.stop.set()
        with pytest.raises(StoppedError):
            desk.ask("d1", session=OPENED)
    with bench(home, NOWHERE, program=program(tmp_path, NOTES, HONEST), budget=purse("5")) as desk:
        assert desk.ask("d1", session=OPENED).ending is Ending.ANSWERED
        killed, stopped, last = desk.calls("d1")
        assert [killed.counted, stopped.counted, last.counted] == [killed.reserved_usd, stopped.reserved_usd, Decimal("0.01")]
    assert options(tmp_path)[-1] == ("session-id", len(options(tmp_path)))


def test_a_damaged_note_is_no_conversation_and_no_name_is_taken_twice(tmp_path: Path) -> None:
    """The binary refuses a name that has a transcript."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        desk.ask("d1", session=OPENED)
        transcript = desk.home.claude / "conversations" / "projects" / "x" / f"{seen(tmp_path)[0]['name']}.jsonl"
        transcript.parent.mkdir(parents=True)
        transcript.touch()
        (desk.home.claude / "sessions" / "t1.json").write_text("{half", "utf-8")
        desk.ask("d2", session=WATCHED)
    assert options(tmp_path) == [("session-id", 1), ("session-id", 2)]


def test_what_has_been_silent_for_days_is_swept_when_another_begins(tmp_path: Path) -> None:
    """So that a desk of many looks a day does not grow."""
    long_ago = (datetime.now(UTC) - timedelta(days=4)).timestamp()
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        projects, sessions = desk.home.claude / "conversations" / "projects" / "x", desk.home.claude / "sessions"
        projects.mkdir(parents=True)
        for number in (0, 1, 2, 3):
            desk.ask(f"d{number}", session=Session(DecisionId(f"t{number}")))
            (projects / f"{seen(tmp_path)[-1]['name']}.jsonl").touch()
        for path in (*projects.iterdir(), *sessions.iterdir()):
            if path.name != "t2.json" and seen(tmp_path)[2]["name"] not in path.name:
                os.utime(path, (long_ago, long_ago))
        desk.ask("d4", session=Session(DecisionId("t1"), "{}"))
        assert options(tmp_path)[-1] == ("resume", 2)
        desk.ask("d5", session=Session(DecisionId("t3")))
        assert {path.name for path in sessions.iterdir()} == {"t1.json", "t2.json", "t3.json"}
        assert [path.stem for path in projects.iterdir()] == [seen(tmp_path)[2]["name"]]


@pytest.mark.parametrize("billing", BILLING)
def test_a_conversation_is_kept_in_the_desks_own_folder_or_not_at_all(billing: str, tmp_path: Path) -> None:
    """A login that lies in the user's folder is of no use elsewhere: such a desk briefs the model at every question."""
    around = outside(NOWHERE, HOME=str(tmp_path / "user"), CLAUDE_CONFIG_DIR=str(tmp_path / "user" / "claude"))
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST), around=around, billing=billing) as desk:
        desk.ask("d1", session=OPENED)
        desk.ask("d2", session=WATCHED)
        own = desk.home.claude / "conversations"
    folders = [run["env"]["CLAUDE_CONFIG_DIR"] for run in seen(tmp_path)]
    if billing == "subscription":
        assert (options(tmp_path), folders) == ([("no-session-persistence", 1)] * 2, [str(tmp_path / "user" / "claude")] * 2)
        assert [run["prompt"].count("The trade so far") for run in seen(tmp_path)] == [0, 1]
    else:
        assert (options(tmp_path), folders) == ([("session-id", 1), ("resume", 1)], [str(own)] * 2)


def test_a_purse_that_is_empty_refuses_and_leaves_the_conversation_as_it_was(tmp_path: Path) -> None:
    """Another trade has a purse of its own; what a process reserved that died counts for ever."""
    home, honest = tmp_path / "home", program(tmp_path, NOTES, HONEST)
    with bench(home, NOWHERE, program=honest) as desk:
        desk.ask("d1", session=OPENED)
    assert_refused(home, honest, "d2")
    with bench(home, NOWHERE, program=honest, budget=purse("5")) as desk:
        desk.ask("d3", session=WATCHED)
        desk.ask("d4", session=Session(DecisionId("t4")))
    assert options(tmp_path) == [("session-id", 1), ("resume", 1), ("session-id", 2)]
    kill_in_mid_run(home, program(tmp_path, NOTES, "say(INIT, WORD); time.sleep(60)"), "d5")
    assert_refused(home, honest, "d6")


def assert_refused(home: Path, honest: Path, decision: str) -> None:
    """A purse in which a cent less is left than a call may cost lets none pass."""
    with bench(home, NOWHERE, program=honest) as desk, desk.ledger.reading() as page:
        calls = page.of_trade("t1")
    left = max(call.reserved_usd for call in calls) - Decimal("0.01")
    with bench(home, NOWHERE, program=honest, budget=purse(f"{sum(call.counted for call in calls) + left:f}")) as desk:
        reply = desk.ask(decision, session=WATCHED)
        assert (reply.ending, reply.note, desk.calls(decision)) == (Ending.OVER_BUDGET, "budget_spent", ())
        assert "budget.claude_usd_per_trade" in desk.cassettes()[-1].attempts[0].note


def kill_in_mid_run(home: Path, hanging: Path, decision: str) -> None:
    """Kill a desk while its model thinks about the trade."""
    known = len(seen(hanging.parent)) if (hanging.parent / "seen.jsonl").exists() else 0

    def work() -> None:
        with bench(home, NOWHERE, program=hanging, budget=purse("5")) as desk:
            desk.ask(decision, session=OPENED)

    child = forked(work)
    wait_until(lambda: (hanging.parent / "seen.jsonl").exists() and len(seen(hanging.parent)) == known + 1)
    os.kill(child, 9)
    os.waitpid(child, 0)


def purse(usd: str) -> dict[str, str]:
    """Settings of a budget."""
    return {"claude_usd_per_trade": usd}


def test_the_questions_of_a_conversation_are_replayed_whether_it_was_begun_or_gone_on_with(tmp_path: Path) -> None:
    """A record of a program that knew no conversations still answers; another trade or briefing is another question."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, NOTES, HONEST)) as desk:
        host = HttpToolHost(lambda _: pytest.fail("nobody asks a tool"))
        questions = [
            desk.question("d1", "screen", "3", session=OPENED),
            desk.question("d2", "analyze", "AAPL", session=WATCHED),
            desk.question("d3", "screen", "3"),
        ]
        replies = [desk.manager.ask(question) for question in questions]
        begun, resumed, alone = desk.cassettes()
        player = Player([begun, resumed, without_conversations(alone)], Describer(config.load().claude, host))
        assert [player.ask(question) for question in questions] == replies
        for differs, session in (("briefing", Session(DecisionId("t1"), '{"symbol":"MSFT"}')), ("trade", Session(DecisionId("t2"), "{}"))):
            with pytest.raises(ReplayMissError, match=f"{differs}: "):
                player.ask(desk.question("d2", "analyze", "AAPL", session=session))
    host.close()
    assert [cassette.attempts[0].conversation for cassette in (begun, resumed, alone)] == ["begun", "resumed", "alone"]


def without_conversations(cassette: Cassette) -> Cassette:
    """As it was written before there were any."""
    told = json.loads(cassette.canonical())
    del told["request"]["trade"], told["request"]["briefing"]
    for attempt in told["attempts"]:
        del attempt["conversation"]
    return Cassette.model_validate(told)
