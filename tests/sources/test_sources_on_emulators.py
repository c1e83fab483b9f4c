"""Both vendors' sources on their emulators: what a desk asks of its market data, quotes by stream, and polls where it is mute."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Contract, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.network.keys import Keys
from trading_bot.ports import Contracted, MarketSource
from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
from trading_bot.sandbox.alpaca.making import invented_market
from trading_bot.sandbox.bybit.api import BybitApi
from trading_bot.sandbox.bybit.making import invented
from trading_bot.sandbox.bybit.service import Setup
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.settings import AlpacaSettings, BybitSettings
from trading_bot.sources.alpaca import AlpacaSource
from trading_bot.sources.bybit import BybitSource
from trading_bot.sources.live.pulse import Pulse

START = datetime(2024, 3, 12, 15, 0, tzinfo=UTC)
TICK = 1_000_000_000
FINEST = Decimal("0.000000000001")
Mute = Callable[[float], object]
Venue = tuple[MarketSource, tuple[Symbol, ...], Callable[[], datetime], Mute]


def ours(symbol: Symbol) -> Instrument:
    """What a configuration makes of a symbol."""
    if "/" not in symbol and not symbol.endswith("USDT"):
        return Instrument(symbol=symbol)
    return Instrument(symbol=symbol, asset_class=AssetClass.CRYPTO_SPOT, calendar="24/7", tick_size=FINEST, lot_size=FINEST)


@contextmanager
def alpaca() -> Iterator[Venue]:
    """A stock and a coin."""
    symbols = (Symbol("AAPL"), Symbol("BTC/USD"))
    clock = EmulatedClock.running(SystemWallClock(), START)
    with AlpacaEmulator(invented_market(symbols, open_calendar, tick_ns=TICK), clock) as emulator:
        settings = AlpacaSettings.model_validate({"environment": "paper", "url": emulator.url, "feed": "iex", "requests_per_minute": 6000})
        source = AlpacaSource(settings, Keys("k", "s"), ours, open_calendar, Pulse(clock.now, time.monotonic, lambda: 0.5))
        source.open(symbols)
        try:
            yield source, symbols, clock.now, lambda seconds: emulator.do("mute", seconds=seconds)
        finally:
            source.close()


@contextmanager
def bybit() -> Iterator[Venue]:
    """Two perpetuals."""
    with bybit_at_hand() as (source, symbols, now, control):
        yield source, symbols, now, lambda seconds: control(do="mute", seconds=seconds)


@contextmanager
def bybit_at_hand() -> Iterator[tuple[BybitSource, tuple[Symbol, ...], Callable[[], datetime], Callable[..., object]]]:
    """The same, with a hand on the venue."""
    symbols, wall = (Symbol("BTCUSDT"), Symbol("ETHUSDT")), SystemWallClock()
    clock = EmulatedClock.running(wall, START)
    with BybitApi(Setup(invented(symbols, 1, open_calendar, tick_ns=TICK), clock, wall)) as emulator:
        asked = {"environment": "demo", "url": emulator.url, "category": "linear", "leverage": "1", "receive_window_ms": 5000}
        settings = BybitSettings.model_validate(asked | {"requests_per_second": 100})
        source = BybitSource(settings, ours, open_calendar, Pulse(clock.now, time.monotonic, lambda: 0.5))
        source.open(symbols)
        try:
            yield source, symbols, clock.now, emulator.control
        finally:
            source.close()


@pytest.fixture(params=[alpaca, bybit], ids=["alpaca", "bybit"])
def venue(request: pytest.FixtureRequest) -> Iterator[Venue]:
    """An open source on a running emulator."""
    with request.param() as made:
        yield made


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    tries = threading.Event()
    for _ in range(1000):
        if holds():
            return
        tries.wait(0.01)
    raise AssertionError


def origin(source: MarketSource, symbol: Symbol, now: Callable[[], datetime]) -> str:
    """Where the newest quote comes from, `none` if there is none; it is never newer than the answer."""
    quote = source.quote(symbol, now())
    if quote is None:
        return "none"
    assert quote.time <= now()
    assert quote.bid <= quote.ask
    return quote.source.rpartition("-")[2]


def test_a_desk_finds_all_that_it_asks_for(venue: Venue) -> None:
    """A grid, more days than indicators need, and an as-of view over it all."""
    source, symbols, now, _ = venue
    view = AsOfView(source, now)
    for symbol in symbols:
        assert Timeframe.DAY in source.timeframes(symbol)
        bars = view.bars(symbol, Timeframe.DAY, 1000)
        assert len(bars) >= 250
        assert source.bars(symbol, Timeframe.DAY).ends[-1] <= source.bars(symbol, Timeframe.MINUTE_15).ends[-1]
        assert view.indicators(symbol, Timeframe.DAY).iloc[-1].notna().any()
        assert source.instrument(symbol).tick_size > FINEST
        assert source.actions(symbol) == ()


def test_quotes_are_streamed_and_polled_while_the_stream_is_mute(venue: Venue) -> None:
    """The desk need not know which."""
    source, symbols, now, mute = venue
    for symbol in symbols:
        eventually(lambda symbol=symbol: origin(source, symbol, now) == "stream")  # type: ignore[misc]
    mute(3600.0)
    eventually(lambda: {origin(source, symbol, now) for symbol in symbols} == {"poll"})


def test_a_perpetuals_mark_and_funding_are_told_and_a_rate_that_turns_is_seen() -> None:
    """The venue's next funding is ahead; what longs pay becomes what shorts pay."""
    with bybit_at_hand() as (source, (symbol, _), now, control):
        assert isinstance(source, Contracted)

        def said() -> Contract:
            found = source.contract(symbol, now())
            assert found is not None
            return found

        first, quote = said(), source.quote(symbol, now())
        assert quote is not None
        assert (first.funding_rate, first.next_funding_at) == (Decimal("0.0001"), START.replace(hour=16))
        assert abs(first.mark / quote.mid - 1) < Decimal("0.01")
        control(do="funding_flip", symbol=symbol)
        eventually(lambda: said().funding_rate == Decimal("-0.0001"))
