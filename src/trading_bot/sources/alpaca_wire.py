"""Alpaca's words for market data, as ours. Pure.

Promises that a split or dividend takes effect at the opening of its ex-date's session, and that what cannot be understood raises
ValueError, KeyError or TypeError, which the caller turns into a failed source. Refuses actions that change the holder's paper
itself (mergers, spin-offs, redemptions, new names): they need a person, and are noted.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from alpaca.common.exceptions import APIError
from requests import RequestException

from trading_bot.domain.errors import NoDataError, SourceFailedError, SourceKeysError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import CorporateAction, Dividend, Split
from trading_bot.domain.values import Symbol, divided
from trading_bot.network.keys import Keys
from trading_bot.ports import Calendar
from trading_bot.sources.live.grid import Grid
from trading_bot.sources.live.history import RawBar
from trading_bot.sources.live.quote_tape import RawQuote
from trading_bot.sources.live.quoting import exact
from trading_bot.sources.live.reads import Trouble
from trading_bot.sources.sessions import SECOND, nanoseconds

Wire = Mapping[str, Any]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")

_LEAST_NOTIONAL = Decimal(1)
"""Of an order for a part of a share."""
_LEAST_COINS = {"USD": Decimal(10)}
"""Of an order that buys a coin, by what it is paid in; other pairs know a least quantity alone."""
_LATER = frozenset({408, 429, 500, 502, 503, 504})
_REFUSED_KEYS = frozenset({401, 403})
_ASKED_TO_WAIT = 10.0
"""Seconds, where a 429 does not say."""


def streamed(message: Wire) -> RawQuote:
    """A quote of the data stream (msgpack): its time is a msgpack timestamp."""
    time = message["t"]
    return RawQuote(time.seconds * SECOND + time.nanoseconds, message["bp"], message["ap"], message["bs"], message["as"])


def polled(body: Wire) -> RawQuote:
    """A latest quote (JSON)."""
    return RawQuote(nanos_of(body["t"]), body["bp"], body["ap"], body["bs"], body["as"], polled=True)


def bar(body: Wire) -> RawBar:
    """A historical bar."""
    return (nanos_of(body["t"]), float(body["o"]), float(body["h"]), float(body["l"]), float(body["c"]), float(body["v"]))


def nanos_of(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time with up to nine decimals."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        msg = f"{text!r} is no time of RFC 3339"
        raise ValueError(msg)
    whole, fraction, zone = parts.groups()
    return nanoseconds(datetime.fromisoformat(whole + zone)) + int((fraction or "").ljust(9, "0")[:9])


def is_coin(symbol: Symbol) -> bool:
    """Whether `symbol` is a pair of Alpaca's crypto market, such as `BTC/USD`."""
    return "/" in symbol


def grid_of(asset: Wire, ours: Instrument) -> Grid:
    """What an asset says. NoDataError if it is not traded any more."""
    symbol = asset["symbol"]
    if asset.get("status") != "active" or not asset.get("tradable", False):
        why = "inactive (delisted, renamed or not listed yet)" if asset.get("status") != "active" else "not tradable"
        msg = f"{symbol} is {why} at Alpaca; take it out of universe.symbols"
        raise NoDataError(msg)
    if asset.get("class") == "crypto":
        return Grid(
            asset_class=AssetClass.CRYPTO_SPOT,
            venue="alpaca",
            currency=symbol.partition("/")[2],
            tick_size=Decimal(str(asset["price_increment"])),
            lot_size=Decimal(str(asset["min_trade_increment"])),
            minimum_notional=_LEAST_COINS.get(symbol.partition("/")[2], Decimal(0)),
            shortable=False,
        )
    return Grid(
        asset_class=AssetClass.EQUITY,
        venue=ours.venue,
        currency="USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.000000001") if asset.get("fractionable") else Decimal(1),
        minimum_notional=_LEAST_NOTIONAL,
        shortable=bool(asset.get("shortable")) and _easy_to_borrow(asset),
    )


