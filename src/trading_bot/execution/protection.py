"""Which part of a position has no live stop. Pure; the engine acts on it through the gate."""

from collections.abc import Iterable
from decimal import Decimal

from trading_bot.domain.books import Books, Position
from trading_bot.domain.orders import Order, OrderRole, OrderType
from trading_bot.domain.values import ZERO, Symbol

_GUARDS = frozenset({OrderRole.STOP_LOSS, OrderRole.CLOSE})


def guarding(position: Position, working: Iterable[Order]) -> Decimal:
    """Return the quantity that stops, closing orders and exits at the market among `working` would take off, at most what is held."""
    orders = (o for o in working if (o.role in _GUARDS or o.type is OrderType.MARKET) and o.side is position.side.opposite)
    return min(sum((o.remaining for o in orders), ZERO), abs(position.quantity))


def guarded(books: Books, symbol: Symbol) -> Decimal:
    """Return the guarded quantity of a held symbol."""
    return guarding(books.positions[symbol], books.working_orders(symbol))


def naked(books: Books) -> dict[Symbol, Decimal]:
    """Return the unguarded quantity of every position that has one, by symbol."""
    found = {s: abs(p.quantity) - guarded(books, s) for s, p in sorted(books.positions.items())}
    return {symbol: quantity for symbol, quantity in found.items() if quantity > 0}


def open_risk(books: Books) -> Decimal:
    """Return what is lost from average prices if every stop is hit; a position without a stop counts whole."""
    total = ZERO
    for symbol, position in books.positions.items():
        stop = books.stops.get(symbol)
        per_share = position.average_price if stop is None else (position.average_price - stop) * position.side.sign
        total += max(per_share, ZERO) * abs(position.quantity)
    return total
