"""A wired guardian: the venue with its keys, the mandate, its own files; no analyst, no model, and no journal that it could write.

Promises that the mandate is verified with the pinned key whenever its file changes. A mandate whose time is over still says what the
guardian may do: an end of new risk is no end of guarding. Without one it may cure, as the desk itself does, and no more.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from trading_bot.bootstrap.brokers import build_broker
from trading_bot.bootstrap.setting import Setting
from trading_bot.bootstrap.sources import CALENDARS, build_source, instrument_of
from trading_bot.config import Config
from trading_bot.domain.errors import DataError, MandateError, MandateExpiredError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Cure, GuardianOrders, Mode
from trading_bot.domain.orders import OrderIntent
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import RealClock, SystemWallClock
from trading_bot.execution.guardian import Guardian, Orders
from trading_bot.execution.guardian_hands import Hands
from trading_bot.execution.guardian_intents import GuardianLog
from trading_bot.execution.guardian_memory import Memory
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import MarketSource, Notifier, WallClock
from trading_bot.risk import mandate as mandates
from trading_bot.risk.operator import pinned_key
from trading_bot.settings import AlpacaEnvironment, BybitEnvironment

_LEAST = GuardianOrders(dead_desk=Cure.CURE, daily_loss=Cure.CURE)


def mode_of(config: Config) -> Mode:
    """Whose money the configured venue holds."""
    live = {
        "alpaca": config.alpaca.environment is AlpacaEnvironment.LIVE,
        "bybit": config.bybit.environment is BybitEnvironment.LIVE,
    }
    return Mode.LIVE if live.get(config.broker.name, False) else Mode.PAPER


def build_guardian(
    config: Config, setting: Setting, notifier: Notifier, stop: threading.Event, say: Callable[[str], None] = lambda _line: None
) -> Guardian:
    """Return the guardian of a home on the real clock."""
    wall = SystemWallClock()
    return Guardian(
        home=setting.home,
        settings=config.guardian,
        connect=partial(_connect, config, setting, stop),
        orders=StandingOrders(config, setting, wall).read,
        notifier=notifier,
        clock=wall,
        stop=stop,
        say=say,
    )


def _connect(config: Config, setting: Setting, stop: threading.Event, memory: Memory, own: tuple[OrderIntent, ...]) -> Hands:
    """Connect to the venue. All is made anew, so that a clock that jumped or a stream that broke is behind us."""
    calendars = {name: open_calendar(name) for name in CALENDARS}
    clock = RealClock(stop)
    source = build_source(config, calendars, clock.now, setting.home)
    broker = build_broker(config, setting, source, calendars, clock, guardian=True)
    with ExitStack() as unopened:
        unopened.callback(broker.close)
        broker.open((*memory.intents, *own), (), lambda: None)
        unopened.pop_all()
    return Hands(
        broker=broker,
        log=GuardianLog(setting.home.guardian_log),
        desk=memory.order_desk(setting.home.path),
        stops=dict(memory.stops),
        instrument=partial(_instrument, config, source),
        price=partial(_price, source, clock),
        clock=SystemWallClock(),
    )


def _instrument(config: Config, source: MarketSource, symbol: Symbol) -> Instrument:
    """The instrument by its source; if that has nothing to say now, by the configuration."""
    with suppress(DataError):
        return source.instrument(symbol)
    return instrument_of(config, symbol)


def _price(source: MarketSource, clock: RealClock, symbol: Symbol) -> Decimal | None:
    """The newest price, if there is one: without it the venue itself says whether a stop was passed already."""
    with suppress(DataError):
        quote = source.quote(symbol, clock.now())
        return None if quote is None else quote.mid
    return None


@dataclass
class StandingOrders:
    """What the mandate lets the guardian do, read again whenever its file changes."""

    config: Config
    setting: Setting
    wall: WallClock
    _known: tuple[tuple[bytes, bytes], Orders] | None = field(default=None)

    def read(self) -> Orders:
        """The orders now."""
        home = self.setting.home
        files = tuple(path.read_bytes() if path.is_file() else b"" for path in (home.mandate, home.mandate_signature))
        if self._known is None or self._known[0] != files:
            self._known = ((files[0], files[1]), self._verified())
        return self._known[1]

    def _verified(self) -> Orders:
        home = self.setting.home
        binding = mandates.Binding(self.config.broker.account, self.setting.mode, self.config.risk_digest())
        try:
            pinned = pinned_key(self.setting.operator)
            for check in mandates.examine(home.mandate, home.mandate_signature, pinned, binding, self.wall.now()):
                if check.error is not None and not isinstance(check.error, MandateExpiredError):
                    raise check.error
            mandate = mandates.from_text(home.mandate.read_text("utf-8"), str(home.mandate))
        except (MandateError, OSError) as error:
            return Orders(_LEAST, self.config.risk.limits, str(error), self.config.universe.symbols)
        return Orders(mandate.guardian, mandate.limits, universe=mandate.universe)
