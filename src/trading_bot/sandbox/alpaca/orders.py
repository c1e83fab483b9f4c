"""An order as Alpaca keeps it, and the JSON in which it is told.

Promises that an order is a frozen value and that its JSON has the keys and spellings of Alpaca's own specification.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trading_bot.domain.orders import OrderType
from trading_bot.domain.values import ZERO, Symbol, amount_text

FINAL = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
"""Ends of an order."""
NOT_OPEN = FINAL | {"held"}
"""What a list of open orders leaves out: a leg that is held is not in it, though it may guard a position."""


@dataclass(frozen=True, kw_only=True)
class AlpacaOrder:
    """One order, leg or not."""

    id: str
    client_order_id: str
    sequence: int
    symbol: Symbol
    asset_id: str
    asset_class: str
    side: str
    type: str
    order_class: str
    tif: str
    qty: Decimal
    notional: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended: bool = False
    intent: str
    status: str = "pending_new"
    filled: Decimal = ZERO
    value: Decimal = ZERO
    """Sum of quantity times price of its fills."""
    parent: str | None = None
    legs: tuple[str, ...] = ()
    number: int | None = None
    """Its number in the exchange's book, while it works there."""
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    filled_at: datetime | None = None
    expired_at: datetime | None = None
    canceled_at: datetime | None = None
    failed_at: datetime | None = None
    replaced_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def sign(self) -> int:
        """+1 buys, -1 sells."""
        return 1 if self.side == "buy" else -1

    @property
    def remaining(self) -> Decimal:
        """What is still to be filled."""
        return self.qty - self.filled

    @property
    def ended(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in FINAL

    @property
    def crypto(self) -> bool:
        """Whether it is for a coin."""
        return self.asset_class == "crypto"

    @property
    def kind(self) -> OrderType:
        """How it executes."""
        return OrderType(self.type)

    @property
    def average(self) -> Decimal | None:
        """Mean price of its fills."""
        return (self.value / self.filled).quantize(Decimal("1e-9")).normalize() if self.filled else None

    @property
    def fires(self) -> bool:
        """Whether it turns into a market order, or is one: nobody knows its price beforehand."""
        return self.type in {"market", "stop", "trailing_stop"}

    def json(self, legs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """As the API tells it; `legs` if they are to be nested."""
        told: dict[str, Any] = {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "submitted_at": iso(self.created_at),
            **{name: iso(getattr(self, name)) for name in ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")},
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": self.asset_id,
            "symbol": self.symbol,
            "asset_class": self.asset_class,
            "notional": text(self.notional),
            "qty": None if self.notional is not None else text(self.qty),
            "filled_qty": amount_text(self.filled),
            "filled_avg_price": text(self.average),
            "order_class": self.order_class,
            "order_type": self.type,
            "type": self.type,
            "side": self.side,
            "position_intent": self.intent,
            "time_in_force": self.tif,
            "limit_price": text(self.limit),
            "stop_price": text(self.stop),
            "status": self.status,
            "extended_hours": self.extended,
            "legs": legs,
            "trail_percent": text(self.trail_percent),
            "trail_price": text(self.trail_price),
            "hwm": text(self.hwm),
            "subtag": None,
            "source": None,
        }
        return told if self.expires_at is None else told | {"expires_at": iso(self.expires_at)}


def text(amount: Decimal | None) -> str | None:
    """An amount as the API spells it."""
    return None if amount is None else amount_text(amount)


def iso(moment: datetime | None) -> str | None:
    """A time as the API spells it."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class RefusedError(Exception):
    """An answer that is not 2xx: nothing was done."""

    def __init__(self, status: int, code: int | None, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.body: Mapping[str, object] = ({} if code is None else {"code": code}) | {"message": message} | more


def forbidden(message: str, **more: object) -> RefusedError:
    """403: the account may not."""
    return RefusedError(403, 40310000, message, **more)


def unprocessable(message: str, code: int = 42210000) -> RefusedError:
    """422: the order makes no sense."""
    return RefusedError(422, code, message)


def missing(message: str) -> RefusedError:
    """404."""
    return RefusedError(404, 40410000, message)
