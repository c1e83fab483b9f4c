"""The unified account: coins, positions, what every execution cost, and the log of all that moved money.

Promises that a coin's balance is the sum of its log, that each execution is booked once under an id of its own, that linear fees are paid
in the quote coin and those of spot buys in the coin bought, and that a profit is money only when it is realised.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from trading_bot.brokers.units import moment
from trading_bot.domain.values import ZERO, Symbol, derive_digest
from trading_bot.sandbox.bybit.contracts import LINEAR, Contract
from trading_bot.sandbox.bybit.orders import CREATED_BY, Order
from trading_bot.sandbox.bybit.positions import Booked, Position
from trading_bot.sandbox.bybit.wire import NAMES, fixed, text
from trading_bot.sandbox.evidence import Evidence

_CENTS = Decimal("1e-8")
TRADE, BUST, ADL, FUNDING = "Trade", "BustTrade", "AdlTrade", "Funding"
_LOGGED = {TRADE: "TRADE", BUST: "LIQUIDATION", ADL: "ADL"}
_NOTHING = Booked(ZERO, ZERO, ZERO)
Rows = list[tuple[int, dict[str, Any]]]
"""Rows of a history with their rising numbers."""


class Names:
    """Ids that the same seed gives again."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def next(self, kind: str) -> str:
        """An id that nothing else has."""
        self._count += 1
        return str(UUID(derive_digest(str(self._seed), kind, str(self._count))[:32]))

    def number(self) -> int:
        """A rising number that nothing else has."""
        self._count += 1
        return self._count


@dataclass(frozen=True)
class Execution:
    """What was traded for an order, or done to a position."""

    order: Order
    quantity: Decimal
    price: Decimal
    at: int
    """In ns."""
    maker: bool
    mark: Decimal
    kind: str = TRADE


