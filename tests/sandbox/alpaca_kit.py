"""An emulated Alpaca for tests: two stocks and a coin, a clock that stands until it is moved, and the vendor's own client."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.models import Order
from alpaca.trading.requests import GetOrderByIdRequest, MarketOrderRequest

from trading_bot.market.calendar import open_calendar
from trading_bot.sandbox.alpaca.emulator import AlpacaEmulator
from trading_bot.sandbox.alpaca.making import invented_market
from trading_bot.sandbox.alpaca.setup import Setup
from trading_bot.sandbox.exchange.clock import EmulatedClock
from trading_bot.sandbox.venue_faults import Rule

SYMBOLS = ("AAPL", "MSFT", "BTC/USD")
TUESDAY = datetime(2024, 3, 5, 15, 0, tzinfo=UTC)
"""An hour and a half before noon in New York, in the session."""


class Bench:
    """An emulator with its clock and the SDK's client."""

    def __init__(self, emulator: AlpacaEmulator, clock: EmulatedClock) -> None:
        self.emulator, self.clock = emulator, clock
        self.client = TradingClient("key", "secret", paper=True, url_override=emulator.url)
        self.plain = requests.Session()
        self.plain.headers.update({"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"})

    def price(self, bid: float, symbol: str = "AAPL", spread: float = 0.02) -> None:
        """Hold a quote."""
        self.emulator.do("quote", symbol=symbol, bid=str(bid), ask=str(round(bid + spread, 2)))

    def wait(self, **span: float) -> None:
        """Let emulated time pass."""
        self.clock.hand(timedelta(**span))
        self.emulator.advance()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> requests.Response:
        """A plain request, as any client may make it."""
        return self.plain.request(method, f"{self.emulator.url}{path}", json=body, params=query, timeout=5)

    def post(self, **body: object) -> requests.Response:
        """A plain order: 10 AAPL at the market, unless `body` says otherwise."""
        plain = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        told = {k: v for k, v in (plain | body).items() if v is not None}
        return self.call("POST", "/v2/orders", told)

    def buy(self, quantity: float = 10, symbol: str = "AAPL") -> Order:
        """Buy at the market through the SDK."""
        tif = TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
        order = self.client.submit_order(MarketOrderRequest(symbol=symbol, qty=quantity, side=OrderSide.BUY, time_in_force=tif))
        assert isinstance(order, Order)
        return self.order(str(order.id))

    def held(self, symbol: str) -> dict[str, Any]:
        """A position as JSON."""
        found: dict[str, Any] = self.call("GET", f"/v2/positions/{symbol}").json()
        return found

    def account(self) -> dict[str, Any]:
        """The account as JSON."""
        found: dict[str, Any] = self.call("GET", "/v2/account").json()
        return found

    def order(self, identity: str) -> Order:
        """An order as it is now, its legs nested."""
        found = self.client.get_order_by_id(identity, GetOrderByIdRequest(nested=True))
        assert isinstance(found, Order)
        return found

    def status(self, client_id: str) -> str:
        """State of an order."""
        return str(self.call("GET", "/v2/orders:by_client_order_id", client_order_id=client_id).json()["status"])


@contextmanager
def bench(
    faults: Sequence[dict[str, Any]] = (),
    at: datetime = TUESDAY,
    clock: EmulatedClock | None = None,
    **setup: Any,  # noqa: ANN401 - fields of the setup
) -> Iterator[Bench]:
    """An emulator that stands at `at`, or has the time of `clock`; AAPL at 100.00 / 100.02."""
    clock = clock or EmulatedClock.standing(at)
    rules = [Rule.model_validate(rule) for rule in faults]
    market = invented_market(SYMBOLS, open_calendar, seed=3)
    with AlpacaEmulator(market, clock, Setup(**({"requests_per_minute": 10_000} | setup)), rules) as emulator:
        made = Bench(emulator, clock)
        made.price(100)
        try:
            yield made
        finally:
            made.plain.close()
            made.client._session.close()
