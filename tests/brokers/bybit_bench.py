"""The Bybit adapter on its emulator, over real sockets, with hands on the market and its faults."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from brokers.bybit_kit import KEYS, settings
from trading_bot.brokers.bybit.broker import BybitBroker
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Feed, Quote
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.market.calendar import open_calendar
from trading_bot.network.keys import Keys
from trading_bot.ports import Broker
from trading_bot.sandbox.bybit.api import BybitApi
from trading_bot.sandbox.bybit.making import invented
from trading_bot.sandbox.bybit.service import Setup
from trading_bot.sandbox.bybit.signing import Credentials
from trading_bot.sandbox.conformance import Bench, Trouble
from trading_bot.sandbox.exchange.clock import EmulatedClock

Control = Callable[..., Any]
RULES: dict[Trouble, dict[str, object]] = {
    Trouble.LOST_ANSWER: {"fault": "lost_answer", "on": "order"},
    Trouble.LOST_REQUEST: {"fault": "cut_body", "on": "order", "accepted": False},
    Trouble.SERVER_ERROR: {"fault": "server_error", "on": "order", "status": 504, "accepted": True},
    Trouble.LOST_CANCEL: {"fault": "lost_answer", "on": "cancel"},
    Trouble.LOST_REPLACE: {"fault": "lost_answer", "on": "replace"},
    Trouble.RATE_LIMITED: {"fault": "rate_limited", "on": "order", "seconds": 1},
    Trouble.UNREACHABLE: {"fault": "unreachable", "seconds": 1},
    Trouble.DUPLICATED_STREAM: {"fault": "duplicate_event", "on": "stream", "times": 40},
    Trouble.SHUFFLED_STREAM: {"fault": "out_of_order", "on": "stream", "every": 2, "times": 20},
    Trouble.MUTE_STREAM: {"fault": "mute_stream", "seconds": 3},
    Trouble.THIN: {"fault": "partial_fill", "on": "order", "fraction": 0.5, "seconds": 600},
}
"""How an emulator is told to make each trouble."""


class Hold:
    """The emulated price, held by hand."""

    def __init__(self, control: Control, instrument: Instrument, price: Decimal) -> None:
        self.control, self.instrument, self.price = control, instrument, price
        self.move(price)

    def move(self, price: Decimal) -> None:
        """A tick to each side of it."""
        self.price, tick = self.instrument.round_price(price), self.instrument.tick_size
        self.control(do="quote", symbol=self.instrument.symbol, bid=str(self.price - tick), ask=str(self.price + tick))

    def quote(self) -> Quote:
        """What was set."""
        tick, size = self.instrument.tick_size, Decimal(1000)
        fields = {"symbol": self.instrument.symbol, "source": "by hand", "feed": Feed.SINGLE_VENUE, "time": SystemWallClock().now()}
        return Quote.model_validate({"bid": self.price - tick, "ask": self.price + tick, "bid_size": size, "ask_size": size, **fields})


def poll(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again until it holds, or the time is over."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        pause.wait(0.03)
    return True


@contextmanager
def trouble(control: Control, rule: dict[str, object]) -> Iterator[None]:
    """One fault, struck from now on."""
    control(do="fault", rule=rule)
    yield


def troubles(control: Control, category: str) -> dict[Trouble, Callable[[], AbstractContextManager[None]]]:
    """All that an emulator can make. A conditional order of spot is replaced by another order, a position's stop by a call of its own."""
    rules = RULES if category == "linear" else RULES | {Trouble.LOST_REPLACE: RULES[Trouble.LOST_ANSWER]}
    return {name: partial(trouble, control, rule) for name, rule in rules.items()}


def impatient(broker: Broker) -> Broker:
    """An adapter whose venue settles at once: the emulator takes an order before it answers, or never."""
    broker.settles_within = timedelta(seconds=0.5)
    return broker


@contextmanager
def bybit_bench(category: str = "linear") -> Iterator[Bench]:
    """The Bybit adapter on its emulator."""
    wall = SystemWallClock()
    symbol = Symbol("BTCUSDT")
    markets = invented([symbol], 1, open_calendar, categories=[category])
    made = Setup(markets, EmulatedClock.running(wall), wall, credentials=Credentials(KEYS.key, KEYS.secret), cash=Decimal(100_000))
    with BybitApi(made) as api:
        leverage = Decimal(2 if category == "linear" else 1)
        instrument = markets[category].instrument(symbol).model_copy(update={"leverage_cap": leverage})
        hold = Hold(api.control, instrument, Decimal(60_000))

        def broker(keys: Keys = KEYS) -> Broker:
            around = (lambda _: instrument, RealClock(threading.Event()), time.monotonic, lambda: 0.0)
            wanted = settings(api.url, category=category, receive_window_ms=5000, leverage=str(leverage))
            return impatient(BybitBroker(wanted, keys, "", *around, timeout=1.0))

        yield Bench(
            name=f"bybit {category}",
            make=broker,
            account="",
            instrument=instrument,
            quantity=Decimal("0.02"),
            quote=hold.quote,
            now=wall.now,
            wait=poll,
            patience=6,
            move=hold.move,
            stranger=lambda: broker(Keys("WRONG-KEY-000", "WRONG-SECRET-000")),
            troubles=troubles(api.control, category),
            secrets=(KEYS.key, KEYS.secret, "WRONG-KEY-000", "WRONG-SECRET-000"),
        )
