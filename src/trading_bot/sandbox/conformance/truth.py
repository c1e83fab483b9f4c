"""Promises that the traits are true: each one is tried, and the venue has to do what they say."""

from trading_bot.domain.errors import OrderRejectedError
from trading_bot.domain.orders import OrderRole
from trading_bot.domain.traits import Attachment
from trading_bot.sandbox.conformance.asking import Wish
from trading_bot.sandbox.conformance.bench import Trouble
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.orders import guarded
from trading_bot.sandbox.conformance.report import hold, needed, needs


def legs_wake(hand: Hand) -> None:
    """`legs_wake_late` is true: a partial fill is naked then, and guarded otherwise."""
    traits = hand.broker.traits(hand.bench.instrument.symbol)
    needs(traits.attachment is not Attachment.NONE, "an entry carries no stop here")
    trouble = needed(hand.bench.troubles.get(Trouble.THIN), "nobody can make the market thin here")
    with trouble():
        hand.bite()
        if traits.legs_wake_late:
            hold(not hand.bench.wait(lambda: bool(hand.stops()), 2), f"a stop rests: {hand.stops()}")
        else:
            hand.until(lambda: bool(hand.stops()), "the part that is filled has no stop")
            hand.until(lambda: hand.stops()[0].remaining == hand.size(), "its stop is of another size")
        hand.agree()


def stop_beside_entry(hand: Hand) -> None:
    """`stop_beside_entry` is true: a stop is taken while an entry of the same instrument works, or is refused."""
    traits = hand.broker.traits(hand.bench.instrument.symbol)
    hand.enter()
    hand.cancel_all()
    hand.rest()
    price = hand.bench.instrument.round_price(hand.bench.quote().mid * 95 / 100)
    order = hand.ask.guard(hand.held(), hand.working(), price)
    if traits.stop_beside_entry:
        hand.send(order)
        hand.until(lambda: len(hand.stops()) == 1, "it does not rest")
    else:
        hand.fails(lambda: hand.send(order), OrderRejectedError)
        hold(not hand.stops(), "it rests")
    hand.agree()


def exits_reserve(hand: Hand) -> None:
    """`exits_reserve` is true: beside a stop for all that is held an exit is refused, or taken."""
    traits = hand.broker.traits(hand.bench.instrument.symbol)
    hand.enter()
    guarded(hand)
    held = hand.size()
    order = hand.ask.close(hand.held(), hand.working())
    if traits.exits_reserve:
        hand.fails(lambda: hand.send(order), OrderRejectedError)
        hold(hand.size() == held, f"{hand.size()} is held")
        hold(len(hand.stops()) == 1, "the stop is gone")
    else:
        hand.send(order)
        hand.until(lambda: hand.held() is None, "the position is there")
    hand.agree()


def stop_type(hand: Hand) -> None:
    """`stop_type` is true: what guards a position is an order of that type."""
    traits = hand.broker.traits(hand.bench.instrument.symbol)
    hand.enter()
    stop = guarded(hand)
    hold(stop.type is traits.stop_type, f"it is a {stop.type}")
    hold(stop.role is OrderRole.STOP_LOSS, f"it is a {stop.role}")


def one_leg_pair(hand: Hand) -> None:
    """`one_leg_pair` is true: a second entry is refused beside the legs of the first, or has legs of its own."""
    traits = hand.broker.traits(hand.bench.instrument.symbol)
    needs(traits.attachment is Attachment.LEGS, "an entry carries no legs here")
    needs(not traits.one_leg_pair, "whoever has one pair sends one entry; whether a second one is refused is the venue's business")
    hand.enter()
    second = hand.ask.entry(Wish(hand.bench.quantity))
    hand.send(second)
    hand.until(lambda: len(hand.stops()) == 2, "not each entry has its stop")  # noqa: PLR2004 - one for each
    hold(sum(o.remaining for o in hand.stops()) == hand.size(), "the stops are of another size")
    hand.agree()
