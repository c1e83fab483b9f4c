"""The trading API of the emulated Alpaca: which path does what, over the venue. Pure of HTTP: a request in, status and JSON out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from trading_bot.brokers.units import stamp
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.account import position_json
from trading_bot.sandbox.alpaca.asking import activities_of, listed
from trading_bot.sandbox.alpaca.holding import held_for_orders
from trading_bot.sandbox.alpaca.orders import RefusedError, missing, unprocessable
from trading_bot.sandbox.alpaca.rules import number, whole
from trading_bot.sandbox.alpaca.venue import AlpacaVenue
from trading_bot.sandbox.venue_faults import Rule

_PAGE = 100
_MOST_ORDERS = 500
_CONFIGURATION = {
    "dtbp_check": "entry",
    "trade_confirm_email": "all",
    "suspend_trade": False,
    "no_shorting": False,
    "fractional_trading": True,
    "max_margin_multiplier": "2",
    "max_options_trading_level": 0,
    "pdt_check": "entry",
    "ptp_no_exception_entry": False,
    "disable_overnight_trading": False,
}
_ENDED = ("dtbp_check", "pdt_check")
"""Settings that ended with the pattern-day-trader rule."""


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    faults: tuple[Rule, ...] = ()
    parts: tuple[str, ...] = ()
    """What the path's pattern caught."""


@dataclass(frozen=True)
class Reply:
    """Its answer; `body` None sends none. `then` happens after the answer was made, before it is sent."""

    status: int
    body: Any = None
    then: Callable[[], object] = field(default=lambda: None)


Handler = Callable[[Call], Reply]
Route = tuple[str, str, Handler]


