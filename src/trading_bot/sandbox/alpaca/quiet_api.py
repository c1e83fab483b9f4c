"""What Alpaca has and its emulator has nothing of: news, options, bonds, currencies, wallets. Empty answers of the right shape.

Promises that a client which looks there at its start goes on, and that nothing can be done there: what would move something is refused.
The screeners are not empty: they rank what is traded here.
"""

from collections.abc import Mapping
from typing import Any

from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.data_api import DataApi
from trading_bot.sandbox.alpaca.orders import forbidden, iso, missing
from trading_bot.sandbox.alpaca.rules import whole
from trading_bot.sandbox.alpaca.trading_api import Call, Handler, Reply, Route
from trading_bot.sandbox.alpaca.venue import AlpacaVenue

_PAGE: dict[str, Any] = {"next_page_token": None}
_EXCHANGES = {"N": "New York Stock Exchange", "P": "NYSE Arca", "Q": "NASDAQ OMX", "V": "IEX"}
_OPTION_EXCHANGES = {"A": "AMEX Options", "C": "Cboe Options", "Q": "NASDAQ Options"}
_CONDITIONS = {"trade": {"@": "Regular Sale"}, "quote": {"R": "Regular, Two-Sided Open"}}

_EMPTY: Mapping[str, Any] = {
    r"/v2/options/contracts": {"option_contracts": []} | _PAGE,
    r"/v2/corporate_actions/announcements": [],
    r"/v2/wallets": [],
    r"/v2/wallets/transfers": [],
    r"/v2/wallets/whitelists": [],
    r"/v2/tokenization/requests": [],
    r"/v2/assets/fixed_income/us_treasuries": {"us_treasuries": []},
    r"/v2/assets/fixed_income/us_corporates": {"us_corporates": []},
    r"/v1/locates": {"locates": []} | _PAGE,
    r"/v1/locates/quotes": {"quotes": []},
    r"/v1beta1/news": {"news": []} | _PAGE,
    r"/v1beta1/options/bars": {"bars": {}} | _PAGE,
    r"/v1beta1/options/trades": {"trades": {}} | _PAGE,
    r"/v1beta1/options/quotes/latest": {"quotes": {}},
    r"/v1beta1/options/trades/latest": {"trades": {}},
    r"/v1beta1/options/snapshots(?:/[^/]+)?": {"snapshots": {}} | _PAGE,
    r"/v1beta1/options/meta/exchanges": _OPTION_EXCHANGES,
    r"/v1beta1/options/meta/conditions/(?:trade|quote)": {},
    r"/v2/stocks/meta/exchanges": _EXCHANGES,
    r"/v2/stocks/meta/conditions/trade": _CONDITIONS["trade"],
    r"/v2/stocks/meta/conditions/quote": _CONDITIONS["quote"],
    r"/v2/stocks/auctions": {"auctions": {}} | _PAGE,
    r"/v1beta1/forex/latest/rates": {"rates": {}},
    r"/v1beta1/forex/rates": {"rates": {}} | _PAGE,
    r"/v1beta1/indices/latest/values": {"values": {}},
    r"/v1beta1/indices/values": {"values": {}} | _PAGE,
    r"/v1beta1/fixed_income/latest/prices": {"prices": {}},
    r"/v1beta1/fixed_income/latest/quotes": {"quotes": {}},
    **{rf"/v1beta1/crypto-perps/[^/]+/latest/{what}": {what: {}} for what in ("bars", "orderbooks", "pricing", "quotes", "trades")},
}
_ABSENT: tuple[tuple[str, str, str], ...] = (
    ("GET", r"/v2/options/contracts/.+", "option contract not found"),
    ("GET", r"/v2/corporate_actions/announcements/.+", "announcement not found"),
    ("GET", r"/v2/wallets/transfers/.+", "transfer not found"),
    ("GET", r"/v1/locates/(?!quotes$).+", "locate not found"),
    ("GET", r"/v1beta1/logos/.+", "logo not found"),
    ("POST", r"/v2/positions/.+/(?:do-not-)?exercise", "position does not exist"),
    ("DELETE", r"/v2/wallets/whitelists/.+", "address not found"),
)
_FORBIDDEN: tuple[tuple[str, str], ...] = (
    ("POST", r"/v1/locates"),
    ("POST", r"/v2/wallets/(?:transfers|whitelists)"),
    ("POST", r"/v2/tokenization/mint"),
    ("GET", r"/v2/perpetuals/.+"),
    ("POST", r"/v2/perpetuals/.+"),
    ("DELETE", r"/v2/perpetuals/.+"),
)
_TOP = 10


def quiet_routes(venue: AlpacaVenue, data: DataApi) -> tuple[Route, ...]:
    """All of it. These come before the routes that do something, some of which take whatever follows."""
    screen = _Screen(venue, data)
    return (
        ("GET", r"/v1beta1/screener/(stocks|crypto)/movers", screen.movers),
        ("GET", r"/v1beta1/screener/stocks/most-actives", screen.most_active),
        ("GET", r"/v2/stocks/([^/]+)/auctions", lambda c: Reply(200, {"auctions": [], "symbol": c.parts[0]} | _PAGE)),
        *(("GET", path, _answers(body)) for path, body in _EMPTY.items()),
        *((method, path, _absent(message)) for method, path, message in _ABSENT),
        *((method, path, _refused) for method, path in _FORBIDDEN),
    )


def _answers(body: object) -> Handler:
    return lambda _: Reply(200, body)


def _absent(message: str) -> Handler:
    def answer(_: Call) -> Reply:
        raise missing(message)

    return answer


def _refused(_: Call) -> Reply:
    raise forbidden("account is not enabled for this")


class _Screen:
    """What moved most, and what was traded most."""

    def __init__(self, venue: AlpacaVenue, data: DataApi) -> None:
        self._venue, self._data = venue, data

    def movers(self, call: Call) -> Reply:
        """Against the close of the day before."""
        coins, top = call.parts[0] == "crypto", whole(call.query, "top", _TOP)
        rows = [row for symbol in self._symbols(coins=coins) if (row := self._moved(symbol)) is not None]
        rows.sort(key=lambda row: float(row["percent_change"]))
        rise, fall = [r for r in reversed(rows) if r["change"] > 0], [r for r in rows if r["change"] < 0]
        told = {"gainers": rise[:top], "losers": fall[:top], "market_type": call.parts[0]}
        return Reply(200, told | {"last_updated": iso(self._venue.now())})

    def most_active(self, call: Call) -> Reply:
        """By volume, or by number of trades."""
        by, top = ("trade_count" if call.query.get("by") == "trades" else "volume"), whole(call.query, "top", _TOP)
        bars = {symbol: self._data.bar(symbol, Timeframe.DAY) for symbol in self._symbols(coins=False)}
        rows = [{"symbol": s, "volume": int(bar["v"]), "trade_count": bar["n"]} for s, bar in bars.items() if bar is not None]
        rows.sort(key=lambda row: int(row[by]), reverse=True)
        return Reply(200, {"most_actives": rows[:top], "last_updated": iso(self._venue.now())})

    def _symbols(self, *, coins: bool) -> list[Symbol]:
        return [a.symbol for a in self._venue.assets.by_symbol.values() if a.crypto == coins]

    def _moved(self, symbol: Symbol) -> dict[str, Any] | None:
        before, now = self._data.bar(symbol, Timeframe.DAY), float(self._venue.price(symbol))
        if before is None or not now:
            return None
        change = now - before["c"]
        return {"symbol": symbol, "price": now, "change": round(change, 6), "percent_change": round(100 * change / before["c"], 2)}
