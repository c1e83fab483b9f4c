"""What is held, what guards it, and whether an entry still works: each symbol's course through a venue's notes. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from trading_bot.domain.values import ZERO, Symbol
from trading_bot.sandbox.chaos.telling import FillNote, HandNote, Note, OrderNote, PositionNote


@dataclass(frozen=True)
class Exposure:
    """How a symbol stood from one note to the next."""

    symbol: Symbol
    since: datetime
    until: datetime | None
    """None: until the end."""
    first: int
    last: int
    """Numbers of the notes between which it stood so."""
    position: Decimal
    """Signed, without what other people did."""
    guarded: Decimal
    """Quantity that live stops, or exits at the market, would close."""
    entering: bool
    """Whether an order that enlarges the position still works."""

    @property
    def naked(self) -> Decimal:
        """Quantity that nothing guards."""
        return max(abs(self.position) - self.guarded, ZERO)


@dataclass
class _Course:
    """One symbol on its way."""

    held: Decimal = ZERO
    foreign: Decimal = ZERO
    """What of it is other people's doing."""
    jumping: bool = False
    orders: dict[str, OrderNote] = field(default_factory=dict)

    def take(self, note: Note, by_hand: frozenset[str]) -> None:
        match note:
            case OrderNote():
                self.orders[note.venue_id] = note
            case FillNote():
                self.foreign += note.sign * note.quantity if note.venue_id in by_hand else ZERO
            case HandNote():
                self.jumping = True
            case PositionNote():
                self.foreign += note.quantity - self.held if self.jumping else ZERO
                self.held, self.jumping = note.quantity, False

    def stands(self) -> tuple[Decimal, Decimal, bool]:
        position = self.held - self.foreign
        sign = (position > 0) - (position < 0)
        live = [o for o in self.orders.values() if o.rests and not o.by_hand]
        guarded = sum((o.remaining for o in live if o.sign == -sign and o.guards), ZERO)
        return position, guarded, any(o.sign == sign and not o.reduces for o in live)


_LAST = 2**62


def exposures(notes: Iterable[Note], by_hand: frozenset[str]) -> tuple[Exposure, ...]:
    """All symbols' courses, symbol by symbol, in the order of the notes."""
    tracks: dict[Symbol, list[Note]] = {}
    for note in notes:
        tracks.setdefault(note.symbol, []).append(note)
    return tuple(e for symbol, track in sorted(tracks.items()) for e in _walk(symbol, track, by_hand))


def _walk(symbol: Symbol, track: list[Note], by_hand: frozenset[str]) -> Iterator[Exposure]:
    course, before = _Course(), None
    for note in track:
        course.take(note, by_hand)
        position, guarded, entering = course.stands()
        now = Exposure(symbol, note.at, None, note.n, _LAST, position, guarded, entering)
        if before is not None:
            yield replace(before, until=note.at, last=note.n - 1)
        before = now
    if before is not None:
        yield before
