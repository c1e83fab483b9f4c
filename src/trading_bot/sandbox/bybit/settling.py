"""Margin, funding and liquidation: what the account can carry, what holding costs, and what happens when it cannot carry it any more.

Promises that the whole of the account stands for all its linear positions (cross margin), that funding is paid at 00:00, 08:00 and 16:00
UTC at the mark price, and that a liquidation carries no id of the client. Refuses to lend: spot orders are paid from what is there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from trading_bot.brokers.units import SECOND
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.sandbox.bybit import guards
from trading_bot.sandbox.bybit.contracts import FUNDING_HOURS, LINEAR, Contract
from trading_bot.sandbox.bybit.ledger import BUST, Execution, created_by
from trading_bot.sandbox.bybit.orders import OF_POSITION, Asked, Order, Status

if TYPE_CHECKING:
    from trading_bot.sandbox.bybit.engine import Engine

INTERVAL = FUNDING_HOURS * 3600 * SECOND
RATE = Decimal("0.0001")


def next_funding(after: int) -> int:
    """When funding is paid next, in ns."""
    return (after // INTERVAL + 1) * INTERVAL


def rate_of(engine: Engine, symbol: Symbol) -> Decimal:
    """The funding rate in force."""
    return engine.rates.get(symbol, RATE)


def fund(engine: Engine, at: int) -> None:
    """Let every position pay or get its funding."""
    for position in list(engine.exposed()):
        engine.ledger.fund(position, engine.mark(position.contract), rate_of(engine, position.contract.symbol), at)
        engine.dirty.add(position.contract.symbol)


def equity(engine: Engine, coin: str = "USDT") -> Decimal:
    """Balance of a coin and the unrealised profit that is reckoned in it."""
    unrealised = sum((p.unrealised(engine.mark(p.contract)) for p in engine.exposed() if p.contract.quote_coin == coin), ZERO)
    return engine.ledger.coins.get(coin, ZERO) + unrealised


def position_margins(engine: Engine, coin: str = "USDT") -> tuple[Decimal, Decimal]:
    """Initial and maintenance margin of all positions."""
    marks = [(p, engine.mark(p.contract)) for p in engine.exposed() if p.contract.quote_coin == coin]
    return sum((p.initial_margin(m) for p, m in marks), ZERO), sum((p.maintenance_margin(m) for p, m in marks), ZERO)


def order_margin(engine: Engine, coin: str = "USDT") -> Decimal:
    """Initial margin of orders that may open or enlarge a position: of each side, what it has beyond closing."""
    sides: dict[tuple[Symbol, int], tuple[Contract, Decimal, Decimal]] = {}
    for order in engine.working(LINEAR):
        asked = order.asked
        if not (asked.reduce_only or order.waits) and asked.contract.quote_coin == coin:
            key = asked.contract.symbol, asked.side
            _, quantity, value = sides.get(key, (asked.contract, ZERO, ZERO))
            left = order.left
            sides[key] = asked.contract, quantity + left, value + left * (asked.price or order.last_price)
    return sum((_margin(engine, c, side, quantity, value) for (_, side), (c, quantity, value) in sides.items()), ZERO)


def locked(engine: Engine, coin: str) -> Decimal:
    """What spot orders hold of a coin; a conditional one holds nothing until it is triggered."""
    total = ZERO
    for order in engine.working("spot"):
        asked, contract = order.asked, order.contract
        if order.waits and asked.stop != "tpslOrder":
            continue
        if asked.side > 0 and contract.quote_coin == coin:
            worth = order.left * (asked.price or engine.quote(contract)[1])
            total += max((asked.value or ZERO) - order.spent, ZERO) if asked.value is not None else worth
        elif asked.side < 0 and contract.base_coin == coin:
            total += order.left
    return total


def available(engine: Engine, coin: str = "USDT") -> Decimal:
    """What a new order may use."""
    return equity(engine, coin) - position_margins(engine, coin)[0] - order_margin(engine, coin) - locked(engine, coin)


def affords(engine: Engine, order: Order) -> bool:
    """Whether the account carries an order that begins to work, which is counted among the others already."""
    contract = order.contract
    coin = contract.quote_coin if contract.category == LINEAR or order.asked.side > 0 else contract.base_coin
    return available(engine, coin) >= ZERO


def needs(engine: Engine, asked: Asked) -> tuple[str, Decimal]:
    """Coin and amount that a new order holds."""
    contract = asked.contract
    _, ask = engine.quote(contract)
    if contract.category == LINEAR:
        value = asked.quantity * (asked.price or engine.mark(contract))
        return contract.quote_coin, _margin(engine, contract, asked.side, asked.quantity, value)
    if asked.side > 0:
        return contract.quote_coin, asked.value if asked.value is not None else asked.quantity * (asked.price or ask)
    return contract.base_coin, asked.quantity


def _margin(engine: Engine, contract: Contract, side: int, quantity: Decimal, value: Decimal) -> Decimal:
    """Initial margin and fees of the part of a quantity that does not close what is held."""
    position = engine.ledger.position(contract)
    closing = min(abs(position.size), quantity) if position.sign == -side else ZERO
    opened = value * (quantity - closing) / quantity if quantity else ZERO
    return opened / position.leverage + opened * contract.fees.taker * 2


def liquidate(engine: Engine) -> None:
    """Take over all positions if the account is worth less than their maintenance margin."""
    if any(engine.exposed()) and equity(engine) <= position_margins(engine)[1]:
        for position in list(engine.exposed()):
            take_over(engine, position.contract)


def take_over(engine: Engine, contract: Contract, kind: str = BUST, quantity: Decimal | None = None) -> None:
    """Close a position, or some of it, in the venue's own name at the mark price (`BustTrade`, `AdlTrade`)."""
    position = engine.ledger.position(contract)
    if not position.size:
        return
    before, closing = position.sign, min(quantity or abs(position.size), abs(position.size))
    if kind == BUST:
        for order in engine.working(LINEAR, contract.symbol):
            if order.asked.stop not in OF_POSITION:
                engine.cancel(order, "CancelAllBeforeLiq")
    price = engine.mark(contract)
    asked = Asked(contract, -position.sign, market=True, quantity=closing, price=price, time_in_force="IOC", reduce_only=True)
    order = engine.create(asked)
    order.made_by = created_by(order, kind)
    engine.ledger.book(Execution(order, closing, price, engine.clock, maker=False, mark=price, kind=kind))
    engine.change(order, Status.FILLED)
    engine.dirty.add(contract.symbol)
    guards.follow(engine, order, before)