class TradingApi:
    """Account, orders and positions."""

    def __init__(self, venue: AlpacaVenue) -> None:
        self._venue = venue
        self.routes: tuple[Route, ...] = (
            ("GET", r"/v2/account", self._account),
            ("GET", r"/v2/account/configurations", lambda _: Reply(200, self._configuration())),
            ("PATCH", r"/v2/account/configurations", self._configure),
            ("GET", r"/v2/account/portfolio/history", self._history),
            ("GET", r"/v2/account/activities(?:/(\w+))?", self._activities),
            ("POST", r"/v2/orders", self._submit),
            ("GET", r"/v2/orders", self._orders),
            ("DELETE", r"/v2/orders", self._cancel_all),
            ("GET", r"/v2/orders:by_client_order_id", self._by_client),
            ("GET", r"/v2/orders/([^/]+)", self._order),
            ("PATCH", r"/v2/orders/([^/]+)", self._replace),
            ("DELETE", r"/v2/orders/([^/]+)", self._cancel),
            ("GET", r"/v2/positions", lambda _: Reply(200, [self._position(s) for s in sorted(venue.account.held)])),
            ("DELETE", r"/v2/positions", self._close_all),
            ("GET", r"/v2/positions/(.+)", lambda c: Reply(200, self._position(self._held(c.parts[0])))),
            ("DELETE", r"/v2/positions/(.+)", self._close),
        )

    # -- account -----------------------------------------------------------------------------------------------------------

    def _account(self, _: Call) -> Reply:
        return Reply(200, self._venue.account.json(self._venue.standing(), self._venue.setup.cash))

    def _configuration(self) -> dict[str, Any]:
        told = _CONFIGURATION | self._venue.account.configuration
        return {name: value for name, value in told.items() if name not in _ENDED}

    def _configure(self, call: Call) -> Reply:
        unknown = set(call.body) - set(_CONFIGURATION)
        if unknown:
            raise unprocessable(f"unknown fields: {', '.join(sorted(unknown))}", 40010001)
        self._venue.account.configuration |= call.body
        return Reply(200, self._configuration())

    def _history(self, call: Call) -> Reply:
        equity, at = float(self._venue.standing().equity), int(self._venue.now().timestamp())
        base = float(self._venue.setup.cash)
        series = {"timestamp": [at], "equity": [equity], "profit_loss": [equity - base], "profit_loss_pct": [equity / base - 1]}
        return Reply(200, series | {"base_value": base, "timeframe": call.query.get("timeframe", "1D")})

    def _activities(self, call: Call) -> Reply:
        named = call.parts[0] or call.query.get("activity_types", "")
        kinds = {w.strip().upper() for w in named.split(",") if w.strip()}
        found = activities_of(self._venue.account.activities, kinds, call.query)
        return Reply(200, found[: min(whole(call.query, "page_size", _PAGE), _PAGE)])

    # -- orders ------------------------------------------------------------------------------------------------------------

    def _submit(self, call: Call) -> Reply:
        order = self._venue.submit(call.body, call.faults)
        return Reply(200, self._venue.told(order), lambda: self._venue.start(self._venue.orders[order.id], call.faults))

    def _orders(self, call: Call) -> Reply:
        nested = call.query.get("nested", "false").lower() == "true"
        found = listed(self._venue.orders, call.query)
        if nested:
            ids = {o.id for o in found}
            found = [o for o in found if o.parent is None or o.parent not in ids]
        most = min(whole(call.query, "limit", 50), _MOST_ORDERS)
        return Reply(200, [self._venue.told(o, nested=nested) for o in found[:most]])

    def _by_client(self, call: Call) -> Reply:
        return Reply(200, self._venue.told(self._venue.find_client(call.query.get("client_order_id", ""))))

    def _order(self, call: Call) -> Reply:
        nested = call.query.get("nested", "true").lower() == "true"
        return Reply(200, self._venue.told(self._venue.find(call.parts[0]), nested=nested))

    def _replace(self, call: Call) -> Reply:
        return Reply(200, self._venue.told(self._venue.replace(call.parts[0], call.body)))

    def _cancel(self, call: Call) -> Reply:
        self._venue.cancel(call.parts[0], call.faults)
        return Reply(204)

    def _cancel_all(self, call: Call) -> Reply:
        heads = [o for o in self._venue.orders.values() if not o.ended and (o.parent is None or o.number is not None)]
        for order in heads:
            self._venue.cancel(order.id, call.faults)
        return Reply(207, [{"id": o.id, "status": 200} for o in heads])

    # -- positions ---------------------------------------------------------------------------------------------------------

    def _held(self, name: str) -> Symbol:
        try:
            symbol = self._venue.assets.find(name).symbol
        except RefusedError as error:
            raise missing(f"symbol not found: {name}") from error
        if symbol not in self._venue.account.held:
            raise missing("position does not exist")
        return symbol

    def _position(self, symbol: Symbol) -> dict[str, Any]:
        venue, held = self._venue, self._venue.account.held[symbol]
        mine = [o for o in venue.working() if o.symbol == symbol]
        free = abs(held.quantity) - held_for_orders(mine, held.quantity)
        yesterday = venue.market.price(symbol, stamp(venue.clock.now() - timedelta(days=1))) or held.average
        available = free if held.quantity > 0 else -free
        return position_json(venue.assets.find(symbol), held, venue.price(symbol), yesterday, available)

    def _close(self, call: Call) -> Reply:
        symbol = self._held(call.parts[0])
        held = self._venue.account.quantity(symbol)
        percent = number(call.query, "percentage")
        asset = self._venue.assets.find(symbol)
        lot = asset.instrument.lot_size
        quantity = number(call.query, "qty") or (abs(held) * percent / 100 // lot * lot if percent else abs(held))
        body = {
            "symbol": symbol,
            "side": "sell" if held > 0 else "buy",
            "type": "market",
            "time_in_force": "gtc" if asset.crypto else "day",
        }
        return self._submit(Call("POST", "/v2/orders", {}, body | {"qty": str(quantity)}, call.faults))

    def _close_all(self, call: Call) -> Reply:
        if call.query.get("cancel_orders", "false").lower() == "true":
            self._cancel_all(call)
            self._venue.advance()
        told = []
        for symbol in sorted(self._venue.account.held):
            try:
                answer = self._close(Call("DELETE", "", {}, {}, call.faults, (symbol,)))
                answer.then()
                told.append({"symbol": symbol, "status": 200, "body": answer.body})
            except RefusedError as error:
                told.append({"symbol": symbol, "status": error.status, "body": dict(error.body)})
        return Reply(207, told)


def match(routes: tuple[Route, ...], call: Call) -> Reply:
    """Answer a call. 404 if no route is meant, 405 if its method is not."""
    known = False
    for method, pattern, handler in routes:
        found = re.fullmatch(pattern, call.path)
        if found is None:
            continue
        known = True
        if method == call.method:
            return handler(Call(call.method, call.path, call.query, call.body, call.faults, found.groups()))
    raise RefusedError(405 if known else 404, 40410000, "method not allowed" if known else "endpoint not found.")
