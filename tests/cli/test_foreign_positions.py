"""A position that somebody opened by hand on the desk's account: real processes at an emulated Alpaca."""

import signal
from collections.abc import Iterator

import pytest

from brokers.alpaca_bench import KEYS, Floor, floor
from cli.command_line import Desk
from cli.test_broker_mistakes import configure, sign
from cli.test_guardian_commands import process, wait_for_line

FLAT = "Flat: nothing is held and nothing rests at the broker."


@pytest.fixture
def venue(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Floor]:
    """An emulated Alpaca that is open round the clock, for a desk that trades AAPL; HARD is traded there too."""
    with floor() as on:
        configure(monkeypatch, "alpaca", on.emulator.url, KEYS)
        for name, seconds in (("INTERVAL", "0.2"), ("HEARTBEAT", "20"), ("NAKED", "2")):
            monkeypatch.setenv(f"TRADING_BOT__GUARDIAN__{name}_SECONDS", seconds)
        sign(desk, "alpaca", on.emulator.url)
        yield on


def test_the_guardian_tells_of_it_and_the_desk_lives(desk: Desk, venue: Floor) -> None:
    """It is neither sold nor a reason to kill."""
    with process("orchestrator", until="Ctrl-C stops") as running, process("guardian", until="Guarding") as guardian:
        venue.emulator.do("position_by_hand", symbol="HARD", quantity="2")
        wait_for_line(guardian, "HARD is not the desk's: HARD: 2 held")
        assert (running.poll(), guardian.poll()) == (None, None)
        ended = desk.run("protect")
    assert "HARD 2" in ended.out


def test_flatten_names_it_and_closes_it_when_told_to_end_the_desk(desk: Desk, venue: Floor) -> None:
    """A desk that lives closes what is its own; nothing is called done that is not."""
    with process("orchestrator", until="Ctrl-C stops") as running:
        venue.emulator.do("position_by_hand", symbol="HARD", quantity="2")
        ended = desk.run("flatten")
        assert (ended.code, running.poll()) == (1, None)
        assert ended.out.splitlines() == [
            "NOT FLAT: 2 HARD",
            "Not the desk's: HARD.",
            "`flatten --kill` ends the desk and closes that too; or close it where it was opened.",
        ]
        ended = desk.run("flatten", "--kill")
        assert (ended.code, running.wait(10)) == (0, -signal.SIGKILL), ended
    assert ended.out.splitlines()[-1] == FLAT
    found = desk.run("reconcile", "--json").out
    assert "HARD" not in found


def test_flatten_without_a_desk_closes_it(desk: Desk, venue: Floor) -> None:
    """The desk's part first, if there ever was one; then all the rest."""
    venue.emulator.do("position_by_hand", symbol="HARD", quantity="2")
    ended = desk.run("flatten")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, FLAT), ended
