"""What has to be done next at the venue, and in which order. Pure; each plan is made anew from what the venue says.

Promises that nothing in a plan opens or enlarges: it cancels, guards or closes, at most what is held and is not being closed already.
An empty plan means that there is nothing left to do but to wait for the venue.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading_bot.domain.orders import Order, OrderRole
from trading_bot.domain.traits import VenueTraits
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.execution.guardian_sight import Holdings

Traits = Callable[[Symbol], VenueTraits]


@dataclass(frozen=True)
class Cancel:
    """Take an order from the venue."""

    order: Order


@dataclass(frozen=True)
class Guard:
    """Give so much a stop, or close it at the market where no stop can be."""

    symbol: Symbol
    quantity: Decimal


@dataclass(frozen=True)
class Close:
    """Close all that is held of a symbol and is not being closed."""

    symbol: Symbol


Step = Cancel | Guard | Close


def cure(seen: Holdings, traits: Traits, *, withdraw: bool) -> tuple[Step, ...]:
    """Guard what is naked. `withdraw`: take entries from the venue as well, for a halted desk that nobody runs.

    What the venue would refuse a stop for goes first, and the stop follows in the next plan.
    """
    steps: list[Step] = [Cancel(o) for o in seen.entries if withdraw]
    for symbol, quantity in seen.naked().items():
        first = _in_the_way(seen, symbol, quantity, traits(symbol))
        steps += [Cancel(o) for o in first if Cancel(o) not in steps]
        if not first:
            steps.append(Guard(symbol, quantity))
    return tuple(steps)


def _in_the_way(seen: Holdings, symbol: Symbol, quantity: Decimal, traits: VenueTraits) -> list[Order]:
    """What the venue would refuse a stop for: entries that may not work beside it, targets that set aside what it is to guard."""
    entries = [o for o in seen.entries if o.symbol == symbol and not traits.stop_beside_entry]
    targets = [o for o in seen.of(symbol) if o.role is OrderRole.TAKE_PROFIT and traits.exits_reserve]
    reserved = sum((o.remaining for o in targets), ZERO)
    return entries + (targets if reserved + quantity > abs(seen.held[symbol].quantity) else [])


def flatten(seen: Holdings, traits: Traits) -> tuple[Step, ...]:
    """Cancel entries and close everything.

    A resting exit stays until its position is gone, so that what waits for a market to open is guarded; unless the venue sets aside for
    it what is to be closed: there it goes first, and the close follows in the next plan.
    """
    held = seen.held
    steps: list[Step] = [Cancel(o) for o in seen.orders if o.role is OrderRole.ENTRY or o.symbol not in held]
    for symbol, position in held.items():
        closing = sum((o.remaining for o in seen.of(symbol) if o.role is OrderRole.CLOSE), ZERO)
        if closing >= abs(position.quantity):
            continue
        reserved = [o for o in seen.of(symbol) if o.role in {OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT}]
        if traits(symbol).exits_reserve and reserved:
            steps += [Cancel(o) for o in reserved]
        else:
            steps.append(Close(symbol))
    return tuple(steps)


def is_flat(seen: Holdings) -> bool:
    """Whether nothing is held and nothing works."""
    return not seen.positions and not seen.orders
