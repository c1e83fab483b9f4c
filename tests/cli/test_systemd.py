"""Desks as systemd runs them: real processes that say on a real socket that they are up and go round. 5 s each: a desk comes up."""

import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.command_line import Desk
from trading_bot.cli.kinds import KINDS

_PATIENCE_S = 60.0
STARTS = {"stocks": ["orchestrator"], "coins": ["trader", "start"]}
TRADED = {"stocks": "AAPL", "coins": "BTCUSDT"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_desk_is_ready_once_it_has_caught_up_goes_round_and_ends_with_0(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """On SIGTERM, as `systemctl stop` sends it: not a failure that would start it again."""
    monkeypatch.setenv(KINDS[kind].variable, str(desk.home))
    monkeypatch.setenv("TRADING_BOT__SOURCE__NAME", "synthetic")
    monkeypatch.setenv("TRADING_BOT__SOURCE__SYNTHETIC__START", (datetime.now(UTC) - timedelta(days=5)).date().isoformat())
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("TRADING_BOT__UNIVERSE__SYMBOLS", f"[{TRADED[kind]}]")
    desk.sign_mandate(desk=kind, universe__symbols=[TRADED[kind]])
    command = [sys.executable, "-m", "trading_bot", *STARTS[kind], "--analyst", "rules"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(_PATIENCE_S)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - our own command
            try:
                heard = [door.recv(100) for _ in range(3)]
                process.send_signal(signal.SIGTERM)
                said = process.communicate(timeout=_PATIENCE_S)[0]
            finally:
                process.kill()
    assert (heard, process.returncode) == ([b"WATCHDOG=1", b"READY=1", b"WATCHDOG=1"], 0), said


def test_a_desk_that_only_a_person_can_help_is_never_up(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a mandate: status 78, for which no unit starts it again."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(0)
        assert [desk.run(*start).code for start in STARTS.values()] == [78, 78]
        with pytest.raises(BlockingIOError):
            door.recv(100)
