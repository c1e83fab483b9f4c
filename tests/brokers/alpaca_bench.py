"""The Alpaca adapter on its emulator, over real sockets, with hands on the market and its faults."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from trading_bot.brokers.alpaca.broker import AlpacaBroker
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Feed, Quote
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.network.keys import Keys
from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.sandbox.conformance import Bench, Trouble
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import RandomWalk
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings

KEYS = Keys("PKBENCH0123456789", "secret-of-the-bench")
STOCK = Instrument(symbol=Symbol("AAPL"), lot_size=Decimal("0.01"), minimum_notional=Decimal(1))
HARD = Instrument(symbol=Symbol("HARD"), shortable=False)
COIN = Instrument(
    symbol=Symbol("BTC/USD"),
    asset_class=AssetClass.CRYPTO_SPOT,
    venue="alpaca",
    lot_size=Decimal("0.0001"),
    minimum_notional=Decimal(10),
    calendar="24/7",
    shortable=False,
)
RULES: dict[Trouble, dict[str, object]] = {
    Trouble.LOST_ANSWER: {"fault": "lost_answer", "on": "order"},
    Trouble.LOST_REQUEST: {"fault": "cut_body", "on": "order", "accepted": False},
    Trouble.SERVER_ERROR: {"fault": "server_error", "on": "order", "status": 504, "accepted": True},
    Trouble.LOST_CANCEL: {"fault": "lost_answer", "on": "cancel"},
    Trouble.LOST_REPLACE: {"fault": "lost_answer", "on": "replace"},
    Trouble.RATE_LIMITED: {"fault": "rate_limited", "on": "order", "reset": False},
    Trouble.UNREACHABLE: {"fault": "unreachable", "seconds": 1.5},
    Trouble.DUPLICATED_STREAM: {"fault": "duplicate_event", "on": "stream", "times": 40},
    Trouble.SHUFFLED_STREAM: {"fault": "out_of_order", "on": "stream", "every": 2, "times": 20},
    Trouble.MUTE_STREAM: {"fault": "mute_stream", "seconds": 4},
    Trouble.THIN: {"fault": "partial_fill", "on": "order", "fraction": 0.5, "seconds": 600},
}


def settings(url: str, **changed: Any) -> AlpacaSettings:  # noqa: ANN401 - fields
    """Of an emulator."""
    plain = {"environment": AlpacaEnvironment.PAPER, "url": url, "feed": "iex", "requests_per_minute": 6000}
    return AlpacaSettings.model_validate({**plain, **changed})


def poll(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again until it holds, or the time is over."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        pause.wait(0.01)
    return True


@dataclass
class Floor:
    """An emulator and adapters on it."""

    emulator: AlpacaEmulator
    instrument: Instrument
    price: Decimal
    brokers: list[AlpacaBroker] = field(default_factory=list)

    def move(self, price: Decimal) -> None:
        """A tick to each side of it."""
        self.price, tick = self.instrument.round_price(price), self.instrument.tick_size
        self.emulator.do("quote", symbol=self.instrument.symbol, bid=str(self.price - tick), ask=str(self.price + tick))

    def quote(self) -> Quote:
        """What was set."""
        tick, size = self.instrument.tick_size, Decimal(1000)
        told = {"symbol": self.instrument.symbol, "source": "by hand", "feed": Feed.SINGLE_VENUE, "time": SystemWallClock().now()}
        return Quote.model_validate({"bid": self.price - tick, "ask": self.price + tick, "bid_size": size, "ask_size": size, **told})

    def broker(self, keys: Keys = KEYS, account: str = "", **changed: Any) -> AlpacaBroker:  # noqa: ANN401 - fields
        """A new adapter, closed with the floor at the latest. The emulator takes an order before it answers, or never."""
        wanted = settings(self.emulator.url, **changed)
        made = AlpacaBroker(wanted, keys, account, RealClock(threading.Event()), time.monotonic, lambda: 0.0)
        made.settles_within = timedelta(seconds=0.5)
        self.brokers.append(made)
        return made

    def fault(self, **rule: object) -> None:
        """One fault, struck from now on."""
        self.emulator.do("fault", **rule)


@contextmanager
def floor(instrument: Instrument = STOCK, setup: Setup | None = None) -> Iterator[Floor]:
    """An emulator that is open round the clock, at a price that stands still."""
    traded = {i.symbol: i for i in (instrument, HARD)}
    price = Decimal(50_000) if instrument is COIN else Decimal(100)
    path = RandomWalk(1, traded, dict.fromkeys(traded, price))
    market = EmulatedMarket(path, open_calendar, always_open=True)
    made = setup or Setup(key=KEYS.key, secret=KEYS.secret, requests_per_minute=100_000)
    with AlpacaEmulator(market, EmulatedClock.running(SystemWallClock()), made) as emulator:
        found = Floor(emulator, instrument, price)
        found.move(price)
        try:
            yield found
        finally:
            for broker in found.brokers:
                broker.close()


@contextmanager
def _trouble(on: Floor, name: Trouble) -> Iterator[None]:
    on.fault(**RULES[name])
    if name is Trouble.UNREACHABLE:
        poll(lambda: not _answers(on), 1)
    yield


def _answers(on: Floor) -> bool:
    import socket  # noqa: PLC0415 - only here

    try:
        socket.create_connection(("127.0.0.1", int(on.emulator.url.rsplit(":", 1)[1])), 0.2).close()
    except OSError:
        return False
    return True


@contextmanager
def alpaca_bench(instrument: Instrument = STOCK) -> Iterator[Bench]:
    """For the suite."""
    with floor(instrument) as on:
        troubles: dict[Trouble, Callable[[], AbstractContextManager[None]]] = {name: partial(_trouble, on, name) for name in RULES}
        yield Bench(
            name=f"alpaca {instrument.symbol}",
            make=on.broker,
            account=on.emulator.setup.number,
            instrument=instrument,
            quantity=Decimal("0.02") if instrument is COIN else Decimal(10),
            quote=on.quote,
            now=SystemWallClock().now,
            wait=poll,
            patience=6,
            move=on.move,
            stranger=lambda: on.broker(Keys("PKWRONG", "wrong-secret")),
            unshortable=None if instrument is COIN else HARD,
            troubles=troubles,
            secrets=(KEYS.key, KEYS.secret, "PKWRONG", "wrong-secret"),
        )
