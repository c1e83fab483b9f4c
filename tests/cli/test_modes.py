"""A person at a terminal: signing, the running paper desk, halting, resuming, stopping; and what a program may not do in his place."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cli.command_line import PASSPHRASE, Desk
from trading_bot.domain.mandate import Mode
from trading_bot.risk.operator import PRIVATE_KEY

LIVE = ("orchestrator", "--orchestrator-mode", "live")


@contextmanager
def running(desk: Desk) -> Iterator[subprocess.Popen[str]]:
    """A paper desk on the real clock in a process of its own, up and waiting."""
    environment = {
        **os.environ,
        "TRADING_BOT_HOME": str(desk.home),
        "TRADING_BOT_OPERATOR_DIR": str(desk.operator),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "trading_bot", "orchestrator"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - our own command
        try:
            for line in process.stdout or ():
                if line.startswith("Ctrl-C stops"):
                    break
            yield process
        finally:
            process.kill()


def test_a_paper_desk_without_a_mandate_says_mandate_sign(desk: Desk) -> None:
    """It does not start."""
    for command in (("orchestrator",), ("run", "pre-market"), LIVE):
        ended = desk.run(*command)
        assert (ended.code, ended.out) == (78, "")
        assert "`mandate sign`" in ended.err


def test_a_mandate_is_signed_at_a_terminal_and_then_holds(desk: Desk) -> None:
    """The first signature makes the operator's key; the passphrase is never shown."""
    with desk.at_terminal("mandate", "sign") as child:
        child.expect("New passphrase.*: ")
        child.sendline(PASSPHRASE)
        child.expect("The same again: ")
        child.sendline(PASSPHRASE)
        child.expect("Type SIGN to sign")
        child.sendline("SIGN")
        child.expect("Signed: ")
    verified = desk.run("mandate", "verify")
    assert verified.code == 0
    assert "DOES NOT HOLD" not in verified.out
    assert PASSPHRASE not in desk.run("mandate", "show").out


def test_no_mandate_is_signed_for_a_simulated_desk(traded: Desk) -> None:
    """Its home is never traded on the real clock, so the signature would be for nothing: said before a passphrase is asked for."""
    with traded.at_terminal("mandate", "sign") as child:
        child.expect("holds a desk on a simulated clock: go on with it with --fast, or name another home")
    assert not traded.home.joinpath("mandate.yaml").exists()


def test_other_words_than_sign_sign_nothing(desk: Desk) -> None:
    """And a wrong passphrase neither."""
    desk.sign_mandate()
    (desk.home / "mandate.sig").unlink()
    for passphrase, words in ((PASSPHRASE, "sure"), ("something else", "SIGN")):
        with desk.at_terminal("mandate", "sign") as child:
            child.expect("Operator's passphrase: ")
            child.sendline(passphrase)
            child.expect("Type SIGN to sign")
            child.sendline(words)
            child.expect("error ")
    assert not (desk.home / "mandate.sig").exists()


def test_nothing_is_signed_from_a_pipe(desk: Desk) -> None:
    """A program cannot sign, and no key is made for it."""
    ended = desk.run("mandate", "sign")
    assert ended.code == 78
    assert "has to be typed by a person at a terminal" in ended.err
    assert not desk.operator.exists()


def test_an_edited_mandate_stops_the_desk(desk: Desk) -> None:
    """One digit is enough."""
    desk.sign_mandate()
    file = desk.home / "mandate.yaml"
    file.write_text(file.read_text("utf-8").replace("position: '0.15'", "position: '0.95'"), "utf-8")
    assert "error [mandate_tampered]" in desk.run("orchestrator").err
    assert desk.run("mandate", "verify").code == 1


def test_an_expired_mandate_stops_the_desk(desk: Desk) -> None:
    """The message says when it ended."""
    desk.sign_mandate(issued=datetime.now(UTC) - timedelta(days=400))
    assert "error [mandate_expired]" in desk.run("orchestrator").err


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("BROKER__ACCOUNT", "other", "it is for paper-1, and the desk trades other"),
        ("RISK__LIMITS__POSITION", "0.2", "was changed after signing"),
    ],
)
def test_a_mandate_for_something_else_stops_the_desk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """Another account, other limits."""
    desk.sign_mandate()
    monkeypatch.setenv(f"TRADING_BOT__{variable}", value)
    ended = desk.run("orchestrator")
    assert ended.code == 78
    assert message in ended.err


