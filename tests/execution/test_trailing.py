"""A stop that is told to trail, from the proposal through gate, engine and adapter to the venue and back into the books."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from brokers.alpaca_bench import COIN, STOCK, alpaca_bench
from brokers.bybit_bench import bybit_bench
from builders import mandate
from trading_bot.domain.errors import BrokerUnavailableError, NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Quote, Timeframe
from trading_bot.domain.orders import Order, OrderRole, OrderType
from trading_bot.domain.proposals import Proposal, ProposalKind, Target, Verdict
from trading_bot.domain.values import DecisionId, ProposalId, Symbol
from trading_bot.execution.engine import Engine
from trading_bot.execution.parts import Authority, Parts
from trading_bot.market.calendar import open_calendar
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries
from trading_bot.risk.halt import DeskSwitch
from trading_bot.sandbox.conformance import Bench
from trading_bot.sandbox.conformance.paper_bench import paper_bench
from trading_bot.storage.memory import MemoryJournal

FREE = dict.fromkeys(
    ("position", "approval_above", "sector", "open_risk", "gross_exposure", "leverage", "orders_per_minute", "max_spread"), "none"
)


@dataclass
class OnBench:
    """Source and clock of a desk on a bench: the price that was set, and no bars."""

    bench: Bench
    name: str = "bench"
    simulated: bool = False

    def now(self) -> datetime:
        """The bench's."""
        return self.bench.now()

    def sleep_until(self, moment: datetime) -> None:
        """Until then, by the bench's patience."""
        self.bench.wait(lambda: self.now() >= moment, (moment - self.now()) / timedelta(seconds=1))

    def instrument(self, symbol: Symbol) -> Instrument:
        """The one that is traded."""
        if symbol != self.bench.instrument.symbol:
            raise NoDataError(f"{symbol} is not on the bench")
        return self.bench.instrument

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:  # noqa: ARG002 - the port's signature
        """None."""
        return ()

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """None."""
        raise NoDataError(f"{symbol} has no {timeframe} on the bench")

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:  # noqa: ARG002 - the port's signature
        """None."""
        return ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:  # noqa: ARG002 - the port's signature
        """What was set."""
        return self.bench.quote()

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()


class VenueDesk:
    """An engine on a bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.broker = bench.make()
        self.price = bench.quote().mid
        self._count = 0
        around, symbol, always = OnBench(bench), bench.instrument.symbol, open_calendar("24/7")
        now = bench.now()
        under = mandate(
            account=bench.account, universe=(symbol,), issued_at=now - timedelta(days=1), expires_at=now + timedelta(days=1), **FREE
        )
        journal = MemoryJournal("desk01")
        self.engine = Engine(
            Parts(
                journal=journal,
                broker=self.broker,
                view=AsOfView(around, bench.now),
                clock=around,
                switch=DeskSwitch(None, journal),
                authority=Authority(under, around),
                calendars={"XNYS": always, "24/7": always},
                sectors={symbol: "all"},
                breathe=lambda: None,
            )
        )
        self.engine.start()

    def propose(self, action: ProposalKind, **fields: object) -> Verdict:
        """Hand a proposal in."""
        self._count += 1
        now, name = self.bench.now(), f"d{self._count}"
        plain = {
            "at": now,
            "id": ProposalId(f"p-{name}"),
            "decision_id": DecisionId(name),
            "action": action,
            "symbol": self.bench.instrument.symbol,
            "side": "buy",
            "strategy": "trail",
            "exposure": Decimal(1),
            "confidence": 0.7,
            "horizon_days": 5,
            "thesis": "a test",
            "analyst": "test",
            "expires_at": now + timedelta(minutes=30),
        }
        verdict = self.engine.handle(Proposal.model_validate({**plain, **fields}))
        assert verdict is not None
        return verdict

    def enter(self, *targets: str) -> None:
        """Buy, with a stop five per cent below and these targets (shares of the price), and wait until that is guarded."""
        goals = tuple(Target(price=self.level(share), fraction=Decimal(1) / len(targets)) for share in targets)
        verdict = self.propose(ProposalKind.OPEN, entry=self.price, stop_loss=self.level("0.95"), targets=goals)
        assert verdict.outcome in {"approved", "reduced"}, verdict.findings
        lot = self.bench.instrument.lot_size  # a fee in coins may leave less than one
        self.until(lambda: self.held and self.quantity - sum(o.remaining for o in self.stops()) < lot)

    def trail(self, share: str) -> Verdict:
        """Have the stop trail at this share of the price."""
        distance = self.level(share)
        return self.propose(ProposalKind.MOVE_STOP, stop_loss=self.level("0.99"), trail=distance)

    def level(self, share: str) -> Decimal:
        """A share of the price at the beginning."""
        return self.bench.instrument.round_price(self.price * Decimal(share))

    def go(self, share: str) -> None:
        """Bring the price there, and let the desk look at it for a second."""
        assert self.bench.move is not None
        self.bench.move(self.level(share))
        self.bench.wait(self.looks_and_goes_on, 1)

    def looks_and_goes_on(self) -> bool:
        """One turn of the loop."""
        with suppress(BrokerUnavailableError):
            self.engine.resolve()
            self.engine.pump()
        return False

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the desk work until the books show it."""
        assert self.bench.wait(lambda: self.looks_and_goes_on() or condition(), 6), (self.engine.ledger.books, self.broker.open_orders())

    def stops(self) -> list[Order]:
        """Working stops in the books."""
        return [o for o in self.engine.ledger.books.working_orders() if o.role is OrderRole.STOP_LOSS]

    @property
    def quantity(self) -> Decimal:
        """How much the books hold."""
        return sum((p.quantity for p in self.engine.ledger.books.positions.values()), Decimal(0))

    @property
    def held(self) -> bool:
        """Whether the books hold anything."""
        return bool(self.engine.ledger.books.positions)