@dataclass
class Ledger:
    """Everything that is worth something."""

    names: Names
    evidence: Evidence
    tell: Callable[[str, dict[str, Any]], None]
    """Takes a topic and a row, for the streams."""
    coins: dict[str, Decimal] = field(default_factory=dict)
    realised: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[Symbol, Position] = field(default_factory=dict)
    executions: Rows = field(default_factory=list)
    closed: Rows = field(default_factory=list)
    log: Rows = field(default_factory=list)
    sequence: int = 0

    def position(self, contract: Contract) -> Position:
        """The position in a contract, flat if there was none."""
        return self.positions.setdefault(contract.symbol, Position(contract))

    def deposit(self, coin: str, amount: Decimal, at: int) -> None:
        """Take money in from outside, or out."""
        kind = "TRANSFER_IN" if amount >= ZERO else "TRANSFER_OUT"
        self._move(coin, amount, at, {"type": kind, "cashFlow": text(amount)}, reason="transfer")

    def book(self, execution: Execution) -> Booked:
        """Book an execution: balances, position, records, streams."""
        order, contract = execution.order, execution.order.contract
        value = execution.quantity * execution.price
        order.filled += execution.quantity
        order.spent += value
        self.sequence += 1
        if contract.category == LINEAR:
            return self._book_linear(execution, value)
        self._book_spot(execution, value)
        return _NOTHING

    def _book_linear(self, execution: Execution, value: Decimal) -> Booked:
        order, contract = execution.order, execution.order.contract
        rate = contract.fees.maker if execution.maker else contract.fees.taker
        fee = ZERO if execution.kind == ADL else (value * rate).quantize(_CENTS)
        position = self.position(contract)
        booked = position.book(order.asked.side, execution.quantity, execution.price)
        pnl = booked.pnl.quantize(_CENTS)
        position.created = position.created or execution.at // 1_000_000
        position.updated, position.sequence = execution.at // 1_000_000, self.sequence
        position.earn(pnl - fee)
        order.fee += fee
        order.fee_coin = contract.quote_coin
        order.closed_pnl += pnl
        self.realised[contract.quote_coin] = self.realised.get(contract.quote_coin, ZERO) + pnl - fee
        row = self._record(execution, value, fee, rate, booked.closed, contract.quote_coin)
        if booked.closed:
            self._close(execution, booked, pnl - fee * booked.closed / execution.quantity)
        entry = self._traded(execution, row) | {"fee": text(fee), "cashFlow": text(pnl), "size": text(position.size)}
        self._move(contract.quote_coin, pnl - fee, execution.at, entry, reason="trade")
        at = moment(execution.at)
        self.evidence.note("position", at, symbol=contract.symbol, category=LINEAR, quantity=position.size)
        return booked

    def _book_spot(self, execution: Execution, value: Decimal) -> None:
        order, contract = execution.order, execution.order.contract
        rate, bought = contract.fees.taker, order.asked.side > 0
        received = execution.quantity if bought else value
        paid = value if bought else execution.quantity
        fee = (received * rate).quantize(_CENTS)
        coins = contract.base_coin, contract.quote_coin
        into, out = coins if bought else coins[::-1]
        order.fee += fee
        order.fee_coin = into
        row = self._record(execution, value, fee, rate, ZERO, into)
        entry = self._traded(execution, row)
        self._move(into, received - fee, execution.at, entry | {"cashFlow": text(received), "fee": text(fee)}, reason="trade")
        self._move(out, -paid, execution.at, entry | {"cashFlow": text(-paid), "fee": "0"}, reason="trade")
        at = moment(execution.at)
        self.evidence.note("position", at, symbol=contract.symbol, category="spot", quantity=self.coins.get(contract.base_coin, ZERO))

    def fund(self, position: Position, mark: Decimal, rate: Decimal, at: int) -> None:
        """Pay funding, or get it: size at the mark price times the rate, from longs to shorts if the rate is above 0."""
        contract, amount = position.contract, (position.size * mark * rate).quantize(_CENTS)
        identity, coin = self.names.next("funding"), contract.quote_coin
        self.sequence += 1
        position.earn(-amount)
        self.realised[coin] = self.realised.get(coin, ZERO) - amount
        row = self._blank(contract, identity, at, mark) | {
            "orderId": self.names.next("settlement"),
            "side": NAMES[position.sign],
            "orderType": "UNKNOWN",
            "createType": "CreateByUser",
            "execType": FUNDING,
            "execFee": text(amount),
            "feeRate": text(rate),
            "feeCurrency": coin,
            "execPrice": fixed(mark, contract.tick),
            "execQty": text(abs(position.size)),
            "execValue": text(abs(position.size) * mark),
        }
        self._keep(row)
        entry = {
            "symbol": contract.symbol,
            "category": contract.category,
            "side": NAMES[position.sign],
            "type": "SETTLEMENT",
            "funding": text(-amount),
            "feeRate": text(rate),
            "size": text(position.size),
            "qty": text(abs(position.size)),
            "tradePrice": fixed(mark, contract.tick),
            "tradeId": identity,
            "orderId": row["orderId"],
        }
        self._move(coin, -amount, at, entry, reason="funding")

    def _record(  # noqa: PLR0913, PLR0917 - the columns of one record
        self, execution: Execution, value: Decimal, fee: Decimal, rate: Decimal, closed: Decimal, coin: str
    ) -> dict[str, Any]:
        order, contract = execution.order, execution.order.contract
        venue_made = execution.kind != TRADE
        row = self._blank(contract, self.names.next("execution"), execution.at, execution.mark) | {
            "orderId": order.id,
            "orderLinkId": "" if venue_made else order.asked.link,
            "side": NAMES[order.asked.side],
            "orderType": "Market" if order.asked.market else "Limit",
            "stopOrderType": str(order.asked.stop) or "UNKNOWN",
            "orderPrice": fixed(order.asked.price or ZERO, contract.tick),
            "orderQty": text(order.asked.quantity or order.filled),
            "leavesQty": text(order.left),
            "execFee": text(fee),
            "feeRate": text(rate),
            "feeCurrency": coin,
            "execPrice": fixed(execution.price, contract.tick),
            "execQty": text(execution.quantity),
            "execValue": text(value),
            "execType": execution.kind,
            "isMaker": execution.maker,
            "closedSize": text(closed) if contract.category == LINEAR else "",
        }
        if contract.category == LINEAR:
            row["createType"] = created_by(order, execution.kind)
        self._keep(row)
        self.evidence.note(
            "fill",
            moment(execution.at),
            execution_id=row["execId"],
            venue_id=order.id,
            client_id=row["orderLinkId"],
            symbol=contract.symbol,
            category=contract.category,
            side=row["side"],
            quantity=execution.quantity,
            price=execution.price,
            fee=fee,
            fee_coin=coin,
            exec_type=execution.kind,
            stop_order_type=row["stopOrderType"],
        )
        return row

    def _keep(self, row: dict[str, Any]) -> None:
        self.executions.append((len(self.executions) + 1, row))
        self.tell("execution", row)

    def _blank(self, contract: Contract, identity: str, at: int, mark: Decimal) -> dict[str, Any]:
        """What every execution record has."""
        empty = dict.fromkeys(("tradeIv", "markIv", "underlyingPrice", "blockTradeId", "extraFees", "orderLinkId", "closedSize"), "")
        return empty | {
            "category": contract.category,
            "symbol": contract.symbol,
            "execId": identity,
            "execTime": str(at // 1_000_000),
            "isLeverage": "0",
            "isMaker": False,
            "markPrice": fixed(mark, contract.tick),
            "indexPrice": fixed(mark, contract.tick),
            "leavesQty": "0",
            "orderPrice": "0",
            "orderQty": "0",
            "stopOrderType": "UNKNOWN",
            "execPnl": "0",
            "seq": self.sequence,
        }

    @staticmethod
    def _traded(execution: Execution, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "symbol": row["symbol"],
            "category": row["category"],
            "side": row["side"],
            "type": _LOGGED[execution.kind],
            "feeRate": row["feeRate"],
            "qty": row["execQty"],
            "size": "0",
            "tradePrice": row["execPrice"],
            "tradeId": row["execId"],
            "orderId": row["orderId"],
            "orderLinkId": row["orderLinkId"],
        }

    def _close(self, execution: Execution, booked: Booked, pnl: Decimal) -> None:
        order, contract, position = execution.order, execution.order.contract, self.positions[execution.order.contract.symbol]
        told = str(execution.at // 1_000_000)
        row = {
            "symbol": contract.symbol,
            "orderType": "Market" if order.asked.market else "Limit",
            "leverage": text(position.leverage),
            "updatedTime": told,
            "side": NAMES[order.asked.side],
            "orderId": order.id,
            "closedPnl": text(pnl.quantize(_CENTS)),
            "avgEntryPrice": text(booked.entry.quantize(_CENTS)),
            "qty": text(execution.quantity),
            "cumEntryValue": text((booked.entry * booked.closed).quantize(_CENTS)),
            "createdTime": told,
            "orderPrice": fixed(order.asked.price or execution.price, contract.tick),
            "closedSize": text(booked.closed),
            "avgExitPrice": fixed(execution.price, contract.tick),
            "execType": execution.kind,
            "fillCount": "1",
            "cumExitValue": text(execution.price * booked.closed),
        }
        self.closed.append((len(self.closed) + 1, row))

    def _move(self, coin: str, amount: Decimal, at: int, entry: Mapping[str, Any], *, reason: str) -> None:
        """Change a balance and write it into the log."""
        self.coins[coin] = self.coins.get(coin, ZERO) + amount
        blank = dict.fromkeys(("symbol", "category", "side", "qty", "size", "tradePrice", "funding", "fee", "feeRate"), "")
        names = dict.fromkeys(("tradeId", "orderId", "orderLinkId", "bonusChange", "extraFees"), "")
        told = {"currency": coin, "change": text(amount), "cashBalance": text(self.coins[coin]), "cashFlow": "0"}
        row = (
            {"id": self.names.next("log"), "transactionTime": str(at // 1_000_000), "transSubType": ""} | blank | names | told | dict(entry)
        )
        self.log.append((len(self.log) + 1, row))
        self.evidence.note("cash", moment(at), reason=reason, coin=coin, amount=amount, balance=self.coins[coin])


def created_by(order: Order, kind: str) -> str:
    """The word of `createType`."""
    made = {BUST: "CreateByTakeOver_PassThrough", ADL: "CreateByAdl_PassThrough"}
    return made.get(kind, CREATED_BY[order.asked.stop])
