"""The chronicle: however a venue's history is told, the same books come of it, and each thing counts once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_bot.brokers.chronicle import Chronicle
from trading_bot.domain.books import Books
from trading_bot.domain.events import BrokerEvent, CashReason, OrderUpdate
from trading_bot.domain.orders import Fill, Order, OrderRole, OrderState, OrderType, Side, TimeInForce
from trading_bot.domain.values import ZERO, ClientOrderId, Symbol, divided

START = datetime(2026, 3, 2, 15, tzinfo=UTC)
Telling = Callable[[Chronicle], None]


@dataclass(frozen=True)
class History:
    """What happened at a venue: orders with their snapshots and executions, in order, and payments."""

    snapshots: tuple[Order, ...]
    fills: tuple[Fill, ...]
    payments: tuple[tuple[str, Decimal], ...]

    def tellings(self) -> list[Telling]:
        """Each thing, as something that can be told."""
        return [*map(_order, self.snapshots), *map(_fill, self.fills), *(_cash(r, a) for r, a in self.payments)]


def _order(order: Order) -> Telling:
    return lambda chronicle: chronicle.see_order(order)


def _fill(fill: Fill) -> Telling:
    return lambda chronicle: chronicle.see_fill(fill)


def _cash(reference: str, amount: Decimal) -> Telling:
    return lambda chronicle: chronicle.see_cash(reference, CashReason.DIVIDEND, amount, START)


def snapshot(number: int, side: Side, quantity: int, state: OrderState, fills: Sequence[Fill]) -> Order:
    """One order as its venue sees it after these executions."""
    filled = sum((f.quantity for f in fills), ZERO)
    value = sum((f.quantity * f.price for f in fills), ZERO)
    return Order(
        client_order_id=ClientOrderId(f"desk-{number}"),
        venue_order_id=f"venue-{number}",
        symbol=Symbol(f"S{number % 2}"),
        side=side,
        type=OrderType.MARKET,
        role=OrderRole.ENTRY,
        quantity=Decimal(quantity),
        time_in_force=TimeInForce.GTC,
        state=state,
        filled_quantity=filled,
        average_price=divided(value, filled) if filled else ZERO,
        submitted_at=START,
        updated_at=START + timedelta(seconds=len(fills)),
    )


@st.composite
def orders(draw: st.DrawFn, number: int) -> tuple[list[Order], list[Fill]]:
    """One order's snapshots and executions, to some end."""
    side = draw(st.sampled_from(Side))
    parts = draw(st.lists(st.integers(1, 5), max_size=4))
    rest = draw(st.integers(0, 3))
    quantity = sum(parts) + rest or 1
    end = OrderState.FILLED if parts and not rest else draw(st.sampled_from([OrderState.CANCELED, OrderState.EXPIRED]))
    fills = [
        Fill(
            execution_id=f"x-{number}-{n}",
            client_order_id=ClientOrderId(f"desk-{number}"),
            symbol=Symbol(f"S{number % 2}"),
            side=side,
            role=OrderRole.ENTRY,
            quantity=Decimal(part),
            price=Decimal(draw(st.integers(90, 110))),
            fee=Decimal("0.01"),
            at=START + timedelta(seconds=n + 1),
        )
        for n, part in enumerate(parts)
    ]
    seen = [snapshot(number, side, quantity, OrderState.ACCEPTED, [])]
    seen += [snapshot(number, side, quantity, OrderState.PARTIALLY_FILLED, fills[: n + 1]) for n in range(len(fills) - (not rest))]
    return [*seen, snapshot(number, side, quantity, end, fills)], fills


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A few orders and payments."""
    told = [draw(orders(number)) for number in range(draw(st.integers(1, 3)))]
    payments = tuple((f"pay-{n}", Decimal(a)) for n, a in enumerate(draw(st.lists(st.integers(-9, 9), max_size=2))))
    return History(tuple(o for seen, _ in told for o in seen), tuple(f for _, fills in told for f in fills), payments)


@st.composite
def tellings(draw: st.DrawFn) -> tuple[History, list[Telling]]:
    """A history, and all of it told in some order, parts of it twice."""
    history = draw(histories())
    things = history.tellings()
    again = draw(st.lists(st.sampled_from(things), max_size=len(things)))
    return history, draw(st.permutations([*things, *again]))


def told(things: Sequence[Telling], booked: Sequence[BrokerEvent] = ()) -> Chronicle:
    """A chronicle that was told these things."""
    chronicle = Chronicle(booked)
    for thing in things:
        thing(chronicle)
    return chronicle


def books(events: Sequence[BrokerEvent]) -> Books:
    """Books of these events; IllegalTransitionError if they cannot be one story."""
    found = Books()
    for event in events:
        found = found.apply(event)
    return found


def essence(of: Books) -> object:
    """What the order of telling may not change."""
    positions = {s: p.quantity for s, p in of.positions.items()}
    return positions, dict(of.orders), of.cash, of.fees, of.income


@given(tellings())
def test_the_same_books_come_of_every_way_of_telling(case: tuple[History, list[Telling]]) -> None:
    """Mixed up and repeated as it likes, each execution and payment counts once, and no order is left open."""
    history, things = case
    straight, mixed = told(history.tellings()), told(things)
    assert essence(books(mixed.after(0))) == essence(books(straight.after(0)))
    assert mixed.incomplete() == ()
    assert mixed.working() == ()
    booked = [e.fill.execution_id for e in mixed.after(0) if isinstance(e, OrderUpdate) and e.fill is not None]
    assert sorted(booked) == sorted(f.execution_id for f in history.fills)


@given(tellings())
def test_at_every_event_an_order_is_filled_by_what_was_executed(case: tuple[History, list[Telling]]) -> None:
    """Events are numbered without gaps, and an order never claims more or less than its executions so far."""
    executed: dict[ClientOrderId, Decimal] = {}
    events = told(case[1]).after(0)
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    for event in events:
        if isinstance(event, OrderUpdate):
            identity = event.order.client_order_id
            executed[identity] = executed.get(identity, ZERO) + (ZERO if event.fill is None else event.fill.quantity)
            assert event.order.filled_quantity == executed[identity]
            assert event.order.state is not OrderState.FILLED or executed[identity] == event.order.quantity


@given(tellings(), st.data())
def test_a_restart_anywhere_changes_nothing(case: tuple[History, list[Telling]], data: st.DataObject) -> None:
    """What was booked is not told again; the rest goes on at the next number."""
    history, things = case
    first = told(things[: data.draw(st.integers(0, len(things)))]).after(0)
    kept = first[: data.draw(st.integers(0, len(first)))]
    second = told(things, kept)
    rest = second.after(len(kept))
    assert [e.sequence for e in rest] == list(range(len(kept) + 1, len(kept) + len(rest) + 1))
    assert essence(books([*kept, *rest])) == essence(books(told(history.tellings()).after(0)))


@given(tellings())
def test_a_chronicle_names_what_it_misses(case: tuple[History, list[Telling]]) -> None:
    """While one execution is missing, its order is incomplete and has not ended in the books."""
    history, _ = case
    for missing in history.fills:
        rest = [*map(_order, history.snapshots), *(_fill(f) for f in history.fills if f is not missing)]
        chronicle = told(rest)
        assert missing.client_order_id in chronicle.incomplete()
        chronicle.see_fill(missing)
        assert chronicle.incomplete() == ()


@given(tellings())
def test_what_is_in_the_journal_can_be_let_go(case: tuple[History, list[Telling]]) -> None:
    """Numbers stay what they are."""
    chronicle = told(case[1])
    events = chronicle.after(0)
    chronicle.forget(len(events) // 2)
    assert chronicle.after(len(events) // 2) == events[len(events) // 2 :]
