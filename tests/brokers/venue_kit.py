"""A small market for tests of the venue: bars typed in by hand, a weekday calendar, a clock that is set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

import pandas as pd

from trading_bot.brokers.paper import PaperBroker
from trading_bot.brokers.venue_store import MemoryVenueStore, VenueStore
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Feed, PriceBasis, Quote, Timeframe
from trading_bot.domain.orders import ApprovedOrder, Leg, Order, OrderClass, OrderRole, OrderSpec, OrderType, Side, TimeInForce
from trading_bot.domain.values import ClientOrderId, DecisionId, ProposalId, Symbol, VerdictId
from trading_bot.execution.clock import SimulatedClock
from trading_bot.ports import BarSeries
from trading_bot.settings import BrokerSettings

DAY = date(2024, 3, 4)
"""A Monday; its session runs from 14:30 to 21:00 UTC."""
A = Symbol("A")
STEP = timedelta(minutes=5)
Row = tuple[float, float, float, float, float]


def at(clock: str, day: int = 4) -> datetime:
    """`clock` (HH:MM or HH:MM:SS, UTC) on that day of March 2024."""
    return datetime.combine(DAY.replace(day=day), time.fromisoformat(clock), UTC)


class Weekdays:
    """Monday to Friday, 14:30 to 21:00 UTC; `early` days close at 18:00."""

    def __init__(self, name: str, early: frozenset[date] = frozenset()) -> None:
        self.name = name
        self.zone: tzinfo = UTC
        self._early = early

    def is_session(self, day: date) -> bool:
        """Whether it is no weekend."""
        return self.name == "24/7" or day.weekday() < 5

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """Sessions from `first` to `last`."""
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return tuple(day for day in days if self.is_session(day))

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """Opening and closing."""
        midnight = datetime.combine(session, time(), UTC)
        if self.name == "24/7":
            return midnight, midnight + timedelta(days=1)
        closing = 18 if session in self._early else 21
        return midnight + timedelta(hours=14, minutes=30), midnight + timedelta(hours=closing)

    def session_at(self, moment: datetime) -> date | None:
        """The open session."""
        day = moment.date()
        opening, closing = self.hours(day)
        return day if self.is_session(day) and opening <= moment < closing else None

    def next_session(self, day: date) -> date:
        """First session after `day`."""
        return self.sessions(day + timedelta(days=1), day + timedelta(days=4))[0]

    def previous_session(self, day: date) -> date:
        """Last session before `day`."""
        return self.sessions(day - timedelta(days=4), day - timedelta(days=1))[-1]


@dataclass
class Market:
    """A `MarketSource` whose bars are rows of open, high, low, close, volume; `spread` is the whole spread of its quotes."""

    series: dict[tuple[Symbol, Timeframe], BarSeries] = field(default_factory=dict)
    instruments: dict[Symbol, Instrument] = field(default_factory=dict)
    events: tuple[CorporateAction, ...] = ()
    spread: Decimal = Decimal("0.02")
    name: str = "typed"

    def days(self, rows: Sequence[Row], symbol: Symbol = A, first: date = DAY) -> "Market":
        """Add daily bars, one a weekday from `first` on."""
        calendar = Weekdays(self.instrument(symbol).calendar)
        hours = [calendar.hours(day) for day in calendar.sessions(first, first + timedelta(days=2 * len(rows) + 3))[: len(rows)]]
        return self._add(symbol, Timeframe.DAY, rows, [a for a, _ in hours], [b for _, b in hours])

    def minutes(self, rows: Sequence[Row], symbol: Symbol = A, first: datetime | None = None) -> "Market":
        """Add 5-minute bars one after the other from `first` (default: the opening of `DAY`)."""
        begin = first or at("14:30")
        return self.minutes_at(rows, [begin + n * STEP for n in range(len(rows))], symbol)

    def minutes_at(self, rows: Sequence[Row], starts: list[datetime], symbol: Symbol = A) -> "Market":
        """Add 5-minute bars that begin at `starts`."""
        return self._add(symbol, Timeframe.MINUTE_5, rows, starts, [start + STEP for start in starts])

    def _add(self, symbol: Symbol, timeframe: Timeframe, rows: Sequence[Row], starts: list[datetime], ends: list[datetime]) -> "Market":
        index = pd.DatetimeIndex(starts).as_unit("ns")
        frame = pd.DataFrame(rows, index=index, columns=["open", "high", "low", "close", "volume"], dtype=float)
        closes = pd.DatetimeIndex(ends).tz_convert(None).to_numpy().astype("datetime64[ns]")
        one = BarSeries(symbol, timeframe, frame, closes, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, self.name)
        self.series[symbol, timeframe] = one
        return self

    def instrument(self, symbol: Symbol) -> Instrument:
        """A share on a cent."""
        return self.instruments.get(symbol, Instrument(symbol=symbol))

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """What was added for `symbol`."""
        found = tuple(t for t in Timeframe if (symbol, t) in self.series)
        if not found:
            raise NoDataError(f"{symbol}: nothing")
        return found

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """What was added."""
        return self.series[symbol, timeframe]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Corporate actions of `symbol`."""
        return tuple(a for a in self.events if a.symbol == symbol)

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest open or close of the finest bars that cover its day."""
        best: tuple[pd.Timestamp, int, float] | None = None
        covered: set[date] = set()
        for timeframe in self.timeframes(symbol):
            one = self.series[symbol, timeframe]
            ends = pd.DatetimeIndex(one.ends, tz="UTC")
            own = {stamp.date() for stamp in one.frame.index}
            last = int(one.frame.index.searchsorted(pd.Timestamp(at), side="right")) - 1
            for number in range(max(last, 0), last + 1):
                if one.frame.index[number].date() in covered:
                    continue
                row = one.frame.iloc[number]
                found = [(one.frame.index[number], 1, float(row["open"])), (ends[number], 0, float(row["close"]))]
                best = max([f for f in found if f[0] <= at] + ([best] if best else []))
            covered |= own
        if best is None:
            return None
        price, half = Decimal(str(best[2])), self.spread / 2
        return Quote(
            symbol=symbol,
            bid=price - half,
            ask=price + half,
            bid_size=Decimal(0),
            ask_size=Decimal(0),
            time=best[0].to_pydatetime(),
            source="bar-open" if best[1] else "bar-close",
            feed=Feed.CONSOLIDATED,
        )

    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


FREE = BrokerSettings(
    name="paper",
    account="paper-1",
    cash=Decimal(100_000),
    slippage_bps=Decimal(0),
    participation=Decimal(1),
    fees="none",
    borrow_bps_per_year=Decimal(0),
)
"""A venue without costs and without a cap."""


@dataclass
class Desk:
    """A venue with its clock, and short ways to use it."""

    broker: PaperBroker
    clock: SimulatedClock

    def send(self, order: OrderSpec) -> Order:
        """Submit an order."""
        return self.broker.submit(approved(order))

    def go(self, clock: str, day: int = 4) -> "Desk":
        """Set the clock and let the venue come to it."""
        self.clock.sleep_until(at(clock, day))
        self.broker.account()
        return self

    @property
    def fills(self) -> list[tuple[str, Decimal, Decimal, datetime]]:
        """Id, quantity, price and time of every fill."""
        told = (e.fill for e in self.broker.events(0) if isinstance(e, OrderUpdate) and e.fill is not None)
        return [(f.client_order_id, f.quantity, f.price, f.at) for f in told]

    @property
    def held(self) -> Decimal:
        """Quantity of A."""
        return next((p.quantity for p in self.broker.positions() if p.symbol == A), Decimal(0))

    @property
    def log(self) -> list[tuple[str, str, str]]:
        """Id, state and reason of every order update."""
        told = (e.order for e in self.broker.events(0) if isinstance(e, OrderUpdate))
        return [(o.client_order_id, o.state, o.reason) for o in told]

    def resting(self) -> dict[str, Decimal]:
        """Remaining quantity of working orders by id."""
        return {o.client_order_id: o.remaining for o in self.broker.open_orders()}


def spec(identity: str, side: str = "buy", quantity: int | str = 100, **more: object) -> OrderSpec:
    """An order in A: market unless `limit`, `stop` or `trail` is given; `legs` are prices of stop loss and (maybe) take profit."""
    limit, stop, legs, trail = (more.pop(name, None) for name in ("limit", "stop", "legs", "trail"))
    kinds = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop_limit"}
    prices = [str(p) for p in legs] if isinstance(legs, (tuple, list)) else []
    leg = [
        Leg(client_order_id=ClientOrderId(f"{identity}-{name}"), price=Decimal(p)) for name, p in zip(("sl", "tp"), prices, strict=False)
    ]
    role = str(more.pop("role", "entry"))
    kind = OrderClass.SIMPLE if not leg else OrderClass.OCO if role == "take_profit" else OrderClass.BRACKET
    return OrderSpec(
        client_order_id=ClientOrderId(identity),
        symbol=Symbol(str(more.pop("symbol", A))),
        side=Side(side),
        type=OrderType.TRAILING_STOP if trail is not None else OrderType(kinds[limit is not None, stop is not None]),
        order_class=kind,
        quantity=Decimal(quantity),
        limit_price=None if limit is None else Decimal(str(limit)),
        stop_price=None if stop is None else Decimal(str(stop)),
        trail=None if trail is None else Decimal(str(trail)),
        time_in_force=TimeInForce(str(more.pop("tif", "gtc"))),
        role=OrderRole(role),
        stop_loss=leg[0] if leg else None,
        take_profit=leg[1] if len(leg) > 1 else None,
    )


def approved(order: OrderSpec, replaces: str | None = None) -> ApprovedOrder:
    """`order` with an approval."""
    old = None if replaces is None else ClientOrderId(replaces)
    return ApprovedOrder(
        spec=order,
        digest=ApprovedOrder.digest_of(order, old),
        verdict_id=VerdictId("v"),
        proposal_id=ProposalId("p"),
        decision_id=DecisionId("d"),
        replaces=old,
    )


def settings(**changes: object) -> BrokerSettings:
    """`FREE` with some settings changed."""
    return BrokerSettings.model_validate({**FREE.model_dump(), **changes})


def open_desk(market: Market, *, start: datetime | None = None, store: VenueStore | None = None, **changes: object) -> Desk:
    """A desk at the opening of `DAY`, or at `start`; `changes` to the settings of a venue without costs."""
    clock = SimulatedClock(start or at("14:30"))
    return Desk(PaperBroker(store or MemoryVenueStore(), market, Weekdays, clock, settings(**changes)), clock)
