"""Promises on single orders: an id means one order, and what the venue has is found."""

from decimal import Decimal

from trading_bot.domain.books import Position
from trading_bot.domain.errors import OrderNotFoundError, OrderRejectedError
from trading_bot.domain.orders import ApprovedOrder, Order, OrderState
from trading_bot.domain.values import ClientOrderId
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.report import hold


def account_is_ours(hand: Hand) -> None:
    """The account is the one that was asked for, and has equity."""
    account = hand.broker.account()
    hold(hand.bench.account in {"", account.account_id}, f"the account is {account.account_id}, asked for was {hand.bench.account}")
    hold(account.equity > 0, f"equity is {account.equity}")


def submit_once(hand: Hand) -> None:
    """An order that is sent twice rests once, and both answers name the same order."""
    order = hand.rest()
    again = hand.send(order)
    hold(again.client_order_id == order.spec.client_order_id, f"the second answer is about {again.client_order_id}")
    hold(len(hand.working()) == 1, f"{len(hand.working())} orders rest")
    found = hand.broker.find(order.spec.client_order_id)
    hold(found is not None and found.venue_order_id == again.venue_order_id, "the two answers name two orders of the venue")


def submit_once_after_the_end(hand: Hand) -> None:
    """An order that is sent again after its end is not placed again."""
    order = hand.rest()
    hand.cancel(order.spec.client_order_id)
    hand.until(lambda: hand.state(order) is OrderState.CANCELED, "a resting order is not canceled")
    try:
        again = hand.send(order)
    except OrderRejectedError:
        pass
    else:
        hold(again.state is OrderState.CANCELED, f"it is {again.state} again")
    hold(not hand.working(), "it rests again")


def find_what_was_sent(hand: Hand) -> None:
    """What was sent is found under its id with its side, quantity and price."""
    order = hand.rest()
    found, spec = hand.broker.find(order.spec.client_order_id), order.spec
    hold(found is not None, "an order that rests is not found")
    if found is not None:
        told = (found.symbol, found.side, found.quantity, found.limit_price, found.role)
        hold(told == (spec.symbol, spec.side, spec.quantity, spec.limit_price, spec.role), f"it is found as {told}")


def find_nothing(hand: Hand) -> None:
    """What was never sent is not found, and is no error."""
    identity = hand.ask.close(_some(hand)).spec.client_order_id
    hold(hand.broker.find(identity) is None, "an order that was never sent is found")


def find_what_ended(hand: Hand) -> None:
    """A filled order is found as filled, with all of its quantity and a price."""
    order = hand.enter()
    found = hand.broker.find(order.spec.client_order_id)
    hold(found is not None, "a filled order is not found")
    if found is not None:
        hold(found.filled_quantity == order.spec.quantity, f"{found.filled_quantity} of {order.spec.quantity} is filled")
        hold(found.average_price > 0, "it has no price")


def cancel_ends(hand: Hand) -> None:
    """A cancel ends a resting order, and its end is told; the second cancel changes nothing."""
    identity = hand.rest().spec.client_order_id
    hand.cancel(identity)
    hand.until(lambda: identity not in {o.client_order_id for o in hand.working()}, "it still rests")
    hand.agree()
    last = next((e.order for e in reversed(hand.booked) if e.type == "order" and e.order.client_order_id == identity), None)
    hold(last is not None and last.state is OrderState.CANCELED, f"the last word on it is {last}")
    count = len(hand.booked)
    hand.cancel(identity)
    hand.agree()
    hold(len(hand.booked) == count, "the second cancel is told as an event")


def cancel_unknown(hand: Hand) -> None:
    """A cancel of what the venue never had says so."""
    hand.fails(lambda: hand.cancel(ClientOrderId(f"{hand.ask.desk}-nobody")), OrderNotFoundError)


def cancel_filled(hand: Hand) -> None:
    """A cancel of a filled order leaves it filled, and the position as it is."""
    order = hand.enter()
    before = hand.size()
    hand.cancel(order.spec.client_order_id)
    hold(hand.state(order) is OrderState.FILLED, f"it is {hand.state(order)} now")
    hold(hand.size() == before, f"{hand.size()} is held instead of {before}")


def replace_moves(hand: Hand) -> None:
    """A replacement moves a stop and keeps its quantity: the new one rests, the old one ends."""
    old, new = _replaced(hand)
    hand.until(lambda: old not in {o.client_order_id for o in hand.stops()}, "the old stop still rests")
    stop = next((o for o in hand.stops() if o.client_order_id == new.spec.client_order_id), None)
    hold(stop is not None, f"the new stop does not rest: {[o.client_order_id for o in hand.stops()]}")
    if stop is not None:
        hold(stop.stop_price == new.spec.stop_price, f"it stands at {stop.stop_price} instead of {new.spec.stop_price}")
        hold(stop.remaining == abs(hand.size()), f"it guards {stop.remaining} of {hand.size()}")
    hand.agree()


def replace_once(hand: Hand) -> None:
    """A replacement that is sent twice rests once."""
    _, new = _replaced(hand)
    hand.until(lambda: len(hand.stops()) == 1, "more or less than one stop rests")
    hand.send(new)
    hold(len(hand.stops()) == 1, f"{len(hand.stops())} stops rest")
    hand.agree()


def replace_nothing(hand: Hand) -> None:
    """A replacement of what rests no more says so, and places nothing."""
    hand.enter()
    old = guarded(hand)
    new = hand.ask.moved(hand.holding(), old, _nearer(hand))
    hand.cancel_all()
    hand.fails(lambda: hand.send(new), OrderNotFoundError)
    hold(not hand.stops(), "the replacement rests")


def two_rest_apart(hand: Hand) -> None:
    """Two resting orders are told apart, and canceling one leaves the other."""
    traits = hand.broker.traits(hand.bench.instrument.symbol)
    first, second = hand.rest(), hand.rest(hand.bench.quantity / 2)
    hold(len(hand.working()) == 2, f"{len(hand.working())} rest under {traits}")  # noqa: PLR2004 - two were sent
    hand.cancel(first.spec.client_order_id)
    hand.until(lambda: len(hand.working()) == 1, "not exactly one is left")
    hold(hand.working()[0].client_order_id == second.spec.client_order_id, "the wrong one is left")
    hand.agree()


def guarded(hand: Hand) -> Order:
    """The one stop that guards what is held; placed now where the venue takes none along with the entry."""
    if not hand.bench.wait(lambda: bool(hand.stops()), 2):
        stop = hand.bench.instrument.round_price(hand.bench.quote().mid * Decimal("0.95"))
        hand.send(hand.ask.guard(hand.holding(), hand.working(), stop))
    hand.until(lambda: len(hand.stops()) == 1, "not exactly one stop rests for the position")
    return hand.stops()[0]


def _replaced(hand: Hand) -> tuple[ClientOrderId, ApprovedOrder]:
    hand.enter()
    old = guarded(hand)
    new = hand.ask.moved(hand.holding(), old, _nearer(hand))
    hand.send(new)
    return old.client_order_id, new


def _nearer(hand: Hand) -> Decimal:
    return hand.bench.instrument.round_price(hand.bench.quote().mid * Decimal("0.97"))


def _some(hand: Hand) -> Position:
    quantity, price = hand.bench.quantity, hand.bench.quote().mid
    return Position(symbol=hand.bench.instrument.symbol, quantity=quantity, average_price=price, opened_at=hand.bench.now())
