"""Shapes of orders: how an entry, a stop, a target or a close is put, given what the venue can do. Pure; approves nothing.

Promises that an entry carries its stop wherever the venue can take one with it, that a protective order outlives the session, and that
every id is a function of decision, leg and attempt. Refuses to enlarge anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.domain.books import Position
from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.orders import Leg, OrderClass, OrderRole, OrderSpec, OrderType, Side, TimeInForce
from trading_bot.domain.proposals import EntryStyle, Proposal, Target
from trading_bot.domain.traits import Attachment, VenueTraits
from trading_bot.domain.values import ZERO, ClientOrderId, DecisionId, client_order_id

_STOP_LIMIT_SLACK = Decimal("0.02")
"""How far below its stop price a stop-limit may still sell, as a share of it (above, for a short); beyond that the watcher takes over."""


@dataclass(frozen=True)
class Namer:
    """Makes client order ids of one decision."""

    desk: str
    decision: DecisionId

    def __call__(self, leg: str) -> ClientOrderId:
        """The id of the decision's order that is called `leg`."""
        return client_order_id(self.desk, self.decision, leg, 1)


def split_targets(quantity: Decimal, targets: Sequence[Target | None], instrument: Instrument) -> list[tuple[Decimal, Target | None]]:
    """Whole lots for each target; the last takes the rest, and a target without a lot falls away."""
    parts = [instrument.round_quantity(quantity * (t.fraction if t is not None else 1)) for t in targets[:-1]]
    parts.append(quantity - sum(parts, ZERO))
    return [(part, target) for part, target in zip(parts, targets, strict=True) if part > 0]


def entries(proposal: Proposal, quantity: Decimal, instrument: Instrument, traits: VenueTraits, name: Namer) -> list[OrderSpec]:
    """The orders that open a position of `quantity`. ValueError for a proposal without a stop."""
    if proposal.stop_loss is None:
        msg = "an entry without a stop cannot be approved"
        raise ValueError(msg)
    parts = split_targets(quantity, proposal.targets or (None,), instrument)
    if traits.attachment is Attachment.NONE or (traits.whole_lots_rest and quantity % 1):
        return [_entry(proposal, quantity, traits, name, 1, (None, None))]
    if traits.attachment is Attachment.POSITION_STOP or (traits.one_leg_pair and len(parts) > 1):
        return [_entry(proposal, quantity, traits, name, 1, (proposal.stop_loss, None))]
    return [_entry(proposal, part, traits, name, n, (proposal.stop_loss, target)) for n, (part, target) in enumerate(parts, start=1)]


def _entry(  # noqa: PLR0913, PLR0917 - what an entry is made of
    proposal: Proposal, quantity: Decimal, traits: VenueTraits, name: Namer, number: int, exits: tuple[Decimal | None, Target | None]
) -> OrderSpec:
    stop, target = exits
    resting = proposal.style is EntryStyle.PULLBACK
    return OrderSpec(
        client_order_id=name(f"entry-{number}"),
        symbol=proposal.symbol,
        side=proposal.side,
        type=OrderType.LIMIT if resting else OrderType.MARKET,
        order_class=OrderClass.SIMPLE if stop is None else OrderClass.BRACKET,
        quantity=quantity,
        limit_price=proposal.entry if resting else None,
        time_in_force=TimeInForce.GTC if traits.legs_share_life and stop is not None else TimeInForce.DAY,
        role=OrderRole.ENTRY,
        stop_loss=None if stop is None else Leg(client_order_id=name(f"stop-{number}"), price=stop),
        take_profit=None if target is None else Leg(client_order_id=name(f"target-{number}"), price=target.price),
    )


def market_exit(position: Position, quantity: Decimal, name: Namer, leg: str, role: OrderRole = OrderRole.CLOSE) -> OrderSpec:
    """An exit at the market."""
    return OrderSpec(
        client_order_id=name(leg),
        symbol=position.symbol,
        side=position.side.opposite,
        type=OrderType.MARKET,
        quantity=quantity,
        role=role,
    )