@contextmanager
def paper() -> Iterator[Bench]:
    """The paper venue."""
    yield paper_bench()


@contextmanager
def desk_on(venue: "Venue") -> Iterator[VenueDesk]:
    """A desk on a fresh venue."""
    with venue() as bench:
        desk = VenueDesk(bench)
        try:
            yield desk
        finally:
            desk.broker.close()


WHOLE = STOCK.model_copy(update={"lot_size": Decimal(1)})
Venue = Callable[[], AbstractContextManager[Bench]]
TRAILS: dict[str, Venue] = {"paper": paper, "alpaca": partial(alpaca_bench, WHOLE), "bybit": bybit_bench}
STAYS: dict[str, Venue] = {"alpaca coins": partial(alpaca_bench, COIN), "bybit spot": partial(bybit_bench, "spot")}


@pytest.mark.parametrize("venue", TRAILS)
def test_a_stop_that_is_told_to_trail_follows_and_closes(venue: str) -> None:
    """From five per cent below to four below the best: up by two, down by one, and out at two and a half below where it began."""
    with desk_on(TRAILS[venue]) as desk:
        desk.enter()
        assert desk.trail("0.04").outcome == "approved"
        desk.until(lambda: [o.type for o in desk.stops()] == [OrderType.TRAILING_STOP])
        desk.go("1.02")
        desk.go("0.99")
        assert desk.held
        assert desk.engine.reconcile() == ()
        desk.go("0.975")
        desk.until(lambda: not desk.held and not desk.engine.ledger.books.working_orders())
        assert [t.exit_role for t in desk.engine.ledger.trades.closed] == [OrderRole.STOP_LOSS]
        assert desk.engine.reconcile() == ()


@pytest.mark.parametrize("venue", TRAILS)
def test_a_trail_that_would_stand_lower_than_the_stop_is_refused(venue: str) -> None:
    """Eight per cent below the price, whatever the proposal calls it; the stop stays where it is."""
    with desk_on(TRAILS[venue]) as desk:
        desk.enter()
        before = desk.stops()
        said = desk.trail("0.08")
        assert (said.outcome, [(f.rule, f.actual) for f in said.findings]) == ("rejected", [("less_risk_only", str(desk.level("0.92")))])
        assert desk.stops() == before


@pytest.mark.parametrize("venue", STAYS)
def test_where_no_stop_can_trail_the_one_that_rests_is_left_alone(venue: str) -> None:
    """It is said so, and nothing is canceled for it."""
    with desk_on(STAYS[venue]) as desk:
        desk.enter()
        before = desk.stops()
        said = desk.trail("0.04")
        assert [(f.rule, f.limit) for f in said.findings] == [("trailing_stop", "a venue whose stops can trail")]
        desk.looks_and_goes_on()
        assert desk.stops() == before


def test_at_alpaca_a_trailing_stop_takes_the_place_of_target_and_stop_for_good() -> None:
    """The pair is not put back in its place, and a fraction of a share, which cannot trail there, has a stop of its own."""
    with desk_on(alpaca_bench) as desk:
        desk.enter("1.1")
        assert desk.trail("0.04").outcome == "approved"
        desk.until(lambda: OrderType.TRAILING_STOP in {o.type for o in desk.stops()})
        desk.go("1.001")
        assert sum(o.remaining for o in desk.stops()) == desk.quantity
        assert {o.role for o in desk.engine.ledger.books.working_orders()} == {OrderRole.STOP_LOSS}
        assert {o.remaining % 1 == 0: o.type for o in desk.stops()} == {True: OrderType.TRAILING_STOP, False: OrderType.STOP}


def test_a_trail_that_is_drawn_tighter_takes_the_place_of_the_wider() -> None:
    """And a wider one does not take the place of the tighter."""
    with desk_on(paper) as desk:
        desk.enter()
        assert desk.trail("0.04").outcome == "approved"
        assert desk.trail("0.02").outcome == "approved"
        assert [o.stop_price for o in desk.stops()] == [desk.level("0.98")]
        assert desk.trail("0.03").outcome == "rejected"
