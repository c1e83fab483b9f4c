"""Small desks at emulated venues: real gate, engine and adapter, over real sockets, on a simulated clock that the emulator follows."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from builders import NOW, mandate, proposal
from trading_bot.brokers.alpaca.broker import AlpacaBroker
from trading_bot.brokers.bybit.broker import BybitBroker
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.mandate import Mandate
from trading_bot.domain.market import CorporateAction, Feed, Quote, Timeframe
from trading_bot.domain.orders import Order, OrderRole, Side
from trading_bot.domain.proposals import Proposal, ProposalKind
from trading_bot.domain.values import DecisionId, ProposalId, Symbol
from trading_bot.execution.approvals import Approvals
from trading_bot.execution.clock import SimulatedClock, SystemWallClock
from trading_bot.execution.engine import Engine
from trading_bot.execution.inbox import Inbox
from trading_bot.execution.parts import Authority, Parts
from trading_bot.execution.protection import naked
from trading_bot.execution.session import Session
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.network.keys import Keys
from trading_bot.ports import BarSeries, Broker, Journal
from trading_bot.risk.halt import DeskSwitch
from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
from trading_bot.sandbox.alpaca.setup import Setup as AlpacaSetup
from trading_bot.sandbox.bybit.api import BybitApi
from trading_bot.sandbox.bybit.service import Setup as BybitSetup
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.exchange.market import EmulatedMarket
from trading_bot.sandbox.exchange.path import RandomWalk
from trading_bot.settings import AlpacaEnvironment, AlpacaSettings, BybitEnvironment, BybitSettings
from trading_bot.storage.memory import MemoryJournal

KEYS = Keys("key-of-the-test", "secret-of-the-test")
PRICE = Decimal(100)


class Hand:
    """A `MarketSource` whose prices the test sets, for the desk and for the emulator."""

    name = "hand"

    def __init__(self, instruments: Mapping[Symbol, Instrument], clock: SimulatedClock) -> None:
        self._instruments, self._clock = instruments, clock
        self.prices = dict.fromkeys(instruments, PRICE)

    def instrument(self, symbol: Symbol) -> Instrument:
        """As given."""
        return self._instruments[symbol]

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """None."""
        raise NoDataError(f"{symbol}: prices are set by hand")

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """None."""
        raise NoDataError(f"{symbol} {timeframe}: prices are set by hand")

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the port's signature
        """None."""
        return ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """A tick to each side of the price, now."""
        tick, price = self._instruments[symbol].tick_size, self.prices[symbol]
        fields = {"bid": price - tick, "ask": price + tick, "bid_size": Decimal(100), "ask_size": Decimal(100)}
        return Quote.model_validate({"symbol": symbol, "time": at, "source": "hand", "feed": Feed.CONSOLIDATED, **fields})

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass
class Told:
    """A `Notifier` that remembers."""

    titles: list[str] = field(default_factory=list)

    def tell(self, title: str, body: str) -> None:  # noqa: ARG002 - the port's signature
        """Remember the title."""
        self.titles.append(title)


@dataclass
class VenueDesk:
    """A desk, its venue, and the hand that moves both."""

    venue: Any
    """The emulator."""
    broker: Broker
    engine: Engine
    session: Session
    switch: DeskSwitch
    journal: Journal
    clock: SimulatedClock
    hand: Hand
    told: Told
    symbol: Symbol
    proposals: int = 0

    def do(self, name: str, **said: object) -> None:
        """What the emulator's `/__control` does."""
        if isinstance(self.venue, BybitApi):
            self.venue.control(do=name, **said)
        else:
            self.venue.do(name, **said)

    def move(self, price: str) -> None:
        """Set the price, let the venue trade at it, and let the desk see that."""
        tick = self.hand.instrument(self.symbol).tick_size
        self.hand.prices[self.symbol] = Decimal(price)
        self.do("quote", symbol=self.symbol, bid=str(Decimal(price) - tick), ask=str(Decimal(price) + tick))
        self.wait(2)

    def fault(self, **rule: object) -> None:
        """Let something go wrong."""
        if isinstance(self.venue, BybitApi):
            self.venue.control(do="fault", rule=rule)
        else:
            self.venue.do("fault", **rule)

    def wait(self, seconds: float) -> None:
        """Let trading time pass, with a look at the venue every half second of the first ten."""
        end = self.clock.now() + timedelta(seconds=seconds)
        for _ in range(min(int(seconds * 2), 20)):
            self.session.wait(self.clock.now() + timedelta(seconds=0.5))
        self.session.wait(end)

    def propose(self, action: ProposalKind = ProposalKind.OPEN, **fields: Any) -> Proposal:  # noqa: ANN401 - fields
        """Have the engine judge a proposal, and let it come to rest."""
        self.proposals += 1
        now = self.clock.now()
        ids = {"id": ProposalId(f"proposal-{self.proposals}"), "decision_id": DecisionId(f"decision-{self.proposals}")}
        made = proposal(action=action, symbol=self.symbol, at=now, expires_at=now + timedelta(minutes=30), **ids, **fields)
        self.engine.handle(made)
        self.wait(3)
        return made

    @property
    def held(self) -> Decimal:
        """Quantity in the books."""
        position = self.engine.ledger.books.positions.get(self.symbol)
        return Decimal(0) if position is None else position.quantity

    def working(self, role: OrderRole) -> tuple[Order, ...]:
        """Working orders of one role in the books."""
        return tuple(o for o in self.engine.ledger.books.working_orders(self.symbol) if o.role is role)

    @property
    def stopped(self) -> Decimal:
        """Quantity that resting stops would close."""
        return sum((o.remaining for o in self.working(OrderRole.STOP_LOSS)), Decimal(0))

    def is_sound(self) -> bool:
        """Whether nothing is naked or doubtful, and books and broker agree."""
        lot = self.hand.instrument(self.symbol).lot_size
        bare = [quantity for quantity in naked(self.engine.ledger.books).values() if quantity >= lot]
        return not bare and not self.engine.ledger.pending and not self.engine.compare()

    def sides(self) -> list[tuple[Side, OrderRole]]:
        """Every intent's side and role, in order."""
        return [(i.order.spec.side, i.order.spec.role) for i in self.engine.ledger.intents]


