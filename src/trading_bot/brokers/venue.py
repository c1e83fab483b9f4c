"""One turn at the venue: the moves that change its state, each told as an event. Pure: no I/O, no clock, no market data.

Promises that every event has the next sequence number, that an exit never rests for more than the position, that legs follow
their entry and each other, and that cash moves only with an event. Refuses nothing: who calls has checked.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import chain

from trading_bot.brokers.fees import Trade, fee
from trading_bot.brokers.matching import split_lots, split_price
from trading_bot.brokers.state import SIDE_OF, SIDES, Holding, SleepingLeg, State, VenueOrder
from trading_bot.brokers.units import cash, moment
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate, SplitUpdate
from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.market import Split
from trading_bot.domain.orders import Fill, OrderRole, OrderState, OrderType, TimeInForce
from trading_bot.domain.values import ClientOrderId, Symbol

POSITION_CLOSED = "position closed"
SIBLING_FILLED = "the other leg filled"
EXIT_FILLED = "an exit of its bracket filled"
SESSION_CLOSED = "the session closed"
LIQUIDATED = "liquidated by the venue"
TOO_SMALL = "a split left less than one lot"
_RATIO_TERMS = 10_000


class Venue:
    """A working copy of the state, with what happened to it: `events` and every order that was `touched`."""

    def __init__(self, state: State, schedule: str) -> None:
        self.state = state
        self.events: list[BrokerEvent] = []
        self.touched: dict[int, VenueOrder] = {}
        self._schedule = schedule

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.events or self.touched)

    # -- orders ----------------------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Number of the next order."""
        self.state.number += 1
        return self.state.number

    def keep(self, order: VenueOrder) -> VenueOrder:
        """Remember `order` without telling anyone."""
        self.touched[order.number] = order
        if order.state.is_final:
            self.state.orders.pop(order.number, None)
        else:
            self.state.orders[order.number] = order
        return order

    def tell(self, order: VenueOrder, at: int, fill: Fill | None = None) -> VenueOrder:
        """Remember `order` and tell of it."""
        order = self.keep(order if order.updated_at == at else replace(order, updated_at=at))
        self.events.append(OrderUpdate(sequence=self._sequence(), at=moment(at), order=order.record, fill=fill))
        return order

    def end(self, order: VenueOrder, state: OrderState, reason: str, at: int) -> None:
        """Take a working order off."""
        self.tell(replace(order, state=state, reason=reason, updated_at=at), at)

    def fill(self, order: VenueOrder, lots: int, price: int, at: int, *, maker: bool, bar: int) -> None:  # noqa: PLR0913 - what a fill is
        """Execute `lots` of `order` at `price` ticks. `bar`: start of the bar whose allowance it uses."""
        value = lots * price * order.units.worth
        signed = order.side * lots
        used = lots + (order.used if order.bar == bar else 0)
        filled = order.filled + lots
        state = OrderState.FILLED if filled == order.quantity else OrderState.PARTIALLY_FILLED
        charge = self._charge(order, lots, value, at, maker=maker)
        self.state.cash -= order.side * value + charge
        self._hold(order, signed, value, at)
        legs = (order.stop_leg, order.target_leg)
        after = replace(
            order,
            filled=filled,
            value=order.value + value,
            state=state,
            bar=bar,
            used=used,
            stop_leg=None,
            target_leg=None,
            updated_at=at,
        )
        self.tell(after, at, self._execution(after, lots, price, charge, at))
        if order.is_exit:
            self._after_exit(after, lots, at)
        else:
            self._after_entry(after, lots, legs, at)
        self._cap_exits(order.symbol, at)

    def liquidate(self, symbol: Symbol, price: int, at: int) -> None:
        """Close a position at `price` ticks by an order of the venue's own. Entries end before, so that none opens it again."""
        for resting in self.state.working(symbol):
            if not resting.is_exit:
                self.end(resting, OrderState.CANCELED, LIQUIDATED, at)
        held, number = self.state.holdings[symbol], self.next_number()
        order = VenueOrder(
            number=number,
            group=number,
            client_order_id=ClientOrderId(f"venue-{number}"),
            symbol=symbol,
            asset=AssetClass.CRYPTO_PERPETUAL,
            units=held.units,
            side=SIDES[held.side.opposite],
            type=OrderType.MARKET,
            role=OrderRole.CLOSE,
            time_in_force=TimeInForce.GTC,
            quantity=abs(held.lots),
            active_from=at,
            submitted_at=at,
            updated_at=at,
            reason=LIQUIDATED,
        )
        self.fill(self.tell(order, at), order.quantity, price, at, maker=False, bar=0)

    def _charge(self, order: VenueOrder, lots: int, value: int, at: int, *, maker: bool) -> int:
        trade = Trade(SIDE_OF[order.side], order.units.quantity(lots), cash(value), maker, at)
        return fee(self._schedule, order.asset, trade)

    def _execution(self, order: VenueOrder, lots: int, price: int, charge: int, at: int) -> Fill:
        return Fill(
            execution_id=f"e{self.state.sequence + 1:08d}",
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=SIDE_OF[order.side],
            role=order.role,
            quantity=order.units.quantity(lots),
            price=order.units.price(price),
            fee=cash(charge),
            at=moment(at),
        )

    def _hold(self, order: VenueOrder, signed: int, value: int, at: int) -> None:
        held = self.state.holdings.pop(order.symbol, None)
        if held is None:
            after: Holding | None = Holding(symbol=order.symbol, units=order.units, lots=signed, cost=value, opened_at=at)
        else:
            after = held.after(signed, value, at)
        if after is not None:
            self.state.holdings[order.symbol] = after

    # -- legs ------------------------------------------------------------------------------------------------------

    def _after_entry(self, entry: VenueOrder, lots: int, legs: tuple[SleepingLeg | None, SleepingLeg | None], at: int) -> None:
        """Wake sleeping legs for what was filled, or let those that are awake grow by it."""
        for order in self._group(entry):
            if order.is_exit:
                self.tell(replace(order, quantity=order.quantity + lots), at)
        for leg, role in zip(legs, (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT), strict=True):
            if leg is not None:
                self.add_leg(entry, leg, role, lots, at)

    def add_leg(self, parent: VenueOrder, leg: SleepingLeg, role: OrderRole, lots: int, at: int) -> None:
        """Put an exit beside `parent`: a stop for STOP_LOSS, a limit for TAKE_PROFIT. A bracket's legs outlive its entry."""
        is_stop = role is OrderRole.STOP_LOSS
        order = VenueOrder(
            number=self.next_number(),
            group=parent.group,
            client_order_id=leg.client_order_id,
            parent_id=parent.client_order_id,
            symbol=parent.symbol,
            asset=parent.asset,
            units=parent.units,
            side=parent.side if parent.is_exit else -parent.side,
            type=OrderType.STOP if is_stop else OrderType.LIMIT,
            role=role,
            time_in_force=parent.time_in_force if parent.is_exit else TimeInForce.GTC,
            quantity=lots,
            limit=None if is_stop else leg.price,
            stop=leg.price if is_stop else None,
            active_from=at,
            expires=parent.expires if parent.is_exit else None,
            submitted_at=at,
            updated_at=at,
        )
        self.tell(order, at)

    def _after_exit(self, order: VenueOrder, lots: int, at: int) -> None:
        """Shrink the siblings of an exit by what it filled, and end the rest of its entry: it would stand without legs."""
        for other in self._group(order):
            if not other.is_exit:
                self.end(other, OrderState.CANCELED, EXIT_FILLED, at)
            elif other.remaining > lots:
                self.tell(replace(other, quantity=other.quantity - lots), at)
            else:
                self.end(other, OrderState.CANCELED, SIBLING_FILLED, at)

    def _group(self, order: VenueOrder) -> list[VenueOrder]:
        """Working orders of the same bracket or pair, but for `order`."""
        return [o for o in self.state.orders.values() if o.group == order.group and o.number != order.number]

    def _cap_exits(self, symbol: Symbol, at: int) -> None:
        """Bring every exit down to the position: canceled if there is none on its side, shrunk if it is larger."""
        held = self.state.lots(symbol)
        for order in self.state.working(symbol):
            room = max(-order.side * held, 0)
            if not order.is_exit or order.remaining <= room:
                continue
            if room == 0:
                self.end(order, OrderState.CANCELED, POSITION_CLOSED, at)
            else:
                self.tell(replace(order, quantity=order.filled + room), at)

    # -- cash and corporate actions ----------------------------------------------------------------------------------

    def pay(self, reason: CashReason, amount: int, at: int, symbol: Symbol | None = None) -> None:
        """Move `amount` quanta of cash; nothing happens for 0."""
        if amount:
            self.state.cash += amount
            event = CashUpdate(sequence=self._sequence(), at=moment(at), reason=reason, amount=cash(amount), symbol=symbol)
            self.events.append(event)

    def accrue(self, reason: CashReason, symbol: Symbol, per_lot: Fraction, at: int) -> None:
        """Pay `per_lot` quanta to a long, charge a short; the other way round if it is below 0."""
        self.pay(reason, round(self.state.lots(symbol) * per_lot), at, symbol)

    def split(self, split: Split, price: int, at: int) -> None:
        """Split position and resting orders; fractions of a lot are paid out at `price` ticks."""
        ratio = ratio_of(split)
        held = self.state.holdings.pop(split.symbol, None)
        if held is not None:
            lots, rest = split_lots(held.lots, ratio)
            if lots:
                # The fraction's share of the cost leaves with it.
                kept = round(held.cost * Fraction(lots) / (lots + rest))
                self.state.holdings[split.symbol] = replace(held, lots=lots, cost=kept)
            told = SplitUpdate(
                sequence=self._sequence(),
                at=moment(at),
                symbol=split.symbol,
                ratio=split.ratio,
                quantity_after=held.units.quantity(lots),
            )
            self.events.append(told)
            self.pay(CashReason.CASH_IN_LIEU, round(rest * price * held.units.worth), at, split.symbol)
        for order in self.state.working(split.symbol):
            self._split_order(order, ratio, at)
        self._cap_exits(split.symbol, at)

    def _split_order(self, order: VenueOrder, ratio: Fraction, at: int) -> None:
        filled, remaining = split_lots(order.filled, ratio)[0], split_lots(order.remaining, ratio)[0]
        if remaining == 0:
            self.end(order, OrderState.CANCELED, TOO_SMALL, at)
            return
        after = replace(
            order,
            quantity=filled + remaining,
            filled=filled,
            limit=None if order.limit is None else split_price(order.limit, ratio),
            stop=None if order.stop is None else split_price(order.stop, ratio),
            trail=None if order.trail is None else split_price(order.trail, ratio),
            stop_leg=_split_leg(order.stop_leg, ratio),
            target_leg=_split_leg(order.target_leg, ratio),
            reserve=0 if order.reserve == 0 else split_price(order.reserve, ratio),
        )
        self.tell(after, at)

    def find(self, client_order_id: ClientOrderId) -> VenueOrder | None:
        """A working order, or one touched in this turn."""
        known = chain(self.state.orders.values(), self.touched.values())
        return next((o for o in known if o.client_order_id == client_order_id), None)

    def _sequence(self) -> int:
        self.state.sequence += 1
        return self.state.sequence


def _split_leg(leg: SleepingLeg | None, ratio: Fraction) -> SleepingLeg | None:
    return None if leg is None else replace(leg, price=split_price(leg.price, ratio))


def ratio_of(split: Split) -> Fraction:
    """The split's ratio as the fraction of small numbers that its decimals stand for (0.333333 is 1/3)."""
    return Fraction(split.ratio).limit_denominator(_RATIO_TERMS)
