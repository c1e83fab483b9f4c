"""Watchlists of the emulated Alpaca: named lists of assets, which many clients read when they start.

Promises that names are unique and that a list keeps the order in which assets came. They have no effect on trading.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from trading_bot.sandbox.alpaca.assets import stable_id
from trading_bot.sandbox.alpaca.orders import RefusedError, iso, missing, unprocessable
from trading_bot.sandbox.alpaca.trading_api import Call, Reply, Route
from trading_bot.sandbox.alpaca.venue import AlpacaVenue

_MALFORMED = 40010001
_ONE, _NAMED = r"/v2/watchlists/([^/:]+)", r"/v2/watchlists:by_name"


@dataclass(frozen=True)
class Watchlist:
    """One list; `symbols` as assets spell themselves."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    symbols: tuple[str, ...] = field(default=())


class Watchlists:
    """All of `/v2/watchlists`."""

    def __init__(self, venue: AlpacaVenue) -> None:
        self._venue = venue
        self._lists: dict[str, Watchlist] = {}
        self._made = 0
        each: tuple[tuple[str, Callable[[Call, Watchlist], Reply]], ...] = (
            ("GET", lambda _, found: self._told(found)),
            ("PUT", self._update),
            ("POST", self._add),
            ("DELETE", self._delete),
        )
        self.routes: tuple[Route, ...] = (
            ("GET", r"/v2/watchlists", lambda _: Reply(200, [self._json(w, whole=False) for w in self._lists.values()])),
            ("POST", r"/v2/watchlists", self._create),
            *((method, _ONE, self._by_id(handler)) for method, handler in each),
            *((method, _NAMED, self._by_name(handler)) for method, handler in each),
            ("DELETE", f"{_ONE}/(.+)", self._remove),
        )

    def _by_id(self, handler: Callable[[Call, Watchlist], Reply]) -> Callable[[Call], Reply]:
        return lambda call: handler(call, self._find(call.parts[0]))

    def _by_name(self, handler: Callable[[Call, Watchlist], Reply]) -> Callable[[Call], Reply]:
        def answer(call: Call) -> Reply:
            found = next((w for w in self._lists.values() if w.name == call.query.get("name")), None)
            return handler(call, self._find(found.id if found is not None else ""))

        return answer

    def _find(self, identity: str) -> Watchlist:
        if identity not in self._lists:
            raise missing("watchlist not found")
        return self._lists[identity]

    def _create(self, call: Call) -> Reply:
        name, now = self._name(call, None), self._venue.now()
        symbols = self._symbols(call.body.get("symbols"))
        self._made += 1
        return self._kept(Watchlist(stable_id("watchlist", self._venue.account.number, self._made), name, now, now, symbols))

    def _update(self, call: Call, old: Watchlist) -> Reply:
        name = self._name(call, old) if call.body.get("name") is not None else old.name
        symbols = self._symbols(call.body["symbols"]) if call.body.get("symbols") is not None else old.symbols
        return self._kept(replace(old, name=name, symbols=symbols))

    def _add(self, call: Call, old: Watchlist) -> Reply:
        return self._kept(replace(old, symbols=self._symbols([*old.symbols, call.body.get("symbol")])))

    def _remove(self, call: Call) -> Reply:
        old = self._find(call.parts[0])
        symbol = self._venue.assets.find(call.parts[1]).symbol
        if symbol not in old.symbols:
            raise missing(f"symbol not found in watchlist: {symbol}")
        return self._kept(replace(old, symbols=tuple(s for s in old.symbols if s != symbol)))

    def _delete(self, _: Call, old: Watchlist) -> Reply:
        del self._lists[old.id]
        return Reply(204)

    def _name(self, call: Call, old: Watchlist | None) -> str:
        name = call.body.get("name")
        if not isinstance(name, str) or not name.strip():
            raise unprocessable("watchlist name is required", _MALFORMED)
        if any(w.name == name and w is not old for w in self._lists.values()):
            raise unprocessable("watchlist name must be unique", _MALFORMED)
        return name

    def _symbols(self, names: object) -> tuple[str, ...]:
        if names is not None and not isinstance(names, list):
            raise unprocessable("request body format is invalid: symbols", _MALFORMED)
        found: list[str] = []
        for name in names or ():
            try:
                symbol = str(self._venue.assets.find(str(name)).symbol)
            except RefusedError as error:
                raise unprocessable(f"asset not found for {name}", _MALFORMED) from error
            if symbol in found:
                raise unprocessable(f"duplicate symbol: {symbol}", _MALFORMED)
            found.append(symbol)
        return tuple(found)

    def _kept(self, changed: Watchlist) -> Reply:
        self._lists[changed.id] = replace(changed, updated_at=self._venue.now())
        return self._told(changed)

    def _told(self, found: Watchlist) -> Reply:
        return Reply(200, self._json(self._lists[found.id], whole=True))

    def _json(self, found: Watchlist, *, whole: bool) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": found.id,
            "account_id": self._venue.account.id,
            "created_at": iso(found.created_at),
            "updated_at": iso(found.updated_at),
            "name": found.name,
        }
        assets = [self._venue.assets.find(s).json() for s in found.symbols]
        return told | ({"assets": assets} if whole else {})
