"""What a hand or a fault does to the emulated Alpaca by itself: halts, splits, orders and positions of somebody else.

Promises that each deed is noted as evidence. Refuses a deed that it does not know (ValueError with the known ones).
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from trading_bot.brokers.units import SECOND
from trading_bot.domain.errors import DeskError
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.orders import RefusedError
from trading_bot.sandbox.alpaca.venue import AlpacaVenue
from trading_bot.sandbox.venue_faults import Rule

Deed = Callable[[Mapping[str, Any]], object]


class Deeds:
    """Every deed by its name; `streams_drop` and `vanish` belong to the server."""

    def __init__(self, venue: AlpacaVenue, streams_drop: Callable[[], None], vanish: Callable[[float], None]) -> None:
        self._venue = venue
        self._table: Mapping[str, Deed] = {
            "quote": self._quote,
            "let_go": lambda d: venue.market.let_go(_symbol(d), venue.clock.nanos()),
            "halt": self._halt,
            "resume": lambda d: venue.market.resume(_symbol(d)),
            "split": self._split,
            "position_by_hand": self._position,
            "order_by_hand": self._order,
            "liquidation": self._liquidate,
            "session_closed": self._close_session,
            "drop_stream": lambda _: streams_drop(),
            "unreachable": lambda d: vanish(float(d.get("seconds", 5))),
            "advance": lambda d: venue.clock.hand(timedelta(seconds=float(d.get("seconds", 0)))),
            "mute": lambda d: venue.script.add({"fault": "mute_stream", "seconds": str(d.get("seconds", 5))}),
            "fault": venue.script.told,
            "asset": lambda d: venue.assets.change(_symbol(d), **{k: v for k, v in d.items() if k not in {"do", "symbol"}}),
            "account": lambda d: venue.account.flags.update({k: v for k, v in d.items() if k != "do"}),
            "fill": self._fill,
            "cash": self._cash,
        }

    def do(self, name: str, told: Mapping[str, Any]) -> None:
        """Do it, and let happen what follows from it."""
        deed = self._table.get(name)
        if deed is None:
            known = ", ".join(self._table)
            msg = f"{name!r} is not known; known are {known}"
            raise ValueError(msg)
        self._venue.advance()
        deed(told)
        self._venue.evidence.note("action", self._venue.clock.now(), do=name, **{k: v for k, v in told.items() if k != "do"})
        self._venue.advance()

    def strike(self, rule: Rule) -> None:
        """Do what a fault rule says, if it is a deed; what the venue does not let happen is written down."""
        if rule.fault not in self._table:
            return
        told = rule.model_dump(exclude_none=True)
        try:
            self.do(rule.fault, {k: str(v) if isinstance(v, Decimal) else v for k, v in told.items()})
        except (RefusedError, DeskError, ValueError, ArithmeticError) as error:
            self._venue.evidence.note("action", self._venue.clock.now(), do=rule.fault, symbol=rule.symbol, refused=str(error))

    def _quote(self, told: Mapping[str, Any]) -> None:
        bid = Decimal(str(told["bid"]))
        self._venue.market.set_quote(_symbol(told), bid, Decimal(str(told.get("ask", bid))), self._venue.exchange.clock)
        self._venue.exchange.requote(_symbol(told))

    def _halt(self, told: Mapping[str, Any]) -> None:
        seconds = told.get("seconds")
        until = () if seconds is None else (self._venue.clock.nanos() + int(float(seconds) * SECOND),)
        self._venue.market.halt(_symbol(told), *until)

    def _split(self, told: Mapping[str, Any]) -> None:
        symbol, ratio = _symbol(told), Decimal(str(told["ratio"]))
        self._venue.market.split(symbol, Fraction(ratio), self._venue.clock.nanos())
        self._venue.records.split(symbol, ratio)

    def _position(self, told: Mapping[str, Any]) -> None:
        symbol = _symbol(told)
        self._venue.account.set_position(symbol, Decimal(str(told["quantity"])), self._venue.price(symbol))
        self._venue.evidence.note("position", self._venue.clock.now(), symbol=symbol, quantity=told["quantity"], why="by hand")

    def _order(self, told: Mapping[str, Any]) -> None:
        symbol, limit = _symbol(told), told.get("limit")
        asset = self._venue.assets.find(symbol)
        body = {
            "symbol": symbol,
            "side": str(told["side"]),
            "qty": str(told["quantity"]),
            "time_in_force": "gtc" if asset.crypto else "day",
        }
        body |= {"type": "market"} if limit is None else {"type": "limit", "limit_price": str(limit)}
        body["client_order_id"] = f"by-hand-{len(self._venue.by_hand) + 1}"
        self._venue.by_hand.add(body["client_order_id"])
        self._venue.start(self._venue.submit(body))

    def _liquidate(self, told: Mapping[str, Any]) -> None:
        symbol = _symbol(told)
        for order in [o for o in self._venue.working() if o.symbol == symbol]:
            self._venue.cancel(order.id)
        self._venue.advance()
        held = self._venue.account.quantity(symbol)
        if held:
            self._order({"symbol": symbol, "side": "sell" if held > 0 else "buy", "quantity": abs(held)})

    def _close_session(self, told: Mapping[str, Any]) -> None:
        for symbol in self._venue.market.symbols:
            if not self._venue.assets.find(symbol).crypto:
                self._halt({"symbol": symbol, "seconds": told.get("seconds", 5)})

    def _fill(self, told: Mapping[str, Any]) -> None:
        order = self._venue.find_client(str(told["client_id"]))
        price = told.get("price")
        if order.number is not None:
            quantity = Decimal(str(told.get("quantity", order.remaining)))
            self._venue.exchange.execute(order.number, quantity, self._venue.clock.nanos(), None if price is None else Decimal(str(price)))

    def _cash(self, told: Mapping[str, Any]) -> None:
        amount = Decimal(str(told["amount"]))
        self._venue.account.pay(amount)
        self._venue.account.note(str(told.get("reason", "CSD" if amount > 0 else "CSW")), self._venue.now(), amount)


def _symbol(told: Mapping[str, Any]) -> Symbol:
    return Symbol(str(told["symbol"]))
