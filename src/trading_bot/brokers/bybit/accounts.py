"""The account as the desk reckons: cash so that equity is cash and positions at their marks. Pure.

Bybit keeps a perpetual's cost in no wallet: what was paid for it is taken off the wallet's balance here, as if it had been bought.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from trading_bot.brokers.bybit.wire import SETTLE_COIN, Row, amount, moment, side_of
from trading_bot.domain.books import Account, Position
from trading_bot.domain.perpetual import MarginState
from trading_bot.domain.values import ZERO, Symbol

_STABLE = frozenset({SETTLE_COIN})


def coin_of(wallet: Row, coin: str = SETTLE_COIN) -> Row:
    """One coin of the unified account."""
    found: Row = next((c for c in wallet.get("coin", ()) if c.get("coin") == coin), {})
    return found


def signed_size(row: Row) -> Decimal:
    """Size of a perpetual's position, negative for a short."""
    size = amount(row.get("size"))
    return size * side_of(row["side"]).sign if size else ZERO


def cash_of(wallet: Row, positions: Iterable[Row]) -> Decimal:
    """The wallet's balance less what the positions cost."""
    cost = sum((signed_size(row) * _price(row) for row in positions), ZERO)
    return amount(coin_of(wallet).get("walletBalance")) - cost


def linear_account(identity: str, wallet: Row, positions: tuple[Row, ...]) -> Account:
    """The account with its perpetuals."""
    coin = coin_of(wallet)
    return Account(
        account_id=identity,
        currency=SETTLE_COIN,
        cash=_money(cash_of(wallet, positions)),
        equity=_money(amount(coin.get("equity"))),
        buying_power=_money(max(amount(wallet.get("totalAvailableBalance")), ZERO)),
        maintenance_margin=_money(amount(wallet.get("totalMaintenanceMargin"))),
    )


def spot_account(identity: str, wallet: Row) -> Account:
    """The account with its coins."""
    coin = coin_of(wallet)
    cash = amount(coin.get("walletBalance"))
    others = sum((amount(c.get("usdValue")) for c in wallet.get("coin", ()) if c.get("coin") not in _STABLE), ZERO)
    free = cash - amount(coin.get("locked"))
    return Account(account_id=identity, currency=SETTLE_COIN, cash=cash, equity=_money(cash + others), buying_power=_money(max(free, ZERO)))


def linear_positions(rows: Iterable[Row]) -> tuple[Position, ...]:
    """Open perpetuals by symbol."""
    found = (
        Position(
            symbol=Symbol(row["symbol"]),
            quantity=signed_size(row),
            average_price=_money(_price(row)),
            opened_at=moment(row.get("createdTime") or row["updatedTime"]),
        )
        for row in rows
        if amount(row.get("size"))
    )
    return tuple(sorted(found, key=lambda p: p.symbol))


def margin_states(rows: Iterable[Row]) -> dict[Symbol, MarginState]:
    """Open perpetuals as the venue reckons them. No price that is 0 or left out would bring their liquidation about."""
    return {
        Symbol(row["symbol"]): MarginState(
            symbol=Symbol(row["symbol"]), mark=amount(row["markPrice"]), liquidation=amount(row.get("liqPrice")) or None
        )
        for row in rows
        if amount(row.get("size"))
    }


def spot_positions(
    wallet: Row, milliseconds: int, traded: Callable[[Symbol], bool], cost: Callable[[Symbol], Decimal]
) -> tuple[Position, ...]:
    """Coins held, as positions in their pair with the desk's money. Bybit knows no cost of a coin: ours is told."""
    found = []
    for coin in wallet.get("coin", ()):
        symbol, held = Symbol(f"{coin.get('coin')}{SETTLE_COIN}"), amount(coin.get("walletBalance"))
        if held and coin.get("coin") not in _STABLE and traded(symbol):
            found.append(Position(symbol=symbol, quantity=held, average_price=cost(symbol), opened_at=moment(milliseconds)))
    return tuple(sorted(found, key=lambda p: p.symbol))


def described(answers: tuple[Row, Row], account: Account, environment: str, mode: str, limits: str) -> dict[str, str]:
    """Facts for the doctor, in words and in order. `answers`: on the keys and on the account."""
    user, info = answers
    permissions = "; ".join(f"{area}: {', '.join(may)}" for area, may in (user.get("permissions") or {}).items() if may)
    bound = [ip for ip in user.get("ips") or () if ip != "*"]
    return {
        "account": account.account_id,
        "environment": environment,
        "equity": f"{account.equity.quantize(Decimal('0.01'))} {account.currency}",
        "available": f"{account.buying_power.quantize(Decimal('0.01'))} {account.currency}",
        "permissions": permissions or "none",
        "keys may": "read only" if user.get("readOnly") == 1 else "read and write",
        "keys expire": str(user.get("expiredAt") or "never"),
        "bound to addresses": ", ".join(bound) or "none: whoever has the keys may use them from anywhere",
        "margin mode": str(info.get("marginMode") or "unknown"),
        "position mode": mode,
        "limits": limits,
    }


def _price(row: Row) -> Decimal:
    return amount(row.get("avgPrice") or row.get("entryPrice"))


def _money(value: Decimal) -> Decimal:
    return value.quantize(Decimal("1e-10"))
