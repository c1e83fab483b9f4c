"""From a request to an order: what the account may send is judged, and drafted with its legs. Changes nothing.

Promises that a draft is complete: ids that follow from the account and the order's number, the leg's links, the moment of its end.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from trading_bot.domain.values import ZERO
from trading_bot.sandbox.alpaca import holding, rules
from trading_bot.sandbox.alpaca.assets import Asset, stable_id
from trading_bot.sandbox.alpaca.orders import AlpacaOrder, unprocessable

if TYPE_CHECKING:
    from trading_bot.sandbox.alpaca.venue import AlpacaVenue

_GTC = timedelta(days=90)
_EVENING = timedelta(hours=4)


class Intake:
    """The door of one venue."""

    def __init__(self, venue: "AlpacaVenue") -> None:
        self._venue = venue

    def judge(self, asked: rules.Asked) -> Decimal:
        """Refuse what the account cannot send; return the quantity."""
        holding.check_account(self._venue.account.flags | self._venue.account.configuration)
        if self._venue.knows(asked.client_id):
            raise unprocessable("client_order_id must be unique", 40010001)
        rules.check(asked, self._venue.price(asked.asset.symbol) or None)
        symbol, ask, lot = asked.asset.symbol, self._venue.ask(asked.asset.symbol), asked.asset.instrument.lot_size
        quantity = asked.qty if asked.qty is not None else ((asked.notional or ZERO) / (ask or 1) / lot).to_integral_value(ROUND_DOWN) * lot
        position, working = self._venue.account.quantity(symbol), self._venue.working()
        holding.check_intent(asked, position)
        holding.check_conflict(asked, position, working)
        holding.check_wash(asked, working)
        held = holding.held_for_orders([o for o in working if o.symbol == symbol], position)
        if holding.check_held(asked, quantity, held, position):
            standing = self._venue.standing()
            if asked.sign < 0:
                holding.check_short(asked, self._venue.account.flags | self._venue.account.configuration, standing.multiplier)
            holding.check_power(asked, holding.cost(asked, quantity, ask), standing)
        return quantity

    def drafted(self, asked: rules.Asked, quantity: Decimal) -> AlpacaOrder:
        """The order that a request asks for."""
        number, at = len(self._venue.orders) + 1, self._venue.now()
        identity = stable_id("order", self._venue.setup.seed, self._venue.account.number, number)
        closes = self._venue.account.quantity(asked.asset.symbol) * asked.sign < 0
        return AlpacaOrder(
            id=identity,
            client_order_id=asked.client_id or stable_id("client", identity),
            sequence=number,
            symbol=asked.asset.symbol,
            asset_id=asked.asset.id,
            asset_class=asked.asset.kind,
            side=asked.side,
            type=asked.type,
            order_class=asked.order_class,
            tif=asked.tif,
            qty=quantity,
            notional=asked.notional,
            limit=asked.limit,
            stop=asked.stop,
            trail_price=asked.trail_price,
            trail_percent=asked.trail_percent,
            extended=asked.extended,
            intent=f"{asked.side}_to_{'close' if closes else 'open'}",
            created_at=at,
            updated_at=at,
            expires_at=self.expiry(asked.asset, asked.tif, extended=asked.extended),
        )

    def legs(self, parent: AlpacaOrder, asked: rules.Asked) -> list[AlpacaOrder]:
        """Its legs, held."""
        wanted: list[tuple[str, Decimal | None, Decimal | None]] = []
        if asked.target is not None and asked.order_class != "oco":
            wanted.append(("limit", asked.target, None))
        if asked.guard is not None:
            wanted.append(("stop" if asked.guard_limit is None else "stop_limit", asked.guard_limit, asked.guard))
        side = parent.side if asked.order_class == "oco" else ("sell" if parent.side == "buy" else "buy")
        found = []
        for offset, (kind, limit, stop) in enumerate(wanted, start=1):
            identity = stable_id("order", self._venue.setup.seed, self._venue.account.number, parent.sequence + offset)
            more: dict[str, Any] = {"id": identity, "client_order_id": stable_id("client", identity), "sequence": parent.sequence + offset}
            leg = replace(parent, **more, type=kind, limit=limit, stop=stop, side=side, intent=f"{side}_to_close", parent=parent.id)
            found.append(replace(leg, status="held", trail_price=None, trail_percent=None))
        return found

    def successor(self, old: AlpacaOrder, body: Mapping[str, Any]) -> AlpacaOrder:
        """The order that takes the place of `old`, for what is left of it."""
        client = body.get("client_order_id") or None
        if self._venue.knows(client):
            raise unprocessable("client_order_id must be unique", 40010001)
        names = {
            "qty": "qty",
            "limit_price": "limit",
            "stop_price": "stop",
            "trail": "trail_price" if old.trail_price is not None else "trail_percent",
        }
        changes: dict[str, Any] = {ours: v for theirs, ours in names.items() if (v := rules.number(body, theirs)) is not None}
        asset = self._venue.assets.find(old.symbol)
        rules.check_grid(asset, {"limit_price": changes.get("limit"), "stop_price": changes.get("stop")})
        quantity = changes.pop("qty", old.qty) - old.filled
        if quantity <= 0:
            raise unprocessable("qty must be > filled_qty", 40010001)
        if quantity > old.remaining:
            self._judge_more(old, quantity)
        tif = str(body.get("time_in_force") or old.tif)
        number, at = len(self._venue.orders) + 1, self._venue.now()
        identity = stable_id("order", self._venue.setup.seed, self._venue.account.number, number)
        fresh: dict[str, Any] = {
            "id": identity,
            "client_order_id": client or stable_id("client", identity),
            "sequence": number,
            "replaces": old.id,
        }
        reset: dict[str, Any] = {"filled": ZERO, "value": ZERO, "number": None, "hwm": None, "notional": None, "filled_at": None}
        expiry = self.expiry(asset, tif, extended=old.extended)
        status = "held" if old.status == "held" else "new"
        return replace(
            old, **fresh, **reset, **changes, qty=quantity, tif=tif, created_at=at, updated_at=at, expires_at=expiry, status=status
        )

    def _judge_more(self, old: AlpacaOrder, quantity: Decimal) -> None:
        """Refuse a replacement that sells more than there is."""
        position = self._venue.account.quantity(old.symbol)
        others = [
            o
            for o in self._venue.working()
            if o.symbol == old.symbol and old.id not in {o.id, o.parent} and old.parent not in {o.id, o.parent or ""}
        ]
        if position * old.sign < 0 and quantity > abs(position) - holding.held_for_orders(others, position):
            raise unprocessable("insufficient qty available for order", 40310000)

    def expiry(self, asset: Asset, tif: str, *, extended: bool) -> datetime | None:
        """When an order ends by itself: at the close, or after 90 days; coins' orders never."""
        if asset.crypto or tif not in {"day", "gtc"}:
            return None
        now = self._venue.clock.now()
        if tif == "gtc":
            return now + _GTC
        if self._venue.market.always_open:
            return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        closing = self._venue.market.session(asset.symbol, now)[1]
        if extended and self._venue.market.session(asset.symbol, now - _EVENING)[1] + _EVENING > now:
            closing = self._venue.market.session(asset.symbol, now - _EVENING)[1]
        return closing + (_EVENING if extended else timedelta(0))
