"""`sandbox conformance` as a user with keys runs it, against both emulators: what it tells, and what it leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from trading_bot.bootstrap.trying import tiny
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
from trading_bot.sandbox.alpaca.making import invented_market
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.sandbox.bybit.api import BybitApi
from trading_bot.sandbox.bybit.making import invented
from trading_bot.sandbox.bybit.service import Setup as BybitSetup
from trading_bot.sandbox.exchange.clock import EmulatedClock

SECRET = "the-secret-of-this-test"  # noqa: S105 - of an emulator
KEYS = {"ALPACA_API_KEY": "PKEMULATED", "ALPACA_SECRET_KEY": SECRET, "BYBIT_API_KEY": "key-of-this-test", "BYBIT_API_SECRET": SECRET}


@contextmanager
def alpaca() -> Iterator[tuple[AlpacaEmulator, dict[str, str]]]:
    """A venue with a share and a coin, open round the clock, and where it is."""
    market = invented_market(("F", "BTC/USD"), open_calendar, seed=1, always_open=True)
    setup = Setup(secret=SECRET, requests_per_minute=60_000)
    with AlpacaEmulator(market, EmulatedClock.running(SystemWallClock()), setup) as emulator:
        yield emulator, {"ENVIRONMENT": "paper", "URL": emulator.url, "REQUESTS_PER_MINUTE": "6000"}


@contextmanager
def bybit() -> Iterator[tuple[BybitApi, dict[str, str]]]:
    """A venue with a perpetual, and where it is."""
    wall = SystemWallClock()
    setup = BybitSetup(invented([Symbol("BTCUSDT")], 1, open_calendar, categories=["linear"]), EmulatedClock.running(wall), wall)
    with BybitApi(setup) as api:
        yield api, {"ENVIRONMENT": "demo", "CATEGORY": "linear", "URL": api.url, "REQUESTS_PER_SECOND": "100"}


def started(home: Path, venue: str, where: dict[str, str], *said: str) -> subprocess.Popen[str]:
    """The command on its way."""
    place = {f"TRADING_BOT__{venue.upper()}__{name}": value for name, value in where.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TRADING_BOT_HOME": str(home / "desk"), **KEYS, **place}
    command = [sys.executable, "-m", "trading_bot", "sandbox", "conformance", "--venue", venue, "--yes", *said]
    return subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("symbol", ["F", "BTC/USD"])
def test_alpaca_is_tried_within_its_own_grid(symbol: str, tmp_path: Path) -> None:
    """A coin's least order is worth ten dollars, a share goes in fractions; the report names both and no key."""
    with alpaca() as (emulator, where):
        report = tmp_path / "report.txt"
        with started(tmp_path, "alpaca", where, "--symbol", symbol, "--only", "P02,P06,P10,P62,P63", "--report", str(report)) as process:
            told = process.communicate(timeout=90)[0]
        assert process.returncode == 0, told
        assert emulator.venue.working() == []
        assert not emulator.venue.account.quantity(Symbol(symbol))
    text = report.read_text("utf-8")
    assert f"alpaca {symbol}: 5 held, 0 broken, 0 does not apply" in text
    assert "alpaca-py" in text
    assert "lot 0.00000" in text
    assert SECRET not in text + told


def test_bybit_is_tried_and_left_flat(tmp_path: Path) -> None:
    """On the demo account that the keys open."""
    with bybit() as (api, where):
        with started(tmp_path, "bybit", where, "--symbol", "BTCUSDT", "--only", "p02,p06,p62") as process:
            told = process.communicate(timeout=90)[0]
        assert process.returncode == 0, told
        assert "bybit BTCUSDT: 3 held, 0 broken, 0 does not apply" in told
        left = api.service.state()
    assert left["orders"] == []
    assert left["positions"] == {}


def test_whoever_stops_it_gets_a_flat_account_and_what_was_tried(tmp_path: Path) -> None:
    """Ctrl-C in the middle: between two calls, orders are canceled and what is held is closed."""
    with bybit() as (api, where), started(tmp_path, "bybit", where, "--symbol", "BTCUSDT") as process:
        assert process.stdout is not None
        before = []
        for line in process.stdout:
            before.append(line)
            if line.startswith("P05"):
                break
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0]
        left = api.service.state()
    assert process.returncode == 1, "".join(before) + told
    assert "left flat" in told or "nothing was sent" in told
    assert " broken, " in told
    assert left["orders"] == []
    assert left["positions"] == {}


@pytest.mark.parametrize(
    ("instrument", "price", "wanted"),
    [
        (Instrument(symbol=Symbol("F"), lot_size=Decimal("1e-9"), minimum_notional=Decimal(1)), "12", "2"),
        (Instrument(symbol=Symbol("PENNY"), lot_size=Decimal(1), minimum_notional=Decimal(1)), "0.4", "8"),
        (
            Instrument(
                symbol=Symbol("BTC/USD"),
                asset_class=AssetClass.CRYPTO_SPOT,
                venue="alpaca",
                calendar="24/7",
                lot_size=Decimal("0.0001"),
                minimum_notional=Decimal(10),
                shortable=False,
            ),
            "50000",
            "0.0006",
        ),
    ],
)
def test_an_order_is_about_the_least_of_which_a_half_can_be_traded_too(instrument: Instrument, price: str, wanted: str) -> None:
    """Shares go whole, since legs do not take fractions of them."""
    assert tiny(instrument, Decimal(price)) == Decimal(wanted)
