"""What Alpaca's market data says, for tests of the source: assets, bars, quotes, actions, and a greeting on its streams."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types
from starlette.websockets import WebSocket

from sources.vendor_server import Query, Vendor
from trading_bot.market.calendar import open_calendar

NOW = datetime(2024, 3, 12, 15, 0, tzinfo=UTC)
"""A Tuesday in New York's session."""
CHECKED: dict[str, dict[str, Any]] = {
    "AAPL": {},
    "SPY": {"shortable": False},
    "GONE": {"status": "inactive", "tradable": False},
    "WHOLE": {"fractionable": False},
}


def asset(symbol: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the wire
    """An asset of today, when `easy_to_borrow` is no more."""
    known = {"symbol": symbol, "class": "us_equity", "status": "active", "tradable": True, "fractionable": True, "shortable": True}
    return known | {"borrow_status": "easy_to_borrow"} | other


def coin() -> dict[str, Any]:
    """Bitcoin."""
    grid = {"min_order_size": "0.00001", "min_trade_increment": "0.000000001", "price_increment": "0.5"}
    return {"symbol": "BTC/USD", "class": "crypto", "status": "active", "tradable": True, "shortable": False, **grid}


def daily(first: date, last: date) -> list[dict[str, Any]]:
    """A bar for each session, stamped with midnight in New York, the forming one included."""
    days = open_calendar("XNYS").sessions(first, last)
    return [
        {"t": f"{day}T05:00:00Z", "o": 100.0 + n, "h": 102.0 + n, "l": 99.0 + n, "c": 101.0 + n, "v": 1000 + n}
        for n, day in enumerate(days)
    ]


def quote(moment: datetime, bid: float = 99.99, ask: float = 100.01) -> dict[str, Any]:
    """A latest quote."""
    return {"t": f"{moment:%Y-%m-%dT%H:%M:%S.%f}123Z", "bp": bid, "bs": 200, "ap": ask, "as": 300, "ax": "V", "bx": "V", "c": ["R"]}


def tick(symbol: str, moment: datetime, bid: float = 50.01, ask: float = 50.02) -> bytes:
    """A quote of the stream."""
    body = {"T": "q", "S": symbol, "bp": bid, "bs": 1, "ap": ask, "as": 2, "t": msgpack.Timestamp.from_datetime(moment)}
    return bytes(msgpack.packb([body]))


def broken() -> bytes:
    """Messages that say too little, or what is no number."""
    stamp = msgpack.Timestamp.from_datetime(NOW)
    no_number = {"T": "q", "S": "AAPL", "bp": "x", "ap": 1, "bs": 1, "as": 1, "t": stamp}
    return bytes(msgpack.packb([{"T": "q", "S": "AAPL"}, {"T": "q"}, no_number]))


async def greet(stream: WebSocket) -> Any:  # noqa: ANN401 - what was subscribed to
    """Let anybody in; return the subscription."""
    await stream.send_bytes(msgpack.packb([{"T": "success", "msg": "connected"}]))
    await stream.receive_bytes()
    await stream.send_bytes(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
    return msgpack.unpackb(await stream.receive_bytes())


async def refuse(stream: WebSocket) -> None:
    """Let nobody subscribe to so many symbols."""
    await greet(stream)
    await stream.send_bytes(msgpack.packb([{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]))
    await asyncio.sleep(0)


async def unknown(stream: WebSocket) -> None:
    """Know no keys."""
    await stream.send_bytes(msgpack.packb([{"T": "success", "msg": "connected"}]))
    await stream.receive_bytes()
    await stream.send_bytes(msgpack.packb([{"T": "error", "code": 402, "msg": "auth failed"}]))


def talk(vendor: Vendor) -> None:
    """Make `vendor` an Alpaca with some assets, two years of days and a quote."""

    def bars(query: Query) -> dict[str, Any]:
        start = datetime.fromisoformat(query["start"]).date()
        rows = daily(start - timedelta(days=1), NOW.date()) if query["timeframe"] == "1Day" else []
        half = len(rows) // 2
        page = rows[half:] if query.get("page_token") else rows[:half]
        token = None if query.get("page_token") or not rows else "2"
        return {"bars": {s: page for s in query["symbols"].split(",") if s != "MUTE"}, "next_page_token": token}

    for symbol, other in CHECKED.items():
        vendor.answers[f"/v2/assets/{symbol}"] = partial(_one, asset(symbol, **other))
    vendor.answers["/v2/assets"] = lambda query: [coin()] if query["asset_class"] == "crypto" else [asset("AAPL")]
    vendor.answers["/v2/stocks/bars"] = bars
    vendor.answers["/v2/stocks/quotes/latest"] = lambda query: {"quotes": {s: quote(NOW) for s in query["symbols"].split(",")}}
    vendor.answers["/v1beta3/crypto/us/latest/quotes"] = lambda _: {"quotes": {"BTC/USD": quote(NOW, 70_000.0, 70_001.5)}}
    vendor.answers["/v1/corporate-actions"] = lambda _: {"corporate_actions": {}, "next_page_token": None}


def _one(body: dict[str, Any], _: Query) -> dict[str, Any]:
    return body
