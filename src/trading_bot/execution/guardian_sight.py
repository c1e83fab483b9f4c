"""What the guardian sees, and what it makes of it. Pure: looking and acting are elsewhere.

Promises that what an order is for is read from the venue alone (an order against a position is an exit, everything else is new risk),
so that it holds without the desk's memory, and for orders that a person placed; and that what the desk never meant to open asks for nothing
but a word. Refuses to call a desk dead that may be busy or starting.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.domain.books import Account, Books, Position
from trading_bot.domain.mandate import Cure, GuardianOrders, NoLimit
from trading_bot.domain.orders import Order, OrderRole, OrderType
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.execution.guardian_memory import Memory
from trading_bot.execution.heartbeat import Beat
from trading_bot.execution.protection import naked
from trading_bot.settings import GuardianSettings
from trading_bot.storage.home import Owner, Starting

_EXITS = {
    OrderType.MARKET: OrderRole.CLOSE,
    OrderType.LIMIT: OrderRole.TAKE_PROFIT,
    OrderType.STOP: OrderRole.STOP_LOSS,
    OrderType.STOP_LIMIT: OrderRole.STOP_LOSS,
    OrderType.TRAILING_STOP: OrderRole.STOP_LOSS,
}
_AT_ONCE = timedelta(0)
NAME = "guardian"
"""Who halts, in a HALT file of its own."""


@dataclass(frozen=True)
class Holdings:
    """The broker's side at one moment."""

    account: Account
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]
    """Working orders, each with the role that it has by its shape."""

    @property
    def held(self) -> dict[Symbol, Position]:
        """Positions by symbol."""
        return {p.symbol: p for p in self.positions}

    @property
    def entries(self) -> tuple[Order, ...]:
        """Working orders that add risk."""
        return tuple(o for o in self.orders if o.role is OrderRole.ENTRY)

    def of(self, symbol: Symbol) -> tuple[Order, ...]:
        """Working orders of a symbol."""
        return tuple(o for o in self.orders if o.symbol == symbol)

    def only(self, symbols: Collection[Symbol]) -> "Holdings":
        """The same account with no other symbols than these."""
        return Holdings(
            self.account, tuple(p for p in self.positions if p.symbol in symbols), tuple(o for o in self.orders if o.symbol in symbols)
        )

    @property
    def symbols(self) -> frozenset[Symbol]:
        """Symbols in which something is held or rests."""
        return frozenset({*self.held, *(o.symbol for o in self.orders)})

    def naked(self) -> dict[Symbol, Decimal]:
        """Quantities that no live stop guards."""
        orders = {o.client_order_id: o for o in self.orders}
        return naked(Books(positions=self.held, orders=orders))


def holdings(account: Account, positions: Sequence[Position], orders: Iterable[Order]) -> Holdings:
    """Put together what the broker said."""
    held = {p.symbol: p for p in positions}
    working = tuple(o.model_copy(update={"role": _role(o, held.get(o.symbol))}) for o in orders if o.state.is_working)
    return Holdings(account, tuple(positions), working)


def _role(order: Order, position: Position | None) -> OrderRole:
    if position is None:
        return order.role
    return _EXITS[order.type] if order.side is position.side.opposite else OrderRole.ENTRY


@dataclass(frozen=True)
class Sight:
    """Everything at one look."""

    now: datetime
    began: datetime
    """Since when the guardian looks."""
    stays: bool
    """Whether it goes on looking: who has just come up with the machine waits for a desk that comes up beside it."""
    owner: Owner | Starting | None
    beat: Beat | None
    halted: str
    """Who halted the desk, empty if nobody did."""
    broker: Holdings | None
    """None if it could not be reached."""
    trouble: str
    """Why it could not."""
    memory: Memory
    ours: frozenset[Symbol]
    """Symbols that are the desk's; all others are somebody else's."""
    fresh: bool
    """Whether the journal could be read at this look."""
    orders: GuardianOrders
    daily_loss: Decimal | NoLimit
    no_mandate: str
    """Why there is no mandate that holds, empty if there is."""

    @property
    def silence(self) -> float:
        """Seconds for which the desk was not heard of."""
        heard = [] if self.beat is None else [self.beat.silence(self.now)]
        if self.beat is None or self.stays:
            heard.append((self.now - self.began).total_seconds())
        if isinstance(self.owner, Owner):
            heard.append((self.now - self.owner.since).total_seconds())
        return max(min(heard), 0.0)


@dataclass(frozen=True)
class Condition:
    """Something that a person should know, and what it makes the guardian do once it has lasted for `patience`."""

    key: str
    title: str
    body: str
    patience: timedelta = _AT_ONCE
    reaction: Cure | None = None


