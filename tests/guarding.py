"""A guardian with a paper venue of its own, on a market and a clock that the test writes down, and a desk that only holds the lock."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from brokers.venue_kit import approved, spec
from builders import AAPL, NOW, instrument
from desks import Bar, ScriptedSource
from trading_bot import config
from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import SqliteVenueStore
from trading_bot.domain.mandate import Cure, GuardianOrders
from trading_bot.domain.market import Quote, Timeframe
from trading_bot.domain.orders import Order, OrderIntent
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SimulatedClock
from trading_bot.execution.guardian import Guardian, Orders
from trading_bot.execution.guardian_hands import Hands
from trading_bot.execution.guardian_intents import GuardianLog
from trading_bot.execution.guardian_memory import Memory
from trading_bot.execution.heartbeat import Heartbeat
from trading_bot.market.calendar import open_calendar
from trading_bot.ports import BarSeries
from trading_bot.storage.home import Home

SPY = Symbol("SPY")
FLAT: tuple[Bar, ...] = ((100, 101, 99, 100),) * 60
_STAND_IN = """
import sys
from datetime import datetime
from pathlib import Path
from trading_bot.ports import BarSeries
from trading_bot.storage.home import Home
home, since = Home(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2])
with home.lock("orchestrator", since):
    print("up", flush=True)
    sys.stdin.read()
"""


class Told:
    """A notifier that remembers."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def tell(self, title: str, body: str) -> None:  # noqa: ARG002 - titles are enough here
        """Remember."""
        self.titles.append(title)


class SameBars(ScriptedSource):
    """Every symbol moves by the same bars."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        super().__init__(bars)
        self._others = {symbol: ScriptedSource(bars, symbol=symbol) for symbol in (AAPL, SPY)}

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Five minutes."""
        return self._others[symbol].timeframes(symbol)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """The same for all."""
        return self._others[symbol].bars(symbol, timeframe)

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """The same for all."""
        return self._others[symbol].quote(symbol, at)


@dataclass
class Watched:
    """A home, a venue and who watches them."""

    home: Home
    bars: Sequence[Bar] = FLAT
    dead_desk: Cure = Cure.CURE
    daily_loss: Cure = Cure.FLATTEN
    universe: tuple[Symbol, ...] = (AAPL,)
    stops: dict[Symbol, Decimal] = field(default_factory=dict)
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(NOW))
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        self.home.prepare()
        self.broker = self.venue()

    def venue(self) -> PaperBroker:
        """Another door to the same venue."""
        settings = config.load(flags={"broker.fees": "none", "broker.slippage_bps": "0"}).broker
        return PaperBroker(SqliteVenueStore(self.home.paper), SameBars(self.bars), open_calendar, self.clock, settings)

    def guardian(self) -> Guardian:
        """A guardian that has just come up."""
        settings = config.load()
        orders = GuardianOrders(dead_desk=self.dead_desk, daily_loss=self.daily_loss)
        return Guardian(
            home=self.home,
            settings=settings.guardian,
            connect=self._connect,
            orders=lambda: Orders(orders, settings.risk.limits, universe=self.universe),
            notifier=self.told,
            clock=self.clock,
            stop=threading.Event(),
        )

    def _connect(self, memory: Memory, _own: tuple[OrderIntent, ...]) -> Hands:
        log, stops = GuardianLog(self.home.guardian_log), {**memory.stops, **self.stops}
        desk = memory.order_desk(self.home.path)
        return Hands(self.broker, log, desk, stops, instrument, self.price, self.clock)

    def price(self, symbol: Symbol) -> Decimal | None:
        """Newest price."""
        quote = SameBars(self.bars).quote(symbol, self.clock.now())
        return None if quote is None else quote.mid

    def hold(self, quantity: int, stop: str | None = None) -> None:
        """Buy at the market, with a stop for all of it or without."""
        self.broker.submit(approved(spec("bought", quantity=quantity, symbol=AAPL)))
        if stop is not None:
            self.broker.submit(approved(spec("stopped", "sell", quantity, symbol=AAPL, stop=stop, role="stop_loss")))

    def rest_entry(self, price: str = "90") -> None:
        """Leave an entry at the venue."""
        self.broker.submit(approved(spec("resting", quantity=5, symbol=AAPL, limit=price)))

    def beat(self) -> None:
        """The desk goes round."""
        Heartbeat(self.home.heartbeat).beat(self.clock.now())

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep_until(self.clock.now() + timedelta(seconds=seconds))

    @property
    def held(self) -> dict[str, Decimal]:
        """Quantities at the venue."""
        return {p.symbol: p.quantity for p in self.broker.positions()}

    @property
    def resting(self) -> list[Order]:
        """Working orders at the venue."""
        return list(self.broker.open_orders())

    def placed(self) -> list[str]:
        """Ids of all orders that the venue ever accepted."""
        return list(dict.fromkeys(e.order.client_order_id for e in self.broker.events(0) if e.type == "order"))

    @contextmanager
    def desk(self) -> Iterator[subprocess.Popen[str]]:
        """A process that owns the home and does nothing."""
        command = [sys.executable, "-c", _STAND_IN, str(self.home.path), self.clock.now().isoformat()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "up\n"
                yield process
            finally:
                process.kill()


def watched(path: Path, **more: object) -> Watched:
    """A guardian's world in a folder."""
    return Watched(Home(path / "home"), **more)  # type: ignore[arg-type]  # fields by name
