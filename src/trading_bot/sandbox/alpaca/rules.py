"""What the emulated Alpaca refuses at the door, as tables: each row a condition and the answer in Alpaca's words.

Promises that a request which passes is complete and on the grid. Knows nothing of what else is open: that is `holding`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from trading_bot.domain.values import ZERO, amount_text
from trading_bot.sandbox.alpaca.assets import Asset, Assets, on_grid
from trading_bot.sandbox.alpaca.orders import RefusedError, forbidden, unprocessable

_MALFORMED = 40010001
_TYPES = {"market", "limit", "stop", "stop_limit", "trailing_stop"}
_CLASSES = {"", "simple", "bracket", "oco", "oto"}
_TIFS = {"day", "gtc", "ioc", "fok"}
_LONGEST_ID = 128
_DIGITS = 10
_FINEST, _LARGEST = -18, 12
"""Places behind and before the point that an amount may have."""
_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request for an order."""

    asset: Asset
    side: str
    type: str
    tif: str
    order_class: str
    client_id: str | None
    qty: Decimal | None
    notional: Decimal | None
    limit: Decimal | None
    stop: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended: bool
    target: Decimal | None
    """Limit of the take-profit leg."""
    guard: Decimal | None
    """Stop of the stop-loss leg."""
    guard_limit: Decimal | None
    intent: str | None = None
    """`buy_to_close` and the like, where it is told."""

    @property
    def sign(self) -> int:
        """+1 buys."""
        return 1 if self.side == "buy" else -1

    @property
    def simple(self) -> bool:
        """Whether it comes alone."""
        return self.order_class in {"", "simple"}

    @property
    def fractional(self) -> bool:
        """Whether it is for parts of a share."""
        return self.notional is not None or (self.qty is not None and self.qty % 1 != 0)


def number(body: Mapping[str, Any], name: str) -> Decimal | None:
    """An amount of a request, given as text or as a number."""
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or (found and not _FINEST <= found.adjusted() <= _LARGEST) or int(found.as_tuple().exponent) < _FINEST:
        raise unprocessable(f"request body format is invalid: {name}", _MALFORMED)
    return found


def whole(query: Mapping[str, str], name: str, default: int, code: int | None = _MALFORMED) -> int:
    """A count of a request. 422 for what is none, or 400 without a code, as market data says it."""
    told = query.get(name) or str(default)
    if not (told.isascii() and told.isdigit() and len(told) < _DIGITS):
        raise RefusedError(400 if code is None else 422, code, f"invalid {name}: {told[:20]}")
    return int(told)


def read(body: Mapping[str, Any], assets: Assets) -> Asked:
    """Read a request; 422 if a word in it means nothing."""
    symbol, side = body.get("symbol"), body.get("side")
    kind, tif, order_class = body.get("type"), body.get("time_in_force") or "day", body.get("order_class") or ""
    words = {
        "side": (side, {"buy", "sell"}),
        "order type": (kind, _TYPES),
        "time_in_force": (tif, _TIFS),
        "order_class": (order_class, _CLASSES),
    }
    for name, (word, known) in words.items():
        if word not in known:
            raise unprocessable(f"invalid {name}" if word else f"{name} is required", _MALFORMED)
    try:
        asset = assets.find(str(symbol))
    except RefusedError as error:
        raise unprocessable(f'asset "{symbol}" not found') from error
    profit, loss = body.get("take_profit") or {}, body.get("stop_loss") or {}
    target = number(profit, "limit_price")
    limit = number(body, "limit_price")
    return Asked(
        asset=asset,
        side=str(side),
        type=str(kind),
        tif=str(tif),
        order_class=str(order_class),
        client_id=body.get("client_order_id") or None,
        qty=number(body, "qty"),
        notional=number(body, "notional"),
        limit=target if order_class == "oco" and limit is None else limit,
        stop=number(body, "stop_price"),
        trail_price=number(body, "trail_price"),
        trail_percent=number(body, "trail_percent"),
        extended=bool(body.get("extended_hours")),
        target=target,
        guard=number(loss, "stop_price"),
        guard_limit=number(loss, "limit_price"),
        intent=body.get("position_intent") or None,
    )


