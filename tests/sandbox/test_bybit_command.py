"""`sandbox bybit` as a user starts it: what it prints, what it trades, and how it ends."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pybit.unified_trading import HTTP


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the command at any free port."""
    command = [sys.executable, "-m", "trading_bot", "sandbox", "bybit", "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command


def address(process: subprocess.Popen[str]) -> str:
    """The address that it prints."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"url: (http://127\.0\.0\.1:\d+)", line):
            return found[1]
    pytest.fail("it said no address")


def test_any_client_may_trade_what_the_command_serves(tmp_path: Path) -> None:
    """With the key that was asked for; the log is kept, and Ctrl-C ends it."""
    log = tmp_path / "log.jsonl"
    with start("--symbols", "SOLUSDT", "--key", "mine", "--secret", "known", "--cash", "777", "--log", str(log)) as process:
        client = HTTP(api_key="mine", api_secret="known", max_retries=1, retry_codes={-1})  # noqa: S106 - of an emulator
        client.endpoint = address(process)
        assert client.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]["totalEquity"] == "777"
        assert client.place_order(category="linear", symbol="SOLUSDT", side="Buy", orderType="Market", qty="1")["retCode"] == 0
        client.client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
    assert '"kind":"request"' in log.read_text("utf-8")


def test_recorded_prices_are_served_at_their_time(shared: Path) -> None:
    """Faster than they were; without a time to begin at it is refused."""
    file = shared / "data" / "crypto_bybit_linear_5m" / "BTCUSDT_5m_2025-09-24_to_12-31.parquet"
    said = ("--data", str(file), "--symbols", "BTCUSDT", "--category", "linear")
    with start(*said, "--start", "2025-10-01T00:00:00", "--speed", "600") as process:
        url = address(process)
        answer = requests.get(f"{url}/v5/market/tickers?category=linear&symbol=BTCUSDT", timeout=20).json()
        assert 100_000 < float(answer["result"]["list"][0]["lastPrice"]) < 130_000
        assert 1759276800000 <= answer["time"] < 1759276800000 + 3_600_000
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
    with start(*said) as process:
        assert process.wait(timeout=20) == 2
