"""What an account may send beside what it holds and has open: wash trades, held shares, shorts, buying power. Pure.

The rules that surprise people: a stop or market order beside an open one of the other side is a potential wash trade; shares that one
order would sell are held for it; nobody is both long and short.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from trading_bot.domain.values import ZERO, amount_text
from trading_bot.sandbox.alpaca.account import Standing
from trading_bot.sandbox.alpaca.orders import AlpacaOrder, forbidden, unprocessable
from trading_bot.sandbox.alpaca.rules import Asked

_FIRES = frozenset({"market", "stop", "trailing_stop"})
_SHORT_MARKUP = Decimal("1.03")


def check_account(flags: Mapping[str, Any]) -> None:
    """Refuse what a blocked account sends."""
    if flags.get("account_blocked"):
        raise forbidden("account is blocked")
    if flags.get("trading_blocked"):
        raise forbidden("trading is blocked for this account")
    if flags.get("trade_suspended_by_user") or flags.get("suspend_trade"):
        raise forbidden("new orders are rejected by user request")


def check_intent(asked: Asked, position: Decimal) -> None:
    """Refuse an order that means to open what it would close, or the other way round."""
    inferred = f"{asked.side}_to_{'close' if position * asked.sign < 0 else 'open'}"
    if asked.intent not in {None, inferred}:
        raise unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {asked.intent}")


def check_wash(asked: Asked, open_orders: Iterable[AlpacaOrder]) -> None:
    """Refuse an order that could trade with one of the account's own."""
    for other in open_orders:
        if other.symbol != asked.asset.symbol or other.side == asked.side:
            continue
        reason = _wash(asked, other)
        if reason is not None:
            raise forbidden("potential wash trade detected. use complex orders", existing_order_id=other.id, reject_reason=reason)


def _wash(asked: Asked, other: AlpacaOrder) -> str | None:
    if other.fires:
        return "opposite side market/stop order exists"
    fires = asked.type in _FIRES or (asked.order_class == "oco" and asked.guard_limit is None)
    crosses = asked.limit is not None and other.limit is not None and asked.sign * (asked.limit - other.limit) >= 0
    return "opposite side limit order exists" if fires or crosses else None


def held_for_orders(orders: Iterable[AlpacaOrder], quantity: Decimal) -> Decimal:
    """What open orders would take of a position of `quantity`; a pair that cancels each other counts once."""
    groups: dict[str, Decimal] = {}
    for order in orders:
        if order.sign * quantity < 0:
            group = order.parent or order.id
            groups[group] = max(groups.get(group, ZERO), order.remaining)
    return sum(groups.values(), ZERO)


def check_held(asked: Asked, quantity: Decimal, held: Decimal, position: Decimal) -> bool:
    """Refuse more than there is; return whether the order opens or enlarges a position."""
    if position * asked.sign >= 0:
        return True
    available = abs(position) - held
    if quantity <= available:
        return False
    symbol = asked.asset.held_as
    told = {
        "existing_qty": amount_text(abs(position)),
        "held_for_orders": amount_text(held),
        "available": amount_text(available),
        "symbol": symbol,
    }
    amounts = f"(requested: {amount_text(quantity)}, available: {amount_text(available)})"
    what = f"insufficient balance for {asked.asset.symbol.split('/')[0]}" if asked.asset.crypto else "insufficient qty available for order"
    raise forbidden(f"{what} {amounts}", **told)


def check_short(asked: Asked, flags: Mapping[str, Any], multiplier: int) -> None:
    """Refuse a short sale that the asset or the account does not allow."""
    if asked.asset.crypto:
        coin = asked.asset.symbol.split("/")[0]
        raise forbidden(f"insufficient balance for {coin} (requested: {amount_text(asked.qty or ZERO)}, available: 0)")
    if flags.get("no_shorting") or flags.get("shorting_enabled") is False or multiplier == 1:
        raise forbidden("account is not allowed to short")
    if not asked.asset.shortable:
        raise unprocessable(f'asset "{asked.asset.symbol}" cannot be sold short')
    if asked.fractional:
        raise unprocessable("fractional orders cannot be sold short")


def check_conflict(asked: Asked, position: Decimal, open_orders: Iterable[AlpacaOrder]) -> None:
    """Nobody opens a long while opening a short: the same share would be held on both sides."""
    against = any(o.symbol == asked.asset.symbol and o.side != asked.side and o.parent is None for o in open_orders)
    if position == 0 and against and not asked.asset.crypto:
        message = (
            "cannot open a long buy while a short sell order is open"
            if asked.sign > 0
            else "cannot open a short sell while a long buy order is open"
        )
        raise forbidden(message)


def cost(asked: Asked, quantity: Decimal, ask: Decimal) -> Decimal:
    """What an opening order counts against buying power."""
    if asked.notional is not None:
        return asked.notional
    price = asked.limit or asked.stop or ask
    return quantity * (price if asked.sign > 0 else max(price, ask * _SHORT_MARKUP))


def check_power(asked: Asked, basis: Decimal, standing: Standing) -> None:
    """Refuse what the account cannot pay for."""
    power = standing.coin_power if asked.asset.crypto else standing.power
    if basis > power:
        raise forbidden("insufficient buying power", buying_power=amount_text(round(power, 2)), cost_basis=amount_text(round(basis, 2)))
