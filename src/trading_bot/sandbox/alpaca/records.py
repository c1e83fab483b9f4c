"""What the emulated Alpaca writes down: executions, fees, dividends and splits, each as an activity and as evidence.

Promises that an execution's activity carries, behind `::`, the id that the stream told.
"""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_bot.domain.values import ZERO, Symbol
from trading_bot.sandbox.alpaca.assets import Asset, stable_id
from trading_bot.sandbox.alpaca.orders import AlpacaOrder, iso
from trading_bot.sandbox.exchange.tickets import Executed

if TYPE_CHECKING:
    from trading_bot.sandbox.alpaca.venue import AlpacaVenue

_FRACTION = Decimal("0.000001")


class Records:
    """The records of one venue."""

    def __init__(self, venue: "AlpacaVenue") -> None:
        self._venue = venue

    def fill(self, order: AlpacaOrder, done: Executed, execution: str, at: datetime) -> None:
        """An execution, as activity and as evidence."""
        self._venue.account.record(
            "FILL",
            execution,
            at,
            transaction_time=iso(at),
            type="fill" if order.status == "filled" else "partial_fill",
            price=done.price,
            qty=done.quantity,
            side=order.side,
            symbol=order.symbol,
            leaves_qty=order.remaining,
            order_id=order.id,
            cum_qty=order.filled,
            order_status="filled" if order.status == "filled" else "partially_filled",
        )
        ids = {"venue_id": order.id, "client_id": order.client_order_id, "execution_id": execution}
        true = self._venue.clock.now()
        self._venue.evidence.note(
            "fill", true, **ids, symbol=order.symbol, side=order.side, quantity=done.quantity, price=done.price, fee=ZERO
        )
        self._venue.evidence.note("position", true, symbol=order.symbol, quantity=self._venue.account.quantity(order.symbol))

    def charge(self, asset: Asset, money: Decimal, coins: Decimal, done: Executed, at: datetime) -> None:
        """Tell of a coin's fee, in what was credited."""
        if money or coins:
            text_of = "Coin Pair Transaction Fee" + (" (Non USD)" if coins else "")
            self._venue.account.note("CFEE", at, -money, symbol=asset.held_as, qty=-coins, price=done.price, description=text_of)
            self._venue.evidence.note("cash", self._venue.clock.now(), reason="CFEE", amount=-money, symbol=asset.symbol, coins=-coins)

    def split(self, symbol: Symbol, ratio: Decimal) -> None:
        """Split what is held; resting orders stay as they are, which is what surprises people."""
        before, after = self._venue.account.split(symbol, ratio, _FRACTION)
        if before:
            group, at = stable_id("split", symbol, self._venue.now()), self._venue.now()
            for quantity in (-before, after):
                self._venue.account.note(
                    "SPLIT",
                    at,
                    ZERO,
                    symbol=self._venue.assets.find(symbol).held_as,
                    qty=quantity,
                    group_id=group,
                    description=f"split {ratio}:1",
                )
            self._venue.evidence.note("position", self._venue.clock.now(), symbol=symbol, quantity=after, why="split")

    def dividend(self, symbol: Symbol, per_share: Decimal) -> None:
        """Pay a long, charge a short."""
        held = self._venue.account.quantity(symbol)
        amount = round(held * per_share, 2)
        self._venue.account.pay(amount)
        self._venue.account.note("DIV", self._venue.now(), amount, symbol=symbol, qty=held, per_share_amount=per_share)
        self._venue.evidence.note("cash", self._venue.clock.now(), reason="DIV", amount=amount, symbol=symbol)
