"""Orders from approval to their end: specifications, approvals, intents, states, fills.

    ApprovedOrder -> OrderIntent -> Order

The states of an order and the moves between them are a table; a move that is not in it raises. `ApprovedOrder` is made
by `risk/` alone, and carries the digest which the engine verifies against the journaled verdict before every send.
"""

from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trading_bot.domain.errors import IllegalTransitionError
from trading_bot.domain.values import (
    ZERO,
    Amount,
    ClientOrderId,
    DecisionId,
    Digest,
    Journaled,
    NonNegative,
    Positive,
    ProposalId,
    Record,
    Symbol,
    UtcTime,
    VerdictId,
    derive_digest,
)


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        """The other direction."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order executes."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    """A stop that follows the best price since it rests at the distance `trail`, and never goes back."""


class OrderClass(StrEnum):
    """How orders hang together at the venue."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    """An entry whose fills wake a stop loss and, where given, a take profit; the two cancel each other."""
    OCO = "oco"
    """A resting limit (take profit) and a stop loss that cancel each other; no entry."""


class TimeInForce(StrEnum):
    """How long an order works."""

    DAY = "day"
    GTC = "gtc"


class OrderRole(StrEnum):
    """What an order is for; only `ENTRY` adds risk."""

    ENTRY = "entry"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    CLOSE = "close"

    @property
    def adds_risk(self) -> bool:
        """Whether an order of this role can open or enlarge a position."""
        return self is OrderRole.ENTRY


class OrderState(StrEnum):
    """Life of an order. The last four are final."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return not TRANSITIONS[self]

    @property
    def is_working(self) -> bool:
        """Whether the order rests at the venue and can fill."""
        return self in _WORKING


_S = OrderState
_WORKING = frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED})
_ENDS = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED})
TRANSITIONS: dict[OrderState, frozenset[OrderState]] = {
    _S.INTENDED: frozenset({_S.SUBMITTED, _S.UNKNOWN, _S.CANCELED, _S.REJECTED}),
    _S.SUBMITTED: frozenset({_S.UNKNOWN, _S.ACCEPTED, _S.PARTIALLY_FILLED}) | _ENDS,
    _S.UNKNOWN: frozenset({_S.SUBMITTED, _S.ACCEPTED, _S.PARTIALLY_FILLED}) | _ENDS,
    _S.ACCEPTED: frozenset({_S.PARTIALLY_FILLED}) | _ENDS,
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.EXPIRED}),
    _S.FILLED: frozenset(),
    _S.CANCELED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
}


def move(current: OrderState, new: OrderState) -> OrderState:
    """Return `new` if an order may go there from `current`, else raise IllegalTransitionError."""
    if new not in TRANSITIONS[current]:
        msg = f"an order cannot go from {current} to {new}"
        raise IllegalTransitionError(msg)
    return new


class Leg(Record):
    """An exit attached to an entry: its own id and its one price (stop price or limit price)."""

    client_order_id: ClientOrderId
    price: Positive


class OrderSpec(Record):
    """Everything that goes to the venue, and nothing else. Prices are as traded, on the instrument's tick."""

    client_order_id: ClientOrderId = Field(pattern=r"^[a-z0-9-]{1,36}$")
    symbol: Symbol
    side: Side
    type: OrderType
    order_class: OrderClass = OrderClass.SIMPLE
    quantity: Positive
    limit_price: Positive | None = None
    stop_price: Positive | None = None
    trail: Positive | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    """Whether it may trade outside the regular session; for limit orders of equities."""
    role: OrderRole
    stop_loss: Leg | None = None
    take_profit: Leg | None = None

    @model_validator(mode="after")
    def _prices_fit_type(self) -> Self:
        wants_limit = self.type in {OrderType.LIMIT, OrderType.STOP_LIMIT}
        wants_stop = self.type in {OrderType.STOP, OrderType.STOP_LIMIT}
        wants_trail = self.type is OrderType.TRAILING_STOP
        told = (self.limit_price is not None, self.stop_price is not None, self.trail is not None)
        if told != (wants_limit, wants_stop, wants_trail):
            msg = f"a {self.type} order has the wrong prices: limit {self.limit_price}, stop {self.stop_price}, trail {self.trail}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _legs_fit_class(self) -> Self:
        fits = {
            OrderClass.SIMPLE: self.stop_loss is None and self.take_profit is None,
            OrderClass.BRACKET: self.stop_loss is not None and self.role.adds_risk,
            OrderClass.OCO: self.stop_loss is not None
            and self.take_profit is None
            and self.type is OrderType.LIMIT
            and self.role is OrderRole.TAKE_PROFIT,
        }
        if not fits[self.order_class]:
            msg = f"a {self.order_class} order has the wrong legs"
            raise ValueError(msg)
        return self

    @property
    def reduce_only(self) -> bool:
        """Whether the order may only make a position smaller."""
        return not self.role.adds_risk


class ApprovedOrder(Record):
    """The gate's word that `spec` may be sent. Made only in `risk/`."""

    spec: OrderSpec
    digest: Digest
    verdict_id: VerdictId
    proposal_id: ProposalId
    decision_id: DecisionId
    replaces: ClientOrderId | None = None
    """The resting order whose place this one takes."""

    @staticmethod
    def digest_of(spec: OrderSpec, replaces: ClientOrderId | None) -> Digest:
        """Digest of what would be sent; the verdict lists it, the engine compares it before every send."""
        return derive_digest(spec.canonical(), replaces or "")

    @property
    def is_intact(self) -> bool:
        """Whether the order still is what was approved."""
        return self.digest == self.digest_of(self.spec, self.replaces)


class OrderIntent(Journaled):
    """What the engine is about to send; durable before anything is sent."""

    kind: ClassVar[str] = "intent"

    order: ApprovedOrder

    @property
    def key(self) -> str:
        """The client order id."""
        return self.order.spec.client_order_id


class Order(Record):
    """An order as the venue sees it."""

    client_order_id: ClientOrderId
    venue_order_id: str
    parent_id: ClientOrderId | None = None
    """The order whose leg this is."""
    symbol: Symbol
    side: Side
    type: OrderType
    role: OrderRole
    quantity: Positive
    limit_price: Positive | None = None
    stop_price: Positive | None = None
    """Of a trailing stop, where it stands now."""
    time_in_force: TimeInForce
    state: OrderState
    filled_quantity: NonNegative
    average_price: NonNegative
    """Mean price of the fills; 0 before the first."""
    submitted_at: UtcTime
    updated_at: UtcTime
    reason: str = ""
    """Why it was canceled, rejected or expired."""

    @property
    def remaining(self) -> Amount:
        """Quantity still to be filled."""
        return self.quantity - self.filled_quantity


class Fill(Record):
    """One execution. `execution_id` is the venue's and makes booking idempotent."""

    execution_id: str
    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    role: OrderRole
    quantity: Positive
    price: Positive
    fee: Amount
    """In the instrument's currency; a rebate is negative."""
    fee_quantity: NonNegative = ZERO
    """Part of the bought quantity that the venue kept as its fee (coins are charged so); 0 where it charges money."""
    at: UtcTime
