"""What the venue accepts: a table of checks on an order, and the order as it goes to work.

Promises that a refusal names what is wrong and what to do, and that nothing of a refused order remains. An exit larger than the
position is not refused but cut down to it, because fills may have come between.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from trading_bot.brokers.margin import adding, requirement
from trading_bot.brokers.matching import BUY, TickQuote, at_market, trail_start
from trading_bot.brokers.state import SIDES, SleepingLeg, State, VenueOrder
from trading_bot.brokers.units import Units, cash
from trading_bot.domain.errors import OrderRejectedError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import Leg, OrderClass, OrderRole, OrderSpec, TimeInForce


@dataclass(frozen=True)
class Request:
    """An order with all that it is judged by. `available`: cash quanta for new positions; `slippage`: basis points."""

    spec: OrderSpec
    instrument: Instrument
    units: Units
    state: State
    quote: TickQuote | None
    slippage: Fraction
    available: int
    known: Callable[[str], bool]
    """Whether an id is taken."""

    @property
    def side(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return SIDES[self.spec.side]

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Attached exits."""
        return tuple(leg for leg in (self.spec.stop_loss, self.spec.take_profit) if leg is not None)

    @cached_property
    def price(self) -> int | None:
        """Ticks at which it is valued: its limit, its stop with slippage, or the newest quote's; None without any."""
        if self.spec.limit_price is not None:
            return self.units.ticks(self.spec.limit_price)
        level = self.stop
        if level is not None:
            return at_market(self.side, TickQuote(level, level, 0), self.slippage)
        return None if self.quote is None else at_market(self.side, self.quote, self.slippage)

    @cached_property
    def stop(self) -> int | None:
        """Ticks at which it triggers; a trailing stop begins behind the newest quote. None without a stop, or without that quote."""
        if self.spec.trail is not None and self.quote is not None:
            return trail_start(self.side, self.quote, self.units.ticks(self.spec.trail))
        return None if self.spec.stop_price is None else self.units.ticks(self.spec.stop_price)

    @cached_property
    def lots(self) -> int:
        """Quantity in lots."""
        return self.units.lots(self.spec.quantity)


def refusals(request: Request) -> Iterator[str]:
    """Yield why the order cannot be taken, most basic first; nothing if it can."""
    for check in _CHECKS:
        found = check(request)
        if found is not None:
            yield found


def check(request: Request) -> None:
    """Raise OrderRejectedError with the first reason against the order."""
    reason = next(refusals(request), None)
    if reason is not None:
        raise OrderRejectedError(f"{request.spec.client_order_id}: {reason}; nothing was placed")


def _off_grid(request: Request) -> str | None:
    spec, units = request.spec, request.units
    try:
        units.lots(spec.quantity)
        for price in (spec.limit_price, spec.stop_price, spec.trail, *(leg.price for leg in request.legs)):
            if price is not None:
                units.ticks(price)
    except ValueError as error:
        return str(error)
    return None


def _not_here(request: Request) -> str | None:
    if request.spec.extended_hours:
        return "the paper venue trades in the regular session only: send it without extended hours"
    return None


def _id_taken(request: Request) -> str | None:
    ids = [request.spec.client_order_id, *(leg.client_order_id for leg in request.legs)]
    taken = next((i for n, i in enumerate(ids) if request.known(i) or i in ids[:n]), None)
    return None if taken is None else f"the id {taken} is already another order's or leg's: give each its own"


def _wrong_side(request: Request) -> str | None:
    held = request.state.lots(request.spec.symbol)
    if request.spec.reduce_only and request.side * held >= 0:
        asked = f"a {request.spec.role} {request.spec.side} may only reduce a position"
        return f"{asked}, and {request.units.quantity(held)} {request.spec.symbol} is held: compare positions first"
    return None


def _crossed_legs(request: Request) -> str | None:
    spec = request.spec
    stop = spec.stop_loss
    above = spec.take_profit.price if spec.take_profit is not None else spec.limit_price
    if stop is None or above is None:
        return None
    sign = request.side if spec.order_class is OrderClass.BRACKET else -request.side
    if sign * (above - stop.price) <= 0:
        return f"the stop loss {stop.price} is not on the losing side of {above}: swap or move them"
    return None


def _unpriced(request: Request) -> str | None:
    if request.price is None and (request.spec.trail is not None or not request.spec.reduce_only):
        return f"{request.spec.symbol} has no price yet: send a limit order, or wait for its first quote"
    return None


def _trails_too_far(request: Request) -> str | None:
    if request.spec.trail is not None and (request.stop or 0) < 1:
        return f"a trail of {request.spec.trail} reaches below zero: send one that is smaller than the price"
    return None


def _too_small(request: Request) -> str | None:
    value = request.units.quantity(request.lots) * request.units.price(request.price or 0)
    least = request.instrument.minimum_notional
    if not request.spec.reduce_only and value < least:
        return f"its value {value} is below the least of {least} {request.instrument.currency}: send a larger quantity"
    return None


def _not_shortable(request: Request) -> str | None:
    more = adding(request.side, request.lots, request.state.lots(request.spec.symbol))
    if not request.spec.reduce_only and request.side != BUY and more and not request.instrument.shortable:
        return f"{request.spec.symbol} cannot be sold short: sell at most what is held"
    return None


def _beyond_buying_power(request: Request) -> str | None:
    if request.spec.reduce_only:
        return None
    more = adding(request.side, request.lots, request.state.lots(request.spec.symbol))
    value = more * (request.price or 0) * request.units.worth
    needed = requirement(request.instrument, request.spec.side, value)
    if needed > request.available:
        has = f"buying power is {cash(max(request.available, 0)):f}"
        return f"it needs {cash(needed):f} {request.instrument.currency}, {has}: send less, or cancel other entries"
    return None


_CHECKS: tuple[Callable[[Request], str | None], ...] = (
    _not_here,
    _off_grid,
    _id_taken,
    _wrong_side,
    _crossed_legs,
    _unpriced,
    _trails_too_far,
    _too_small,
    _not_shortable,
    _beyond_buying_power,
)


def draft(request: Request, number: int, now: int, closing: int) -> VenueOrder:
    """Return the order as it goes to work. `closing`: end (ns) of the session in which a day order works."""
    spec, units = request.spec, request.units
    held = abs(request.state.lots(spec.symbol))
    waking = spec.order_class is OrderClass.BRACKET

    def leg(of: Leg | None) -> SleepingLeg | None:
        return SleepingLeg(of.client_order_id, units.ticks(of.price)) if of is not None and waking else None

    return VenueOrder(
        number=number,
        group=number,
        client_order_id=spec.client_order_id,
        symbol=spec.symbol,
        asset=request.instrument.asset_class,
        units=units,
        side=request.side,
        type=spec.type,
        role=spec.role,
        time_in_force=spec.time_in_force,
        quantity=min(request.lots, held) if spec.reduce_only else request.lots,
        limit=None if spec.limit_price is None else units.ticks(spec.limit_price),
        stop=request.stop,
        trail=None if spec.trail is None else units.ticks(spec.trail),
        stop_leg=leg(spec.stop_loss),
        target_leg=leg(spec.take_profit),
        reserve=0 if spec.role is not OrderRole.ENTRY else request.price or 0,
        active_from=now,
        expires=closing if spec.time_in_force is TimeInForce.DAY else None,
        submitted_at=now,
        updated_at=now,
    )
