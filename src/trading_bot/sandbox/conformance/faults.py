"""Promises under faults: what may have happened is said to be unknown, what did not is said not to have, and all is found again."""

from contextlib import AbstractContextManager

from trading_bot.domain.errors import BrokerUnavailableError, OutcomeUnknownError, RateLimitedError
from trading_bot.domain.orders import ApprovedOrder, OrderState
from trading_bot.sandbox.conformance.asking import Wish
from trading_bot.sandbox.conformance.bench import Trouble
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.orders import guarded
from trading_bot.sandbox.conformance.report import hold, needed


def lost_answer(hand: Hand) -> None:
    """An order whose answer is lost is unknown, is found by its id, and is not placed again when it is sent again."""
    _unknown_but_placed(hand, Trouble.LOST_ANSWER)


def server_error(hand: Hand) -> None:
    """An order answered by a server error is unknown too, and found."""
    _unknown_but_placed(hand, Trouble.SERVER_ERROR)


def lost_request(hand: Hand) -> None:
    """An order that was cut off on its way is unknown; once the venue has had its time, it is not found, and can be sent."""
    order = _far(hand)
    with _trouble(hand, Trouble.LOST_REQUEST):
        hand.fails(lambda: hand.send(order), OutcomeUnknownError, BrokerUnavailableError)
    hand.settle()
    hold(hand.state(order) is None, f"it is {hand.state(order)}")
    hand.send(order)
    hand.until(lambda: len(hand.working()) == 1, "it does not rest")
    hand.agree()


def lost_cancel(hand: Hand) -> None:
    """A cancel whose answer is lost is unknown; asking tells whether the order rests, and a second cancel does no harm."""
    order = hand.rest()
    identity = order.spec.client_order_id
    with _trouble(hand, Trouble.LOST_CANCEL):
        hand.fails(lambda: hand.cancel(identity), OutcomeUnknownError)
    hand.cancel(identity)
    hand.until(lambda: hand.state(order) is OrderState.CANCELED, f"it is {hand.state(order)}")
    hand.agree()


def lost_replace(hand: Hand) -> None:
    """A replacement whose answer is lost is unknown; after asking, one stop guards the position, at the new price or the old."""
    hand.enter()
    old = guarded(hand)
    new = hand.ask.moved(hand.holding(), old, hand.bench.instrument.round_price(hand.bench.quote().mid * 97 / 100))
    with _trouble(hand, Trouble.LOST_REPLACE):
        hand.fails(lambda: hand.send(new), OutcomeUnknownError)
    hand.until(lambda: hand.broker.find(new.spec.client_order_id) is not None, "the venue carried it out and it is not found")
    hand.send(new)
    hand.until(lambda: [o.client_order_id for o in hand.stops()] == [new.spec.client_order_id], "not exactly the new stop rests")
    hold(hand.stops()[0].remaining == abs(hand.size()), f"it guards {hand.stops()[0].remaining} of {hand.size()}")
    hand.agree()


def rate_limited(hand: Hand) -> None:
    """An order beyond the venue's rate is said to be not sent, and is not; later it can be."""
    order = _far(hand)
    with _trouble(hand, Trouble.RATE_LIMITED):
        hand.fails(lambda: hand.send(order), RateLimitedError)
    _nothing_then_sent(hand, order)


def unreachable(hand: Hand) -> None:
    """An order to a venue that cannot be reached is not sent, or unknown if something may have left; later it can be sent."""
    order = _far(hand)
    with _trouble(hand, Trouble.UNREACHABLE):
        said = hand.fails(lambda: hand.send(order), BrokerUnavailableError, OutcomeUnknownError)
        hand.fails(hand.broker.account, BrokerUnavailableError)
    if isinstance(said, OutcomeUnknownError):
        hand.settle()
    _nothing_then_sent(hand, order)


def lost_answer_over_a_restart(hand: Hand) -> None:
    """An order whose answer is lost is found by the adapter after a restart, and its fill is booked."""
    order = hand.ask.entry(Wish(hand.bench.quantity))
    with _trouble(hand, Trouble.LOST_ANSWER):
        hand.fails(lambda: hand.send(order), OutcomeUnknownError)
    hand.restart()
    hand.until(lambda: hand.state(order) is OrderState.FILLED, f"it is {hand.state(order)}")
    hand.agree()
    hold(hand.size() > 0, f"{hand.size()} is held")


def duplicated_stream(hand: Hand) -> None:
    """A stream that says everything twice changes nothing."""
    _trade_under(hand, Trouble.DUPLICATED_STREAM)


def shuffled_stream(hand: Hand) -> None:
    """A stream that says things out of order changes nothing."""
    _trade_under(hand, Trouble.SHUFFLED_STREAM)


def mute_stream(hand: Hand) -> None:
    """A stream that is connected and says nothing is noticed: the books come all the same."""
    _trade_under(hand, Trouble.MUTE_STREAM)


def _unknown_but_placed(hand: Hand, trouble: Trouble) -> None:
    order = _far(hand)
    with _trouble(hand, trouble):
        hand.fails(lambda: hand.send(order), OutcomeUnknownError)
    hand.until(lambda: hand.state(order) is not None, "the venue has it and it is not found")
    hand.send(order)
    hold(len(hand.working()) == 1, f"{len(hand.working())} orders rest")
    hand.agree()


def _nothing_then_sent(hand: Hand, order: ApprovedOrder) -> None:
    hand.until(hand.answers, "the venue does not answer any more")
    hold(hand.state(order) is None, f"it was said not to be sent, and is {hand.state(order)}")
    hand.until(lambda: _sent(hand, order), "it was to wait, and can never be sent")
    hand.until(lambda: len(hand.working()) == 1, "it does not rest")
    hand.agree()


def _sent(hand: Hand, order: ApprovedOrder) -> bool:
    """Send; whether the budget let it pass. Questions may be let pass sooner than orders."""
    try:
        hand.send(order)
    except RateLimitedError:
        return False
    return True


def _trade_under(hand: Hand, trouble: Trouble) -> None:
    with _trouble(hand, trouble):
        hand.enter()
        hand.agree()
        hand.cancel_all()
        hand.send(hand.ask.close(hand.held()))
        hand.until(lambda: hand.held() is None, "an exit at the market does not close the position")
        hand.agree()
    hand.agree()


def _far(hand: Hand) -> ApprovedOrder:
    return hand.ask.entry(Wish(hand.bench.quantity, limit=hand.bench.instrument.round_price(hand.bench.quote().mid * 4 / 5)))


def _trouble(hand: Hand, trouble: Trouble) -> AbstractContextManager[None]:
    return needed(hand.bench.troubles.get(trouble), f"nobody can make {trouble} here")()
