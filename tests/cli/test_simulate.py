"""`claude-trader simulate`: rounds on a simulated clock with nothing set, over invented or recorded prices; killed, and gone on with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command_line import Desk, Outcome
from trading_bot.execution.clock import SystemWallClock
from trading_bot.storage.home import Home

COIN = ("--symbols", "BTCUSDT")


def exported(trader: Desk, home: Path | None = None) -> str:
    """What happened, without wall times and recovery."""
    ended = trader.run("--home", (home or trader.home) / "simulated", "journal", "export")
    assert ended.code == 0
    return ended.out


def looks(ended: Outcome) -> list[str]:
    """Time and task of each line of a run."""
    return [" ".join(line.split()[:4]) for line in ended.err.splitlines() if " UTC  " in line]


def test_it_needs_nothing_and_says_each_look_and_what_it_came_to(trader: Desk) -> None:
    """No key, no mandate, no setting; the home of the real desk stays as it was."""
    ended = trader.run("simulate", "--cycles", "3", *COIN)
    assert ended.code == 0
    assert looks(ended) == [f"2024-03-05 00:{minute} UTC look-00{minute}" for minute in ("00", "15", "30")]
    assert [line.split()[0] for line in ended.out.splitlines() if line.startswith(" ") and line.strip()] == [
        "looks", "woken", "trades", "profit", "funding", "equity", "models",
    ]  # fmt: skip
    assert "Went round 3 times in all; --cycles 6 goes on, --fresh begins anew." in ended.out
    assert [path.name for path in trader.home.iterdir()] == ["simulated"]


def test_going_on_is_the_same_as_going_at_once(trader: Desk, tmp_path: Path) -> None:
    """And a finished one, asked again, does nothing and says so."""
    for cycles in ("2", "5", "5"):
        last = trader.run("simulate", "--cycles", cycles, *COIN)
    assert (last.code, looks(last)) == (0, [])
    assert "Went round 5 times in all; --cycles 10 goes on" in last.out
    assert trader.run("--home", tmp_path / "other", "simulate", "--cycles", "5", *COIN).code == 0
    assert exported(trader) == exported(trader, tmp_path / "other")


def test_killed_it_goes_on_where_it_died(trader: Desk, tmp_path: Path) -> None:
    """With kill -9, as soon as a look has ended."""
    command = [sys.executable, "-m", "trading_bot", "trader", "simulate", "--cycles", "8", *COIN]
    with subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own command
        first = next(line for line in process.stderr or () if "look-0000" in line)
        assert first
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert trader.run("simulate", "--cycles", "8", *COIN).code == 0
    assert trader.run("--home", tmp_path / "other", "simulate", "--cycles", "8", *COIN).code == 0
    assert exported(trader) == exported(trader, tmp_path / "other")


def test_another_simulation_is_not_mixed_into_one_that_was_begun(trader: Desk, shared: Path) -> None:
    """Other coins, days, prices or chance: --fresh begins anew, and then they hold."""
    assert trader.run("simulate", "--cycles", "1", *COIN).code == 0
    data = shared / "data" / "crypto_bybit_linear_5m"
    for other in (("--symbols", "ETHUSDT"), ("--start", "2024-03-09", *COIN), ("--data", data, *COIN), ("--seed", "7", *COIN)):
        ended = trader.run("simulate", "--cycles", "1", *other)
        assert (ended.code, ended.out) == (78, "")
        assert ended.err.endswith("; or begin anew with --fresh\n")
    ended = trader.run("simulate", "--cycles", "1", "--seed", "7", "--start", "2024-03-09", "--fresh", *COIN)
    assert looks(ended) == ["2024-03-09 00:00 UTC look-0000"]


def test_nothing_of_a_desk_on_the_real_clock_is_deleted(trader: Desk) -> None:
    """Nor of a simulation that runs."""
    assert trader.run("simulate", "--cycles", "1", *COIN).code == 0
    home = trader.home / "simulated"
    with Home(home).lock("orchestrator", SystemWallClock().now()):
        assert "stop that process first" in trader.run("simulate", "--fresh", "--cycles", "1", *COIN).err
    assert home.joinpath("journal.db").exists()


def test_recorded_prices_begin_with_history_behind_them_and_end_where_they_end(trader: Desk, shared: Path) -> None:
    """Without --symbols it trades the coins that the files hold."""
    data = ("--data", shared / "data" / "crypto_bybit_linear_5m")
    first = trader.run("simulate", "--cycles", "2", *data)
    assert looks(first) == ["2025-10-08 00:00 UTC look-0000", "2025-10-08 00:15 UTC look-0015"]
    last = trader.run("simulate", "--cycles", "60", "--interval", "360", "--start", "2025-12-31", "--fresh", *data, *COIN)
    assert "Went round 4 times in all; the recorded prices end here, --fresh begins anew." in last.out


BARS = "ts,open,high,low,close,volume\n" + "".join(f"2024-01-{day:02d}T00:00:00Z,10,11,9,10,5\n" for day in range(1, 6))
DATA = {
    ("missing",): "there is no such file or folder",
    ("empty",): "no bars in the files",
    ("short", *COIN): "and the first look would be on 2024-01-15: before it 14 days are needed; --start chooses",
    ("short", "--start", "2024-02-01", *COIN): "choose another --start",
    ("short", "--symbols", "NOSUCHUSDT"): "NOSUCHUSDT: no bars in the files; they hold BTCUSDT",
}


@pytest.mark.parametrize(("arguments", "message"), DATA.items())
def test_recorded_prices_that_cannot_serve_are_named(trader: Desk, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """With what there is, and nothing is begun."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "BTCUSDT_1d.csv").write_text(BARS, "utf-8")
    ended = trader.run("simulate", "--cycles", "1", "--data", *arguments)
    assert ended.code != 0
    assert message in ended.err
    assert not (trader.home / "simulated" / "journal.db").exists()


def test_what_is_no_coin_is_not_traded_round_the_clock(trader: Desk) -> None:
    """A stock keeps an exchange's hours."""
    ended = trader.run("simulate", "--cycles", "1", "--symbols", "BTCUSDT,AAPL")
    assert ended.code != 0
    assert "AAPL" in ended.err
    assert "such as BTCUSDT" in ended.err
    assert not trader.home.exists()


def test_what_is_unusual_wakes_the_desk_between_two_looks(trader: Desk, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told in a line of its own, and counted at the end."""
    monkeypatch.setenv("TRADING_BOT__TRADER__ANOMALIES__VOLATILITY", "0.3")
    data = ("--data", shared / "data" / "crypto_bybit_linear_5m", "--symbols", "SOLUSDT")
    ended = trader.run("simulate", "--cycles", "9", *data)
    woken = [line for line in looks(ended) if "wake-" in line]
    assert woken
    assert f"woken    {len(woken)} times between two looks" in ended.out