def generous(symbol: Symbol, **limits: Any) -> Mandate:  # noqa: ANN401 - values of limits
    """Allows a tenth of 100,000 in one position, and nearly everything else; `limits` that a test wants otherwise."""
    wide = dict.fromkeys(_WIDE.split(), "none")
    return mandate(**{"universe": (symbol,), "position": "0.1", "short_selling": True, **wide, **limits})


_WIDE = "approval_above risk_per_trade price_collar sector open_risk max_spread reentry_minutes trades_per_day"


def _market(instrument: Instrument) -> EmulatedMarket:
    path = RandomWalk(1, {instrument.symbol: instrument}, {instrument.symbol: PRICE}, volatility_bps=0.0, size=Decimal(1_000_000))
    return EmulatedMarket(path, open_calendar)


def _desk(venue: Any, broker: Broker, instrument: Instrument, clock: SimulatedClock, **limits: Any) -> VenueDesk:  # noqa: ANN401 - either emulator
    journal, stop, told = MemoryJournal("desk01"), threading.Event(), Told()
    hand = Hand({instrument.symbol: instrument}, clock)
    switch = DeskSwitch(None, journal)
    authority = Authority(generous(instrument.symbol, **limits), SimulatedClock(NOW))
    calendars = {name: open_calendar(name) for name in ("XNYS", "24/7")}
    view = AsOfView(hand, clock.now)
    engine = Engine(Parts(journal, broker, view, clock, switch, authority, calendars, {instrument.symbol: "all"}, notifier=told))
    inbox = Inbox(journal, engine, switch, clock, lambda _proof, _number: None, Approvals(journal, engine, clock, lambda _w, _p: None))
    session = Session(clock=clock, journal=journal, broker=broker, engine=engine, inbox=inbox, stop=stop)
    desk = VenueDesk(venue, broker, engine, session, switch, journal, clock, hand, told, instrument.symbol)
    desk.move(str(PRICE))
    return desk


@contextmanager
def alpaca_desk(instrument: Instrument) -> Iterator[VenueDesk]:
    """A desk at an emulated Alpaca, at the opening of 2024-03-05."""
    clock = SimulatedClock(NOW)
    setup = AlpacaSetup(requests_per_minute=100_000)
    with AlpacaEmulator(_market(instrument), EmulatedClock.following(clock.now), setup) as venue:
        settings = AlpacaSettings(environment=AlpacaEnvironment.PAPER, url=venue.url, feed="iex", requests_per_minute=10_000)
        broker = AlpacaBroker(settings, KEYS, "", clock, lambda: clock.now().timestamp(), lambda: 0.0)
        try:
            yield _desk(venue, broker, instrument, clock)
        finally:
            broker.close()


@contextmanager
def bybit_desk(
    instrument: Instrument, category: str, veil: Callable[[Broker], Broker] = lambda broker: broker, **limits: str
) -> Iterator[VenueDesk]:
    """A desk at an emulated Bybit, at the same time, under these limits. `veil`: what the desk sees of the adapter."""
    clock = SimulatedClock(NOW)
    setup = BybitSetup({category: _market(instrument)}, EmulatedClock.following(clock.now), SystemWallClock(), cash=Decimal(100_000))
    with BybitApi(setup) as venue:
        settings = BybitSettings.model_validate(
            {"environment": BybitEnvironment.DEMO, "url": venue.url, "category": category, "leverage": "1",
             "receive_window_ms": 5000, "requests_per_second": 100}
        )  # fmt: skip
        broker = BybitBroker(settings, KEYS, "", lambda _symbol: instrument, clock, lambda: clock.now().timestamp(), lambda: 0.0)
        try:
            yield _desk(venue, veil(broker), instrument, clock, **limits)
        finally:
            broker.close()