def _easy_to_borrow(asset: Wire) -> bool:
    """By the field of today, or by the one that it replaced in 2026."""
    status = asset.get("borrow_status")
    return status == "easy_to_borrow" if status is not None else bool(asset.get("easy_to_borrow"))


def actions_of(told: Wire, calendar: Calendar, note: Callable[[str], None]) -> dict[Symbol, tuple[CorporateAction, ...]]:
    """Splits and dividends of each symbol by rising ex-date; what else there is, is noted."""
    found: dict[Symbol, list[CorporateAction]] = {}
    for kind, entries in told.items():
        for entry in entries:
            if kind in _READERS:
                action = _READERS[kind](entry, _opening(entry["ex_date"], calendar))
                found.setdefault(action.symbol, []).append(action)
            else:
                names = sorted({str(value) for key, value in entry.items() if key.endswith("symbol") and value})
                note(f"{', '.join(names)}: Alpaca tells of a {kind.replace('_', ' ').rstrip('s')}, which moves no price; look at it")
    return {symbol: tuple(sorted(actions, key=lambda action: action.ex)) for symbol, actions in found.items()}


def _split(entry: Wire, ex: datetime) -> CorporateAction:
    return Split(symbol=entry["symbol"], ex=ex, ratio=divided(exact(entry["new_rate"]), exact(entry["old_rate"])))


def _stock_dividend(entry: Wire, ex: datetime) -> CorporateAction:
    return Split(symbol=entry["symbol"], ex=ex, ratio=1 + exact(entry["rate"]))


def _cash_dividend(entry: Wire, ex: datetime) -> CorporateAction:
    return Dividend(symbol=entry["symbol"], ex=ex, amount=exact(entry["rate"]))


_READERS: dict[str, Callable[[Wire, datetime], CorporateAction]] = {
    "forward_splits": _split,
    "reverse_splits": _split,
    "stock_dividends": _stock_dividend,
    "cash_dividends": _cash_dividend,
}


def _opening(day: str, calendar: Calendar) -> datetime:
    ex = date.fromisoformat(day)
    return calendar.hours(ex if calendar.is_session(ex) else calendar.next_session(ex))[0]


def explain(keys: Keys, error: Exception) -> Trouble:
    """What an error of alpaca-py means for a read. A read changes nothing, so that all but a refusal may be tried again."""
    said = keys.hide(str(error))[:300]
    if isinstance(error, APIError):
        status = error.status_code
        if status in _REFUSED_KEYS:
            return Trouble(
                SourceKeysError(f"Alpaca refused the keys, or what they may read: look at ALPACA_API_KEY (HTTP {status}: {said})")
            )
        if status == 404:  # noqa: PLR2004 - the status code for what is not there
            return Trouble(NoDataError(f"Alpaca has no such thing: {said}"))
        wait = _wait(error) if status == 429 else 0.0  # noqa: PLR2004 - the status code for too many requests
        return Trouble(SourceFailedError(f"Alpaca did not answer (HTTP {status}): {said}"), again=status in _LATER, wait=wait)
    if isinstance(error, (RequestException, ValueError, KeyError, TypeError, AttributeError)):
        return Trouble(SourceFailedError(f"Alpaca did not answer, or not in words that can be read: {said}"), again=True)
    return Trouble(SourceFailedError(f"Alpaca's library failed: {type(error).__name__}: {said}"))


def _wait(error: APIError) -> float:
    response = error.response
    told = response.headers.get("Retry-After", "") if response is not None else ""
    return float(told) if told.isdigit() else _ASKED_TO_WAIT


def by_symbol(bodies: Mapping[str, Iterable[Wire]]) -> Iterator[tuple[str, list[RawBar]]]:
    """Bars of each symbol."""
    return ((symbol, [bar(body) for body in entries]) for symbol, entries in bodies.items())
