"""`sandbox alpaca` as a process of its own: what it prints is enough for any client."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.models import BarSet
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame
from click.testing import CliRunner

from trading_bot.cli.sandboxing import sandbox

KEYS = {"APCA-API-KEY-ID": "PKEMULATED", "APCA-API-SECRET-KEY": "offline"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and log of an emulator that runs sixty times as fast as the machine, from a Tuesday's noon."""
    log = tmp_path / "evidence.jsonl"
    options = [
        "--port",
        "0",
        "--requests-per-minute",
        "9000",
        "--speed",
        "60",
        "--start",
        "2024-03-05T12:00",
        "--symbols",
        "AAPL,BTC/USD",
        "--log",
        str(log),
    ]
    command = [sys.executable, "-m", "trading_bot", "sandbox", "alpaca", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        told = "".join(process.stdout.readline() for _ in range(8))
        found = re.search(r"url: (http://127\.0\.0\.1:\d+)", told)
        try:
            assert found is not None, told
            yield found[1], log
        finally:
            process.send_signal(signal.SIGINT)
            ended = process.wait(20)
    assert ended == 0


def test_time_runs_and_orders_trade_by_themselves(served: tuple[str, Path]) -> None:
    """A minute passes in a second; a client pages through bars; the evidence is in the file."""
    url, log = served
    client = StockHistoricalDataClient("PKEMULATED", "offline", url_override=url)
    bars = client.get_stock_bars(StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, limit=50))
    assert isinstance(bars, BarSet)
    assert len(bars.data["AAPL"]) == 50
    body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", "client_order_id": "a"}
    assert requests.post(f"{url}/v2/orders", json=body, headers=KEYS, timeout=5).status_code == 200
    first = requests.get(f"{url}/v2/clock", headers=KEYS, timeout=5).json()["timestamp"]
    deadline = time.monotonic() + 10
    while requests.get(f"{url}/v2/clock", headers=KEYS, timeout=5).json()["timestamp"][:16] == first[:16]:
        assert time.monotonic() < deadline
    fills = [note for note in map(json.loads, log.read_text().splitlines()) if note["kind"] == "fill"]
    assert [note["client_id"] for note in fills] == ["a"]
    assert requests.post(f"{url}/__control", json={"do": "nonsense"}, timeout=5).status_code == 422


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--start", "noon"], "2024-03-05T09:30"),
        (["--cash", "-1"], "above 0"),
        (["--data", "."], "--symbols"),
        (["--speed", "0"], "--speed"),
    ],
)
def test_wrong_options_are_told(options: list[str], told: str) -> None:
    """With what would be right, and nothing is served."""
    result = CliRunner().invoke(sandbox, ["alpaca", "--port", "0", *options])
    assert result.exit_code == 2
    assert told in result.output
