"""What an order becomes in the matching core, and what a fault may have in store for it."""

from dataclasses import dataclass
from decimal import Decimal

from trading_bot.domain.orders import OrderType
from trading_bot.sandbox.bybit.orders import Asked
from trading_bot.sandbox.exchange.tickets import Ticket


@dataclass(frozen=True)
class Fortune:
    """What a fault has in store for an order that was acknowledged."""

    reject: str = ""
    """Why it is refused after all."""
    fills_first: bool = False
    """Whether its execution is told before its acceptance."""
    part: Decimal | None = None
    """Share of it that is executed first, before nothing more is for `pause` ns."""
    pause: int = 0


HONEST = Fortune()
"""An order that no fault has noticed."""


def ticket_of(asked: Asked) -> Ticket:
    """What goes into the book."""
    conditional = asked.trigger is not None
    kinds = {
        (True, False): OrderType.MARKET,
        (False, False): OrderType.LIMIT,
        (True, True): OrderType.STOP,
        (False, True): OrderType.STOP_LIMIT,
    }
    return Ticket(
        symbol=asked.contract.symbol,
        side=asked.side,
        kind=kinds[asked.market, conditional],
        quantity=asked.quantity,
        limit=None if asked.market else asked.price,
        stop=asked.trigger,
        rises=asked.direction == 1 if conditional else None,
        reduce_only=asked.reduce_only,
        immediate=asked.market or asked.time_in_force in {"IOC", "FOK"},
        whole=asked.time_in_force == "FOK",
        post_only=asked.time_in_force == "PostOnly",
        client_id=asked.link,
    )
