"""Books beside broker: what differs, of which kind. Pure; nothing here trades or mends."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.domain.books import Account, Books, Position
from trading_bot.domain.orders import Order
from trading_bot.domain.reconciliation import Difference, DifferenceKind
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol


@dataclass(frozen=True)
class BrokerSide:
    """What the broker says at one moment."""

    account: Account
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]


@dataclass(frozen=True)
class Ours:
    """How we know what is ours."""

    desk: str
    """Desk part of client order ids."""
    ids: Collection[ClientOrderId]
    """Ids of all orders and legs that the desk ever meant to send."""
    traded: Collection[Symbol]
    """Symbols that it ever traded."""
    cash_tolerance: Decimal = ZERO


def differences(books: Books, broker: BrokerSide, ours: Ours) -> tuple[Difference, ...]:
    """Return each difference between our books and what the broker says, in order; empty if they agree."""
    found = (*_cash(books, broker.account, ours.cash_tolerance), *_positions(books, broker, ours), *_orders(books, broker, ours))
    return tuple(sorted(found, key=str))


def _cash(books: Books, account: Account, tolerance: Decimal) -> list[Difference]:
    if abs(books.cash - account.cash) <= tolerance:
        return []
    return [Difference(kind=DifferenceKind.CASH_DRIFT, subject="cash", books=str(books.cash), broker=str(account.cash))]


def _positions(books: Books, broker: BrokerSide, ours: Ours) -> list[Difference]:
    mine = {s: p.quantity for s, p in books.positions.items()}
    theirs = {p.symbol: p.quantity for p in broker.positions}
    return [
        Difference(
            kind=DifferenceKind.QUANTITY_DRIFT if s in mine or s in ours.traded else DifferenceKind.FOREIGN_POSITION,
            subject=f"position {s}",
            books=str(mine.get(s, ZERO)),
            broker=str(theirs.get(s, ZERO)),
        )
        for s in sorted({*mine, *theirs})
        if mine.get(s, ZERO) != theirs.get(s, ZERO)
    ]


def _orders(books: Books, broker: BrokerSide, ours: Ours) -> list[Difference]:
    known = {o.client_order_id: o.remaining for o in books.working_orders()}
    resting = {o.client_order_id: o.remaining for o in broker.orders if o.state.is_working}
    return [
        Difference(
            kind=_order_kind(i, i in known, i in resting, ours),
            subject=f"order {i}",
            books=str(known.get(i, "none")),
            broker=str(resting.get(i, "none")),
        )
        for i in sorted({*known, *resting})
        if known.get(i) != resting.get(i)
    ]


def _order_kind(identity: ClientOrderId, known: bool, resting: bool, ours: Ours) -> DifferenceKind:  # noqa: FBT001 - a table of two facts
    if known:
        return DifferenceKind.UNKNOWN_FILL if resting else DifferenceKind.LOST_ORDER
    if identity in ours.ids:
        return DifferenceKind.UNKNOWN_FILL
    return DifferenceKind.ORPHAN_ORDER if identity.startswith(f"{ours.desk}-") else DifferenceKind.FOREIGN_ORDER
