"""What an account may carry: equity, requirements, buying power, liquidation, in cash quanta and ticks.

What a position takes and needs is `domain/margin.py`'s; working entries reserve what they would need. Refuses to sell anyone out but of
a perpetual: another margin call is the desk's business.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from trading_bot.brokers.state import SIDE_OF, SIDES, Holding, State, VenueOrder
from trading_bot.brokers.tape import Prices
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.margin import maintenance, turns
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import is_leveraged, liquidation_share


@dataclass(frozen=True)
class Standing:
    """Equity, what new positions may still need, and maintenance, in cash quanta."""

    equity: int
    available: int
    maintenance: int


@dataclass(frozen=True)
class End:
    """Where the venue ends a position by itself: the side of the order that does it, and its price in ticks."""

    side: int
    price: int


def requirement(instrument: Instrument, side: Side, value: int) -> int:
    """Cash quanta that opening a position of `value` (above 0) takes from what is available, rounded up."""
    whole, part = turns(instrument, side).as_integer_ratio()
    return -(-value * part // whole)


def standing(state: State, prices: Prices) -> Standing:
    """Return how the account stands at the middle of the newest quotes (at entry prices before the first quote)."""
    equity, needed, least = state.cash, 0, 0
    for holding in state.holdings.values():
        value, instrument = _value(holding, prices, state.clock), prices.instrument(holding.symbol)
        equity += value
        needed += requirement(instrument, holding.side, abs(value))
        least += round(Fraction(maintenance(instrument, holding.side)) * abs(value))
    for order in state.orders.values():
        needed += need(order, order.reserve, state, prices)
    return Standing(equity, equity - needed, least)


def need(order: VenueOrder, price: int, state: State, prices: Prices) -> int:
    """What `order` would take from what is available if it filled at `price` ticks; 0 for what closes a position."""
    lots = 0 if order.is_exit else adding(order.side, order.remaining, state.lots(order.symbol))
    return requirement(prices.instrument(order.symbol), SIDE_OF[order.side], lots * price * order.units.worth)


def covers(state: State, order: VenueOrder, price: int, prices: Prices) -> bool:
    """Whether the account can carry a fill of `order` at `price`, beyond what it reserves."""
    if order.is_exit or price <= order.reserve:
        return True
    more = need(order, price, state, prices) - need(order, order.reserve, state, prices)
    return more <= standing(state, prices).available


def adding(side: int, lots: int, held: int) -> int:
    """Lots by which an order of `lots` would open or enlarge a position, beyond closing what is `held` on the other side."""
    return max(lots - max(-side * held, 0), 0)


def liquidation(holding: Holding, instrument: Instrument) -> End | None:
    """Where the venue ends a position, reckoned from its average price alone (isolated margin); None where it never does.

    The first tick at which its margin is lost but for the maintenance: rounded down for a long, up for a short.
    """
    if not is_leveraged(instrument):
        return None
    exact = liquidation_share(holding.side, instrument) * holding.cost / (abs(holding.lots) * holding.units.worth)
    ticks = floor(exact) if holding.lots > 0 else ceil(exact)
    return End(SIDES[holding.side.opposite], ticks) if ticks > 0 else None


def _value(holding: Holding, prices: Prices, at: int) -> int:
    """Signed value in quanta."""
    quote = prices.quote(holding.symbol, at)
    if quote is None:
        return holding.cost if holding.lots > 0 else -holding.cost
    return holding.lots * (quote.bid + quote.ask) * holding.units.worth // 2
