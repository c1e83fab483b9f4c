"""The asking process dies, or is not alone: the ledger never says less than was charged, and no answer is paid twice."""

import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from llm.manager_kit import bench, charged, conversations, program, running
from trading_bot.llm.calls import Ending
from trading_bot.sandbox.claude_api import ClaudeApi

NOWHERE = "http://127.0.0.1:9"
LIMIT = Decimal("1.2")


def forked(work: Callable[[], None], *, seconds: float = 0) -> int:
    """Do work in a child process; its number. `seconds`: after which it is killed, as by SIGKILL."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # edge: whatever happens in the child must become its exit status
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def wait_until(met: Callable[[], bool]) -> None:
    """Look again and again, for half a minute at most."""
    never = threading.Event()
    assert any(met() or never.wait(0.01) for _ in range(3000))


def test_an_answer_that_was_kept_is_not_asked_again(tmp_path: Path) -> None:
    """A desk that died before it journaled its decision asks the same once more, and gets what was paid for."""
    with ClaudeApi() as api:
        with bench(tmp_path / "home", api.url) as desk:
            first = desk.ask()
        with bench(tmp_path / "home", api.url) as resumed:
            assert resumed.ask() == first
            assert len(resumed.calls()) == 1
            assert resumed.ask(arguments="2").ending is Ending.ANSWERED
    assert conversations(api) == 2


def test_a_process_killed_at_any_moment_of_a_call_leaves_a_ledger_that_says_enough(tmp_path: Path) -> None:
    """At random: the binary dies too, its token file is swept, the reservation stays counted."""
    drawn = random.Random(11)
    home = tmp_path / "home"
    decisions = [f"d{n}" for n in range(12)]
    with ClaudeApi() as api:

        def work(decision: str) -> None:
            with bench(home, api.url) as desk:
                desk.ask(decision)

        for decision in decisions:
            child = forked(lambda of=decision: work(of), seconds=drawn.uniform(0.05, 1.1))  # type: ignore[misc]
            os.waitpid(child, 0)
            wait_until(lambda: running(home) == [])
        with bench(home, api.url) as desk:
            assert sum(map(desk.settled, decisions), Decimal(0)) >= charged(api)
            assert {desk.ask(decision).ending for decision in decisions[-4:]} == {Ending.ANSWERED}
            assert sum(map(desk.settled, decisions), Decimal(0)) >= charged(api)
    assert list((home / "claude" / "run").iterdir()) == []


def test_two_processes_never_spend_more_than_the_day_allows_together(tmp_path: Path) -> None:
    """Every run is cut off and counts at its reservation: so many start as the limit holds, and not one more."""
    home, started = tmp_path / "home", tmp_path / "started"
    stands_in = program(tmp_path, f"os.write(os.open({str(started)!r}, os.O_APPEND | os.O_CREAT | os.O_WRONLY), b'x'); say(INIT, WORD)")
    limits = {"claude_usd_per_day": str(LIMIT), "breaker_failures": 1000}

    def work(name: str) -> None:
        with bench(home, NOWHERE, program=stands_in, budget=limits) as desk:
            for number in range(5):
                desk.ask(f"{name}-{number}")

    with bench(home, NOWHERE, program=stands_in, budget=limits) as desk:
        children = [forked(lambda of=name: work(of)) for name in ("a", "b", "c")]  # type: ignore[misc]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        calls = [call for name in ("a", "b", "c") for number in range(5) for call in desk.calls(f"{name}-{number}")]
    assert sum(call.counted for call in calls) <= LIMIT
    assert len(calls) == len(started.read_bytes()) == int(LIMIT / calls[0].reserved_usd)
