"""Public market data: time, instruments, tickers, order book, trades, funding and risk limits.

Promises that nothing is told before its time has come.
"""

from decimal import Decimal
from typing import Any

from trading_bot.brokers.units import SECOND
from trading_bot.domain.values import ZERO
from trading_bot.sandbox.bybit import settling
from trading_bot.sandbox.bybit.contracts import LINEAR, MAINTENANCE, RISK_LIMIT, Contract
from trading_bot.sandbox.bybit.engine import Engine
from trading_bot.sandbox.bybit.wire import CATEGORIES, ELSEWHERE, Parameters, fixed, text

_DAY = 86_400 * SECOND
_VOLUME = Decimal(1000)
"""Invented volume of a day in lots."""
_MOST_BARS = 1000
_LEVELS = 200
_SPANS = {"5min": 300, "15min": 900, "30min": 1800, "1h": 3600, "4h": 14_400, "1d": 86_400}
"""Lengths of statistics, in seconds."""


def time(engine: Engine, said: Parameters) -> dict[str, Any]:  # noqa: ARG001 - every endpoint takes both
    """Emulated time."""
    return {"timeSecond": str(engine.clock // SECOND), "timeNano": str(engine.clock)}


def instruments(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Filters of each contract; nothing of the categories that are not emulated."""
    category = said.category()
    found = [contract.told(trading=not engine.halted(contract)) for contract in _asked(engine, category, said)]
    wanted = said.text("baseCoin", "")
    return {"category": category, "list": [row for row in found if wanted in {"", row["baseCoin"]}], "nextPageCursor": ""}


def _asked(engine: Engine, category: str, said: Parameters) -> list[Contract]:
    if category in ELSEWHERE:
        return []
    return [engine.contract(category, said.text("symbol"))] if said.has("symbol") else engine.contracts(category)


def _one(engine: Engine, said: Parameters) -> Contract:
    return engine.contract(said.choice("category", CATEGORIES, LINEAR), said.text("symbol"))


def tickers(engine: Engine, said: Parameters) -> dict[str, Any]:
    """The newest of everything."""
    category = said.category()
    return {"category": category, "list": [ticker(engine, contract) for contract in _asked(engine, category, said)]}


def ticker(engine: Engine, contract: Contract) -> dict[str, Any]:
    """One ticker; the day behind is sampled at its ends and each hour."""
    last, (bid, ask) = engine.mark(contract), engine.quote(contract)
    market, symbol = engine.markets[contract.category], contract.symbol
    hours = [market.price(symbol, engine.clock - _DAY // 24 * back) or last for back in range(25)]
    size, volume = text(_size(engine, contract)), contract.step * _VOLUME
    row = {
        "symbol": symbol,
        "lastPrice": fixed(last, contract.tick),
        "prevPrice24h": fixed(hours[-1], contract.tick),
        "price24hPcnt": text(((last - hours[-1]) / hours[-1]).quantize(Decimal("1e-6"))) if hours[-1] else "0",
        "highPrice24h": fixed(max(hours), contract.tick),
        "lowPrice24h": fixed(min(hours), contract.tick),
        "turnover24h": text(volume * last),
        "volume24h": text(volume),
        "bid1Price": fixed(bid, contract.tick),
        "bid1Size": size,
        "ask1Price": fixed(ask, contract.tick),
        "ask1Size": size,
    }
    if contract.category != LINEAR:
        return row | {"usdIndexPrice": fixed(last, contract.tick)}
    empty = dict.fromkeys(
        (
            "predictedDeliveryPrice",
            "basisRate",
            "deliveryFeeRate",
            "basis",
            "preOpenPrice",
            "preQty",
            "curPreListingPhase",
            "basisRateYear",
        ),
        "",
    )
    return (
        row
        | empty
        | {
            "indexPrice": fixed(last, contract.tick),
            "markPrice": fixed(last, contract.tick),
            "prevPrice1h": fixed(hours[1], contract.tick),
            "openInterest": text(volume),
            "openInterestValue": text(volume * last),
            "fundingRate": text(settling.rate_of(engine, symbol)),
            "nextFundingTime": str(settling.next_funding(engine.clock) // 1_000_000),
            "deliveryTime": "0",
            "fundingIntervalHour": "8",
            "fundingCap": "0.005",
        }
    )


def _size(engine: Engine, contract: Contract) -> Decimal:
    sized = engine.markets[contract.category].sized(contract.symbol, engine.clock)
    return ZERO if sized is None else contract.step * sized.size


def book(engine: Engine, contract: Contract, depth: int) -> dict[str, Any]:
    """The order book: all size at the best prices, the same again at each further tick."""
    bid, ask = engine.quote(contract)
    size = text(_size(engine, contract))
    levels = range(min(max(depth, 1), _LEVELS))
    return {
        "s": contract.symbol,
        "b": [[fixed(bid - contract.tick * n, contract.tick), size] for n in levels if bid > contract.tick * n],
        "a": [[fixed(ask + contract.tick * n, contract.tick), size] for n in levels],
        "u": engine.clock // SECOND,
        "seq": engine.clock // 1_000_000,
    }


def orderbook(engine: Engine, said: Parameters) -> dict[str, Any]:
    """A snapshot of the book."""
    told = engine.clock // 1_000_000
    return book(engine, _one(engine, said), said.number("limit", 25)) | {"ts": told, "cts": told}


def trade(engine: Engine, contract: Contract, at: int) -> dict[str, Any]:
    """An invented trade of one lot at the price of a moment."""
    price = engine.markets[contract.category].price(contract.symbol, at) or ZERO
    number = at // SECOND
    return {
        "execId": f"{sum(map(ord, contract.symbol))}{number}",
        "symbol": contract.symbol,
        "price": fixed(price, contract.tick),
        "size": text(contract.step),
        "side": "Buy" if number % 2 else "Sell",
        "time": str(at // 1_000_000),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(number),
    }


def recent_trades(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Trades of the last seconds, newest first."""
    contract = _one(engine, said)
    limit = min(max(said.number("limit", 60), 1), _MOST_BARS)
    whole = engine.clock // SECOND * SECOND
    rows = [trade(engine, contract, whole - n * SECOND) for n in range(limit)]
    return {"category": contract.category, "list": rows}


def funding_history(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Rates of the settlements behind, newest first."""
    category = said.choice("category", (LINEAR, "inverse"))
    contract = engine.contract(category, said.text("symbol"))
    limit = min(max(said.number("limit", 200), 1), 200)
    newest = settling.next_funding(engine.clock) - settling.INTERVAL
    end = min(said.number("endTime", newest // 1_000_000) * 1_000_000, newest)
    start = said.number("startTime", 0) * 1_000_000
    last = end // settling.INTERVAL * settling.INTERVAL
    times = [last - n * settling.INTERVAL for n in range(limit) if last - n * settling.INTERVAL >= start]
    rate = text(settling.rate_of(engine, contract.symbol))
    rows = [{"symbol": contract.symbol, "fundingRate": rate, "fundingRateTimestamp": str(at // 1_000_000)} for at in times]
    return {"category": category, "list": rows}


def risk_limit(engine: Engine, said: Parameters) -> dict[str, Any]:
    """The one tier that there is."""
    category = said.choice("category", (LINEAR, "inverse"))
    rows = [
        {
            "id": 1,
            "symbol": contract.symbol,
            "riskLimitValue": text(RISK_LIMIT),
            "maintenanceMargin": text(MAINTENANCE),
            "initialMargin": text((1 / contract.instrument.leverage_cap).quantize(Decimal("1e-6"))),
            "isLowestRisk": 1,
            "maxLeverage": fixed(contract.instrument.leverage_cap, Decimal("0.01")),
            "mmDeduction": "",
        }
        for contract in _asked(engine, category, said)
    ]
    return {"category": category, "list": rows, "nextPageCursor": ""}


def open_interest(engine: Engine, said: Parameters) -> dict[str, Any]:
    """Always the same: nobody else is here."""
    contract, limit = engine.contract(said.choice("category", (LINEAR, "inverse")), said.text("symbol")), said.number("limit", 50)
    length = _SPANS[said.choice("intervalTime", tuple(_SPANS))] * SECOND
    last, count = engine.clock // length * length, min(max(limit, 1), _LEVELS)
    told = text(contract.step * _VOLUME)
    rows = [{"openInterest": told, "timestamp": str((last - n * length) // 1_000_000)} for n in range(count)]
    return {"category": contract.category, "symbol": contract.symbol, "list": rows, "nextPageCursor": ""}


def account_ratio(engine: Engine, said: Parameters) -> dict[str, Any]:
    """As many buy as sell."""
    contract, limit = engine.contract(said.choice("category", (LINEAR, "inverse")), said.text("symbol")), said.number("limit", 50)
    length = _SPANS[said.choice("period", tuple(_SPANS))] * SECOND
    last, count = engine.clock // length * length, min(max(limit, 1), _LEVELS)
    even = {"symbol": contract.symbol, "buyRatio": "0.5", "sellRatio": "0.5"}
    return {"list": [even | {"timestamp": str((last - n * length) // 1_000_000)} for n in range(count)], "nextPageCursor": ""}
