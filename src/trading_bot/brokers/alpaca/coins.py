"""Fees in coins: Alpaca keeps them out of what was bought, and neither its messages nor its fills say how much.

What is missing in the position is the fee; the CFEE activity that follows, often hours later, tells it again and is not booked twice.
Promises that all of what is missing is booked. Refuses to take more than a hundredth of what was bought for a fee: somebody did that.
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


def coin_fee(before: Decimal, bought: Decimal, after: Decimal) -> Decimal:
    """Coins missing in the position `after` a purchase; 0 if that cannot be a fee."""
    missing = before + bought - after
    return missing if ZERO < missing <= bought * _GREATEST else ZERO


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


def _missing(fills: Sequence[Fill], before: Mapping[Symbol, Decimal], after: Mapping[Symbol, Decimal]) -> Decimal:
    symbol = fills[0].symbol
    bought = sum((f.quantity for f in fills if is_purchase(f)), ZERO)
    sold = sum((f.quantity for f in fills if f.side is Side.SELL), ZERO)
    return coin_fee(before.get(symbol, ZERO) - sold, bought, after.get(symbol, ZERO)) if bought else ZERO