def resting_stops(  # noqa: PLR0913, PLR0917 - what a stop is made of
    position: Position, quantity: Decimal, stop: Decimal, instrument: Instrument, traits: VenueTraits, name: Namer, leg: str
) -> list[OrderSpec]:
    """Stops for `quantity`: one, or where fractions rest for a day only, one for the whole units and one for the rest."""
    fraction = quantity % 1 if traits.whole_lots_rest else ZERO
    parts = ((quantity - fraction, TimeInForce.GTC, leg), (fraction, TimeInForce.DAY, f"{leg}-fraction"))
    level = instrument.round_price(stop)
    return [
        OrderSpec(
            client_order_id=name(called),
            symbol=position.symbol,
            side=position.side.opposite,
            type=traits.stop_type,
            quantity=part,
            stop_price=level,
            limit_price=jumped(position.side, level, instrument) if traits.stop_type is OrderType.STOP_LIMIT else None,
            time_in_force=life,
            role=OrderRole.STOP_LOSS,
        )
        for part, life, called in parts
        if part > 0
    ]


def jumped(side: Side, stop: Decimal, instrument: Instrument) -> Decimal:
    """The limit of a stop-limit for a position opened by `side`: a price beyond it has jumped over the stop."""
    price = stop * (1 - _STOP_LIMIT_SLACK * side.sign)
    return instrument.round_price(price, Rounding.DOWN if side is Side.BUY else Rounding.UP)


def trailing_stop(position: Position, quantity: Decimal, trail: Decimal, name: Namer, leg: str) -> OrderSpec:
    """A stop that follows the price at the distance `trail`."""
    return OrderSpec(
        client_order_id=name(leg),
        symbol=position.symbol,
        side=position.side.opposite,
        type=OrderType.TRAILING_STOP,
        quantity=quantity,
        trail=trail,
        time_in_force=TimeInForce.GTC,
        role=OrderRole.STOP_LOSS,
    )


def trailing_stops(  # noqa: PLR0913, PLR0917 - what they are made of
    position: Position, quantity: Decimal, trail: Decimal, stop: Decimal, instrument: Instrument, traits: VenueTraits, name: Namer, leg: str
) -> list[OrderSpec]:
    """A trailing stop for `quantity`; where fractions rest for a day only, they do not trail: one stands at `stop`."""
    fraction = quantity % 1 if traits.whole_lots_rest else ZERO
    still = resting_stops(position, fraction, stop, instrument, traits, name, leg)
    return [trailing_stop(position, quantity - fraction, trail, name, leg), *still] if quantity > fraction else still


def pairs(  # noqa: PLR0913, PLR0917 - what the pairs are made of
    position: Position, quantity: Decimal, stop: Decimal, targets: Sequence[Target], instrument: Instrument, name: Namer
) -> list[OrderSpec]:
    """For each target a limit and a stop that cancel each other, together `quantity`."""
    return [
        OrderSpec(
            client_order_id=name(f"target-{n}"),
            symbol=position.symbol,
            side=position.side.opposite,
            type=OrderType.LIMIT,
            order_class=OrderClass.OCO,
            quantity=part,
            limit_price=target.price,
            time_in_force=TimeInForce.GTC,
            role=OrderRole.TAKE_PROFIT,
            stop_loss=Leg(client_order_id=name(f"stop-{n}"), price=instrument.round_price(stop)),
        )
        for n, (part, target) in enumerate(split_targets(quantity, tuple(targets), instrument), start=1)
        if target is not None
    ]


def resting_targets(
    position: Position, quantity: Decimal, targets: Sequence[Target], instrument: Instrument, name: Namer
) -> list[OrderSpec]:
    """Limits beside a stop which the venue keeps for the position."""
    return [
        OrderSpec(
            client_order_id=name(f"target-{n}"),
            symbol=position.symbol,
            side=position.side.opposite,
            type=OrderType.LIMIT,
            quantity=part,
            limit_price=target.price,
            time_in_force=TimeInForce.GTC,
            role=OrderRole.TAKE_PROFIT,
        )
        for n, (part, target) in enumerate(split_targets(quantity, tuple(targets), instrument), start=1)
        if target is not None
    ]
