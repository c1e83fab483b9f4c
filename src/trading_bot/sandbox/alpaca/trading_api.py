"""The trading API of the emulated Alpaca: which path does what, over the venue. Pure of HTTP: a request in, status and JSON out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from trading_bot.brokers.units import stamp
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.alpaca.account import position_json
from trading_bot.sandbox.alpaca.holding import held_for_orders
from trading_bot.sandbox.alpaca.orders import NOT_OPEN, AlpacaOrder, RefusedError, missing, unprocessable
from trading_bot.sandbox.alpaca.rules import number
from trading_bot.sandbox.alpaca.venue import AlpacaVenue
from trading_bot.sandbox.venue_faults import Rule

_NEW_YORK = ZoneInfo("America/New_York")
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
    """All of `/v2` but market data."""

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
            ("GET", r"/v2/assets", self._assets),
            ("GET", r"/v2/assets/(.+)", lambda c: Reply(200, venue.assets.find(c.parts[0]).json())),
            ("GET", r"/v2/clock", lambda _: Reply(200, self._clock())),
            ("GET", r"/v2/calendar", self._calendar),
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
        wanted = {w.strip().upper() for w in (call.parts[0] or call.query.get("activity_types", "")).split(",") if w.strip()}
        rises = call.query.get("direction", "desc") == "asc"
        found = [a for a in self._venue.account.activities if (not wanted or a["activity_type"] in wanted) and _within(a, call.query)]
        found.sort(key=lambda a: str(a["id"]), reverse=not rises)
        token = call.query.get("page_token")
        if token:
            found = [a for a in found if (a["id"] > token) == rises and a["id"] != token]
        return Reply(200, found[: min(int(call.query.get("page_size", _PAGE)), _PAGE)])

    # -- orders ------------------------------------------------------------------------------------------------------------

    def _submit(self, call: Call) -> Reply:
        order = self._venue.submit(call.body, call.faults)
        return Reply(200, self._venue.told(order), lambda: self._venue.start(self._venue.orders[order.id], call.faults))

    def _orders(self, call: Call) -> Reply:
        asked, status = call.query, call.query.get("status", "open")
        nested = asked.get("nested", "false").lower() == "true"
        found = [o for o in self._venue.orders.values() if _listed(o, status) and _matches(o, asked)]
        if nested:
            ids = {o.id for o in found}
            found = [o for o in found if o.parent is None or o.parent not in ids]
        found.sort(key=lambda o: (o.created_at, o.sequence), reverse=asked.get("direction", "desc") != "asc")
        return Reply(200, [self._venue.told(o, nested=nested) for o in found[: min(int(asked.get("limit", 50)), _MOST_ORDERS)]])

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
        quantity = number(call.query, "qty") or (abs(held) * percent / 100 if percent else abs(held))
        asset = self._venue.assets.find(symbol)
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

    # -- reference ---------------------------------------------------------------------------------------------------------

    def _assets(self, call: Call) -> Reply:
        wanted = {"status": call.query.get("status"), "class": call.query.get("asset_class")}
        told = [asset.json() for asset in self._venue.assets.by_symbol.values()]
        return Reply(200, [a for a in told if all(v in {None, a[k]} for k, v in wanted.items())])

    def _clock(self) -> dict[str, Any]:
        venue, now = self._venue, self._venue.clock.now()
        opening, closing = _session(now)
        closed = venue.script.active("session_closed", now)
        is_open = (opening <= now or venue.market.always_open) and closed is None
        following = _session(closing)[0] if opening <= now else opening
        return {
            "timestamp": venue.now().astimezone(_NEW_YORK).isoformat(),
            "is_open": is_open,
            "next_open": following.astimezone(_NEW_YORK).isoformat(),
            "next_close": closing.astimezone(_NEW_YORK).isoformat(),
        }

    def _calendar(self, call: Call) -> Reply:
        today = self._venue.clock.now().date()
        first = _day(call.query.get("start"), today - timedelta(days=365))
        last = _day(call.query.get("end"), today + timedelta(days=365))
        calendar = open_calendar("XNYS")
        return Reply(200, [_calendar_day(day, *calendar.hours(day)) for day in calendar.sessions(first, last)])


def _calendar_day(day: date, opening: datetime, closing: datetime) -> dict[str, str]:
    open_at, close_at = (f"{t.astimezone(_NEW_YORK):%H:%M}" for t in (opening, closing))
    more = {"session_open": "0400", "session_close": "2000", "settlement_date": (day + timedelta(days=1)).isoformat()}
    return {"date": day.isoformat(), "open": open_at, "close": close_at, **more}


def _session(at: datetime) -> tuple[datetime, datetime]:
    """Hours of the session that is open at `at`, or of the next."""
    calendar = open_calendar("XNYS")
    day = calendar.previous_session(at.date() + timedelta(days=1))
    while calendar.hours(day)[1] <= at:
        day = calendar.next_session(day)
    return calendar.hours(day)


def _day(told: str | None, default: date) -> date:
    return date.fromisoformat(told[:10]) if told else default


def _listed(order: AlpacaOrder, status: str) -> bool:
    is_open = order.status not in NOT_OPEN
    return status == "all" or is_open == (status == "open")


def _matches(order: AlpacaOrder, asked: Mapping[str, str]) -> bool:
    symbols = {s.strip() for s in asked.get("symbols", "").split(",") if s.strip()}
    spelled = {order.symbol, order.symbol.replace("/", "")}
    sides = asked.get("side") or order.side
    at, after, until = order.created_at, _time(asked.get("after")), _time(asked.get("until"))
    in_time = (after is None or at > after) and (until is None or at < until)
    return (not symbols or bool(symbols & spelled)) and sides == order.side and in_time


def _within(activity: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    """Whether an activity lies in the days or times that were asked for."""
    at = _time(activity.get("transaction_time") or activity.get("created_at"))
    after, until, day = _time(asked.get("after")), _time(asked.get("until")), asked.get("date")
    if at is None:
        return True
    in_day = day is None or at.date().isoformat() == day[:10]
    return in_day and (after is None or at > after) and (until is None or at < until)


def _time(told: str | None) -> datetime | None:
    if not told:
        return None
    try:
        found = datetime.fromisoformat(told.replace(" ", "+"))
    except ValueError as error:
        raise unprocessable(f"invalid time {told}", 40010001) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


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
