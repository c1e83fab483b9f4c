"""A program in the binary's place does what no API makes the real one do: each end by its name and cost, and nothing left behind."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm.manager_kit import bench, program, running
from trading_bot.llm.calls import Ending

NOWHERE = "http://127.0.0.1:9"
RESERVED, REPORTED = "reserved", Decimal("0.01")
ENDS: dict[str, tuple[str, Ending, int, object]] = {
    "not a word": ("sys.exit(0)", Ending.CRASHED, 2, RESERVED),
    "an exit status": ("say(INIT); sys.exit(3)", Ending.CRASHED, 2, RESERVED),
    "a crash": ("say(INIT, WORD); os.abort()", Ending.CRASHED, 2, RESERVED),
    "killed by somebody": ("say(INIT, WORD); os.kill(os.getpid(), signal.SIGKILL)", Ending.CRASHED, 2, RESERVED),
    "half a result": ("say(INIT, WORD); print(json.dumps(RESULT)[:150], end='')", Ending.CRASHED, 2, RESERVED),
    "no work": ("say(INIT, {**RESULT, 'num_turns': 0, 'structured_output': None})", Ending.NO_WORK, 2, REPORTED),
    "another nonce": ("say(INIT, WORD, {**RESULT, 'structured_output': {'nonce': 'x', 'abstain': 'so'}})", Ending.NO_PROOF, 2, REPORTED),
    "no nonce": ("say(INIT, WORD, {**RESULT, 'structured_output': {'abstain': 'so'}})", Ending.NO_PROOF, 2, REPORTED),
    "a list for an answer": ("say(INIT, WORD, {**RESULT, 'structured_output': [NONCE]})", Ending.UNPARSEABLE, 2, REPORTED),
    "a crash after the answer": ("say(INIT, WORD, RESULT); os.abort()", Ending.CRASHED, 2, REPORTED),
    "a result without a start": ("say(WORD, RESULT)", Ending.CRASHED, 2, REPORTED),
    "no server": ("say({**INIT, 'mcp_servers': []}, WORD, RESULT); time.sleep(60)", Ending.TOOL_MISSING, 2, RESERVED),
    "no tools": ("say({**INIT, 'tools': []}, WORD, RESULT); time.sleep(60)", Ending.TOOL_MISSING, 2, RESERVED),
    "a tool more": ("say({**INIT, 'tools': [*TOOLS, 'Bash']}, WORD); time.sleep(60)", Ending.TOOL_MISSING, 2, RESERVED),
    "an unknown command": ("say({**INIT, 'slash_commands': []}, WORD); time.sleep(60)", Ending.UNKNOWN_COMMAND, 1, RESERVED),
    "one endless line": ("say(INIT); print('x' * 10_000_000)", Ending.TOO_LONG, 1, RESERVED),
    "endless lines": ("say(INIT)\nfor _ in range(100_000): print('x' * 100)", Ending.TOO_LONG, 1, RESERVED),
    "endless events": ('say(INIT)\nprint(\'{"type":"x"}\\n\' * 400_000)', Ending.TOO_LONG, 1, RESERVED),
    "endless errors": ("print('x' * 10_000_000, file=sys.stderr); say(INIT, WORD, RESULT)", Ending.ANSWERED, 1, REPORTED),
    "garbage between the lines": ("print('{\\xff', 17, '[]', sep='\\n'); say(INIT, WORD, RESULT)", Ending.ANSWERED, 1, REPORTED),
    "a silent hang": ("say(INIT); time.sleep(60)", Ending.SILENT, 2, RESERVED),
    "a hang after a word": ("say(INIT, WORD); time.sleep(60)", Ending.STALLED, 2, RESERVED),
    "talk without end": ("say(INIT)\nwhile True: say(WORD); time.sleep(0.05)", Ending.STALLED, 2, RESERVED),
    "deaf to requests to end": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN); say(INIT, WORD); time.sleep(60)",
        Ending.STALLED,
        2,
        RESERVED,
    ),
    "a child left behind": (
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', ARGS[0]]); say(INIT, WORD, RESULT)",
        Ending.ANSWERED,
        1,
        REPORTED,
    ),
    "numbers that are none": ("say(INIT, WORD, {**RESULT, 'total_cost_usd': float('nan')})", Ending.CRASHED, 2, RESERVED),
    "an absurd cost": ("say(INIT, WORD, {**RESULT, 'total_cost_usd': 1e300})", Ending.ANSWERED, 1, RESERVED),
    "absurd tokens": ("say(INIT, WORD, {**RESULT, 'modelUsage': {'x': {'inputTokens': 10**400}}})", Ending.ANSWERED, 1, RESERVED),
    "a bill of ten tokens for a thousand words": (
        "say(INIT, {**WORD, 'message': {'model': 'x', 'content': [{'type': 'text', 'text': 'word ' * 1000}]}}, RESULT)",
        Ending.ANSWERED,
        1,
        RESERVED,
    ),
    "an endless cost": ("say(INIT, WORD, {**RESULT, 'total_cost_usd': float('inf')})", Ending.CRASHED, 2, RESERVED),
    "an event of an odd form": ("say({'type': 'assistant', 'message': 7}, INIT, WORD, RESULT)", Ending.ANSWERED, 1, REPORTED),
    "a limit that ends in no year": (
        (
            "say(INIT, {'type': 'rate_limit_event', 'rate_limit_info': {'status': 'rejected', 'resetsAt': 10**30}}); "
            "say({**RESULT, 'is_error': True, 'api_error_status': 429})"
        ),
        Ending.API_ERROR,
        2,
        REPORTED,
    ),
    "half a character": (
        "say(INIT, WORD, {**RESULT, 'structured_output': {'nonce': NONCE, 'abstain': '\\ud800'}})",
        Ending.CRASHED,
        2,
        RESERVED,
    ),
    "a deep answer": (
        (
            "deep = []\nfor _ in range(400): deep = [deep]\n"
            "say(INIT, WORD, {**RESULT, 'structured_output': {'nonce': NONCE, 'abstain': 'so', 'x': deep}})"
        ),
        Ending.CRASHED,
        2,
        RESERVED,
    ),
    "a bottomless answer": ('say(INIT, WORD); print(\'{"type":"result","x":\' + \'[\' * 100_000)', Ending.CRASHED, 2, RESERVED),
}

HASTY: dict[str, dict[str, Any]] = {
    "a silent hang": {"first_byte_seconds": 0.5},
    "a hang after a word": {"idle_seconds": 0.3},
    "deaf to requests to end": {"idle_seconds": 0.3},
    "talk without end": {"total_seconds": 2},
}
"""Deadlines of those that only a deadline ends."""


@pytest.mark.parametrize("name", ENDS)
def test_each_end_is_told_by_its_name_and_paid_as_far_as_it_can_be_known(name: str, tmp_path: Path) -> None:
    """One retry where it can help, one line a run, and no process of the group is left."""
    does, ending, runs, paid = ENDS[name]
    stands_in = program(tmp_path, does)
    with bench(tmp_path / "home", NOWHERE, program=stands_in, **HASTY.get(name, {})) as desk:
        reply = desk.ask()
        calls = desk.calls()
    assert reply.ending is ending, reply.note
    assert [line["outcome"] for line in desk.lines()] == [ending] * runs
    (cassette,) = desk.cassettes()
    assert [attempt.ending for attempt in cassette.attempts] == [ending] * runs
    assert [call.counted for call in calls] == [call.reserved_usd if paid == RESERVED else paid for call in calls]
    assert running(tmp_path) == []
    assert list((desk.home.claude / "run").iterdir()) == []


def test_a_binary_that_is_not_there_costs_nothing_and_its_path_stays_out_of_the_records(tmp_path: Path) -> None:
    """Journals of two machines are compared."""
    with bench(tmp_path / "home", NOWHERE, program=tmp_path / "gone") as desk:
        reply, calls = desk.ask(), desk.calls()
    note = "the claude binary cannot be started: No such file or directory"
    assert (reply.ending, reply.note) == (Ending.NOT_STARTED, note)
    assert [call.counted for call in calls] == [0]


def test_a_question_that_no_command_line_can_hold_is_a_recorded_failure(tmp_path: Path) -> None:
    """Nothing that a question says may raise."""
    with bench(tmp_path / "home", NOWHERE, program=program(tmp_path, "say(INIT, WORD, RESULT)")) as desk:
        assert [desk.ask(f"d{n}", arguments=text).ending for n, text in enumerate(("a\0b", "x" * 3_000_000))] == [Ending.NOT_STARTED] * 2
