"""Books beside broker: what differs, in words. Pure; nothing here trades or mends."""

from decimal import Decimal

from trading_bot.domain.books import Account, Books, Position
from trading_bot.domain.orders import Order


def differences(books: Books, account: Account, positions: tuple[Position, ...], orders: tuple[Order, ...]) -> tuple[str, ...]:
    """Return a sentence for each difference between our books and what the broker says, sorted; empty if they agree."""
    found: list[str] = []
    if books.cash != account.cash:
        found.append(f"cash: books {books.cash}, broker {account.cash}")
    ours = {s: p.quantity for s, p in books.positions.items()}
    theirs = {p.symbol: p.quantity for p in positions}
    zero = Decimal(0)
    found += [
        f"position {s}: books {ours.get(s, zero)}, broker {theirs.get(s, zero)}"
        for s in sorted({*ours, *theirs})
        if ours.get(s, zero) != theirs.get(s, zero)
    ]
    known = {o.client_order_id: o.remaining for o in books.working_orders()}
    resting = {o.client_order_id: o.remaining for o in orders}
    found += [
        f"order {i}: books {known.get(i, 'none')}, broker {resting.get(i, 'none')}"
        for i in sorted({*known, *resting})
        if known.get(i) != resting.get(i)
    ]
    return tuple(found)
