"""What an account may carry: equity, requirements, buying power, in cash quanta.

A long needs its value divided by the instrument's leverage cap (1: a cash account); a short needs its proceeds and half its
value more, 150 % in all (Regulation T, 12 CFR 220.12); maintenance is 30 % of a short's value. Working entries reserve what they
would need. Refuses to sell anyone out: a margin call is the desk's business.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from trading_bot.brokers.state import Holding, State, VenueOrder
from trading_bot.brokers.tape import Prices
from trading_bot.domain.books import MAINTENANCE, SHORT_INITIAL

_SHORT_TURNS = (1 / Fraction(SHORT_INITIAL)).as_integer_ratio()
"""What a short may be worth, as a multiple of what it takes."""
_SHORT_MAINTENANCE = Fraction(MAINTENANCE)


@dataclass(frozen=True)
class Standing:
    """Equity, what new positions may still need, and maintenance, in cash quanta."""

    equity: int
    available: int
    maintenance: int


def requirement(side: int, value: int, leverage: Decimal) -> int:
    """Cash quanta that opening a position of `value` (above 0) takes from what is available, rounded up."""
    whole, part = leverage.as_integer_ratio() if side > 0 else _SHORT_TURNS
    return -(-value * part // whole)


def standing(state: State, prices: Prices) -> Standing:
    """Return how the account stands at the middle of the newest quotes (at entry prices before the first quote)."""
    equity, needed, maintenance = state.cash, 0, 0
    for holding in state.holdings.values():
        value = _value(holding, prices, state.clock)
        equity += value
        needed += requirement(holding.lots, abs(value), prices.instrument(holding.symbol).leverage_cap)
        maintenance += round(_SHORT_MAINTENANCE * -value) if value < 0 else 0
    for order in state.orders.values():
        needed += need(order, order.reserve, state, prices)
    return Standing(equity, equity - needed, maintenance)


def need(order: VenueOrder, price: int, state: State, prices: Prices) -> int:
    """What `order` would take from what is available if it filled at `price` ticks; 0 for what closes a position."""
    lots = 0 if order.is_exit else adding(order.side, order.remaining, state.lots(order.symbol))
    return requirement(order.side, lots * price * order.units.worth, prices.instrument(order.symbol).leverage_cap)


def covers(state: State, order: VenueOrder, price: int, prices: Prices) -> bool:
    """Whether the account can carry a fill of `order` at `price`, beyond what it reserves."""
    if order.is_exit or price <= order.reserve:
        return True
    more = need(order, price, state, prices) - need(order, order.reserve, state, prices)
    return more <= standing(state, prices).available


def adding(side: int, lots: int, held: int) -> int:
    """Lots by which an order of `lots` would open or enlarge a position, beyond closing what is `held` on the other side."""
    return max(lots - max(-side * held, 0), 0)


def _value(holding: Holding, prices: Prices, at: int) -> int:
    """Signed value in quanta."""
    quote = prices.quote(holding.symbol, at)
    if quote is None:
        return holding.cost if holding.lots > 0 else -holding.cost
    return holding.lots * (quote.bid + quote.ask) * holding.units.worth // 2
