"""`stop`: the desk that runs in a home ends cleanly, and only that process gets a signal."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cli.command_line import Desk

STUBBORN = """
import signal, sys, time
from datetime import UTC, datetime
from pathlib import Path
from trading_bot.storage.home import Home
signal.signal(signal.SIGTERM, signal.SIG_IGN)
home = Home(Path(sys.argv[1]))
home.prepare()
with home.lock(sys.argv[2], datetime.now(UTC)):
    print("up", flush=True)
    time.sleep(60)
"""


@contextmanager
def process(*arguments: str, until: str) -> Iterator[subprocess.Popen[str]]:
    """Python in a process of its own, up as soon as it printed `until`."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:  # noqa: S603 - our own command
        try:
            said = [next(line for line in started.stdout or () if line.startswith(until))]
            assert said
            yield started
        finally:
            started.kill()


@pytest.fixture(name="live_market")
def _live_market(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of this moment without a network."""
    monkeypatch.setenv("TRADING_BOT__SOURCE__NAME", "synthetic")
    monkeypatch.setenv("TRADING_BOT__SOURCE__SYNTHETIC__START", (datetime.now(UTC) - timedelta(days=10)).date().isoformat())


@pytest.mark.usefixtures("live_market")
def test_the_running_trader_is_shown_and_stopped_from_outside(trader: Desk) -> None:
    """It says so on both sides, and leaves the home to the next."""
    trader.sign_mandate(desk="coins")
    with process("-m", "trading_bot", "trader", "start", "--analyst", "rules", until="Ctrl-C stops") as desk:
        status = json.loads(trader.run("status", "--json").out)
        stopped = trader.run("stop")
        said = desk.communicate(timeout=30)[0]
    assert status["owner"]["pid"] == desk.pid
    assert (status["mode"], status["clock"], status["trade"], status["failures"]) == ("paper", "real", None, 0)
    assert status["next_task"]["task"].startswith("look-")
    assert (stopped.code, desk.returncode) == (0, 0)
    assert stopped.out.startswith(f"Stopped: process {desk.pid} (orchestrator, since ")
    assert "Stopped. Start again to go on where it stopped; positions keep their stops at the broker." in said
    assert trader.run("stop").out == f"No desk runs in {trader.home}.\n"


def test_a_home_without_a_desk_has_nothing_to_stop(desk: Desk) -> None:
    """Looking makes nothing, and it is no error: nothing runs."""
    ended = desk.run("stop")
    assert (ended.code, ended.out) == (0, f"No desk runs in {desk.home}.\n")
    assert not desk.home.exists()


def test_a_desk_that_does_not_end_in_time_is_named_with_what_to_do(desk: Desk) -> None:
    """Nobody waits for ever, and nothing is killed."""
    with process("-c", STUBBORN, str(desk.home), "orchestrator", until="up") as hanging:
        ended = desk.run("stop", "--wait", "1")
        assert ended.code != 0
        assert f"is owned by process {hanging.pid} (orchestrator, since " in ended.err
        assert "was asked to end and has not within 1 s. Stops rest at the broker." in ended.err
        assert "`flatten --kill`" in ended.err
        assert hanging.poll() is None


def test_another_command_on_the_home_is_not_ended(desk: Desk) -> None:
    """It is no desk, and ends by itself."""
    with process("-c", STUBBORN, str(desk.home), "command", until="up") as other:
        ended = desk.run("stop")
        assert ended.out.startswith(f"No desk runs in {desk.home}, but process {other.pid} (command, since ")
        assert other.poll() is None


def test_a_lock_that_names_somebody_else_gets_nobody_a_signal(desk: Desk) -> None:
    """A process id in a file proves nothing: the kernel has to say the same."""
    with process("-c", STUBBORN, str(desk.home), "orchestrator", until="up"), subprocess.Popen(["/bin/sleep", "60"]) as innocent:
        lock = desk.home / "desk.lock"
        lock.write_text(json.dumps({**json.loads(lock.read_text("utf-8")), "pid": innocent.pid}), "utf-8")
        ended = desk.run("stop")
        assert "the system does not confirm which process that is: end it by hand" in ended.err
        assert innocent.poll() is None
        innocent.kill()
