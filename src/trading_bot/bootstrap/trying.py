"""A bench on a vendor's own paper account or test net, from the keys in the environment: for `sandbox conformance`.

Promises to refuse an environment with real money, whatever else is configured. The market is nobody's to move there, and nothing can be
made to go wrong, so that promises which need such hands do not apply.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import CALENDARS, build_source, close_source, open_source
from trading_bot.config import Config
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Quote
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import RealClock
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.conformance import Bench

_PAUSE_S = 0.5
_STALE = timedelta(minutes=2)


@contextmanager
def real_bench(config: Config, setting: Setting, symbol: Symbol, quantity: Decimal | None = None) -> Iterator[Bench]:
    """The configured venue. ConfigError for real money; NoDataError if there is no fresh price to trade around."""
    clock = RealClock(threading.Event())
    calendars = {name: open_calendar(name) for name in CALENDARS}
    source = build_source(config, calendars, clock.now, setting.home)

    def quote() -> Quote:
        found = source.quote(symbol, clock.now())
        if found is None or clock.now() - found.time > _STALE:
            raise NoDataError(f"{symbol} has no fresh quote: is its market open?")
        return found

    open_source(source, [symbol])
    try:
        instrument = source.instrument(symbol)
        yield Bench(
            name=f"{config.broker.name} {symbol}",
            make=lambda: build_broker(config, setting, source, calendars, clock),
            account="",
            instrument=instrument,
            quantity=quantity or _tiny(instrument, quote().mid),
            quote=quote,
            now=clock.now,
            wait=_poll,
            patience=30,
        )
    finally:
        close_source(source)


def _tiny(instrument: Instrument, price: Decimal) -> Decimal:
    """The least quantity of which a half is worth more than the least notional, with some room for the price."""
    least = max(instrument.minimum_notional * 3 / price, instrument.lot_size * 2)
    return instrument.round_quantity(least + instrument.lot_size)


def _poll(condition: Callable[[], bool], seconds: float) -> bool:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        pause.wait(_PAUSE_S)
    return True
