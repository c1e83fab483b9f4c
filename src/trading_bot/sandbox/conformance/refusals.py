"""Promises on what a venue does not take: nothing is placed, the message says what was wrong, and the second try is refused too."""

from decimal import Decimal

from trading_bot.domain.errors import BrokerKeysError, OrderRejectedError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.orders import ApprovedOrder, OrderState, Side
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.conformance.asking import Wish
from trading_bot.sandbox.conformance.hand import Hand
from trading_bot.sandbox.conformance.report import hold, needed, needs

_WORDS = 6
"""A message with fewer says too little to act on."""


def off_tick(hand: Hand) -> None:
    """A price off the tick is refused."""
    tick = hand.bench.instrument.tick_size
    limit = hand.bench.instrument.round_price(hand.bench.quote().mid * Decimal("0.8")) + tick / 10
    _refused(hand, hand.ask.entry(Wish(hand.bench.quantity, limit=limit)))


def off_lot(hand: Hand) -> None:
    """A quantity off the lot is refused."""
    lot = hand.bench.instrument.lot_size / 10
    _refused(hand, hand.ask.entry(_low(hand, hand.bench.quantity + lot, lot_size=lot)))


def too_small(hand: Hand) -> None:
    """A value below the least is refused."""
    instrument = hand.bench.instrument
    price = hand.bench.quote().mid * Decimal("0.8")
    quantity = max(instrument.lot_size, instrument.round_quantity(instrument.minimum_notional / 2 / price))
    needs(quantity * price < instrument.minimum_notional, "one lot is worth more than the least")
    _refused(hand, hand.ask.entry(_low(hand, quantity, minimum_notional=Decimal(0))))


def too_large(hand: Hand) -> None:
    """More than buying power is refused."""
    account = hand.broker.account()
    quote = hand.bench.quote()
    much = hand.bench.instrument.round_quantity((account.buying_power + account.equity) * 20 / quote.mid)
    _refused(hand, hand.ask.entry(_low(hand, much)))


def unknown_symbol(hand: Hand) -> None:
    """A symbol that is not traded here is refused."""
    _refused(hand, hand.ask.entry(_low(hand, hand.bench.quantity, symbol=Symbol("NOSUCHXQ"))))


def not_shortable(hand: Hand) -> None:
    """What cannot be borrowed is not sold short."""
    found = hand.bench.unshortable
    if found is None:
        needs(not hand.bench.instrument.shortable, "nothing here is known as not shortable")
        found = hand.bench.instrument
    told = found.model_copy(update={"shortable": True})
    price = hand.bench.instrument.round_price(hand.bench.quote().mid * Decimal("1.2"))
    _refused(hand, hand.ask.entry(Wish(hand.bench.quantity, side=Side.SELL, limit=price, instrument=told)))


def wrong_keys(hand: Hand) -> None:
    """Wrong keys are named as such, and are not in the message."""
    stranger = needed(hand.bench.stranger, "this venue has no keys, or nobody gave wrong ones")()
    try:
        said = str(hand.fails(stranger.account, BrokerKeysError))
        hold(not any(word in said for word in hand.bench.secrets), "the message holds a key")
    finally:
        stranger.close()


def keys_stay_secret(hand: Hand) -> None:
    """No message and no repr holds a key."""
    needs(hand.bench.secrets, "this venue has no keys")
    wrong = hand.ask.entry(_low(hand, hand.bench.quantity, symbol=Symbol("NOSUCHXQ")))
    hand.fails(lambda: hand.send(wrong), OrderRejectedError)
    texts = [*hand.heard, repr(hand.broker.inner), str(hand.broker.inner), repr(vars(hand.broker.inner)), repr(hand.broker.account())]
    hold(not any(word in text for word in hand.bench.secrets for text in texts), "a key stands in a message or a repr")


def _low(hand: Hand, quantity: Decimal, **changed: object) -> Wish:
    """An entry that would rest far below the price, of an instrument that the gate is told wrongly."""
    told = Instrument.model_validate({**hand.bench.instrument.model_dump(), **changed})
    limit = hand.bench.instrument.round_price(hand.bench.quote().mid * Decimal("0.8"))
    return Wish(quantity, limit=limit, instrument=told)


def _refused(hand: Hand, order: ApprovedOrder) -> None:
    """Refused at once or, by a venue that acknowledges first, soon; either way nothing rests, and nothing is held."""
    for _ in range(2):
        try:
            hand.send(order)
        except OrderRejectedError as error:
            _says_enough(hand, str(error))
        else:
            hand.until(lambda: hand.state(order) in {OrderState.REJECTED, None}, f"it was taken: {hand.state(order)}")
    found = hand.broker.find(order.spec.client_order_id)
    hold(found is None or found.state is OrderState.REJECTED, f"it is found as {found}")
    hold(not hand.working() and hand.size() == 0, "something of it rests or is held")
    hand.agree()


def _says_enough(hand: Hand, text: str) -> None:
    hand.heard.append(text)
    hold("nothing was placed" in text, f"the message does not say that nothing was placed: {text}")
    hold(len(text.split()) >= _WORDS, f"the message says too little: {text}")
