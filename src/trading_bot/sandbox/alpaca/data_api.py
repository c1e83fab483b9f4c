"""The market-data API of the emulated Alpaca: bars with paging, quotes, trades, snapshots, corporate actions, for stocks and coins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from trading_bot.brokers.units import moment, stamp
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.market import Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sandbox.alpaca.orders import RefusedError, iso
from trading_bot.sandbox.alpaca.rules import whole
from trading_bot.sandbox.alpaca.timeframes import bars_of, span_of, today_of, walk
from trading_bot.sandbox.alpaca.trading_api import Call, Reply, Route
from trading_bot.sandbox.alpaca.venue import AlpacaVenue
from trading_bot.sandbox.exchange.path import EmulatedBar

_LIMIT, _MOST = 1000, 10_000
_BACK = (timedelta(minutes=5), timedelta(days=1), timedelta(days=5))
"""How far the newest closed bar is looked for, first nearby."""
_STOCKS, _COINS = r"/v2/stocks", r"/v1beta3/crypto/(?:us|us-1|us-2|eu-1|bs-1|global)"


class DataApi:
    """Market data of every symbol, as of the venue's clock."""

    def __init__(self, venue: AlpacaVenue) -> None:
        self._venue = venue
        one = r"/v2/stocks/([^/]+)"
        many: tuple[tuple[str, Callable[[Call], Reply]], ...] = (
            ("bars/latest", self._latest("bars", self.bar)),
            ("quotes/latest", self._latest("quotes", self.quote)),
            ("trades/latest", self._latest("trades", self.trade)),
        )
        self.routes: tuple[Route, ...] = (
            *(("GET", f"{_STOCKS}/{path}", handler) for path, handler in many),
            ("GET", f"{_STOCKS}/snapshots", self._latest(None, self._snapshot)),
            *(("GET", f"{_STOCKS}/{what}", self._series(what)) for what in ("bars", "quotes", "trades")),
            *(("GET", f"{one}/{what}/latest", self._single(what[:-1], tell)) for what, tell in self._tellers().items()),
            ("GET", f"{one}/snapshot", lambda c: Reply(200, {"symbol": c.parts[0]} | (self._snapshot(self._symbol(c.parts[0])) or {}))),
            *(("GET", f"{one}/{what}", self._series(what)) for what in ("bars", "quotes", "trades")),
            *(("GET", f"{_COINS}/latest/{what}", self._latest(what, tell)) for what, tell in self._tellers().items()),
            ("GET", f"{_COINS}/latest/orderbooks", self._latest("orderbooks", self._orderbook)),
            ("GET", f"{_COINS}/snapshots", self._latest("snapshots", self._snapshot)),
            *(("GET", f"{_COINS}/{what}", self._series(what)) for what in ("bars", "quotes", "trades")),
            ("GET", r"/v1/corporate-actions", self._corporate_actions),
        )

    # -- one of each -------------------------------------------------------------------------------------------------------

    def quote(self, symbol: Symbol) -> dict[str, Any] | None:
        """The newest quote."""
        sized = self._venue.market.sized(symbol, self._venue.clock.nanos())
        if sized is None:
            return None
        units, quote = self._venue.market.units(symbol), sized.quote
        size = float(units.quantity(sized.size))
        told = {
            "t": iso(moment(quote.time)),
            "bp": float(units.price(quote.bid)),
            "bs": size,
            "ap": float(units.price(quote.ask)),
            "as": size,
        }
        if self._is_coin(symbol):
            return told
        lots = max(round(size / 100), 1)
        return told | {"bs": lots, "as": lots, "ax": "V", "bx": "V", "c": ["R"], "z": "C"}

    def trade(self, symbol: Symbol) -> dict[str, Any] | None:
        """The newest trade: at the middle of the newest quote."""
        sized, price = self._venue.market.sized(symbol, self._venue.clock.nanos()), self._venue.price(symbol)
        if sized is None:
            return None
        told: dict[str, Any] = {"t": iso(moment(sized.quote.time)), "p": float(price), "i": sized.quote.time // 1_000_000_000}
        if self._is_coin(symbol):
            return told | {"s": 0.01, "tks": "B"}
        return told | {"s": 100, "x": "V", "c": ["@"], "z": "C"}

    def bar(self, symbol: Symbol, timeframe: Timeframe = Timeframe.MINUTE) -> dict[str, Any] | None:
        """The newest closed bar."""
        now = self._venue.clock.now()
        for back in _BACK:
            bars = self._venue.market.bars(symbol, timeframe, now - back, now)
            if bars:
                return bar_json(bars[-1])
        return None

    def _snapshot(self, symbol: Symbol) -> dict[str, Any] | None:
        now = self._venue.clock.now()
        closed = bars_of(self._venue.market, symbol, span_of("1Day"), (now - timedelta(days=10), now), now)
        today = today_of(self._venue.market, symbol, now)
        days = [bar_json(b) for b in [*closed, *([] if today is None else [today])]][-2:]
        told = {"latestTrade": self.trade(symbol), "latestQuote": self.quote(symbol), "minuteBar": self.bar(symbol)}
        told |= {"dailyBar": days[-1] if days else None, "prevDailyBar": days[-2] if len(days) > 1 else None}
        return {k: v for k, v in told.items() if v is not None}

    def _orderbook(self, symbol: Symbol) -> dict[str, Any] | None:
        quote = self.quote(symbol)
        if quote is None:
            return None
        return {"t": quote["t"], "b": [{"p": quote["bp"], "s": quote["bs"]}], "a": [{"p": quote["ap"], "s": quote["as"]}]}

    def _tellers(self) -> Mapping[str, Callable[[Symbol], dict[str, Any] | None]]:
        return {"bars": self.bar, "quotes": self.quote, "trades": self.trade}

    # -- answers -----------------------------------------------------------------------------------------------------------

    def _latest(self, name: str | None, tell: Callable[[Symbol], dict[str, Any] | None]) -> Callable[[Call], Reply]:
        def answer(call: Call) -> Reply:
            found = {s: told for s in self._symbols(call) if (told := tell(s)) is not None}
            return Reply(200, found if name is None else {name: found})

        return answer

    def _single(self, name: str, tell: Callable[[Symbol], dict[str, Any] | None]) -> Callable[[Call], Reply]:
        return lambda call: Reply(200, {"symbol": call.parts[0], name: tell(self._symbol(call.parts[0]))})

    def _series(self, what: str) -> Callable[[Call], Reply]:
        """A page of bars, quotes or trades: sorted by symbol, then by time, as many as the limit allows over all symbols."""

        def answer(call: Call) -> Reply:
            symbols = [self._symbol(call.parts[0])] if call.parts else self._symbols(call)
            limit = min(max(whole(call.query, "limit", _LIMIT, None), 1), _MOST)
            found = list(islice(self._rows(what, sorted(set(symbols)), call.query), limit + 1))
            token = _token(*found[limit]) if len(found) > limit else None
            if call.parts:
                return Reply(200, {what: [told for _, told in found[:limit]], "symbol": symbols[0], "next_page_token": token})
            grouped: dict[str, list[Any]] = {}
            for symbol, told in found[:limit]:
                grouped.setdefault(symbol, []).append(told)
            return Reply(200, {what: grouped, "next_page_token": token})

        return answer

    def _rows(self, what: str, symbols: list[Symbol], asked: Mapping[str, str]) -> Iterator[tuple[Symbol, dict[str, Any]]]:
        """From the place on that `page_token` names."""
        now, falls = self._venue.clock.now(), asked.get("sort") == "desc"
        start = _time(asked.get("start")) or now.replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(_time(asked.get("end")) or now, now)
        first, place = _place(asked.get("page_token"))
        for symbol in symbols:
            if symbol < first:
                continue
            within = (start, end) if place is None or symbol != first else (start, place) if falls else (place, end)
            ticks = [] if what == "bars" else self._ticks(what, symbol, *within)[:: -1 if falls else 1]
            yield from ((symbol, told) for told in (self._bars(symbol, within, asked) if what == "bars" else ticks))

    def _bars(self, symbol: Symbol, within: tuple[datetime, datetime], asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        market, now, span = self._venue.market, self._venue.clock.now(), span_of(asked.get("timeframe", ""))
        adjusts = asked.get("adjustment", "raw") in {"split", "all"}
        splits = [a for a in market.actions(symbol) if isinstance(a, Split) and a.ex <= now] if adjusts else []
        bars = walk(span, within, lambda ends: bars_of(market, symbol, span, ends, now), backwards=asked.get("sort") == "desc")
        return (bar_json(bar, _ratio(splits, bar.start)) for bar in bars)

    def _ticks(self, what: str, symbol: Symbol, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Quotes or trades of the last minutes of the span, at most 1,000."""
        units, first = self._venue.market.units(symbol), max(stamp(start), stamp(end) - 1000 * 10**9)
        found = []
        for sized in self._venue.market.walk(symbol, first - 1, stamp(end)):
            at, bid, ask = iso(moment(sized.quote.time)), float(units.price(sized.quote.bid)), float(units.price(sized.quote.ask))
            size = max(round(float(units.quantity(sized.size))), 1)
            quote = {"t": at, "bp": bid, "bs": size, "ap": ask, "as": size}
            trade: dict[str, Any] = {"t": at, "p": bid, "s": 1, "i": sized.quote.time // 10**9}
            more = {} if self._is_coin(symbol) else {"c": ["R" if what == "quotes" else "@"], "z": "C"}
            venues = {} if self._is_coin(symbol) else ({"ax": "V", "bx": "V"} if what == "quotes" else {"x": "V"})
            coin = {"tks": "B"} if self._is_coin(symbol) and what == "trades" else {}
            found.append((quote if what == "quotes" else trade) | more | venues | coin)
        return found

    def _corporate_actions(self, call: Call) -> Reply:
        start, end = call.query.get("start", ""), call.query.get("end", "9999")
        found: dict[str, list[dict[str, Any]]] = {}
        for symbol in self._symbols(call) if call.query.get("symbols") else self._venue.market.symbols:
            for action in self._venue.market.actions(symbol):
                day = action.ex.date().isoformat()
                if not start <= day <= end:
                    continue
                dates = {"symbol": symbol, "ex_date": day, "process_date": day, "record_date": day, "payable_date": day}
                dates |= {"id": f"{symbol}-{day}", "cusip": "000000000"}
                if isinstance(action, Split):
                    name = "forward_splits" if action.ratio > 1 else "reverse_splits"
                    found.setdefault(name, []).append(dates | {"new_rate": float(action.ratio), "old_rate": 1})
                else:
                    found.setdefault("cash_dividends", []).append(
                        dates | {"rate": float(action.amount), "special": False, "foreign": False}
                    )
        return Reply(200, {"corporate_actions": found, "next_page_token": None})

    def _symbols(self, call: Call) -> list[Symbol]:
        names = [s.strip() for s in call.query.get("symbols", "").split(",") if s.strip()]
        if not names:
            raise RefusedError(400, None, "symbols is required")
        known = {a.symbol for a in self._venue.assets.by_symbol.values()}
        return [Symbol(n) for n in names if n in known]

    def _symbol(self, name: str) -> Symbol:
        try:
            return self._venue.market.instrument(Symbol(name)).symbol
        except NoDataError as error:
            raise RefusedError(404, None, f"symbol not found: {name}") from error

    def _is_coin(self, symbol: Symbol) -> bool:
        return self._venue.assets.find(symbol).crypto


def bar_json(bar: EmulatedBar, ratio: Decimal = Decimal(1)) -> dict[str, Any]:
    """A bar as the API tells it, its prices divided by `ratio`."""
    o, h, low, c = (round(v / float(ratio), 6) for v in (bar.open, bar.high, bar.low, bar.close))
    whole = bar.volume * float(ratio)
    volume = round(whole) if whole >= 1 else round(whole, 6)
    return {
        "t": iso(bar.start),
        "o": o,
        "h": h,
        "l": low,
        "c": c,
        "v": volume,
        "n": max(round(whole / 100), 1),
        "vw": round((o + h + low + c) / 4, 6),
    }


def _ratio(splits: list[Split], start: datetime) -> Decimal:
    ratio = Decimal(1)
    for split in splits:
        ratio *= split.ratio if split.ex > start else 1
    return ratio


def _token(symbol: Symbol, told: Mapping[str, Any]) -> str:
    """The place of a row."""
    return urlsafe_b64encode(f"{symbol}|{told['t']}".encode()).decode()


def _place(token: str | None) -> tuple[str, datetime | None]:
    if not token:
        return "", None
    try:
        symbol, at = urlsafe_b64decode(token).decode().split("|")
    except ValueError as error:
        raise RefusedError(400, None, "invalid page_token") from error
    return symbol, _time(at)


def _time(told: str | None) -> datetime | None:
    if not told:
        return None
    try:
        found = datetime.fromisoformat(told.replace(" ", "+"))
    except ValueError as error:
        raise RefusedError(400, None, f"invalid time: {told}") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
