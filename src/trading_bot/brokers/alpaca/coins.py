"""Fees in coins: Alpaca keeps them out of what was bought, and neither its messages nor its fills say how much.

What is missing in the position is the fee; the CFEE activity that follows, often hours later, tells it again and is not booked twice.
Promises that all of what is missing is booked. Refuses to take more than a hundredth of what was bought for a fee: then the position is
of another moment than the executions, or somebody else changed it.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trading_bot.brokers.alpaca.wire import is_coin
from trading_bot.domain.orders import Fill, Order, Side
from trading_bot.domain.values import ZERO, Symbol, divided

_GREATEST = Decimal("0.01")


def is_purchase(what: Fill | Order) -> bool:
    """Whether coins are bought: of what is sold, the fee is money, and comes as CFEE."""
    return is_coin(what.symbol) and what.side is Side.BUY


def fits(before: Decimal, bought: Decimal, after: Decimal) -> bool:
    """Whether what is missing in the position `after` a purchase can be its fee, or nothing is."""
    return ZERO <= before + bought - after <= bought * _GREATEST


def coin_fee(before: Decimal, bought: Decimal, after: Decimal) -> Decimal:
    """Coins missing in the position `after` a purchase; 0 if that cannot be a fee."""
    return before + bought - after if fits(before, bought, after) else ZERO


def less_fees(fills: Sequence[Fill], before: Mapping[Symbol, Decimal], after: Mapping[Symbol, Decimal]) -> list[Fill]:
    """The same fills; what is missing in the positions `after` all of them is shared among the purchases by their quantity."""
    left = {symbol: _missing([f for f in fills if f.symbol == symbol], before, after) for symbol in {f.symbol for f in fills}}
    told = []
    for number, fill in enumerate(fills):
        open_ones = [f.quantity for f in fills[number:] if f.symbol == fill.symbol and is_purchase(f)]
        if not is_purchase(fill):
            told.append(fill)
            continue
        # The last one takes what rounding has left.
        part = divided(left[fill.symbol] * fill.quantity, sum(open_ones, ZERO)) if len(open_ones) > 1 else left[fill.symbol]
        left[fill.symbol] -= part
        told.append(fill.model_copy(update={"fee_quantity": part}))
    return told


def unfitting(fills: Sequence[Fill], before: Mapping[Symbol, Decimal], after: Mapping[Symbol, Decimal]) -> set[Symbol]:
    """Symbols whose positions `after` the fills are not what their purchases, less a fee, have made of those `before`."""
    bought = {f.symbol for f in fills if is_purchase(f)}
    return {s for s in bought if not fits(*_course([f for f in fills if f.symbol == s], before, after))}


def _missing(fills: Sequence[Fill], before: Mapping[Symbol, Decimal], after: Mapping[Symbol, Decimal]) -> Decimal:
    return coin_fee(*_course(fills, before, after)) if any(is_purchase(f) for f in fills) else ZERO


def _course(fills: Sequence[Fill], before: Mapping[Symbol, Decimal], after: Mapping[Symbol, Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """Of one symbol: what was held without what the fills bought, what they bought, and what is held now."""
    symbol = fills[0].symbol
    bought = sum((f.quantity for f in fills if is_purchase(f)), ZERO)
    sold = sum((f.quantity for f in fills if f.side is Side.SELL), ZERO)
    return before.get(symbol, ZERO) - sold, bought, after.get(symbol, ZERO)
