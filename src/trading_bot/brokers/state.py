"""What the venue remembers: orders, holdings, and the account, in the integers of `units`.

Promises that an order and a holding are frozen values, so that a copy of the state is cheap and a transaction that fails
leaves nothing behind. Refuses nothing: the rules are in `venue`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from trading_bot.brokers.units import Units, moment
from trading_bot.domain.books import Position
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.orders import Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import ClientOrderId, Symbol

SIDES = {Side.BUY: 1, Side.SELL: -1}
SIDE_OF = {sign: side for side, sign in SIDES.items()}


@dataclass(frozen=True)
class SleepingLeg:
    """An exit that waits for its entry's first fill: its id and its one price in ticks."""

    client_order_id: ClientOrderId
    price: int


@dataclass(frozen=True, kw_only=True)
class VenueOrder:
    """An order: prices in ticks, quantities in lots, `value` (what was filled, at its prices) in cash quanta, times in ns."""

    number: int
    group: int
    """Number of the order which the bracket or pair began with."""
    client_order_id: ClientOrderId
    parent_id: ClientOrderId | None = None
    symbol: Symbol
    asset: AssetClass
    units: Units
    side: int
    type: OrderType
    role: OrderRole
    time_in_force: TimeInForce
    quantity: int
    limit: int | None = None
    stop: int | None = None
    trail: int | None = None
    """Ticks at which `stop` follows the best price; None if it stands still."""
    stop_leg: SleepingLeg | None = None
    target_leg: SleepingLeg | None = None
    reserve: int = 0
    """Ticks per lot that buying power is held back for; 0 for exits."""
    active_from: int
    """Bars that begin before are not credited to its limit."""
    expires: int | None = None
    submitted_at: int
    updated_at: int
    state: OrderState = OrderState.ACCEPTED
    reason: str = ""
    filled: int = 0
    value: int = 0
    triggered: bool = False
    bar: int = 0
    """Start of the bar in which it last filled; `used` lots of that bar's allowance are gone."""
    used: int = 0

    @property
    def remaining(self) -> int:
        """Lots still to be filled."""
        return self.quantity - self.filled

    @property
    def is_exit(self) -> bool:
        """Whether it may only make a position smaller."""
        return not self.role.adds_risk

    @property
    def waits_for_stop(self) -> bool:
        """Whether its stop was not touched yet."""
        return self.stop is not None and not self.triggered

    @cached_property
    def record(self) -> Order:
        """The order as the port tells it; a value that never changes is told in the same words, however often."""
        price = self.units.price
        return Order(
            client_order_id=self.client_order_id,
            venue_order_id=f"v{self.number:08d}",
            parent_id=self.parent_id,
            symbol=self.symbol,
            side=SIDE_OF[self.side],
            type=self.type,
            role=self.role,
            quantity=self.units.quantity(self.quantity),
            limit_price=None if self.limit is None else price(self.limit),
            stop_price=None if self.stop is None else price(self.stop),
            time_in_force=self.time_in_force,
            state=self.state,
            filled_quantity=self.units.quantity(self.filled),
            average_price=self.units.average(self.value, self.filled),
            submitted_at=moment(self.submitted_at),
            updated_at=moment(self.updated_at),
            reason=self.reason,
        )


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A position: `lots` is negative for a short, `cost` in cash quanta is what is held at its entry prices, above 0."""

    symbol: Symbol
    units: Units
    lots: int
    cost: int
    opened_at: int

    @property
    def side(self) -> Side:
        """BUY for a long, SELL for a short: the side that opened it."""
        return Side.BUY if self.lots > 0 else Side.SELL

    @cached_property
    def record(self) -> Position:
        """The position as the port tells it."""
        return Position(
            symbol=self.symbol,
            quantity=self.units.quantity(self.lots),
            average_price=self.units.average(self.cost, abs(self.lots)),
            opened_at=moment(self.opened_at),
        )

    def after(self, signed: int, value: int, at: int) -> "Holding | None":
        """The holding after a trade of `signed` lots worth `value` quanta; None if it is flat."""
        lots = self.lots + signed
        if lots == 0:
            return None
        if (self.lots > 0) == (signed > 0):
            return replace(self, lots=lots, cost=self.cost + value)
        if (lots > 0) == (self.lots > 0):
            return replace(self, lots=lots, cost=self.cost * lots // self.lots)
        return replace(self, lots=lots, cost=value * lots // signed, opened_at=at)


@dataclass
class State:
    """The venue between two calls. `orders` holds the working ones by number; `clock` is how far matching has come."""

    clock: int
    cash: int = 0
    sequence: int = 0
    """Number of the last event."""
    number: int = 0
    """Number of the last order."""
    version: int = 0
    """Grows with every change."""
    holdings: dict[Symbol, Holding] = field(default_factory=dict)
    orders: dict[int, VenueOrder] = field(default_factory=dict)

    def copy(self) -> "State":
        """A copy that can be changed without changing this one."""
        return State(self.clock, self.cash, self.sequence, self.number, self.version, dict(self.holdings), dict(self.orders))

    def lots(self, symbol: Symbol) -> int:
        """Signed lots held of `symbol`."""
        holding = self.holdings.get(symbol)
        return 0 if holding is None else holding.lots

    def working(self, symbol: Symbol) -> Iterator[VenueOrder]:
        """Working orders of `symbol`, oldest first, as of the call."""
        return iter([order for order in self.orders.values() if order.symbol == symbol])

    def sleeps(self, client_order_id: str) -> bool:
        """Whether a leg with this id waits for its entry's first fill."""
        legs = (leg for order in self.orders.values() for leg in (order.stop_leg, order.target_leg))
        return any(leg is not None and leg.client_order_id == client_order_id for leg in legs)
