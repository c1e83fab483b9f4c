"""`claude-trader`: the same tree with another kind of desk, its own home and settings, and messages in its own words."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.command_line import PASSPHRASE, Desk
from trading_bot import config
from trading_bot.cli.kinds import COINS, STOCKS
from trading_bot.storage.journal import SqlJournal


def invented_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market that needs no network, with a past just long enough."""
    monkeypatch.setenv("TRADING_BOT__SOURCE__NAME", "synthetic")
    monkeypatch.setenv("TRADING_BOT__SOURCE__SYNTHETIC__START", (datetime.now(UTC) - timedelta(days=10)).date().isoformat())


def test_it_has_all_that_a_desk_of_stocks_has_but_what_runs_stocks() -> None:
    """And `start`, `test`, `simulate` and `history` besides; every command is one row of a table."""
    assert STOCKS.commands.keys() - COINS.commands.keys() == {"orchestrator", "run", "trader"}
    assert COINS.commands.keys() - STOCKS.commands.keys() == {"start", "test", "simulate", "history"}


def test_three_spellings_are_one_program(trader: Desk, desk: Desk) -> None:
    """`claude-trader`, `python -m trading_bot trader` and `--desk coins` say the same of the same home, in the trader's words."""
    said = [trader.run("mandate", "show"), desk.run("trader", "mandate", "show"), desk.run("--desk", "coins", "mandate", "show")]
    missing = f"{trader.home}/mandate.yaml does not exist; `claude-trader mandate sign` makes one from the configuration"
    assert said[0].err == f"error [mandate_missing]: {missing}\n"
    assert said == [said[0]] * 3


def test_it_keeps_house_beside_the_desk_of_stocks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In `var-trader`, or where its own variable says, or --home, which wins; never in the other desk's home."""
    (desk.home.parent / "elsewhere").mkdir()
    for arguments, wanted in (((), "var-trader"), (("--home", "elsewhere"), "elsewhere")):
        assert desk.run("trader", *arguments, "status").err.startswith(f"Error: {wanted} has no journal yet")
        assert desk.run(*arguments, "trader", "status").err.startswith(f"Error: {wanted} has no journal yet")
    monkeypatch.setenv(COINS.variable, "mine")
    assert desk.run("trader", "status").err == (
        "Error: mine has no journal yet: start a desk with `claude-trader start`, or name its home with --home or TRADING_BOT_TRADER_HOME\n"
    )
    assert desk.run("status").err.startswith(f"Error: {desk.home} has no journal yet: start a desk with `orchestrator`")


def test_it_reads_its_own_settings_and_never_those_of_the_stocks(trader: Desk, tmp_path: Path) -> None:
    """A typo in `config.yaml` is none of its business, one in `trader.yaml` is."""
    (tmp_path / "config.yaml").write_text("nonsense: 1\n", "utf-8")
    assert "mandate" in trader.run("start").err
    (tmp_path / "trader.yaml").write_text("trader:\n  intervall_minutes: 5\n", "utf-8")
    ended = trader.run("start")
    assert ended.err == "error [config_invalid]: trader.yaml, line 2: trader.intervall_minutes is not a known setting (a typo?)\n"


def test_settings_of_a_desk_of_stocks_are_refused_by_name(trader: Desk, tmp_path: Path) -> None:
    """Their limits were not written for coins."""
    (tmp_path / "config.yaml").write_text("seed: 3\ndesk: stocks\n", "utf-8")
    ended = trader.run("--config", "config.yaml", "simulate")
    assert ended.err == (
        "error [config_invalid]: config.yaml, line 2: desk is stocks, and a desk of coins was asked for: name that desk's own settings "
        "with --config\n"
    )


USAGE = {
    ("start", "--interval", "0"): "0 is not in the range 1<=x<=1440",
    ("start", "--interval", "10000"): "10000 is not in the range 1<=x<=1440",
    ("start", "--venue", "binance"): "'binance' is not one of 'paper', 'bybit'",
    ("start", "--analyst", "oracle"): "is not one of",
    ("test", "--interval", "0"): "0 is not in the range",
    ("simulate", "--cycles", "0"): "0 is not in the range x>=1",
    ("simulate", "--start", "2024-02-30"): "does not match the format",
    ("simulate", "--interval", "2.5"): "'2.5' is not a valid integer",
    ("history", "--limit", "0"): "0 is not in the range x>=1",
    ("stop", "--wait", "0"): "0 is not in the range",
    ("orchestrator",): "No such command",
}


@pytest.mark.parametrize(("command", "message"), USAGE.items())
def test_what_makes_no_sense_is_a_usage_error(trader: Desk, command: tuple[str, ...], message: str) -> None:
    """Exit status 2, and nothing is made."""
    ended = trader.run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert message in " ".join(ended.err.split())
    assert not trader.home.exists()


