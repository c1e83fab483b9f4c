"""The guardian with vendors' adapters, at the emulators: what it sees without the desk's memory, shorts, and the stop of a position."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

from brokers.venue_kit import approved, spec
from trading_bot import config
from trading_bot.brokers.alpaca.broker import AlpacaBroker
from trading_bot.brokers.bybit.broker import BybitBroker
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.mandate import Cure, GuardianOrders
from trading_bot.domain.orders import Order, OrderIntent, OrderRole, OrderType, Side
from trading_bot.domain.proposals import Target
from trading_bot.domain.values import Symbol
from trading_bot.execution.clock import SimulatedClock
from trading_bot.execution.guardian import Guardian, Orders
from trading_bot.execution.guardian_hands import Hands
from trading_bot.execution.guardian_intents import GuardianLog
from trading_bot.execution.guardian_memory import Memory, MemoryFile
from trading_bot.ports import Broker
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings, BybitEnvironment, BybitSettings
from trading_bot.storage.home import Home
from venues import KEYS, Told, VenueDesk, alpaca_desk, bybit_desk

STOCK = Instrument(symbol=Symbol("AAPL"))
PERPETUAL = Instrument(
    symbol=Symbol("SOLUSDT"), asset_class=AssetClass.CRYPTO_PERPETUAL, lot_size=Decimal("0.1"), minimum_notional=Decimal(5),
    calendar="24/7",
)  # fmt: skip
HALVES = (Target(price=Decimal(104), fraction=Decimal("0.5")), Target(price=Decimal(108), fraction=Decimal("0.5")))
WHOLE = (Target(price=Decimal(104), fraction=Decimal(1)),)
_SILENT = timedelta(seconds=40)


class Passing(threading.Event):
    """A guardian's stop, which lets simulated time pass while it waits."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Let it pass."""
        self._clock.sleep_until(self._clock.now() + timedelta(seconds=timeout or 0))
        return self.is_set()


@dataclass
class Beside:
    """A guardian beside a desk at an emulated venue, with a home that has no journal."""

    desk: VenueDesk
    home: Home
    connect: Callable[[SimulatedClock], Broker]
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        self.home.prepare()

    def remember(self, stop: str) -> None:
        """What it once read in a journal: the desk meant to open the symbol, and had its stop here."""
        MemoryFile(self.home.guardian_memory).write(Memory(meant=(self.desk.symbol,), stops={self.desk.symbol: Decimal(stop)}))

    def works(self) -> list[Order]:
        """Look twice, 40 s apart, while no desk beats; return what rests then, with its roles by shape."""
        settings, clock = config.load(), self.desk.clock
        orders = Orders(GuardianOrders(dead_desk=Cure.CURE, daily_loss=Cure.CURE), settings.risk.limits, universe=(self.desk.symbol,))
        guardian = Guardian(
            self.home, settings.guardian, self._hands, lambda: orders, self.told, clock, Passing(clock), say=lambda _line: None
        )
        for _ in range(3):
            guardian.look()
            clock.sleep_until(clock.now() + _SILENT)
        assert guardian._hands is not None
        seen = guardian._hands.look()
        guardian.close()
        assert seen.naked() == {}
        return list(seen.orders)

    def _hands(self, memory: Memory, own: tuple[OrderIntent, ...]) -> Hands:
        broker = self.connect(self.desk.clock)
        broker.open((*memory.intents, *own), (), lambda: None)
        hand, clock, log = self.desk.hand, self.desk.clock, GuardianLog(self.home.guardian_log)
        desk = memory.order_desk(self.home.path)
        return Hands(broker, log, desk, dict(memory.stops), hand.instrument, lambda symbol: hand.prices[symbol], clock)


def _alpaca(url: str, clock: SimulatedClock) -> Broker:
    settings = AlpacaSettings(environment=AlpacaEnvironment.PAPER, url=url, feed="iex", requests_per_minute=10_000)
    return AlpacaBroker(settings, KEYS, "", clock, lambda: clock.now().timestamp(), lambda: 0.0, guardian=True)


def _bybit(url: str, clock: SimulatedClock) -> Broker:
    settings = BybitSettings.model_validate(
        {"environment": BybitEnvironment.DEMO, "url": url, "category": "linear", "leverage": "1", "receive_window_ms": 5000,
         "requests_per_second": 100}
    )  # fmt: skip
    return BybitBroker(settings, KEYS, "", lambda _: PERPETUAL, clock, lambda: clock.now().timestamp(), lambda: 0.0, guardian=True)