_Row = tuple[Callable[[Asked], object], str]
_MALFORMATIONS: tuple[_Row, ...] = (
    (lambda a: a.qty is None and a.notional is None, "qty or notional is required"),
    (lambda a: a.qty is not None and a.notional is not None, "only one of qty or notional is accepted"),
    (lambda a: a.qty is not None and a.qty <= 0, "qty must be > 0"),
    (lambda a: a.notional is not None and a.notional <= 0, "notional must be > 0"),
    (lambda a: a.client_id is not None and len(a.client_id) > _LONGEST_ID, "client_order_id must be no more than 128 characters"),
    (lambda a: a.type in {"limit", "stop_limit"} and a.limit is None, "limit orders require a limit price"),
    (lambda a: a.type in {"stop", "stop_limit"} and a.stop is None, "stop orders require a stop price"),
    (lambda a: a.type in {"market", "stop", "trailing_stop"} and a.limit is not None, "only limit orders accept a limit price"),
    (
        lambda a: a.type == "trailing_stop" and (a.trail_price is None) == (a.trail_percent is None),
        "trailing stop orders must specify one of trail_price or trail_percent",
    ),
    (lambda a: any(p is not None and p <= 0 for p in prices(a)), "prices must be > 0"),
)
_STOCK: tuple[_Row, ...] = (
    (lambda a: a.extended and (a.type != "limit" or a.tif != "day"), "extended hours order must be DAY limit orders"),
    (lambda a: a.extended and not a.simple, "extended hours orders must be simple orders"),
    (lambda a: a.fractional and a.tif != "day", "fractional orders must be DAY orders"),
    (lambda a: a.fractional and not a.simple, "fractional orders must be simple orders"),
    (lambda a: a.fractional and a.type == "trailing_stop", "fractional orders cannot be trailing stops"),
    (lambda a: not a.simple and a.tif not in {"day", "gtc"}, "complex orders must be DAY or GTC orders"),
)
_COIN: tuple[_Row, ...] = (
    (lambda a: a.tif not in {"gtc", "ioc"}, "invalid crypto time_in_force"),
    (lambda a: not a.simple, "crypto orders not allowed for advanced order_class: otoco"),
    (lambda a: a.type not in {"market", "limit", "stop_limit"}, "invalid order type for crypto order"),
    (lambda a: a.extended, "extended hours is not allowed for crypto orders"),
)
_COMPLEX: tuple[_Row, ...] = (
    (lambda a: a.order_class == "bracket" and a.target is None, "bracket orders require take_profit.limit_price"),
    (lambda a: a.order_class == "bracket" and a.guard is None, "bracket orders require stop_loss.stop_price"),
    (lambda a: a.order_class == "oto" and (a.target is None) == (a.guard is None), "oto orders require one of take_profit or stop_loss"),
    (
        lambda a: a.order_class == "oco" and (a.target is None or a.guard is None),
        "oco orders require take_profit.limit_price and stop_loss.stop_price",
    ),
    (lambda a: a.order_class == "oco" and a.type != "limit", "oco orders must be limit orders"),
    (lambda a: a.simple and (a.target is not None or a.guard is not None), "simple orders take no legs"),
)


def prices(asked: Asked) -> tuple[Decimal | None, ...]:
    """Every price of a request."""
    return asked.limit, asked.stop, asked.target, asked.guard, asked.guard_limit, asked.trail_price, asked.trail_percent


def check(asked: Asked, price: Decimal | None) -> None:
    """Refuse what no account could send. `price`: the newest."""
    tables = ((_MALFORMATIONS, _MALFORMED), (_COIN if asked.asset.crypto else _STOCK, 42210000), (_COMPLEX, 42210000))
    for rows, code in tables:
        for meets, message in rows:
            if meets(asked):
                raise unprocessable(message, code)
    check_asset(asked)
    check_grid(
        asked.asset,
        {
            "limit_price": asked.limit,
            "stop_price": asked.stop,
            "take_profit.limit_price": asked.target,
            "stop_loss.stop_price": asked.guard,
        },
    )
    if price is not None:
        _check_worth(asked, price)
        _check_legs(asked, price)


def check_asset(asked: Asked) -> None:
    """Refuse what may not be traded, or not in parts."""
    asset = asked.asset
    if asset.status != "active":
        raise unprocessable(f"asset {asset.symbol} is not active")
    if not asset.tradable:
        raise unprocessable(f"asset {asset.symbol} is not tradable")
    if asked.fractional and not asset.fractionable and not asset.crypto:
        raise forbidden(f'asset "{asset.symbol}" is not fractionable')
    if asked.qty is not None and not on_grid(asked.qty, asset.instrument.lot_size):
        raise unprocessable(f"qty {amount_text(asked.qty)} is finer than {amount_text(asset.instrument.lot_size)}")


def check_grid(asset: Asset, told: Mapping[str, Decimal | None]) -> None:
    """Refuse prices off the tick."""
    for name, price in told.items():
        if price is not None and not on_grid(price, asset.instrument.tick_size):
            raise unprocessable(f"invalid {name} {amount_text(price)}. sub-penny increment does not fulfill minimum pricing criteria")


def _check_worth(asked: Asked, price: Decimal) -> None:
    worth = asked.notional or (asked.qty or ZERO) * (asked.limit or price)
    least = asked.asset.instrument.minimum_notional
    if (asked.fractional or asked.asset.crypto) and worth < least:
        raise forbidden(f"cost basis must be >= minimal amount of order {amount_text(least)}")


def _check_legs(asked: Asked, price: Decimal) -> None:
    """Legs have to lie on their sides of the entry: a stop that the price has passed already is refused."""
    if asked.simple:
        return
    entry = asked.order_class != "oco"
    base, sign = (asked.limit or asked.stop or price) if entry else price, asked.sign if entry else -asked.sign
    buys = sign > 0
    if asked.guard is not None and sign * (base - asked.guard) < _CENT:
        raise unprocessable(f"stop_loss.stop_price must be {'<= base_price - 0.01' if buys else '>= base_price + 0.01'}")
    if entry and asked.target is not None and sign * (asked.target - base) < _CENT:
        raise unprocessable(f"take_profit.limit_price must be {'>= base_price + 0.01' if buys else '<= base_price - 0.01'}")
