"""What a hand, or the venue itself, does beside the client: for fault rules that strike by themselves, and for `/__control`.

Promises that each deed is noted as evidence. Refuses a deed that it does not know.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from trading_bot.brokers.units import SECOND, moment
from trading_bot.domain.values import ZERO, Symbol
from trading_bot.sandbox.bybit import settling
from trading_bot.sandbox.bybit.contracts import LINEAR, Contract
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.ledger import ADL, BUST
from trading_bot.sandbox.bybit.orders import Asked
from trading_bot.sandbox.bybit.wire import SIDES, Refused
from trading_bot.sandbox.venue_faults import Rule

Said = Mapping[str, Any]


def _contracts(engine: Engine, said: Said) -> list[Contract]:
    """The contracts of a symbol, in the category that was named or in all."""
    wanted = said.get("category")
    return [c for name in engine.markets if wanted in {None, name} for c in engine.contracts(name) if c.symbol == said.get("symbol")]


def _one(engine: Engine, said: Said) -> Contract:
    found = _contracts(engine, said)
    linear = [contract for contract in found if contract.category == LINEAR]
    if not found:
        raise Refused("parameter", "symbol invalid")
    return (linear or found)[0]


def _number(said: Said, name: str) -> Decimal:
    return Decimal(str(said.get(name) or 0))


def quote(engine: Engine, said: Said) -> None:
    """Hold bid and ask from now on."""
    for contract in _contracts(engine, said):
        engine.markets[contract.category].set_quote(contract.symbol, _number(said, "bid"), _number(said, "ask"), engine.clock)


def let_go(engine: Engine, said: Said) -> None:
    """Let prices go their own way again."""
    for contract in _contracts(engine, said):
        engine.markets[contract.category].let_go(contract.symbol, engine.clock)


def halt(engine: Engine, said: Said) -> None:
    """Stop trading for a while, or until it is resumed."""
    for contract in _contracts(engine, said):
        market, seconds = engine.markets[contract.category], _number(said, "seconds")
        market.halt(contract.symbol, engine.clock + int(seconds * SECOND)) if seconds else market.halt(contract.symbol)


def resume(engine: Engine, said: Said) -> None:
    """End a halt."""
    for contract in _contracts(engine, said):
        engine.markets[contract.category].resume(contract.symbol)


def position_by_hand(engine: Engine, said: Said) -> None:
    """Bring a position, or a holding, to a quantity by an order that no client sent."""
    contract, wanted = _one(engine, said), _number(said, "quantity")
    held = engine.ledger.position(contract).size if contract.category == LINEAR else engine.ledger.coins.get(contract.base_coin, ZERO)
    difference = contract.instrument.round_quantity(abs(wanted - held))
    if difference:
        side = 1 if wanted > held else -1
        engine.place(Asked(contract, side, market=True, quantity=difference, time_in_force="IOC"), by_hand=True)


def order_by_hand(engine: Engine, said: Said) -> None:
    """Place an order that no client sent, without an id of theirs."""
    contract, limit = _one(engine, said), _number(said, "limit")
    side = SIDES[str(said.get("side")).capitalize()]
    quantity = _number(said, "quantity")
    in_force = "GTC" if limit else "IOC"
    engine.place(Asked(contract, side, market=not limit, quantity=quantity, price=limit or None, time_in_force=in_force), by_hand=True)


def liquidation(engine: Engine, said: Said) -> None:
    """Take a position over, whatever it is worth."""
    settling.take_over(engine, _one(engine, {**said, "category": LINEAR}), BUST)


def adl(engine: Engine, said: Said) -> None:
    """Take some of a position away to settle somebody else's loss."""
    settling.take_over(engine, _one(engine, {**said, "category": LINEAR}), ADL, _number(said, "quantity") or None)


def funding_flip(engine: Engine, said: Said) -> None:
    """Let the other side pay."""
    symbol = Symbol(str(said.get("symbol")))
    engine.rates[symbol] = -settling.rate_of(engine, symbol)


def funding(engine: Engine, said: Said) -> None:
    """Set a funding rate."""
    engine.rates[Symbol(str(said.get("symbol")))] = _number(said, "rate")


def deposit(engine: Engine, said: Said) -> None:
    """Transfer money in, or out."""
    engine.ledger.deposit(str(said.get("coin", "USDT")), _number(said, "amount"), engine.clock)


def fill(engine: Engine, said: Said) -> None:
    """Fill a working order at the market, in part or in whole."""
    for order in engine.working():
        if said.get("order") in {order.id, order.asked.link}:
            engine.execute(order, _number(said, "quantity") or order.left)


def nothing(engine: Engine, said: Said) -> None:
    """A split: there are none on this venue."""


DEEDS: Mapping[str, Callable[[Engine, Said], None]] = {
    "quote": quote,
    "let_go": let_go,
    "halt": halt,
    "resume": resume,
    "position_by_hand": position_by_hand,
    "order_by_hand": order_by_hand,
    "liquidation": liquidation,
    "adl": adl,
    "funding_flip": funding_flip,
    "funding": funding,
    "deposit": deposit,
    "fill": fill,
    "split": nothing,
}
"""Every deed by its name."""


def do(engine: Engine, name: str, said: Said) -> None:
    """Do one of the deeds; 10001 for what is not known."""
    if name not in DEEDS:
        raise Refused("parameter", f"{name} is not known; known are {', '.join(DEEDS)}")
    engine.evidence.note("action", moment(engine.clock), what=name, **{k: str(v) for k, v in said.items() if k not in {"do", "what"}})
    DEEDS[name](engine, said)
    engine.advance(engine.clock)


def of_rule(engine: Engine, rule: Rule) -> None:
    """Do what a fault rule says."""
    told = rule.model_dump(exclude_none=True)
    fields: Said = {name: told[name] for name in ("symbol", "seconds", "side", "quantity", "limit") if name in told}
    do(engine, rule.fault, fields)
