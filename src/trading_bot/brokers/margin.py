"""What an account may carry: equity, requirements, buying power. Pure, in cash quanta.

A long needs its value divided by the instrument's leverage cap (1: a cash account); a short needs its proceeds and half its
value more, 150 % in all (Regulation T, 12 CFR 220.12); maintenance is 30 % of a short's value. Working entries reserve what they
would need. Refuses to sell anyone out: a margin call is the desk's business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from trading_bot.brokers.state import Holding, State
from trading_bot.domain.values import Symbol

_SHORT_INITIAL = Fraction(1, 2)
_SHORT_MAINTENANCE = Fraction(3, 10)


@dataclass(frozen=True)
class Standing:
    """Equity, what new positions may still need, and maintenance, in cash quanta."""

    equity: int
    available: int
    maintenance: int


def requirement(side: int, value: int, leverage: Fraction) -> int:
    """Cash quanta that opening a position of `value` (above 0) takes from what is available, rounded up."""
    share = 1 / leverage if side > 0 else _SHORT_INITIAL
    return -(-value * share.numerator // share.denominator)


def standing(state: State, mark: Callable[[Holding], int], leverage: Callable[[Symbol], Fraction]) -> Standing:
    """Return how the account stands. `mark`: value of a holding in quanta, negative for a short."""
    equity, needed, maintenance = state.cash, 0, 0
    for holding in state.holdings.values():
        value = mark(holding)
        equity += value
        needed += requirement(holding.lots, abs(value), leverage(holding.symbol))
        maintenance += round(_SHORT_MAINTENANCE * -value) if value < 0 else 0
    for order in state.orders.values():
        lots = adding(order.side, order.remaining, state.lots(order.symbol))
        needed += requirement(order.side, lots * order.reserve * order.units.worth, leverage(order.symbol))
    return Standing(equity, equity - needed, maintenance)


def adding(side: int, lots: int, held: int) -> int:
    """Lots by which an order of `lots` would open or enlarge a position, beyond closing what is `held` on the other side."""
    return max(lots - max(-side * held, 0), 0)
