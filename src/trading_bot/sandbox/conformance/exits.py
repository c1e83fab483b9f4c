"""Promises on exits: they guard what is held, and never turn it round."""

from decimal import Decimal

from trading_bot.domain.books import Position
from trading_bot.domain.errors import OrderRejectedError
from trading_bot.domain.events import OrderUpdate
from trading_bot.domain.orders import OrderRole, OrderState, OrderType, Side
from trading_bot.domain.traits import Attachment
from trading_bot.domain.values import ZERO, ClientOrderId
from trading_bot.sandbox.conformance.asking import Wish
from trading_bot.sandbox.conformance.bench import Trouble
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.orders import guarded
from trading_bot.sandbox.conformance.report import hold, needed, needs


def stop_lives_with_the_position(hand: Hand) -> None:
    """Where an entry carries its stop, the stop works for the whole position once the entry is filled."""
    attached = hand.broker.traits(hand.bench.instrument.symbol).attachment
    needs(attached is not Attachment.NONE, "an entry carries no stop here")
    order = hand.enter()
    hand.until(lambda: bool(hand.stops()), "the position has no stop")
    stop = hand.stops()[0]
    leg = order.spec.stop_loss
    hold(leg is not None and stop.client_order_id == leg.client_order_id, f"its id is {stop.client_order_id}")
    hold(leg is not None and stop.stop_price == leg.price, f"it stands at {stop.stop_price}")
    hold(stop.remaining == hand.size(), f"it guards {stop.remaining} of {hand.size()}")
    hand.agree()


def target_lives_beside_the_stop(hand: Hand) -> None:
    """Where an entry carries legs, target and stop rest beside each other once it is filled."""
    needs(_legs(hand), "an entry carries no target here")
    order = hand.enter(target=True)
    hand.until(lambda: len(hand.working()) == 2, f"not both legs rest: {hand.working()}")  # noqa: PLR2004 - a stop and a target
    goal = next((o for o in hand.working() if o.role is OrderRole.TAKE_PROFIT), None)
    leg = order.spec.take_profit
    hold(goal is not None and leg is not None and goal.client_order_id == leg.client_order_id, f"the target is {goal}")
    hold(goal is None or leg is None or goal.limit_price == leg.price, f"the target is {goal}")
    hand.agree()


def stop_closes(hand: Hand) -> None:
    """A price beyond the stop closes the position, under the stop's own id and role, and leaves no other leg."""
    move = needed(hand.bench.move, "nobody can move the price here")
    price = hand.bench.quote().mid
    hand.enter(target=_legs(hand))
    stop, held = guarded(hand).client_order_id, hand.size()
    hand.agree()
    move(price * Decimal("0.945"))  # beyond the stop, and not beyond what a stop-limit would still take
    hand.until(lambda: hand.held() is None, "the price is beyond the stop and the position is there")
    hand.until(lambda: not hand.working(), "exits rest for nothing")
    hand.agree()
    move(price)
    fills = [e.fill for e in hand.booked if isinstance(e, OrderUpdate) and e.fill is not None and e.fill.role is OrderRole.STOP_LOSS]
    mine = [f for f in fills if f.client_order_id == stop]
    hold(sum((f.quantity for f in mine), ZERO) == held, f"{held} was held, and these are the fills of stops: {fills}")


def target_closes(hand: Hand) -> None:
    """A price beyond the target closes the position at the target or better, and ends the stop."""
    move = needed(hand.bench.move, "nobody can move the price here")
    needs(_legs(hand), "an entry carries no target here")
    price = hand.bench.quote().mid
    order = hand.enter(target=True)
    hand.until(lambda: len(hand.working()) == 2, "not both legs rest")  # noqa: PLR2004 - a stop and a target
    move(price * Decimal("1.1"))
    hand.until(lambda: hand.held() is None and not hand.working(), "the position or its stop is still there")
    hand.agree()
    move(price)
    leg = order.spec.take_profit
    done = hand.broker.find(leg.client_order_id) if leg is not None else None
    hold(done is not None and done.state is OrderState.FILLED, f"the target is {done}")
    hold(done is None or leg is None or done.average_price >= leg.price, f"the target is {done}")


def exit_never_turns_round(hand: Hand) -> None:
    """An exit for more than is held closes what is held at most, or is refused: the other side is never entered."""
    hand.enter()
    hand.cancel_all()
    held = hand.holding()
    order = hand.ask.close(_inflated(held, 3))
    try:
        hand.send(order)
    except OrderRejectedError as error:
        hand.heard.append(str(error))
        hold(hand.size() == held.quantity, f"refused, and {hand.size()} is held")
    else:
        hand.until(lambda: _ended(hand, order.spec.client_order_id), "it has no end")
        hold(hand.size() >= 0, f"{hand.size()} is held: the position was turned round")
    hand.agree()


