"""Whether a desk came through a run of chaos, judged by the venue's own log against the desk's intents and booked events.

Promises one violation for each thing that should not be, named by its rule and subject, and that a rule knows nothing of how the desk
works. Refuses to excuse a naked position for any reason but a venue that could not be reached, or a time that the runner names.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from trading_bot.domain.books import Books
from trading_bot.domain.errors import DeskError
from trading_bot.domain.events import BrokerEvent, OrderUpdate
from trading_bot.domain.orders import Fill, OrderIntent
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.sandbox.chaos.exposure import Exposure, exposures
from trading_bot.sandbox.chaos.telling import FillNote, OrderNote, Span, Told


@dataclass(frozen=True)
class Violation:
    """What should not be."""

    rule: str
    subject: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True)
class Trial:
    """One run: what the venue told, and what the desk wrote down."""

    told: Told
    intents: Sequence[OrderIntent]
    booked: Sequence[BrokerEvent]
    ended: datetime
    """When the evidence was taken, the desk at rest."""
    chain_verifies: bool = True
    halts: Sequence[Span] = ()
    """While HALT stood."""
    excused: Sequence[Span] = ()
    """Times of nakedness that the runner answers for."""
    cash: Decimal | None = None
    """At the venue, at the end; None if nobody asked."""
    cash_tolerance: Decimal = ZERO
    patience: timedelta = timedelta(seconds=5)
    in_flight: timedelta = timedelta(seconds=1)
    """What was sent before HALT may arrive so long after it."""
    dust: dict[Symbol, Decimal] = field(default_factory=dict)
    """Quantities too small to be guarded or closed."""

    @cached_property
    def ids(self) -> dict[str, Decimal]:
        """Quantities of all orders that the desk meant, legs included, by client order id."""
        found: dict[str, Decimal] = {}
        for spec in (i.order.spec for i in self.intents):
            for leg in (spec.stop_loss, spec.take_profit):
                if leg is not None:
                    found[leg.client_order_id] = spec.quantity
            found[spec.client_order_id] = spec.quantity
        return found

    @cached_property
    def by_hand(self) -> frozenset[str]:
        """Venue ids of orders that other people placed."""
        return frozenset(o.venue_id for o in self.told.of(OrderNote) if o.by_hand)

    @cached_property
    def fills(self) -> tuple[FillNote, ...]:
        """Executions that the desk has to book."""
        return tuple(f for f in self.told.of(FillNote) if f.venue_id not in self.by_hand)

    @cached_property
    def exposures(self) -> tuple[Exposure, ...]:
        """Each symbol's position and guards, change by change."""
        return exposures(self.told.notes, self.by_hand)

    @cached_property
    def booked_fills(self) -> tuple[Fill, ...]:
        """Executions that the desk has booked."""
        return tuple(e.fill for e in self.booked if isinstance(e, OrderUpdate) and e.fill is not None)


def audit(trial: Trial) -> tuple[Violation, ...]:
    """Return all that should not be, rule by rule; nothing for a desk that came through."""
    return tuple(violation for rule in RULES for violation in rule(trial))


def one_order_for_an_id(trial: Trial) -> Iterator[Violation]:
    """No client order id names two orders of the venue."""
    orders: dict[str, set[str]] = {}
    for note in trial.told.of(OrderNote):
        if note.client_id:
            orders.setdefault(note.client_id, set()).add(note.venue_id)
    for identity, found in sorted(orders.items()):
        if len(found) > 1:
            yield Violation("two_orders", identity, f"the venue has {len(found)} orders under one id: {sorted(found)}")


def only_intended_orders(trial: Trial) -> Iterator[Violation]:
    """Every order that nobody else placed, and that the venue did not make itself, was intended before."""
    seen: set[str] = set()
    for note in trial.told.of(OrderNote):
        known = note.client_id in trial.ids or note.by_hand or note.leg or note.venue_id in seen
        seen.add(note.venue_id)
        if not known and not _forced(trial, note.venue_id):
            text = f"order {note.venue_id} ({note.client_id or 'no id'}) for {note.quantity} {note.symbol} was never intended"
            yield Violation("not_intended", note.client_id or note.venue_id, text, note.at)


def no_more_than_intended(trial: Trial) -> Iterator[Violation]:
    """No order was filled for more than was intended."""
    filled: dict[str, Decimal] = {}
    for fill in trial.fills:
        filled[fill.client_id] = filled.get(fill.client_id, ZERO) + fill.quantity
    for identity, quantity in sorted(filled.items()):
        most = trial.ids.get(identity)
        if most is not None and quantity > most:
            yield Violation("overfilled", identity, f"{quantity} was filled of {most} that were intended")