def beside_alpaca(desk: VenueDesk, path: Path) -> Beside:
    """A guardian of a desk at the emulated Alpaca."""
    return Beside(desk, Home(path / "home"), partial(_alpaca, desk.venue.url))


def beside_bybit(desk: VenueDesk, path: Path) -> Beside:
    """A guardian of a desk at the emulated Bybit."""
    return Beside(desk, Home(path / "home"), partial(_bybit, desk.venue.url))


def _stops(orders: list[Order]) -> list[tuple[Side, OrderType, Decimal, Decimal | None]]:
    return [(o.side, o.type, o.remaining, o.stop_price) for o in orders if o.role is OrderRole.STOP_LOSS]


def test_a_stop_that_waits_beside_its_target_guards_though_nobody_remembers_the_pair(tmp_path: Path) -> None:
    """Alpaca lists the target alone; taken for naked, the position would lose both."""
    for number, targets in enumerate((WHOLE, HALVES)):
        with alpaca_desk(STOCK) as desk:
            desk.propose(targets=targets)
            held = desk.held
            guardian = beside_alpaca(desk, tmp_path / str(number))
            stops = _stops(guardian.works())
            assert {(side, kind, price) for side, kind, _, price in stops} == {(Side.SELL, OrderType.STOP, Decimal(97))}
            assert sum(quantity for _, _, quantity, _ in stops) == held > 0
            assert guardian.told.titles == ["The desk does not answer"]
            assert desk.is_sound()


def test_legs_of_an_entry_that_is_not_filled_guard_nothing(tmp_path: Path) -> None:
    """Neither what it has bought already, nor what it may buy."""
    with alpaca_desk(STOCK) as desk:
        desk.fault(fault="partial_fill", on="order", fraction=0.4, seconds=3600)
        desk.broker.submit(approved(spec("entry", quantity=10, symbol=desk.symbol, legs=("90", "120"))))
        with closing(beside_alpaca(desk, tmp_path).connect(desk.clock)) as other:
            other.open((), (), lambda: None)
            assert [(o.client_order_id, o.filled_quantity) for o in other.open_orders()] == [("entry", 4)]


def test_a_naked_short_is_cured_with_a_buy_stop_at_alpaca(tmp_path: Path) -> None:
    """Above the price, where the desk had it."""
    with alpaca_desk(STOCK) as desk:
        desk.do("position_by_hand", symbol=desk.symbol, quantity="-20")
        guardian = beside_alpaca(desk, tmp_path)
        guardian.remember("103")
        assert _stops(guardian.works()) == [(Side.BUY, OrderType.STOP, Decimal(20), Decimal(103))]


def test_a_naked_short_whose_stop_the_price_has_passed_is_bought_back(tmp_path: Path) -> None:
    """At the market, and nothing more than that."""
    with alpaca_desk(STOCK) as desk:
        desk.do("position_by_hand", symbol=desk.symbol, quantity="-20")
        guardian = beside_alpaca(desk, tmp_path)
        guardian.remember("99")
        assert guardian.works() == []
        assert desk.broker.positions() == ()


def test_a_naked_perpetual_gets_the_stop_of_its_position_at_the_known_price(tmp_path: Path) -> None:
    """Long and short; it is the venue's own stop of the position, not an order beside it."""
    for quantity, price, side in (("3", "97", Side.SELL), ("-3", "103", Side.BUY)):
        with bybit_desk(PERPETUAL, "linear") as desk:
            desk.do("position_by_hand", symbol=desk.symbol, quantity=quantity)
            guardian = beside_bybit(desk, tmp_path / quantity)
            guardian.remember(price)
            assert _stops(guardian.works()) == [(side, OrderType.STOP, Decimal(3), Decimal(price))]
            assert [p.quantity for p in desk.broker.positions()] == [Decimal(quantity)]


def test_a_naked_perpetual_of_which_no_stop_is_known_is_closed(tmp_path: Path) -> None:
    """Nobody knows where it belongs."""
    with bybit_desk(PERPETUAL, "linear") as desk:
        desk.do("position_by_hand", symbol=desk.symbol, quantity="-3")
        assert beside_bybit(desk, tmp_path).works() == []
        assert desk.broker.positions() == ()