def exit_of_nothing(hand: Hand) -> None:
    """An exit while nothing is held is refused or ends unfilled: it opens nothing."""
    quote = hand.bench.quote()
    held = Position(symbol=hand.bench.instrument.symbol, quantity=hand.bench.quantity, average_price=quote.mid, opened_at=hand.bench.now())
    order = hand.ask.close(held)
    try:
        hand.send(order)
    except OrderRejectedError as error:
        hand.heard.append(str(error))
    hand.until(lambda: not hand.working(), "it rests")
    hold(hand.size() == 0, f"{hand.size()} is held")
    hand.agree()


def partial_exit(hand: Hand) -> None:
    """Half of a position is closed, and half of it stays."""
    hand.enter()
    hand.cancel_all()
    held = hand.size()
    hand.send(hand.ask.close(hand.held(), fraction=Decimal("0.5")))
    rest = held - hand.bench.instrument.round_quantity(held / 2)
    hand.until(lambda: hand.size() == rest, f"{hand.size()} is held instead of {rest}")
    hand.agree()


def stop_alone(hand: Hand) -> None:
    """A stop that is sent for what is held rests for all of it, and ends with a cancel; a second one takes its place."""
    hand.enter()
    hand.cancel_all()
    held = hand.size()
    guarded(hand)
    hand.agree()
    hand.cancel_all()
    hold(hand.size() == held, "a canceled stop has sold")
    stop = guarded(hand)
    hold(stop.remaining == hand.size(), f"it guards {stop.remaining} of {hand.size()}")
    hand.agree()


def partial_fill(hand: Hand) -> None:
    """A partial fill is told as one: the order works on, books and venue agree, and its cancel keeps what was filled."""
    trouble = needed(hand.bench.troubles.get(Trouble.THIN), "nobody can make the market thin here")
    with trouble():
        order = hand.bite()
        hand.agree()
        filled = hand.size()
        hold(ZERO < filled < hand.bench.quantity, f"{filled} is held")
        hand.cancel(order.spec.client_order_id)
        hand.until(lambda: hand.state(order) is OrderState.CANCELED, f"it is {hand.state(order)} after its cancel")
        hand.agree()
        hold(hand.size() == filled, f"{hand.size()} is held instead of {filled}")


def short_and_back(hand: Hand) -> None:
    """What may be sold short is, and is bought back."""
    needs(hand.bench.instrument.shortable, f"{hand.bench.instrument.symbol} may not be sold short")
    hand.send(hand.ask.entry(Wish(hand.bench.quantity, side=Side.SELL)))
    hand.until(lambda: hand.size() == -hand.bench.quantity, f"{hand.size()} is held")
    hand.agree()
    hand.cancel_all()
    hand.send(hand.ask.close(hand.held()))
    hand.until(lambda: hand.held() is None, f"{hand.size()} is held")
    hand.agree()


def trailing_stop_follows(hand: Hand) -> None:
    """A stop that trails stands behind the best price since, never goes back, and closes what is held when the price comes to it."""
    move = needed(hand.bench.move, "nobody can move the price here")
    needs(hand.broker.traits(hand.bench.instrument.symbol).trails, "stops do not trail here")
    instrument, price = hand.bench.instrument, hand.bench.quote().mid
    hand.enter()
    old, trail = guarded(hand), instrument.round_price(price * Decimal("0.04"))
    order = hand.ask.trailed(hand.holding(), old, trail)
    if order.replaces is None:
        hand.cancel_all()
    hand.send(order)
    hand.until(lambda: [o.type for o in hand.stops()] == [OrderType.TRAILING_STOP], f"not it alone guards: {hand.stops()}")
    for share in ("1.02", "0.99"):  # it rises with the first, and stays where it is at the second
        move(price * Decimal(share))
        hand.bench.wait(lambda: False, 1)  # a venue may not say where it stands, and needs time to see the price
        hand.until(lambda: _stands_near(hand, price * Decimal("0.98")), f"at {share} of the price it stands at {hand.stops()}")
        hold(hand.held() is not None, "the price is above it and the position is gone")
    hand.agree()
    move(price * Decimal("0.975"))
    hand.until(lambda: hand.held() is None and not hand.working(), "the price fell below it and the position is there")
    hand.agree()
    move(price)
    hold(hand.state(order) is OrderState.FILLED, f"it is {hand.state(order)}")


def _stands_near(hand: Hand, level: Decimal) -> bool:
    """Whether the one stop stands there, or the venue does not say where."""
    stops = hand.stops()
    return len(stops) == 1 and (stops[0].stop_price is None or abs(stops[0].stop_price - level) <= level / 500)


def _legs(hand: Hand) -> bool:
    return hand.broker.traits(hand.bench.instrument.symbol).attachment is Attachment.LEGS


def _inflated(held: Position, times: int) -> Position:
    return held.model_copy(update={"quantity": held.quantity * times})


def _ended(hand: Hand, identity: ClientOrderId) -> bool:
    found = hand.broker.find(identity)
    return found is not None and found.state.is_final
