"""An order as the venue keeps it, and as it tells it: active, conditional, or the stop of a position.

Promises that an order which has ended stays as it is. An acknowledged order is `Created` and shown to nobody until the matching
engine has taken it; that word is ours, the venue has none for it.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trading_bot.domain.values import ZERO
from trading_bot.sandbox.bybit.contracts import LINEAR, Contract
from trading_bot.sandbox.bybit.wire import NAMES, fixed, optional, text

NO_ERROR = "EC_NoError"
_PLAIN = "UNKNOWN"


class Status(StrEnum):
    """Life of an order."""

    CREATED = "Created"
    NEW = "New"
    PARTIAL = "PartiallyFilled"
    UNTRIGGERED = "Untriggered"
    TRIGGERED = "Triggered"
    FILLED = "Filled"
    CANCELED = "Cancelled"
    PARTIAL_CANCELED = "PartiallyFilledCanceled"
    REJECTED = "Rejected"
    DEACTIVATED = "Deactivated"

    @property
    def is_open(self) -> bool:
        """Whether something can still happen to it."""
        return self in _OPEN


_OPEN = frozenset({Status.CREATED, Status.NEW, Status.PARTIAL, Status.UNTRIGGERED, Status.TRIGGERED})


class Stop(StrEnum):
    """What a conditional order is for; the words of `stopOrderType`."""

    NONE = ""
    STOP = "Stop"
    STOP_LOSS = "StopLoss"
    TAKE_PROFIT = "TakeProfit"
    TRAILING = "TrailingStop"
    SPOT_TPSL = "tpslOrder"


CREATED_BY = {
    Stop.NONE: "CreateByUser",
    Stop.STOP: "CreateByStopOrder",
    Stop.STOP_LOSS: "CreateByStopLoss",
    Stop.TAKE_PROFIT: "CreateByTakeProfit",
    Stop.TRAILING: "CreateByTrailingStop",
    Stop.SPOT_TPSL: "CreateByStopOrder",
}
OF_POSITION = frozenset({Stop.STOP_LOSS, Stop.TAKE_PROFIT, Stop.TRAILING})


@dataclass(frozen=True)
class Asked:
    """What a client wanted, checked; it changes by amendment alone."""

    contract: Contract
    side: int
    market: bool
    quantity: Decimal
    """Of a spot market buy by value: 0, for the quantity follows from the price."""
    value: Decimal | None = None
    """What a spot market buy may spend."""
    price: Decimal | None = None
    time_in_force: str = "GTC"
    link: str = ""
    reduce_only: bool = False
    close_on_trigger: bool = False
    trigger: Decimal | None = None
    direction: int = 0
    """1: triggered when the price rises there, 2: when it falls there."""
    trigger_by: str = ""
    stop: Stop = Stop.NONE
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


@dataclass
class Order:
    """One order."""

    id: str
    asked: Asked
    created: int
    """In ms, as all times here."""
    updated: int
    row: int
    """Its place among all orders."""
    last_price: Decimal
    """When it came."""
    status: Status = Status.CREATED
    number: int | None = None
    """Of the working order in the matching core."""
    filled: Decimal = ZERO
    spent: Decimal = ZERO
    fee: Decimal = ZERO
    fee_coin: str = ""
    closed_pnl: Decimal = ZERO
    cancel_type: str = _PLAIN
    reject_reason: str = NO_ERROR
    distance: Decimal | None = None
    """Of a trailing stop."""
    made_by: str = ""
    """The word of `createType` where it is not what its kind says."""
    by_hand: bool = False

    @property
    def contract(self) -> Contract:
        """What is traded."""
        return self.asked.contract

    @property
    def left(self) -> Decimal:
        """Quantity not yet executed."""
        return max(self.asked.quantity - self.filled, ZERO)

    @property
    def waits(self) -> bool:
        """Whether it waits for its trigger."""
        return self.status is Status.UNTRIGGERED

    @property
    def average(self) -> Decimal | None:
        """Mean price of what was executed."""
        return self.spent / self.filled if self.filled else None

    def told(self) -> dict[str, Any]:
        """The entry of `order/realtime`, `order/history` and, with its category, of the stream."""
        asked, contract = self.asked, self.contract
        ended = not self.status.is_open
        left = ZERO if ended else self.left
        conditional = asked.stop is not Stop.NONE
        row = {
            "orderId": self.id,
            "orderLinkId": asked.link,
            "blockTradeId": "",
            "symbol": contract.symbol,
            "price": fixed(asked.price or ZERO, contract.tick),
            "qty": text(asked.quantity or asked.value or ZERO),
            "side": NAMES[asked.side],
            "isLeverage": "" if contract.category == LINEAR else "0",
            "positionIdx": 0,
            "orderStatus": str(self.status),
            "cancelType": self.cancel_type,
            "rejectReason": self.reject_reason,
            "avgPrice": "" if self.average is None else text(self.average.quantize(Decimal("1e-8"))),
            "leavesQty": text(left),
            "leavesValue": text(left * (asked.price or self.last_price)),
            "cumExecQty": text(self.filled),
            "cumExecValue": text(self.spent),
            "cumExecFee": text(self.fee),
            "timeInForce": asked.time_in_force,
            "orderType": "Market" if asked.market else "Limit",
            "stopOrderType": str(asked.stop) if conditional else ("UNKNOWN" if contract.category == LINEAR else ""),
            "orderIv": "",
            "triggerPrice": optional(asked.trigger),
            "takeProfit": optional(asked.take_profit),
            "stopLoss": optional(asked.stop_loss),
            "tpTriggerBy": "LastPrice" if asked.take_profit else "",
            "slTriggerBy": "LastPrice" if asked.stop_loss else "",
            "triggerDirection": asked.direction,
            "triggerBy": asked.trigger_by,
            "lastPriceOnCreated": fixed(self.last_price, contract.tick),
            "reduceOnly": asked.reduce_only,
            "closeOnTrigger": asked.close_on_trigger,
            "smpType": "None",
            "smpGroup": 0,
            "smpOrderId": "",
            "tpslMode": "Full" if self._guards else "",
            "tpLimitPrice": "",
            "slLimitPrice": "",
            "placeType": "",
            "slippageToleranceType": "UNKNOWN",
            "slippageTolerance": "",
            "createdTime": str(self.created),
            "updatedTime": str(self.updated),
            "extraFees": "",
            "cumFeeDetail": {self.fee_coin: text(self.fee)} if self.fee else {},
            "rpiTakerAccess": False,
            "rpiMatchedQty": "0",
        }
        return row if contract.category != LINEAR else row | {"createType": self.made_by or CREATED_BY[asked.stop]}

    @property
    def _guards(self) -> bool:
        asked = self.asked
        return asked.stop in OF_POSITION or asked.stop_loss is not None or asked.take_profit is not None

    def streamed(self) -> dict[str, Any]:
        """The entry of the `order` topic."""
        extra = {"category": self.contract.category, "feeCurrency": self.fee_coin, "closedPnl": text(self.closed_pnl)}
        return self.told() | extra
