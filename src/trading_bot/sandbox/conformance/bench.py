"""What the suite needs to try a venue: a maker of adapters, a price, patience, and, of an emulator, hands on its market and its faults.

Promises nothing of the venue. A bench that lacks a hand says so by None or by absence, and promises that need it do not apply there.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Quote
from trading_bot.ports import Broker


class Trouble(StrEnum):
    """What can be made to go wrong while a block runs."""

    LOST_ANSWER = "lost_answer"
    """The next order is accepted, its answer never comes."""
    LOST_REQUEST = "lost_request"
    """The next order is cut off before the venue took it."""
    SERVER_ERROR = "server_error"
    """The next order is accepted, and answered by a server error."""
    LOST_CANCEL = "lost_cancel"
    """The next cancel is carried out, its answer never comes."""
    LOST_REPLACE = "lost_replace"
    """The same for a replacement."""
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    DUPLICATED_STREAM = "duplicated_stream"
    SHUFFLED_STREAM = "shuffled_stream"
    MUTE_STREAM = "mute_stream"
    THIN = "thin"
    """The market takes about half of `Bench.quantity`, and no more."""


Patience = Callable[[Callable[[], bool], float], bool]
"""Let time pass until a condition holds, at most so many seconds; whether it held."""


@dataclass(frozen=True)
class Bench:
    """One venue under test, one account, one instrument that is flat and without orders at the beginning."""

    name: str
    make: Callable[[], Broker]
    """A new adapter on the same account; a restart is another one after the first was closed."""
    account: str
    """What `account_id` has to be; empty where nobody knows."""
    instrument: Instrument
    quantity: Decimal
    """Small, but with a half that can be traded too."""
    quote: Callable[[], Quote]
    now: Callable[[], datetime]
    wait: Patience
    patience: float = 10.0
    """Seconds after which what has not come does not come."""
    move: Callable[[Decimal], None] | None = None
    """Bring the middle of the price to this, within the collars of the venue."""
    stranger: Callable[[], Broker] | None = None
    """An adapter whose keys are wrong."""
    unshortable: Instrument | None = None
    """Something that may not be sold short."""
    troubles: Mapping[Trouble, Callable[[], AbstractContextManager[None]]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Words that may stand in no message."""
    pace: float = 0.0
    """Seconds before each call; above 0, orders wait for their turn too: a vendor's account takes so many requests a minute."""
