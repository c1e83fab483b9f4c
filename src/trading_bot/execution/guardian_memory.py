"""What the guardian has to know, in a small file of its own, refreshed while the desk's journal can be read.

Promises that nothing in it is ever needed to act: a guardian without memory has no stop prices and closes at the market, and judges the
day's loss by what it saw itself. Refuses to wait for a journal that is locked or damaged, and to write into it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from trading_bot.domain.books import Books
from trading_bot.domain.errors import DeskError, StorageError
from trading_bot.domain.events import BookedEvent, CashReason, CashUpdate
from trading_bot.domain.orders import OrderIntent, OrderRole
from trading_bot.domain.records import CLOSE, EquityPoint, Send
from trading_bot.domain.values import ZERO, Amount, ClientOrderId, Digest, Record, Symbol, UtcTime, derive_id
from trading_bot.execution.plain_files import read_plain, replace_plain
from trading_bot.storage.home import Home
from trading_bot.storage.peek import Peeked, peek

_KINDS = (BookedEvent.kind, OrderIntent.kind, EquityPoint.kind, Send.kind)
_MOST_BYTES = 64 * 2**20
_NONSENSE = (ValidationError, DeskError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What rows that somebody wrote into a journal may end in."""
_KEPT = 40
"""Intents of a symbol that are kept, the newest: a venue's adapter tells from them what an order is for."""


class Worth(Record):
    """The account's equity at one moment."""

    at: UtcTime
    equity: Amount


class Seen(Record):
    """A condition: since when it holds, and whether people were told."""

    key: str
    title: str
    since: UtcTime
    told: bool = False

    def at(self, now: datetime) -> "Seen":
        """The same, not from later than now: a clock may have been set back."""
        return self if self.since <= now else self.model_copy(update={"since": now})


class Memory(Record):
    """Everything that the guardian remembers."""

    desk: str = ""
    """Desk part of client order ids; empty while the journal was never read."""
    facts: Mapping[str, str] = {}
    """What the home is: clock, mode, account."""
    stops: Mapping[Symbol, Amount] = {}
    """Newest stop price of each held symbol, from the desk's books."""
    held: Mapping[Symbol, Amount] = {}
    """Signed quantities by the desk's books."""
    intents: tuple[OrderIntent, ...] = ()
    """What the desk meant to send in symbols that are held or worked in."""
    meant: tuple[Symbol, ...] = ()
    """Every symbol that the desk ever meant to open."""
    close: Worth | None = None
    """Equity at the last session's close, by the desk's journal."""
    flows: Amount = ZERO
    """Cash paid in or out since then."""
    seen: Worth | None = None
    """Equity as the guardian last saw it."""
    before: Worth | None = None
    """The same, as last seen on an earlier day (UTC)."""
    conditions: tuple[Seen, ...] = ()

    def baseline(self) -> Decimal | None:
        """What the day's loss is measured from: the newer one of the session's close and the last look of an earlier day."""
        if self.close is not None and (self.before is None or self.close.at >= self.before.at):
            return self.close.equity + self.flows
        return None if self.before is None else self.before.equity

    def ours(self, beside: Iterable[Symbol]) -> frozenset[Symbol]:
        """Symbols that are the desk's, `beside` among them. What it never meant to open is somebody else's."""
        return frozenset({*self.meant, *self.held, *beside})

    def looked(self, now: datetime, equity: Decimal) -> "Memory":
        """The memory after a look at the account."""
        newer_day = self.seen is not None and self.seen.at.date() < now.date()
        return self.model_copy(update={"before": self.seen if newer_day else self.before, "seen": Worth(at=now, equity=equity)})

    def order_desk(self, home: Path) -> str:
        """Desk part of the guardian's own order ids: never one of the desk's, the same for the same home."""
        return f"{self.desk}g" if self.desk else f"{derive_id('guardian', str(home.resolve()), length=6)}g"


class MemoryFile:
    """The file at `path`. A copy that cannot be read is begun anew; one that cannot be written is kept in this process alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Digest | None = None

    def read(self) -> Memory:
        """What was remembered."""
        try:
            return Memory.model_validate_json(read_plain(self._path, _MOST_BYTES))
        except (OSError, ValidationError):
            return Memory()

    def write(self, memory: Memory) -> None:
        """Remember, if something changed."""
        digest = memory.fingerprint()
        if digest == self._written:
            return
        with suppress(OSError):
            replace_plain(self._path, memory.canonical().encode(), durable=True)
            self._written = digest


class JournalCopy:
    """The guardian's own fold over the desk's journal, as far as that could be read."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._row = 0
        self._books = Books()
        self._intents: dict[ClientOrderId, OrderIntent] = {}
        self._pending: set[ClientOrderId] = set()
        self._meant: set[Symbol] = set()
        self._close: Worth | None = None
        self._flows = ZERO
        self.was_read = False
        """Whether it could be read since this process came up; else what is remembered may be older than what the desk did since."""

    def refresh(self, memory: Memory) -> Memory:
        """The memory with what the journal says now. StorageError if it cannot be read; nothing is lost by that."""
        if not self._home.has_journal:
            raise StorageError(f"{self._home.path} has no journal")
        try:
            found = peek(self._home.database, _KINDS, self._row)
            self._take(found)
        except StorageError:
            raise
        except _NONSENSE as error:
            raise StorageError(f"the journal of {self._home.path} does not make sense: {error}") from error
        self.was_read = True
        return memory.model_copy(
            update={
                "desk": found.facts.get("desk", memory.desk),
                "facts": {k: v for k, v in found.facts.items() if k in {"clock kind", "mode", "account"}},
                "stops": dict(self._books.stops),
                "held": {s: p.quantity for s, p in self._books.positions.items()},
                "intents": self._relevant(),
                "meant": tuple(sorted({*memory.meant, *self._meant})),
                "close": self._close,
                "flows": self._flows,
            }
        )

    def _take(self, found: Peeked) -> None:
        for number, kind, body in found.rows:
            match kind:
                case BookedEvent.kind:
                    self._book(BookedEvent.model_validate_json(body))
                case OrderIntent.kind:
                    intent = OrderIntent.model_validate_json(body)
                    self._mean(intent)
                case Send.kind:
                    self._pending.discard(Send.model_validate_json(body).client_order_id)
                case _:
                    point = EquityPoint.model_validate_json(body)
                    if point.label == CLOSE:
                        self._close, self._flows = Worth(at=point.at, equity=point.equity), ZERO
            self._row = number

    def _mean(self, intent: OrderIntent) -> None:
        spec = intent.order.spec
        self._intents[spec.client_order_id] = intent
        self._pending.add(spec.client_order_id)
        if spec.role is OrderRole.ENTRY:
            self._meant.add(spec.symbol)

    def _book(self, row: BookedEvent) -> None:
        event = row.event
        self._books = self._books.apply(event)
        if isinstance(event, CashUpdate) and event.reason is CashReason.DEPOSIT:
            if self._close is None:
                self._close = Worth(at=event.at, equity=ZERO)
            self._flows += event.amount

    def _relevant(self) -> tuple[OrderIntent, ...]:
        """Intents of symbols in which something is held, works or is being sent."""
        pending = {self._intents[i].order.spec.symbol for i in self._pending}
        live = {*self._books.positions, *(o.symbol for o in self._books.orders.values()), *pending}
        chosen: list[OrderIntent] = []
        for symbol in sorted(live):
            chosen += [i for i in self._intents.values() if i.order.spec.symbol == symbol][-_KEPT:]
        return tuple(chosen)