@pytest.mark.parametrize("interval", ["0", "1441", "10000", "soon"])
def test_an_interval_in_the_settings_is_held_to_the_same_bounds(trader: Desk, tmp_path: Path, interval: str) -> None:
    """By file and line."""
    (tmp_path / "trader.yaml").write_text(f"trader:\n  interval_minutes: {interval}\n", "utf-8")
    ended = trader.run("simulate", "--cycles", "1")
    assert ended.code != 0
    assert ended.err.startswith("error [config_invalid]: trader.yaml, line 2: trader.interval_minutes must be ")


def test_a_desk_of_stocks_is_not_gone_on_with_as_one_of_coins(traded: Desk) -> None:
    """Said before any mandate is asked for."""
    ended = traded.run("trader", "--home", traded.home, "start")
    assert ended.err == (
        f"error [home_mismatch]: {traded.home} holds a desk of stocks, and this is one of coins: name another home with --home or "
        "TRADING_BOT_TRADER_HOME\n"
    )


def test_a_desk_on_the_real_clock_needs_a_signed_mandate(trader: Desk) -> None:
    """The message is one to type."""
    ended = trader.run("start")
    assert ended.code != 0
    assert "`claude-trader mandate sign`" in ended.err


def test_real_money_needs_the_venue_the_settings_the_mandate_and_a_persons_words(trader: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked for in turn; a program cannot type the last."""
    assert "bybit.environment is demo, and this desk is live" in trader.run("start", "--live", "--venue", "bybit").err
    monkeypatch.setenv("TRADING_BOT__BYBIT__ENVIRONMENT", "live")
    assert "bybit.environment is live, and this desk is paper" in trader.run("start", "--venue", "bybit").err
    assert "error [mandate_missing]" in trader.run("start", "--live", "--venue", "bybit").err
    said = subprocess.run(
        [sys.executable, "-m", "trading_bot", "trader", "mandate", "sign", "--mode", "live", "--venue", "bybit"],
        input="SIGN\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "has to be typed by a person at a terminal" in said.stderr


def test_what_start_will_be_told_is_signed_for(trader: Desk) -> None:
    """Coins and venue are the mandate's: other flags than those that were signed for do not hold."""
    with trader.at_terminal("trader", "mandate", "sign", "--symbols", "BTCUSDT,ETHUSDT") as child:
        child.expect("New passphrase.*: ")
        child.sendline(PASSPHRASE)
        child.expect("The same again: ")
        child.sendline(PASSPHRASE)
        child.expect("Type SIGN to sign")
        child.sendline("SIGN")
        child.expect(r"until \w{3} [\d-]+ [\d:]+ UTC. `claude-trader start` starts the desk.")
    assert trader.run("mandate", "verify", "--symbols", "BTCUSDT,ETHUSDT").code == 0
    assert trader.run("mandate", "verify").code == 1
    assert "was changed after signing" in trader.run("start", "--analyst", "rules", "--symbols", "BTCUSDT").err


def test_a_guardian_does_not_watch_another_venue_than_the_desk_trades_at(trader: Desk) -> None:
    """There it would see that all is well."""
    trader.home.mkdir()
    with SqlJournal.open(trader.home / "journal.db") as journal:
        journal.bind({"clock kind": "real"})
        journal.remember("config", config.load(flags={"desk": "coins", "broker.name": "bybit"}).canonical())
    assert trader.run("guardian", "--once").err == (
        f"error [home_mismatch]: the desk in {trader.home} last traded at bybit, and these settings name paper: "
        "write `broker: bybit` into trader.yaml, or start the desk with these settings first\n"
    )


def test_test_names_everything_with_its_fix(trader: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without binary, login and mandate, with an interval that the calls of an hour do not reach for."""
    invented_now(monkeypatch)
    monkeypatch.setenv("TRADING_BOT__CLAUDE__BINARY", "no-such-claude")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    ended = trader.run("test", "--interval", "1", "--json")
    found = {one["name"]: one for one in json.loads(ended.out)}
    assert ended.code == 1
    assert {name for name, one in found.items() if not one["passed"]} == {"claude binary", "claude billing", "claude budget", "mandate"}
    assert all(bool(one["fix"]) is not one["passed"] for one in found.values())
    assert {"configuration", "home", "broker", "mode", "data", "clock"} <= found.keys()
    assert found["claude budget"]["fix"] == "look every 2 minutes or less often (--interval), or raise budget.calls_per_hour"
    assert "`claude-trader mandate sign`" in trader.run("test").out


def test_test_says_which_coin_cannot_be_traded(trader: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is no coin; and more leverage at the venue than the limits allow."""
    invented_now(monkeypatch)
    monkeypatch.setenv("TRADING_BOT__BYBIT__LEVERAGE", "5")
    found = {one["name"]: one for one in json.loads(trader.run("test", "--analyst", "rules", "--symbols", "BTCUSDT,AAPL", "--json").out)}
    assert not found["data"]["passed"]
    assert "AAPL" in found["data"]["seen"] + found["data"]["fix"]
    found = {one["name"]: one for one in json.loads(trader.run("test", "--analyst", "rules", "--venue", "bybit", "--json").out)}
    assert found["broker"]["fix"] == "bybit.leverage is 5, and risk.limits.leverage allows 3: set bybit.leverage to 3 or less"
