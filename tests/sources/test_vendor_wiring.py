"""How a configuration that names a vendor becomes a source."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trading_bot import config
from trading_bot.bootstrap.sources import build_source, close_source, instrument_of, open_source
from trading_bot.domain.errors import BrokerKeysError
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import MarketSource, Streaming
from trading_bot.storage.home import Home

CALENDARS = {name: open_calendar(name) for name in ("XNYS", "24/7")}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., MarketSource]:
    """Make the source that settings name."""

    def make(**flags: Any) -> MarketSource:  # noqa: ANN401 - settings by name
        return build_source(config.load(flags=flags), CALENDARS, lambda: datetime(2024, 3, 12, tzinfo=UTC), Home(tmp_path))

    return make


def test_alpaca_wants_keys_in_the_environment(build: Callable[..., MarketSource], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them nothing starts, and the message names them; with them nothing is asked before it has to be."""
    monkeypatch.delenv("ALPACA_API_KEY", raising=False)
    monkeypatch.setenv("ALPACA_SECRET_KEY", "hidden")
    with pytest.raises(BrokerKeysError, match="ALPACA_API_KEY is not set"):
        build(**{"source.name": "alpaca"})
    monkeypatch.setenv("ALPACA_API_KEY", "public")
    source = build(**{"source.name": "alpaca", "alpaca.url": "http://127.0.0.1:1"})
    assert (source.name, isinstance(source, Streaming)) == ("alpaca", True)
    close_source(source)


def test_bybits_market_data_wants_none(build: Callable[..., MarketSource]) -> None:
    """It is public."""
    source = build(**{"source.name": "bybit", "bybit.url": "http://127.0.0.1:1"})
    assert (source.name, isinstance(source, Streaming)) == ("bybit", True)
    close_source(source)


def test_a_source_that_streams_nothing_needs_no_opening(build: Callable[..., MarketSource]) -> None:
    """Files and invented markets are as they are."""
    source = build(**{"source.name": "synthetic"})
    assert not isinstance(source, Streaming)
    open_source(source, [Symbol("AAPL")])
    close_source(source)


def test_a_vendors_grid_of_a_coin_is_not_in_the_way_of_a_default() -> None:
    """What the user says of it still is."""
    said = {"source.name": "bybit", "universe.instruments": {"DOGEUSDT": {"lot_size": "10"}}}
    coin = instrument_of(config.load(flags=said), Symbol("DOGEUSDT"))
    assert (coin.lot_size, coin.tick_size, coin.calendar, coin.currency) == (Decimal(10), Decimal("0.000000000001"), "24/7", "USDT")
    pair = instrument_of(config.load(flags={"source.name": "alpaca"}), Symbol("BTC/USD"))
    assert (pair.calendar, pair.currency, pair.shortable) == ("24/7", "USD", True)
    assert instrument_of(config.load(flags={}), Symbol("BTCUSDT")).lot_size == Decimal("0.000001")
