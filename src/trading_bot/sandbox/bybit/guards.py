"""The stops that the venue keeps for a position: one stop loss, one take profit, one trailing stop, each for the whole of it.

Promises that their quantity follows the position, that they end with it, and that an order which may only reduce is cut to what is
there. They carry no client id: who looks for them finds them by position.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_bot.domain.orders import OrderType
from trading_bot.domain.values import ZERO
from trading_bot.sandbox.bybit.contracts import LINEAR, Contract
from trading_bot.sandbox.bybit.orders import OF_POSITION, Asked, Order, Status, Stop
from trading_bot.sandbox.bybit.wire import NAMES, Refused
from trading_bot.sandbox.exchange.tickets import Ticket

if TYPE_CHECKING:
    from trading_bot.sandbox.bybit.engine import Engine
    from trading_bot.sandbox.bybit.positions import Position

_CLEARED = "CancelByTpSlTsClear"
_E8 = 100_000_000
_SPENT = {Stop.STOP_LOSS: "stop_loss", Stop.TAKE_PROFIT: "take_profit", Stop.TRAILING: "trailing"}


def check_sides(contract: Contract, side: int, base: Decimal, stop_loss: Decimal | None, take_profit: Decimal | None) -> None:
    """Refuse a stop loss or a take profit on the wrong side of `base`, or off the tick."""
    for name, price, sign in (("StopLoss", stop_loss, side), ("TakeProfit", take_profit, -side)):
        if price is None:
            continue
        contract.check_price(price, name)
        if sign * (base - price) <= ZERO:
            wanted = "lower" if sign > 0 else "higher"
            told = (
                f"{name}:{int(price * _E8)} set for {NAMES[side]} position should be {wanted} than base_price:{int(base * _E8)}??LastPrice"
            )
            refused = Refused("parameter", "")
            refused.message = told
            raise refused


def follow(engine: Engine, order: Order, before: int, *, first: bool = False) -> None:
    """After an execution: stops come with the first fill of an entry, follow the position's size, and end with it.

    Later fills of the same entry bring nothing, so that a stop which was moved meanwhile stays where it is. `before`: side of the position
    before the execution.
    """
    position = engine.ledger.position(order.contract)
    if position.sign != before or not position.sign:
        forget(position)
    asked = order.asked
    if position.sign == asked.side and (first or position.sign != before):
        position.stop_loss = asked.stop_loss or position.stop_loss
        position.take_profit = asked.take_profit or position.take_profit
    sync(engine, position)
    for other in engine.working(LINEAR, order.contract.symbol):
        reduces = other.asked.reduce_only and other.asked.stop not in OF_POSITION
        if reduces and other is not order and other.status in {Status.NEW, Status.PARTIAL}:
            cap(engine, other)


def forget(position: Position) -> None:
    """A position that is gone has no stops."""
    position.stop_loss = position.take_profit = position.trailing = position.active = None


def spend(engine: Engine, order: Order) -> None:
    """A position whose stop was taken away, or was triggered and found nobody to trade with, has it no more, and shows that."""
    if order.asked.stop in OF_POSITION:
        setattr(engine.ledger.position(order.contract), _SPENT[order.asked.stop], None)
        engine.guards.pop((order.contract.symbol, order.asked.stop), None)
        engine.dirty.add(order.contract.symbol)


def sync(engine: Engine, position: Position, cancel_type: str = _CLEARED) -> None:
    """Bring the orders behind a position's stops to what the position says."""
    said = {Stop.STOP_LOSS: position.stop_loss, Stop.TAKE_PROFIT: position.take_profit, Stop.TRAILING: position.trailing}
    for stop, price in said.items():
        key = position.contract.symbol, stop
        order = engine.orders.get(engine.guards.get(key, ""))
        if order is not None and not order.status.is_open:
            order = None
        if order is not None and (price is None or order.asked.side == position.sign or not position.size):
            engine.guards.pop(key)
            engine.cancel(order, cancel_type)
            order = None
        if price is not None and position.size:
            _bring(engine, position, stop, price) if order is None else _adjust(engine, position, order, price)


def _bring(engine: Engine, position: Position, stop: Stop, price: Decimal) -> None:
    side, trails = -position.sign, stop is Stop.TRAILING
    falls = (position.sign > 0) == (stop is not Stop.TAKE_PROFIT)
    asked = Asked(
        contract=position.contract,
        side=side,
        market=True,
        quantity=abs(position.size),
        time_in_force="IOC",
        reduce_only=True,
        close_on_trigger=True,
        trigger=position.active if trails else price,
        direction=2 if falls else 1,
        trigger_by="LastPrice",
        stop=stop,
    )
    order = engine.create(asked)
    order.distance = price if trails else None
    engine.guards[position.contract.symbol, stop] = order.id
    kind = OrderType.STOP if not trails or position.active is not None else OrderType.TRAILING_STOP
    engine.rest(order, _ticket(order, kind, price))
    engine.change(order, Status.UNTRIGGERED)


def _ticket(order: Order, kind: OrderType, price: Decimal) -> Ticket:
    asked = order.asked
    trails = kind is OrderType.TRAILING_STOP
    falls = asked.direction == 2  # noqa: PLR2004 - the venue's word for falling
    # A trailing stop wakes where the price has gone the position's way, which is not where it strikes.
    rises = falls if asked.stop is Stop.TRAILING else not falls
    return Ticket(
        symbol=asked.contract.symbol,
        side=asked.side,
        kind=kind,
        quantity=asked.quantity - order.filled,
        stop=None if trails else asked.trigger,
        trail=price if trails else None,
        rises=None if trails else rises,
        reduce_only=True,
        immediate=True,
    )


def _adjust(engine: Engine, position: Position, order: Order, price: Decimal) -> None:
    quantity = order.filled + abs(position.size)
    if order.asked.stop is Stop.TRAILING:
        if (order.distance, order.asked.trigger) != (price, position.active) and order.waits:
            engine.guards.pop((position.contract.symbol, Stop.TRAILING))
            engine.cancel(order)
            _bring(engine, position, Stop.TRAILING, price)
        elif order.asked.quantity != quantity:
            engine.amend(order, quantity=quantity)
    elif order.asked.quantity != quantity or (order.waits and order.asked.trigger != price):
        engine.amend(order, quantity=quantity, trigger=price if order.waits else None)


def begins_to_trail(engine: Engine, order: Order) -> bool:
    """Whether a trailing stop has just been woken by its active price; then it trails from here on."""
    if order.asked.stop is not Stop.TRAILING or order.asked.trigger is None or order.distance is None:
        return False
    position = engine.ledger.position(order.contract)
    position.active = None
    order.asked = replace(order.asked, trigger=None)
    engine.rest(order, _ticket(order, OrderType.TRAILING_STOP, order.distance))
    engine.change(order, Status.UNTRIGGERED)
    return True


def cap(engine: Engine, order: Order) -> bool:
    """Cut an order that may only reduce to what there is; False if there is nothing, and it was canceled."""
    position = engine.ledger.position(order.contract)
    if position.sign != -order.asked.side:
        engine.cancel(order, "CancelByReduceOnly")
        return False
    if order.left > abs(position.size):
        engine.amend(order, quantity=order.filled + abs(position.size))
    return True