def every_fill_once(trial: Trial) -> Iterator[Violation]:
    """Every execution is booked exactly once, as it was, and nothing is booked that never was."""
    at_venue = {f.execution_id: f for f in trial.fills}
    booked: dict[str, list[Fill]] = {}
    for fill in trial.booked_fills:
        booked.setdefault(fill.execution_id, []).append(fill)
    for identity, note in at_venue.items():
        found = booked.get(identity, [])
        if not found:
            yield Violation("fill_lost", identity, f"{note.quantity} {note.symbol} at {note.price} was never booked", note.at)
        elif len(found) > 1:
            yield Violation("fill_twice", identity, f"it was booked {len(found)} times", note.at)
        elif (found[0].quantity, found[0].price, found[0].side.sign, found[0].symbol) != (
            note.quantity,
            note.price,
            note.sign,
            note.symbol,
        ):
            yield Violation("fill_changed", identity, f"{note} was booked as {found[0]}", note.at)
    for identity in booked.keys() - at_venue.keys():
        yield Violation("fill_invented", identity, f"the venue never executed {booked[identity][0]}")


def books_equal_venue(trial: Trial) -> Iterator[Violation]:
    """At the end the books hold the venue's positions, resting orders and cash."""
    books = Books()
    try:
        for event in trial.booked:
            books = books.apply(event)
    except DeskError as error:
        yield Violation("books_broken", "events", str(error))
        return
    held = {e.symbol: e.position for e in trial.exposures if e.until is None}
    for symbol in sorted({*held, *books.positions}):
        mine = books.positions[symbol].quantity if symbol in books.positions else ZERO
        if mine != held.get(symbol, ZERO):
            yield Violation("books_differ", symbol, f"{mine} in the books, {held.get(symbol, ZERO)} at the venue")
    last = {note.client_id: note for note in trial.told.of(OrderNote) if note.client_id in trial.ids}
    resting = {identity for identity, note in last.items() if note.rests}
    for identity in sorted(resting ^ {o.client_order_id for o in books.working_orders() if o.client_order_id in last}):
        where = "rests at the venue and not in the books" if identity in resting else "rests in the books and not at the venue"
        yield Violation("books_differ", identity, where)
    if trial.cash is not None and abs(trial.cash - books.cash) > trial.cash_tolerance:
        yield Violation("books_differ", "cash", f"{books.cash} in the books, {trial.cash} at the venue")


def always_guarded(trial: Trial) -> Iterator[Violation]:
    """No position is without protection for longer than the patience, once its entry has ended, while the venue can be reached."""
    for symbol in sorted({e.symbol for e in trial.exposures}):
        start: Exposure | None = None
        for exposure in (e for e in trial.exposures if e.symbol == symbol):
            bare = exposure.naked > trial.dust.get(symbol, ZERO) and not exposure.entering
            if bare and start is None:
                start = exposure
            if start is not None and (not bare or exposure.until is None):
                yield from _too_long(trial, start, exposure.since if not bare else trial.ended)
                start = None


def _too_long(trial: Trial, start: Exposure, end: datetime) -> Iterator[Violation]:
    for span in without(Span(start.since, end), (*trial.told.cut_off, *trial.excused)):
        length = (span.end or end) - span.start
        if length > trial.patience:
            text = f"{start.naked} of {start.position} was without protection for {length.total_seconds():.1f} s"
            yield Violation("naked", start.symbol, text, span.start)


def without(span: Span, others: Sequence[Span]) -> list[Span]:
    """What is left of a span without the others."""
    pieces, end = [], span.end
    at = span.start
    for other in sorted(others, key=lambda s: s.start):
        if other.end is not None and other.end <= at:
            continue
        if end is not None and other.start >= end:
            break
        if other.start > at:
            pieces.append(Span(at, other.start))
        if other.end is None:
            return pieces
        at = max(at, other.end)
    return [*pieces, Span(at, end)] if end is None or at < end else pieces


def closing_only_after_halt(trial: Trial) -> Iterator[Violation]:
    """While HALT stands nothing comes to the venue but what closes or guards a position."""
    first: dict[str, OrderNote] = {}
    for note in trial.told.of(OrderNote):
        first.setdefault(note.venue_id, note)
    for note in first.values():
        halt = next((h for h in trial.halts if h.holds(note.at) and note.at - h.start > trial.in_flight), None)
        if halt is None or note.by_hand or note.leg or _closes(trial, note):
            continue
        text = f"{note.quantity} {note.symbol} was sent {(note.at - halt.start).total_seconds():.1f} s after HALT, and closes nothing"
        yield Violation("sent_after_halt", note.client_id or note.venue_id, text, note.at)


def _closes(trial: Trial, note: OrderNote) -> bool:
    if note.reduces:
        return True
    held = next((e.position for e in trial.exposures if e.symbol == note.symbol and e.first <= note.n <= e.last), ZERO)
    return held * note.sign < 0 and note.quantity <= abs(held)


def chain_holds(trial: Trial) -> Iterator[Violation]:
    """The desk's audit chain verifies."""
    if not trial.chain_verifies:
        yield Violation("chain", "journal", "the audit chain does not verify")


def _forced(trial: Trial, venue_id: str) -> bool:
    return any(f.forced for f in trial.fills if f.venue_id == venue_id)


RULES: tuple[Callable[[Trial], Iterator[Violation]], ...] = (
    one_order_for_an_id,
    only_intended_orders,
    no_more_than_intended,
    every_fill_once,
    books_equal_venue,
    always_guarded,
    closing_only_after_halt,
    chain_holds,
)
