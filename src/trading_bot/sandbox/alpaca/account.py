"""An emulated Alpaca account: cash, positions, activities, and the margin rules that its buying power follows.

Half of a stock's value is needed to open it (Regulation T), 30 % to keep it, coins are paid in full. Promises that cash and positions
change by what `fill`, `pay` and `split` do alone, each with its activity.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Any

from trading_bot.domain.values import ZERO, Symbol, amount_text
from trading_bot.sandbox.alpaca.assets import Asset, stable_id
from trading_bot.sandbox.alpaca.orders import AlpacaOrder, iso, text

TAKER, MAKER = Decimal("0.0025"), Decimal("0.0015")
_INITIAL, _MAINTENANCE = Decimal("0.5"), Decimal("0.3")
_MARGIN_FROM = Decimal(2000)
"""Equity from which an account has margin."""


@dataclass(frozen=True)
class Held:
    """A position; `quantity` and `cost` are signed."""

    quantity: Decimal
    cost: Decimal

    @property
    def average(self) -> Decimal:
        """Mean entry price."""
        return self.cost / self.quantity

    def after(self, signed: Decimal, price: Decimal) -> "Held":
        """The position after one more trade."""
        total = self.quantity + signed
        if self.quantity * signed >= 0:
            return Held(total, self.cost + signed * price)
        if total * self.quantity >= 0:
            return Held(total, self.cost * total / self.quantity)
        return Held(total, total * price)


@dataclass(frozen=True)
class Standing:
    """How the account stands at the newest prices."""

    cash: Decimal
    longs: Decimal
    shorts: Decimal
    """Below 0."""
    coins: Decimal
    reserved: Decimal
    """What open orders would need, at their full value."""
    reserved_coins: Decimal
    multiplier: int

    @property
    def equity(self) -> Decimal:
        """Cash and positions."""
        return self.cash + self.longs + self.shorts + self.coins

    @property
    def initial(self) -> Decimal:
        """What positions and open orders need."""
        share = _INITIAL if self.multiplier > 1 else Decimal(1)
        return share * (self.longs - self.shorts + self.reserved) + self.coins + self.reserved_coins

    @property
    def maintenance(self) -> Decimal:
        """What has to be kept."""
        return _MAINTENANCE * (self.longs - self.shorts) + self.coins

    @property
    def coin_power(self) -> Decimal:
        """What can be spent on what has no margin."""
        return max(self.equity - self.initial, ZERO)

    @property
    def power(self) -> Decimal:
        """Buying power for stocks."""
        return self.coin_power * self.multiplier


@dataclass
class AlpacaAccount:
    """The account. `flags`: account_blocked, trading_blocked, shorting_enabled, trade_suspended_by_user and the like."""

    number: str
    cash: Decimal
    created_at: datetime
    most_multiplier: int = 2
    flags: dict[str, Any] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    held: dict[Symbol, Held] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its UUID."""
        return stable_id("account", self.number)

    def quantity(self, symbol: Symbol) -> Decimal:
        """Signed quantity held."""
        return self.held[symbol].quantity if symbol in self.held else ZERO

    # -- what happens ------------------------------------------------------------------------------------------------------

    def fill(self, order: AlpacaOrder, asset: Asset, quantity: Decimal, price: Decimal, *, maker: bool) -> tuple[Decimal, Decimal]:
        """Book a trade; return the fee in money and in coins. `order` is as it is afterwards; coins are charged in what is credited."""
        rate = ZERO if not asset.crypto else MAKER if maker else TAKER
        coins = (quantity * rate).quantize(asset.instrument.lot_size, ROUND_UP) if order.side == "buy" else ZERO
        money = (quantity * price * rate).quantize(Decimal("0.01"), ROUND_UP) if order.side == "sell" else ZERO
        self.cash -= order.sign * quantity * price + money
        self._hold(order.symbol, order.sign * quantity, price)
        if coins:
            before = self.held[order.symbol]
            self._put(order.symbol, Held(before.quantity - coins, before.cost))
        return money, coins

    def pay(self, amount: Decimal) -> None:
        """Move cash."""
        self.cash += amount

    def set_position(self, symbol: Symbol, quantity: Decimal, price: Decimal) -> None:
        """Change a position by hand; its cash goes along, without a trace."""
        signed = quantity - self.quantity(symbol)
        self.cash -= signed * price
        self._hold(symbol, signed, price)

    def split(self, symbol: Symbol, ratio: Decimal, lot: Decimal) -> tuple[Decimal, Decimal]:
        """Split a position; return what was held and what is."""
        before = self.held.get(symbol)
        if before is None:
            return ZERO, ZERO
        after = (before.quantity * ratio / lot).to_integral_value() * lot
        self._put(symbol, replace(before, quantity=after))
        return before.quantity, after

    def _hold(self, symbol: Symbol, signed: Decimal, price: Decimal) -> None:
        self._put(symbol, self.held.get(symbol, Held(ZERO, ZERO)).after(signed, price))

    def _put(self, symbol: Symbol, held: Held) -> None:
        if held.quantity:
            self.held[symbol] = held
        else:
            self.held.pop(symbol, None)

    def record(self, kind: str, identity: str, at: datetime, **fields: object) -> dict[str, Any]:
        """Add an activity. Its id is the time and, behind `::`, `identity`."""
        stamp = f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"
        told = {"id": f"{stamp}::{identity}", "activity_type": kind}
        told |= {k: amount_text(v) if isinstance(v, Decimal) else v for k, v in fields.items()}  # type: ignore[misc]  # JSON values
        self.activities.append(told)
        return told

    def note(self, kind: str, at: datetime, net: Decimal, **fields: object) -> dict[str, Any]:
        """Add an activity that is no trade."""
        identity = stable_id(kind, at, len(self.activities))
        more = {"date": f"{at:%Y-%m-%d}", "net_amount": net, "status": "executed", "created_at": iso(at)}
        return self.record(kind, identity, at, **more, **fields)

    # -- how it stands -----------------------------------------------------------------------------------------------------

    def standing(
        self, asset: Callable[[Symbol], Asset], price: Callable[[Symbol], Decimal], orders: list[tuple[Asset, Decimal]]
    ) -> Standing:
        """`orders`: what each open order would spend."""
        longs = shorts = coins = ZERO
        for symbol, held in self.held.items():
            value = held.quantity * price(symbol)
            if asset(symbol).crypto:
                coins += value
            elif value > 0:
                longs += value
            else:
                shorts += value
        reserved = sum((v for a, v in orders if not a.crypto), ZERO)
        reserved_coins = sum((v for a, v in orders if a.crypto), ZERO)
        equity = self.cash + longs + shorts + coins
        multiplier = self.most_multiplier if equity >= _MARGIN_FROM else 1
        return Standing(self.cash, longs, shorts, coins, reserved, reserved_coins, multiplier)

    def json(self, s: Standing, last_equity: Decimal) -> dict[str, Any]:
        """As the API tells it, without the fields that ended with the pattern-day-trader rule."""
        amounts = {
            "cash": s.cash,
            "equity": s.equity,
            "last_equity": last_equity,
            "portfolio_value": s.equity,
            "long_market_value": s.longs + s.coins,
            "short_market_value": s.shorts,
            "position_market_value": s.longs + s.coins - s.shorts,
            "initial_margin": s.initial,
            "maintenance_margin": s.maintenance,
            "last_maintenance_margin": s.maintenance,
            "buying_power": s.power,
            "regt_buying_power": s.power,
            "non_marginable_buying_power": s.coin_power,
            "options_buying_power": s.coin_power,
            "sma": ZERO,
            "accrued_fees": ZERO,
            "pending_transfer_in": ZERO,
            "pending_transfer_out": ZERO,
            "pending_reg_taf_fees": ZERO,
            "intraday_adjustments": ZERO,
        }
        flags = {"account_blocked": False, "trading_blocked": False, "transfers_blocked": False, "trade_suspended_by_user": False}
        return {
            "id": self.id,
            "account_number": self.number,
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "created_at": iso(self.created_at),
            "multiplier": str(s.multiplier),
            "shorting_enabled": s.multiplier > 1,
            "options_approved_level": 0,
            "options_trading_level": 0,
            "balance_asof": f"{self.created_at:%Y-%m-%d}",
            **flags,
            **{name: text(round(value, 2)) for name, value in amounts.items()},
            **self.flags,
        }


def position_json(asset: Asset, held: Held, price: Decimal, last: Decimal, available: Decimal) -> dict[str, Any]:
    """A position as the API tells it."""
    value, cost = held.quantity * price, held.cost
    gain, today = value - cost, held.quantity * (price - last)
    ratios = {
        "unrealized_plpc": gain / abs(cost) if cost else ZERO,
        "unrealized_intraday_plpc": today / abs(last * held.quantity) if last else ZERO,
        "change_today": (price - last) / last if last else ZERO,
    }
    amounts = {
        "qty": held.quantity,
        "qty_available": available,
        "avg_entry_price": held.average,
        "market_value": value,
        "cost_basis": cost,
        "unrealized_pl": gain,
        "unrealized_intraday_pl": today,
        "current_price": price,
        "lastday_price": last,
    }
    return {
        "asset_id": asset.id,
        "symbol": asset.held_as,
        "exchange": "" if asset.crypto else asset.exchange,
        "asset_class": asset.kind,
        "asset_marginable": not asset.crypto,
        "side": "long" if held.quantity > 0 else "short",
        **{name: text(round(v, 9)) for name, v in (amounts | ratios).items()},
    }
