"""A linear position in one-way mode, and what an execution makes of it.

Promises that profit is realised against the mean entry price, that a fill beyond a position's size turns it round in two parts, and
that leverage outlives the position.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading_bot.domain.values import ONE, ZERO
from trading_bot.sandbox.bybit.contracts import MAINTENANCE, RISK_LIMIT, Contract
from trading_bot.sandbox.bybit.wire import NAMES, fixed, optional, text

_CENTS = Decimal("1e-8")


@dataclass(frozen=True)
class Booked:
    """What one execution did to a position."""

    closed: Decimal
    """Quantity that it closed."""
    pnl: Decimal
    """Realised against the mean entry price, without fees."""
    entry: Decimal
    """That mean entry price."""


@dataclass
class Position:
    """Signed size at a mean price."""

    contract: Contract
    leverage: Decimal = Decimal(10)
    size: Decimal = ZERO
    cost: Decimal = ZERO
    """Entry value of the size, not negative."""
    realised: Decimal = ZERO
    """Of the position held now, fees and funding included."""
    realised_ever: Decimal = ZERO
    created: int = 0
    updated: int = 0
    sequence: int = -1
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing: Decimal | None = None
    active: Decimal | None = None
    """Price from which the trailing stop follows."""

    @property
    def sign(self) -> int:
        """+1 long, -1 short, 0 flat."""
        return (self.size > 0) - (self.size < 0)

    @property
    def average(self) -> Decimal:
        """Mean entry price, 0 when flat."""
        return self.cost / abs(self.size) if self.size else ZERO

    def book(self, side: int, quantity: Decimal, price: Decimal) -> Booked:
        """Add an execution."""
        entry = self.average
        closed = min(abs(self.size), quantity) if self.sign == -side else ZERO
        pnl = closed * (price - entry) * self.sign
        if closed:
            self.cost -= closed * entry
            self.size += side * closed
        opened = quantity - closed
        if not self.size:
            self.cost = ZERO
        if opened:
            self.realised = ZERO if not self.size else self.realised
            self.size += side * opened
            self.cost += opened * price
        return Booked(closed, pnl, entry)

    def earn(self, amount: Decimal) -> None:
        """Realise a profit, a fee or funding."""
        self.realised += amount
        self.realised_ever += amount

    def unrealised(self, mark: Decimal) -> Decimal:
        """Profit if it were closed at the mark price."""
        return self.size * mark - self.sign * self.cost

    def initial_margin(self, mark: Decimal) -> Decimal:
        """What it holds of the account, with the fee of closing it."""
        value = abs(self.size) * mark
        return value / self.leverage + value * self.contract.fees.taker

    def maintenance_margin(self, mark: Decimal) -> Decimal:
        """What the account has to be worth, or it is liquidated."""
        return abs(self.size) * mark * (MAINTENANCE + self.contract.fees.taker)

    def liquidation_price(self, equity: Decimal, mark: Decimal) -> Decimal | None:
        """Mark price at which `equity` would be eaten by this position alone; None if there is none."""
        if not self.size:
            return None
        rate = MAINTENANCE + self.contract.fees.taker
        room = equity - self.maintenance_margin(mark)
        price = mark - self.sign * room / (abs(self.size) * (ONE - self.sign * rate))
        return price.quantize(self.contract.tick) if self.contract.tick <= price <= self.contract.ceiling else None

    def told(self, mark: Decimal, equity: Decimal) -> dict[str, Any]:
        """The entry of `position/list`."""
        contract, value = self.contract, abs(self.size) * mark
        liquidation = self.liquidation_price(equity, mark)
        initial, maintenance = (text(margin.quantize(_CENTS)) for margin in (self.initial_margin(mark), self.maintenance_margin(mark)))
        return {
            "positionIdx": 0,
            "riskId": 1,
            "riskLimitValue": text(RISK_LIMIT),
            "symbol": contract.symbol,
            "side": NAMES[self.sign],
            "size": text(abs(self.size)),
            "avgPrice": text(self.average.quantize(_CENTS)),
            "positionValue": text(self.cost.quantize(_CENTS)),
            "tradeMode": 0,
            "positionStatus": "Normal",
            "autoAddMargin": 0,
            "adlRankIndicator": 2 if self.size else 0,
            "leverage": text(self.leverage),
            "breakEvenPrice": text(self.average.quantize(contract.tick)) if self.size else "",
            "positionBalance": text((value / self.leverage).quantize(_CENTS)),
            "markPrice": fixed(mark, contract.tick),
            "liqPrice": optional(liquidation),
            "bustPrice": "",
            "positionMM": maintenance,
            "positionMMByMp": maintenance,
            "positionIM": initial,
            "positionIMByMp": initial,
            "tpslMode": "Full",
            "takeProfit": optional(self.take_profit),
            "stopLoss": optional(self.stop_loss),
            "trailingStop": text(self.trailing or ZERO),
            "unrealisedPnl": text(self.unrealised(mark).quantize(_CENTS)),
            "curRealisedPnl": text(self.realised.quantize(_CENTS)),
            "cumRealisedPnl": text(self.realised_ever.quantize(_CENTS)),
            "seq": self.sequence,
            "isReduceOnly": False,
            "mmrSysUpdateTime": "",
            "mmrSysUpdatedTime": "",
            "leverageSysUpdatedTime": "",
            "sessionAvgPrice": "",
            "createdTime": str(self.created),
            "updatedTime": str(self.updated),
        }

    def streamed(self, mark: Decimal, equity: Decimal) -> dict[str, Any]:
        """The entry of the `position` topic."""
        row = self.told(mark, equity)
        entry = row.pop("avgPrice")
        row.pop("mmrSysUpdateTime")
        return row | {"category": self.contract.category, "entryPrice": entry}
