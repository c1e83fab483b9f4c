"""What a client may ask: requests to create, amend and cancel orders, read and checked by the venue's rules.

Promises the venue's order of refusals and its codes, and that what passes here is on the grid, on the right side and affordable.
What the matching engine refuses later is told by the stream, not here.
"""

import re
from decimal import Decimal

from trading_bot.domain.values import ZERO
from trading_bot.sandbox.bybit import guards, settling
from trading_bot.sandbox.bybit.contracts import LINEAR, SPOT, Contract
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.orders import OF_POSITION, Asked, Order, Status, Stop
from trading_bot.sandbox.bybit.wire import SIDES, Parameters, Refused

_LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
_TIMES = ("GTC", "IOC", "FOK", "PostOnly")
_E8 = 100_000_000
_RISES, _FALLS = 1, 2


def read(engine: Engine, said: Parameters) -> Asked:
    """The order that a request asks for, checked, or a refusal."""
    category = said.category()
    contract = engine.contract(category, said.text("symbol"))
    if said.number("positionIdx", 0) != 0:
        raise Refused("hedge")
    link = read_link(engine, category, said)
    if engine.halted(contract):
        raise Refused("closed")
    side, market = SIDES[said.choice("side", tuple(SIDES))], said.choice("orderType", ("Market", "Limit")) == "Market"
    trigger, direction, stop = _trigger(engine, contract, said)
    quantity, value = _size(engine, contract, said, side, market=market)
    asked = Asked(
        contract=contract,
        side=side,
        market=market,
        quantity=quantity,
        value=value,
        price=None if market else said.positive("price"),
        time_in_force="IOC" if market else said.choice("timeInForce", _TIMES, "GTC"),
        link=link,
        reduce_only=category == LINEAR and said.flag("reduceOnly"),
        close_on_trigger=said.flag("closeOnTrigger"),
        trigger=trigger,
        direction=direction,
        trigger_by=said.choice("triggerBy", ("LastPrice", "MarkPrice", "IndexPrice"), "LastPrice") if trigger else "",
        stop=stop,
        take_profit=said.positive("takeProfit"),
        stop_loss=said.positive("stopLoss"),
    )
    check(engine, asked, said)
    return asked


def read_link(engine: Engine, category: str, said: Parameters) -> str:
    """The client's own id, which may never have been used."""
    link = said.text("orderLinkId", "")
    if link and not _LINK.fullmatch(link):
        raise Refused("parameter", "The length of orderLinkId can not exceed 36" if len(link) > 36 else "orderLinkId invalid")  # noqa: PLR2004 - the venue's limit
    if link and engine.knows(category, link):
        raise Refused("spot_duplicate" if category == SPOT else "duplicate")
    return link


def check(engine: Engine, asked: Asked, said: Parameters) -> None:
    """The rules, one after another."""
    contract = asked.contract
    if not asked.market:
        if asked.price is None:
            raise Refused("parameter", "price invalid")
        contract.check_price(asked.price)
    if asked.value is None:
        contract.check_quantity(asked.quantity)
    if contract.category == LINEAR:
        _check_linear(engine, asked, said)
    elif asked.stop_loss is not None or asked.take_profit is not None:
        raise Refused("parameter", "takeProfit and stopLoss of spot orders are not emulated: place a StopOrder")
    if not asked.reduce_only:
        worth = asked.value if asked.value is not None else asked.quantity * (asked.price or asked.trigger or engine.mark(contract))
        contract.check_value(worth)
        _check_money(engine, asked)


def _check_linear(engine: Engine, asked: Asked, said: Parameters) -> None:
    if asked.stop_loss is not None or asked.take_profit is not None:
        if asked.reduce_only:
            raise Refused("parameter", "reduceOnly order can not set takeProfit or stopLoss")
        if said.choice("tpslMode", ("Full", "Partial"), "Full") != "Full":
            raise Refused("parameter", "tpslMode Partial is not emulated")
        base = asked.price or asked.trigger or engine.mark(asked.contract)
        guards.check_sides(asked.contract, asked.side, base, asked.stop_loss, asked.take_profit)
    if asked.reduce_only and asked.trigger is None:
        position = engine.ledger.position(asked.contract)
        if not position.size:
            raise Refused("reduce_only")
        if position.sign == asked.side:
            raise Refused("reduce_side")


def _check_money(engine: Engine, asked: Asked) -> None:
    """A conditional order holds nothing before it is triggered."""
    if asked.trigger is not None and asked.stop is not Stop.SPOT_TPSL:
        return
    coin, amount = settling.needs(engine, asked)
    if amount > settling.available(engine, coin):
        raise Refused("spot_balance" if asked.contract.category == SPOT else "margin")


