"""What Bybit's market data says, for tests of the source."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.websockets import WebSocket

from sources.vendor_server import Query, Vendor

NOW = datetime(2024, 3, 12, 15, 0, tzinfo=UTC)
INTERVALS = {"D": 86_400_000, "15": 900_000}


def millis(moment: datetime) -> int:
    """Bybit's time."""
    return int(moment.timestamp() * 1000)


def answer(result: Any, moment: datetime = NOW, code: int = 0, said: str = "OK") -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """The envelope of every answer."""
    return {"retCode": code, "retMsg": said, "result": result, "retExtInfo": {}, "time": millis(moment)}


def contract(symbol: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the wire
    """A linear perpetual."""
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol[:-4],
        "quoteCoin": "USDT",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": "5"},
    } | other


def coin(symbol: str) -> dict[str, Any]:
    """A pair of the spot market."""
    return {
        "symbol": symbol,
        "status": "Trading",
        "baseCoin": symbol[:-4],
        "quoteCoin": "USDT",
        "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderQty": "0.000011", "minOrderAmt": "5"},
        "priceFilter": {"tickSize": "0.01"},
    }


def rows(first: int, last: int, width: int) -> list[list[str]]:
    """Candles from `first` to `last`, newest first, as Bybit lists them."""
    starts = range(-(-first // width) * width, last + 1, width)
    return [[str(start), "100.5", "110", "90.1", f"{100 + n % 10}", "12.5", "1250"] for n, start in enumerate(starts)][::-1]


def ticker(symbol: str, bid: str = "70000.1", ask: str = "70000.2") -> dict[str, str]:
    """Best bid and ask among the rest."""
    return {"symbol": symbol, "bid1Price": bid, "bid1Size": "1.5", "ask1Price": ask, "ask1Size": "0.003", "lastPrice": "70000.1"}


def contracted(mark: str = "70010.5", rate: str = "-0.00012") -> dict[str, str]:
    """What a ticker says of a perpetual besides."""
    return {"markPrice": mark, "fundingRate": rate, "nextFundingTime": str(millis(NOW + timedelta(hours=1)))}


def tickers(symbol: str, moment: datetime, data: dict[str, str], kind: str = "snapshot") -> str:
    """A message of `tickers`."""
    return json.dumps({"topic": f"tickers.{symbol}", "type": kind, "ts": millis(moment), "cs": 7, "data": {"symbol": symbol} | data})


def book(symbol: str, moment: datetime, bids: list[list[str]], asks: list[list[str]], kind: str = "snapshot") -> str:
    """A message of `orderbook.1`."""
    data = {"s": symbol, "b": bids, "a": asks, "u": 7, "seq": 9}
    return json.dumps({"topic": f"orderbook.1.{symbol}", "type": kind, "ts": millis(moment), "data": data, "cts": millis(moment)})


async def greet(_: WebSocket) -> None:
    """Say nothing: Bybit's public stream needs no login."""


def talk(vendor: Vendor, now: datetime = NOW) -> None:
    """Make `vendor` a Bybit with two perpetuals and 1,000 candles a page."""
    listed = {s: contract(s) for s in ("BTCUSDT", "ETHUSDT")} | {"OLDUSDT": contract("OLDUSDT", status="Closed")}

    def instruments(query: Query) -> dict[str, Any]:
        if query["category"] == "spot":
            return answer({"list": [coin(query["symbol"])], "nextPageCursor": ""})
        if "symbol" in query and query["symbol"] not in listed:
            return answer({}, code=10001, said="params error: symbol invalid NOPEUSDT")
        found = [listed[query["symbol"]]] if "symbol" in query else list(listed.values())
        return answer({"list": found, "nextPageCursor": ""})

    def klines(query: Query) -> dict[str, Any]:
        width, last = INTERVALS[query["interval"]], min(int(query["end"]), millis(now + timedelta(days=1)))
        return answer({"symbol": query["symbol"], "list": rows(int(query["start"]), last, width)[: int(query["limit"])]})

    vendor.answers["/v5/market/instruments-info"] = instruments
    vendor.answers["/v5/market/kline"] = klines
    vendor.answers["/v5/market/tickers"] = lambda _: answer(
        {"list": [ticker("BTCUSDT") | contracted(), *(ticker(s) for s in listed if s != "BTCUSDT"), ticker("NEWUSDT", "", "")]}
    )
