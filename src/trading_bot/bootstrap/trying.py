"""A bench on a vendor's own paper account or test net, from the keys in the environment: for `sandbox conformance`.

Promises to refuse an environment with real money, whatever else is configured; to ask no faster than the account may; and to stop between
two calls, never in one. The market is nobody's to move there, and nothing can be made to go wrong, so that promises which need such hands
do not apply.
"""

import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version

from trading_bot.bootstrap.brokers import alpaca_keys, build_broker, bybit_keys
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import CALENDARS, build_source, close_source, open_source
from trading_bot.config import Config
from trading_bot.domain.errors import NoDataError, SourceFailedError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Quote
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import RealClock
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import MarketSource
from trading_bot.sandbox.conformance import Bench

FINEST = Decimal("1e-12")
"""A grid finer than any venue's: what comes of it is the venue's own."""
_PAUSES_S = (0.25, 0.25, 0.5, 0.5, 1.0, 1.0, 2.0)
"""Between looks, the last one again and again: most things come at once, and each look costs requests."""
_LOOKS = 3
"""Who waits looks so often at least, however long each look has to wait for its turn."""
_PATIENCE_S = 30
_REQUESTS_A_CALL = 1.5
"""About; where a call takes more, the adapter's own budget makes it wait."""
_STALE = timedelta(minutes=2)
_FIRST_QUOTE_S = 20.0
_KEY_LETTERS = 8
"""Emulators take any word for a key; a short one stands in many messages."""
_SDKS = {"alpaca": ("alpaca-py", alpaca_keys), "bybit": ("pybit", bybit_keys)}


@contextmanager
def real_bench(
    config: Config, setting: Setting, symbol: Symbol, quantity: Decimal | None = None, stop: threading.Event | None = None
) -> Iterator[Bench]:
    """The configured venue. ConfigError for real money; NoDataError without a fresh price. `stop`: set by whoever will not wait."""
    clock = RealClock(threading.Event())
    calendars = {name: open_calendar(name) for name in CALENDARS}
    source = build_source(config, calendars, clock.now, setting.home)
    poll = Poll(stop or threading.Event())
    fresh = Fresh(source, symbol, clock, poll)
    keys = _SDKS[config.broker.name][1]()
    open_source(source, [symbol])
    try:
        instrument = source.instrument(symbol)
        yield Bench(
            name=f"{config.broker.name} {symbol}",
            make=lambda: build_broker(config, setting, source, calendars, clock),
            account="",
            instrument=instrument,
            quantity=quantity or tiny(instrument, fresh().mid),
            quote=fresh,
            now=clock.now,
            wait=poll,
            patience=_PATIENCE_S,
            secrets=(keys.key, keys.secret) if len(keys.secret) >= _KEY_LETTERS else (),
            pace=_REQUESTS_A_CALL / _per_second(config),
        )
    finally:
        close_source(source)


def _per_second(config: Config) -> float:
    return config.bybit.requests_per_second if config.broker.name == "bybit" else config.alpaca.requests_per_minute / 60


def facts(config: Config, bench: Bench) -> tuple[str, ...]:
    """What whoever reads a report has to know of the run; nothing of the account or of its keys."""
    venue, grid = config.broker.name, bench.instrument
    place = getattr(config, venue)
    return (
        f"trading-bot {version('trading-bot')}, {_SDKS[venue][0]} {version(_SDKS[venue][0])}, Python {platform.python_version()}",
        f"{venue}, environment {place.environment}{f' at {place.url}' if place.url else ''}, {bench.now():%Y-%m-%d %H:%M} UTC",
        f"{_plain(bench.quantity)} {grid.symbol} an order ({grid.asset_class})",
        f"tick {_plain(grid.tick_size)}, lot {_plain(grid.lot_size)}, at least {_plain(grid.minimum_notional)} {grid.currency}",
    )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def tiny(instrument: Instrument, price: Decimal) -> Decimal:
    """The least quantity of which a half is worth more than the least notional, with some room for the price; of shares, whole ones."""
    step = Decimal(1) if instrument.asset_class is AssetClass.EQUITY else instrument.lot_size
    least = max(instrument.minimum_notional * 3 / price, step * 2)
    return (least / (step * 2)).to_integral_value(ROUND_CEILING) * step * 2


class Fresh:
    """The newest quote, waited for if need be. NoDataError if there is none that is fresh."""

    def __init__(self, source: MarketSource, symbol: Symbol, clock: RealClock, poll: "Poll") -> None:
        self._source, self._symbol, self._clock, self._poll = source, symbol, clock, poll

    def __call__(self) -> Quote:
        """The quote."""
        found: list[Quote] = []

        def seen() -> bool:
            quote = self._quote()
            found.extend([quote] if quote is not None else [])
            return bool(found)

        if not self._poll(seen, _FIRST_QUOTE_S):
            raise NoDataError(f"{self._symbol} has no fresh quote: is its market open?")
        return found[0]

    def _quote(self) -> Quote | None:
        now = self._clock.now()
        try:
            quote = self._source.quote(self._symbol, now)
        except SourceFailedError:
            return None
        return quote if quote is not None and now - quote.time <= _STALE else None


class Poll:
    """Waits by looking again and again. KeyboardInterrupt once `stop` is set; it is cleared then, so that cleaning up may wait."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __call__(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether it came to hold in time."""
        deadline, looks = time.monotonic() + seconds, 0
        while not (self._stopped() or condition()):
            looks, left = looks + 1, deadline - time.monotonic()
            if left <= 0 and (looks >= _LOOKS or seconds < 1):
                return False
            pause = _PAUSES_S[min(looks, len(_PAUSES_S)) - 1]
            self._stop.wait(pause if left <= 0 else min(pause, left))
        return True

    def _stopped(self) -> bool:
        if self._stop.is_set():
            self._stop.clear()
            raise KeyboardInterrupt
        return False