def judge(sight: Sight, settings: GuardianSettings) -> tuple[Condition, ...]:
    """Everything that is not as it should be."""
    silent = sight.silence > settings.heartbeat_seconds
    found = [*_mandate(sight), *_blind(sight, settings)]
    if sight.broker is not None:
        patience, mine = timedelta(seconds=settings.naked_seconds), sight.broker.only(sight.ours)
        found += [
            *_silent(sight, mine, silent=silent),
            *_naked(mine, silent=silent, patience=patience),
            *_entries(sight, mine, silent=silent, patience=patience),
            *_loss(sight, mine, settings, silent=silent),
            *_drift(sight, mine, silent=silent, patience=patience),
            *_foreign(sight, sight.broker, patience=patience),
        ]
    return tuple(found)


def _mandate(sight: Sight) -> list[Condition]:
    if not sight.no_mandate:
        return []
    return [Condition("mandate", "No mandate holds", f"{sight.no_mandate}. The guardian gives naked positions a stop, and nothing more.")]


def _blind(sight: Sight, settings: GuardianSettings) -> list[Condition]:
    if sight.broker is not None:
        return []
    patience = timedelta(seconds=settings.heartbeat_seconds)
    return [Condition("blind", "The guardian cannot see the broker", f"{sight.trouble}. It can guard nothing there.", patience)]


def _silent(sight: Sight, broker: Holdings, *, silent: bool) -> list[Condition]:
    if not silent or not (broker.positions or broker.orders):
        return []
    who = f"is owned by {sight.owner}, which hangs" if sight.owner is not None else "is owned by nobody: the desk is dead"
    held = ", ".join(f"{p.quantity} {p.symbol}" for p in broker.positions) or "nothing, but orders work"
    reaction = sight.orders.dead_desk if sight.orders.dead_desk is Cure.FLATTEN else None
    body = f"No heartbeat for {sight.silence:.0f} s; the home {who}. Held: {held}."
    return [Condition("desk", "The desk does not answer", body, reaction=reaction)]


def _naked(broker: Holdings, *, silent: bool, patience: timedelta) -> list[Condition]:
    return [
        Condition(
            f"naked {s}",
            f"{s} has no stop",
            f"{q} of {broker.held[s].quantity} {s} are not guarded.",
            _AT_ONCE if silent else patience,
            Cure.CURE,
        )
        for s, q in broker.naked().items()
    ]


def _entries(sight: Sight, broker: Holdings, *, silent: bool, patience: timedelta) -> list[Condition]:
    if not sight.halted or not broker.entries:
        return []
    names = ", ".join(f"{o.side} {o.remaining} {o.symbol} ({o.client_order_id})" for o in broker.entries)
    body = f"Halted ({sight.halted}), and at the venue rests: {names}."
    return [
        Condition("entries", "Entries rest while the desk is halted", body, _AT_ONCE if silent else patience, Cure.CURE if silent else None)
    ]


def _loss(sight: Sight, broker: Holdings, settings: GuardianSettings, *, silent: bool) -> list[Condition]:
    """A loss counts when two looks agree: accounts are valued anew while a venue opens or splits.

    Where a person halted a desk that lives, that person decides what is held on to.
    """
    base, limit, equity = sight.memory.baseline(), sight.daily_loss, broker.account.equity
    if limit == "none" or base is None or base <= 0 or 1 - equity / base < limit or not (broker.positions or broker.entries):
        return []
    body = f"Equity {equity}, {(1 - equity / base) * 100:.2f} % below {base}; the limit is {limit * 100:.2f} %."
    patience = timedelta(seconds=settings.interval_seconds / 2)
    watched = sight.halted and not sight.halted.startswith(f"{NAME}:") and not silent
    return [Condition("loss", "The day's loss limit is passed", body, patience, None if watched else sight.orders.daily_loss)]


def _drift(sight: Sight, broker: Holdings, *, silent: bool, patience: timedelta) -> list[Condition]:
    """Books that are behind are no drift: only a desk that lives, and a journal that can be read, say something about now."""
    if silent or not sight.fresh:
        return []
    theirs, ours = {s: p.quantity for s, p in broker.held.items()}, sight.memory.held
    differ = [
        f"{s}: books {ours.get(s, ZERO)}, broker {theirs.get(s, ZERO)}"
        for s in sorted({*ours, *theirs})
        if ours.get(s, ZERO) != theirs.get(s, ZERO)
    ]
    return (
        [Condition("drift", "Books and broker differ", "; ".join(differ) + ". Nobody trades to mend that; look at `reconcile`.", patience)]
        if differ
        else []
    )


def _foreign(sight: Sight, broker: Holdings, *, patience: timedelta) -> list[Condition]:
    """Told, and left alone: nobody but who opened it knows what it is for."""
    found = []
    for symbol in sorted(broker.symbols - sight.ours):
        position, orders = broker.held.get(symbol), len(broker.of(symbol))
        what = f"{'nothing' if position is None else position.quantity} held, {orders} order{'' if orders == 1 else 's'} at work"
        body = f"{symbol}: {what}, and the desk never meant to open it. It is neither guarded nor closed; trade by hand on another account."
        found.append(Condition(f"foreign {symbol}", f"{symbol} is not the desk's", body, patience))
    return found