def _size(engine: Engine, contract: Contract, said: Parameters, side: int, *, market: bool) -> tuple[Decimal, Decimal | None]:
    """Quantity, or the value that a spot market buy may spend."""
    quantity = said.decimal("qty")
    if quantity is None:
        raise Refused("parameter", "qty can not be empty")
    if contract.category == SPOT:
        unit = said.choice("marketUnit", ("baseCoin", "quoteCoin"), "quoteCoin" if side > 0 else "baseCoin")
        if market and unit == "quoteCoin" and side < 0:
            raise Refused("parameter", "a sale by value is not emulated: marketUnit has to be baseCoin")
        return (ZERO, quantity) if market and unit == "quoteCoin" else (quantity, None)
    if said.flag("reduceOnly"):
        held = abs(engine.ledger.position(contract).size)
        everything = quantity == ZERO and said.flag("closeOnTrigger")
        quantity = held if everything or ((held and not said.has("triggerPrice")) and quantity > held) else quantity
    return quantity, None


def _trigger(engine: Engine, contract: Contract, said: Parameters) -> tuple[Decimal | None, int, Stop]:
    """Trigger price, its direction, and the kind of conditional order."""
    trigger = said.positive("triggerPrice")
    if trigger is None:
        return None, 0, Stop.NONE
    contract.check_price(trigger, "trigger_price")
    last = engine.mark(contract)
    if contract.category == SPOT:
        waits = said.choice("orderFilter", ("Order", "StopOrder", "tpslOrder"), "StopOrder")
        return trigger, _RISES if trigger > last else _FALLS, Stop.SPOT_TPSL if waits == "tpslOrder" else Stop.STOP
    direction = said.number("triggerDirection", 0)
    if direction not in {_RISES, _FALLS}:
        raise Refused("parameter", "triggerDirection invalid")
    check_trigger(trigger, direction, last)
    return trigger, direction, Stop.STOP


def check_trigger(trigger: Decimal, direction: int, last: Decimal) -> None:
    """Refuse a trigger that the price has passed already."""
    if direction == _RISES and trigger <= last:
        raise Refused("rising", int(trigger * _E8), int(last * _E8))
    if direction == _FALLS and trigger >= last:
        raise Refused("falling", int(trigger * _E8), int(last * _E8))


def find(engine: Engine, said: Parameters) -> Order:
    """The order that a request names, if it is still open."""
    category = said.category()
    if not (said.has("orderId") or said.has("orderLinkId")):
        raise Refused("parameter", "orderId or orderLinkId is required")
    order = engine.find(category, said.text("orderId", ""), said.text("orderLinkId", ""))
    if order is None or not order.status.is_open:
        raise Refused("spot_no_order" if category == SPOT else "no_order")
    return order


def amend(engine: Engine, said: Parameters) -> Order:
    """Change a resting order."""
    order = find(engine, said)
    asked = order.asked
    quantity, price, trigger = (said.positive(name) for name in ("qty", "price", "triggerPrice"))
    _check_amendment(engine, order, quantity, price, trigger)
    if quantity in {None, asked.quantity} and price in {None, asked.price} and trigger in {None, asked.trigger}:
        raise Refused("parameter", "The order remains unchanged as the parameters entered match the existing ones.")
    if asked.stop in OF_POSITION and trigger is not None:
        _move_guard(engine, order, trigger)
        return order
    engine.amend(order, quantity=quantity, price=None if asked.market else price, trigger=trigger)
    if quantity is not None and asked.reduce_only and order.status is not Status.UNTRIGGERED:
        guards.cap(engine, order)
    return order


def _check_amendment(engine: Engine, order: Order, quantity: Decimal | None, price: Decimal | None, trigger: Decimal | None) -> None:
    contract, asked = order.contract, order.asked
    if asked.stop in OF_POSITION and (quantity is not None or price is not None):
        raise Refused("parameter", "the quantity of a position's stop follows the position")
    if quantity is not None:
        contract.check_quantity(quantity)
        if quantity <= order.filled:
            raise Refused("filled_more")
    if price is not None:
        contract.check_price(price)
    if trigger is not None:
        if not order.waits:
            raise Refused("parameter", "trigger_price invalid")
        contract.check_price(trigger, "trigger_price")
        check_trigger(trigger, asked.direction, engine.mark(contract))


def _move_guard(engine: Engine, order: Order, trigger: Decimal) -> None:
    position = engine.ledger.position(order.contract)
    name = {Stop.STOP_LOSS: "stop_loss", Stop.TAKE_PROFIT: "take_profit", Stop.TRAILING: "active"}[order.asked.stop]
    setattr(position, name, trigger)
    guards.sync(engine, position)
    engine.dirty.add(order.contract.symbol)


def cancel(engine: Engine, order: Order) -> None:
    """End an order on its owner's wish; a position that loses its stop knows it."""
    engine.cancel(order)
    guards.spend(engine, order)