def test_live_refuses_a_paper_mandate(desk: Desk) -> None:
    """Paper money's limits are not those of real money."""
    desk.sign_mandate()
    assert "it is for paper, and the desk runs live" in desk.run(*LIVE).err


def test_live_refuses_without_a_person(desk: Desk) -> None:
    """The words are not taken from a pipe."""
    desk.sign_mandate(Mode.LIVE)
    ended = desk.run(*LIVE)
    assert ended.code == 78
    assert "'TRADE REAL MONEY' has to be typed by a person at a terminal" in ended.err


@pytest.mark.parametrize(("words", "message"), [("yes", "other words were typed"), ("TRADE REAL MONEY", "broker.name is paper")])
def test_live_refuses_other_words_and_a_broker_without_real_money(desk: Desk, words: str, message: str) -> None:
    """No desk comes up either way."""
    desk.sign_mandate(Mode.LIVE)
    with desk.at_terminal(*LIVE) as child:
        child.expect("Type TRADE REAL MONEY to go on: ")
        child.sendline(words)
        child.expect(re.escape(message))
    assert not (desk.home / "journal.db").exists()


def test_no_passphrase_or_key_is_in_sight(desk: Desk) -> None:
    """Neither in what a desk prints and shows, nor in any file of its home."""
    desk.sign_mandate()
    secret = (desk.operator / PRIVATE_KEY).read_text("utf-8").splitlines()[1]
    with desk.at_terminal("mandate", "sign") as child:
        child.logfile_read = seen = io.StringIO()
        child.expect("Operator's passphrase: ")
        child.sendline(PASSPHRASE)
        child.expect("Type SIGN to sign")
        child.sendline("SIGN")
        child.expect("Signed: ")
    said = [seen.getvalue(), *(desk.run(*command).out for command in (("run", "monitor"), ("mandate", "show"), ("status",), ("doctor",)))]
    kept = [file.read_bytes() for file in desk.home.rglob("*") if file.is_file()]
    for hidden in (PASSPHRASE, secret):
        assert not any(hidden in text for text in said)
        assert not any(hidden.encode() in content for content in kept)


def test_a_running_desk_is_shown_halted_resumed_and_flattened_from_outside(desk: Desk) -> None:
    """The owner carries out what other processes ask; a second desk is refused, and a cron job leaves the work to the first."""
    desk.sign_mandate()
    with running(desk) as process:
        assert '"clock": "real"' in desk.run("status", "--json").out
        second = desk.run("orchestrator")
        assert second.code == 1
        assert f"is owned by process {process.pid} (orchestrator, since " in second.err
        assert json.loads(desk.run("status", "--json").out)["owner"]["pid"] == process.pid
        cron = desk.run("run", "monitor")
        assert cron.code == 0
        assert "nothing to do: the desk that runs here does its monitor itself" in cron.out
        assert desk.run("halt").out.endswith("halt: done. The desk is halted; it holds no position.\n")
        assert '"desk_state": "halted"' in desk.run("status", "--json").out
        assert "has to be typed by a person" in desk.run("resume").err
        with desk.at_terminal("resume") as child:
            child.expect("Operator's passphrase: ")
            child.sendline(PASSPHRASE)
            child.expect("resume: done.")
        assert '"desk_state": "running"' in desk.run("status", "--json").out
        assert "flatten: done." in desk.run("halt", "--flatten").out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_desk_cleanly_and_a_start_goes_on(desk: Desk, number: signal.Signals) -> None:
    """Exit status 0, no owner left, and the journal intact."""
    desk.sign_mandate()
    for _ in range(2):
        with running(desk) as process:
            process.send_signal(number)
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Stopped. Start again to go on where it stopped" in said
        assert "Traceback" not in said
    assert '"owner": null' in desk.run("status", "--json").out
    assert desk.run("audit", "verify").code == 0


def test_a_real_home_is_not_simulated(desk: Desk) -> None:
    """The other way round is refused too."""
    desk.sign_mandate()
    desk.run("run", "monitor")
    ended = desk.run("orchestrator", "--fast")
    assert ended.code == 78
    assert "holds a desk on a real clock: go on with it without --fast" in ended.err
