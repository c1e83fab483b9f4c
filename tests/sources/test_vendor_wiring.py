"""How a configuration that names a vendor becomes a source."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trading_bot import config
from trading_bot.bootstrap.brokers import demand_leverage
from trading_bot.bootstrap.sources import build_source, close_source, instrument_of, open_source
from trading_bot.domain.errors import BrokerKeysError, ConfigError, NoDataError
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import Funded, MarketSource, Streaming
from trading_bot.storage.home import Home

PERPETUAL = AssetClass.CRYPTO_PERPETUAL
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


COIN = {"asset_class": "crypto_perpetual", "shortable": True, "leverage_cap": "3", "maintenance_rate": "0.01", "minimum_notional": "5"}


def test_what_holds_for_every_coin_is_said_once() -> None:
    """What one coin says otherwise holds; a share is none."""
    said = {"universe.coins": COIN, "universe.instruments": {"BTCUSDT": {"tick_size": "0.1"}}}
    settings = config.load(flags=said)
    coin, share = instrument_of(settings, Symbol("BTCUSDT")), instrument_of(settings, Symbol("AAPL"))
    assert {field: str(getattr(coin, field)) for field in COIN} == {**COIN, "shortable": "True"}
    assert (coin.tick_size, coin.currency, coin.calendar) == (Decimal("0.1"), "USDT", "24/7")
    assert (share.asset_class, share.leverage_cap) == (AssetClass.EQUITY, Decimal(1))


def test_the_coins_of_a_desk_of_coins_are_perpetuals_on_their_own_grids() -> None:
    """One that nobody described has the grid of all; at a vendor none is in the vendor's way."""
    settings = config.load(flags={"desk": "coins", "source.name": "synthetic"})
    grids = {s: (c.tick_size, c.lot_size) for s in settings.universe.symbols if (c := instrument_of(settings, s)).shortable}
    assert {s: (str(tick), str(lot)) for s, (tick, lot) in grids.items()} == {
        "BTCUSDT": ("0.1", "0.001"), "ETHUSDT": ("0.01", "0.01"), "SOLUSDT": ("0.01", "0.1"), "XRPUSDT": ("0.0001", "0.1"),
        "DOGEUSDT": ("0.00001", "1"),
    }  # fmt: skip
    other = Symbol("AVAXUSDT")
    assert (instrument_of(settings, other).asset_class, instrument_of(settings, other).lot_size) == (PERPETUAL, Decimal("0.001"))
    at_bybit = config.load(flags={"desk": "coins", "source.name": "bybit"})
    assert (instrument_of(at_bybit, other).lot_size, instrument_of(at_bybit, other).leverage_cap) == (Decimal("0.000000000001"), Decimal(3))


@pytest.mark.parametrize(("broker", "leverage", "cap"), [("bybit", "2", 2), ("bybit", "5", 3), ("paper", "2", 3)])
def test_the_gate_reckons_with_the_leverage_that_is_set_at_bybit(broker: str, leverage: str, cap: int) -> None:
    """The least of what is set there and what the coin allows; the paper venue sets none."""
    settings = config.load(flags={"desk": "coins", "broker.name": broker, "bybit.leverage": leverage})
    assert instrument_of(settings, Symbol("BTCUSDT")).leverage_cap == cap


def test_more_leverage_at_bybit_than_the_mandate_allows_starts_nothing() -> None:
    """The message says which setting, and to what; spot is carried with none."""
    bold = {"desk": "coins", "broker.name": "bybit", "bybit.leverage": "5"}
    with pytest.raises(ConfigError, match=r"bybit.leverage is 5, and risk.limits.leverage allows 3: set bybit.leverage to 3 or less"):
        demand_leverage(config.load(flags=bold))
    for fitting in ({"risk.limits.leverage": "none"}, {"bybit.leverage": "3"}, {"bybit.category": "spot"}):
        demand_leverage(config.load(flags=bold | fitting))


def test_recorded_months_of_three_perpetuals_are_read_with_their_funding(shared: Path, build: Callable[..., MarketSource]) -> None:
    """Bars, rates and the grids of a desk of coins."""
    folder = {"path": str(shared / "data/crypto_bybit_linear_5m")}
    source = build(**{"desk": "coins", "source.name": "files", "source.files": [folder]})
    assert isinstance(source, Funded)
    for symbol in map(Symbol, ("BTCUSDT", "ETHUSDT", "SOLUSDT")):
        assert source.timeframes(symbol) == (Timeframe.MINUTE_5,)
        assert len(source.bars(symbol, Timeframe.MINUTE_5).frame) > 28_000
        assert len(source.fundings(symbol)) > 290
        assert source.instrument(symbol).asset_class is PERPETUAL
    with pytest.raises(NoDataError, match="XRPUSDT: no bars in the files; they hold BTCUSDT, ETHUSDT, SOLUSDT"):
        source.bars(Symbol("XRPUSDT"), Timeframe.MINUTE_5)
