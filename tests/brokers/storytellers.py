"""Adapters that break the port's promises on events, one way each, over the paper venue."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from brokers.honest import Honest
from trading_bot.domain.events import BrokerEvent, CashReason, CashUpdate, OrderUpdate
from trading_bot.domain.orders import OrderIntent, OrderRole


class Skipping(Honest):
    """Leaves out every fifth number."""

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """With gaps."""
        return tuple(e for e in self.inner.events(after) if e.sequence % 5)


class Moody(Honest):
    """Tells another story at each question."""

    asked = 0

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """The times move."""
        self.asked += 1
        late = timedelta(microseconds=self.asked)
        return tuple(e.model_copy(update={"at": e.at + late}) for e in self.inner.events(after))


class Renumbering(Honest):
    """Tells a changed story under numbers of its own."""

    def story(self, events: tuple[BrokerEvent, ...]) -> Iterator[BrokerEvent]:
        """What it makes of the truth."""
        yield from events

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Numbered anew."""
        told = [e.model_copy(update={"sequence": n}) for n, e in enumerate(self.story(self.inner.events(0)), start=1)]
        return tuple(told[after:])


class Silent(Renumbering):
    """Tells nothing at all."""

    def story(self, events: tuple[BrokerEvent, ...]) -> Iterator[BrokerEvent]:
        """Nothing."""
        yield from events[:0]


class Losing(Renumbering):
    """Loses fills, keeps their orders."""

    def story(self, events: tuple[BrokerEvent, ...]) -> Iterator[BrokerEvent]:
        """Without fills."""
        yield from (e.model_copy(update={"fill": None}) if isinstance(e, OrderUpdate) else e for e in events)


class Doubling(Renumbering):
    """Tells every fill twice."""

    def story(self, events: tuple[BrokerEvent, ...]) -> Iterator[BrokerEvent]:
        """A deposit is told twice too."""
        for event in events:
            yield event
            if isinstance(event, CashUpdate) or event.type == "split":
                yield event


class SameExecution(Renumbering):
    """Gives every execution the same id."""

    def story(self, events: tuple[BrokerEvent, ...]) -> Iterator[BrokerEvent]:
        """One name for all."""
        for event in events:
            fill = event.fill if isinstance(event, OrderUpdate) else None
            yield event if fill is None else event.model_copy(update={"fill": fill.model_copy(update={"execution_id": "e"})})


class Mistaken(Renumbering):
    """Takes stops for exits of another kind."""

    def story(self, events: tuple[BrokerEvent, ...]) -> Iterator[BrokerEvent]:
        """No fill is a stop's."""
        for event in events:
            fill = event.fill if isinstance(event, OrderUpdate) else None
            yield event if fill is None else event.model_copy(update={"fill": fill.model_copy(update={"role": OrderRole.CLOSE})})


class Repeating(Honest):
    """Tells what was booked once more after a restart."""

    booked: tuple[BrokerEvent, ...] = ()

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """Remember what to tell again."""
        self.booked = tuple(booked)
        self.inner.open(intents, booked, ring)

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """The last cash movement comes a second time, under a new number."""
        known = len(self.booked)
        found = [e for e in self.inner.events(0) if e.sequence > known]
        extra = [CashUpdate(sequence=known + 1, at=self.booked[-1].at, reason=CashReason.OTHER, amount=Decimal(1))] if known else []
        told = [*extra, *(e.model_copy(update={"sequence": e.sequence + len(extra)}) for e in found)]
        return tuple(e for e in (*self.booked, *told) if e.sequence > after)


class Forgetting(Honest):
    """Tells after a restart only what comes from then on."""

    seen = 0
    start = 0

    def open(self, intents: Sequence[OrderIntent], booked: Sequence[BrokerEvent], ring: Callable[[], None]) -> None:
        """What came meanwhile is lost."""
        self.inner.open(intents, booked, ring)
        self.start, self.seen = len(booked), len(self.inner.events(0)) if booked else 0

    def events(self, after: int) -> tuple[BrokerEvent, ...]:
        """Numbers go on without a gap."""
        late = [e for e in self.inner.events(0) if e.sequence > self.seen]
        told = [e.model_copy(update={"sequence": self.start + n}) for n, e in enumerate(late, start=1)]
        return tuple(e for e in told if e.sequence > after)
