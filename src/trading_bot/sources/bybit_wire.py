"""Bybit's words for market data (v5), as ours. Pure.

Refuses contracts that do not trade (before their launch, being settled, closed) by name. What cannot be understood raises
ValueError, KeyError or TypeError, which the caller turns into a failed source.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pybit.exceptions import FailedRequestError, InvalidRequestError
from requests import RequestException

from trading_bot.domain.errors import NoDataError, SourceFailedError
from trading_bot.domain.instrument import AssetClass
from trading_bot.sources.live.contracts import RawContract
from trading_bot.sources.live.grid import Grid
from trading_bot.sources.live.history import RawBar
from trading_bot.sources.live.quote_tape import RawQuote
from trading_bot.sources.live.reads import Trouble
from trading_bot.sources.sessions import MILLI

Wire = Mapping[str, Any]

_PARAMETERS = 10001
_TOO_MANY = frozenset({10006, 10018, 403, 429})
_LATER = frozenset({10000, 10002, 10016, 500, 502, 503, 504, 409})
"""Server error, clock difference, maintenance, statuses of HTTP; 409 is the library's word for a body that is no JSON."""
_ASKED_TO_WAIT = 2.0
"""Seconds, where Bybit does not say: its windows are 1 to 5 s."""


def grid_of(entry: Wire) -> Grid:
    """What `instruments-info` says. NoDataError if it does not trade."""
    symbol, status = entry["symbol"], entry["status"]
    if status != "Trading":
        msg = f"{symbol} does not trade at Bybit (its status is {status}); take it out of universe.symbols"
        raise NoDataError(msg)
    lots, perpetual = entry["lotSizeFilter"], "contractType" in entry
    return Grid(
        asset_class=AssetClass.CRYPTO_PERPETUAL if perpetual else AssetClass.CRYPTO_SPOT,
        venue="bybit",
        currency=entry["quoteCoin"],
        tick_size=Decimal(entry["priceFilter"]["tickSize"]),
        lot_size=Decimal(lots["qtyStep"] if perpetual else lots["basePrecision"]),
        minimum_notional=Decimal(lots.get("minNotionalValue" if perpetual else "minOrderAmt") or 0),
        shortable=perpetual,
        leverage_cap=Decimal(entry["leverageFilter"]["maxLeverage"]) if perpetual else Decimal(1),
    )


def bar(row: list[str]) -> RawBar:
    """A row of `kline`."""
    start, *prices = row[:6]
    opened, high, low, closed, volume = (float(text) for text in prices)
    return (int(start) * MILLI, opened, high, low, closed, volume)


def tickers(answer: Wire) -> Iterator[tuple[str, RawQuote]]:
    """Best bid and ask of each symbol that has both, at the time of the answer."""
    nanos = int(answer["time"]) * MILLI
    for entry in answer["result"]["list"]:
        bid, ask = entry.get("bid1Price"), entry.get("ask1Price")
        if bid and ask:
            yield entry["symbol"], RawQuote(nanos, bid, ask, entry.get("bid1Size") or "0", entry.get("ask1Size") or "0", polled=True)


def contracts(answer: Wire) -> Iterator[tuple[str, RawContract]]:
    """Mark price and funding of each perpetual, at the time of the answer."""
    for entry in answer["result"]["list"]:
        said = contract(entry, int(answer["time"]))
        if said is not None:
            yield entry["symbol"], said


def contract(entry: Wire, millis: int) -> RawContract | None:
    """What a ticker says of a perpetual, None for one that does not say all of it. `millis`: when it was said."""
    mark, rate, following = (entry.get(name) for name in _CONTRACT)
    return RawContract(millis * MILLI, mark, rate, following) if mark and rate and following else None


def ticked(before: Wire, message: Wire) -> Wire:
    """What is known of a perpetual after a message of `tickers`: a snapshot says all, a delta what changed. Only what `contract` needs."""
    data, old = message["data"], {} if message["type"] == "snapshot" else before
    return {name: data.get(name) or old.get(name) for name in _CONTRACT}


_CONTRACT = ("markPrice", "fundingRate", "nextFundingTime")
Level = tuple[str, str]
Top = tuple[Level | None, Level | None]
"""Best bid and best ask, price and size each."""


def top(before: Top, message: Wire) -> Top:
    """Best bid and ask after a message of `orderbook.1`: a snapshot says all, a delta what changed, size 0 takes a level away."""
    data = message["data"]
    old = (None, None) if message["type"] == "snapshot" else before
    return _side(old[0], data["b"]), _side(old[1], data["a"])


def _side(old: Level | None, levels: list[list[str]]) -> Level | None:
    for price, size in levels:
        if float(size) > 0:
            old = (price, size)
        elif old is not None and float(old[0]) == float(price):
            old = None
    return old


def streamed(now: Top, message: Wire) -> RawQuote | None:
    """The quote, None while a side is empty."""
    bid, ask = now
    return None if bid is None or ask is None else RawQuote(int(message["ts"]) * MILLI, bid[0], ask[0], bid[1], ask[1])


def explain(error: Exception) -> Trouble:
    """What an error of pybit means for a read. A read changes nothing, so that all but a refusal may be tried again."""
    if isinstance(error, (InvalidRequestError, FailedRequestError)):
        code, said = error.status_code, f"Bybit did not answer ({error.status_code}): {error.message}"
        if code == _PARAMETERS and "symbol" in str(error.message).lower():
            return Trouble(NoDataError(f"Bybit knows no such symbol ({error.message})"))
        return Trouble(SourceFailedError(said), again=code in _LATER | _TOO_MANY, wait=_ASKED_TO_WAIT if code in _TOO_MANY else 0.0)
    if isinstance(error, (RequestException, ValueError, KeyError, TypeError, AttributeError)):
        return Trouble(SourceFailedError(f"Bybit did not answer, or not in words that can be read: {str(error)[:300]}"), again=True)
    return Trouble(SourceFailedError(f"Bybit's library failed: {type(error).__name__}: {str(error)[:300]}"))
