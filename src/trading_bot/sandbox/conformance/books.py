"""Promises on what the venue tells: without gaps, each thing once, and enough to know cash, positions and orders."""

from decimal import Decimal

from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import OrderState
from trading_bot.domain.values import ZERO
from trading_bot.sandbox.conformance.hand import Hand, fold
from trading_bot.sandbox.conformance.report import hold, needed


def events_without_gaps(hand: Hand) -> None:
    """Events are numbered from 1 without a gap, and time never goes back by more than a clock's difference."""
    _trade(hand)
    numbers = [e.sequence for e in hand.booked]
    hold(numbers == list(range(1, len(numbers) + 1)), f"the numbers are {numbers}")


def events_resume(hand: Hand) -> None:
    """Asked again after the same number, the venue tells the same; after a later one, the rest of it."""
    before = hand.books.sequence
    order = hand.rest()
    hand.until(lambda: bool(hand.broker.events(before)), "a resting order is not told")
    first = hand.broker.events(before)
    hold(hand.broker.events(before)[: len(first)] == first, "the same question gets another answer")
    hold(hand.broker.events(first[0].sequence)[: len(first) - 1] == first[1:], "a later question does not get the rest")
    hand.agree()
    hold(order.spec.client_order_id in hand.books.orders, "an order that rests is not in the books")


def first_event_is_the_account(hand: Hand) -> None:
    """With nothing booked the events alone give the account's cash."""
    hand.agree()
    hold(hand.books.sequence > 0, "nothing is told at the beginning")


def fills_add_up(hand: Hand) -> None:
    """At every event an order's filled quantity is the sum of its fills, and its price their mean."""
    _trade(hand)
    filled: dict[str, Decimal] = {}
    for event in hand.booked:
        if not isinstance(event, OrderUpdate):
            continue
        identity = event.order.client_order_id
        filled[identity] = filled.get(identity, ZERO) + (ZERO if event.fill is None else event.fill.quantity)
        if identity in hand.ids:
            hold(
                event.order.filled_quantity == filled[identity],
                f"event {event.sequence}: {identity} is {event.order} after {filled[identity]}",
            )


def executions_once(hand: Hand) -> None:
    """Each execution has an id of its own and is told once."""
    _trade(hand)
    ids = [e.fill.execution_id for e in hand.booked if isinstance(e, OrderUpdate) and e.fill is not None]
    hold(len(ids) == len(set(ids)) and all(ids), f"executions {ids}")


def books_are_the_venue(hand: Hand) -> None:
    """Cash, positions and working orders folded from events are those of the venue, at rest, in a position and flat again."""
    hand.rest()
    hand.agree()
    hand.cancel_all()
    hand.agree()
    _trade(hand)


def restart_repeats_nothing(hand: Hand) -> None:
    """A new adapter that is given what was booked tells nothing of it again."""
    hand.enter()
    hand.agree()
    count = len(hand.booked)
    hand.restart()
    hand.agree()
    hold(len(hand.booked) == count, f"{len(hand.booked) - count} events came again: {hand.booked[count:]}")


def restart_finds_what_came_meanwhile(hand: Hand) -> None:
    """What happened after the last booked event is told to the next adapter, once."""
    hand.agree()
    booked = tuple(hand.booked)
    order = hand.enter()
    hand.agree()
    hand.restart(booked)
    hand.agree()
    fills = [
        e
        for e in hand.booked
        if isinstance(e, OrderUpdate) and e.fill is not None and e.order.client_order_id == order.spec.client_order_id
    ]
    filled = sum((e.fill.quantity for e in fills if e.fill is not None), ZERO)
    hold(filled == order.spec.quantity, f"{filled} of {order.spec.quantity} was told")


def restart_in_the_middle(hand: Hand) -> None:
    """A desk that died between two bookings comes to the same books, whichever event was the last."""
    _round_trip(hand)
    whole = tuple(hand.booked)
    cash = hand.books.cash
    for kept in sorted({1, len(whole) // 2, len(whole) - 1}):
        hand.restart(whole[: max(kept, 1)])
        hand.agree()
        off = abs(hand.books.cash - cash)
        hold(off <= hand.broker.cash_tolerance, f"after {kept} of {len(whole)} events cash is off by {off}")


def restart_knows_a_fill_while_it_was_away(hand: Hand) -> None:
    """An entry that rests and is filled while no adapter runs is in the books of the next."""
    move = needed(hand.bench.move, "nobody can move the price here")
    order = hand.rest()
    hand.agree()
    price = hand.bench.quote().mid
    hand.broker.close()
    assert_limit = order.spec.limit_price or price
    move(assert_limit * Decimal("0.99"))
    hand.restart()
    hand.until(lambda: hand.state(order) is OrderState.FILLED, "the price went through its limit and it is not filled")
    hand.agree()
    move(price)
    hold(hand.books.positions, "the books are flat")


def answers_in_order(hand: Hand) -> None:
    """Positions come by symbol, working orders by client order id."""
    hand.rest()
    ids = [o.client_order_id for o in hand.broker.open_orders()]
    symbols = [p.symbol for p in hand.broker.positions()]
    hold(ids == sorted(ids) and symbols == sorted(symbols), f"{ids}, {symbols}")


def foresight_is_true(hand: Hand) -> None:
    """A venue that cannot foresee says so by None; one that can names no moment in the past."""
    hand.rest()
    now = hand.bench.now()
    found = hand.broker.next_event_time(now)
    hold(found is None if not hand.broker.foresees else found is None or found >= now, f"it foresees {found}")


def _trade(hand: Hand) -> None:
    """Buy, and sell again."""
    _round_trip(hand)
    hold(fold(hand.booked) == hand.books, "the same events give other books")


def _round_trip(hand: Hand) -> None:
    hand.enter()
    hand.agree()
    hand.cancel_all()
    held = hand.held()
    if held is not None:
        hand.send(hand.ask.close(held))
    hand.until(lambda: hand.held() is None, "an exit at the market does not close the position")
    hand.agree()
