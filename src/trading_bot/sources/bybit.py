"""Bybit's market data (v5, public: it needs no keys): spot or linear perpetuals, history by REST, the rest by stream or poll.

Promises prices as they were traded on Bybit, closed bars only, and quotes with Bybit's own time. A perpetual of Bybit trades
nowhere else, so that its feed holds all trades and is `consolidated`; a coin does, so that spot is `single_venue`. Refuses unknown
contracts and those that do not trade, by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from pybit.unified_trading import HTTP

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import Contract, CorporateAction, Feed, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.network.budget import RequestBudget
from trading_bot.network.watch import Watch
from trading_bot.ports import BarSeries, Calendar
from trading_bot.settings import BybitEnvironment, BybitSettings
from trading_bot.sources import bybit_wire
from trading_bot.sources.bybit_stream import BybitStream, Ears
from trading_bot.sources.bybit_wire import Wire
from trading_bot.sources.live.contracts import LiveContracts
from trading_bot.sources.live.grid import merged
from trading_bot.sources.live.history import History, Manner, RawBar
from trading_bot.sources.live.pulse import Pulse
from trading_bot.sources.live.quote_tape import RawQuote
from trading_bot.sources.live.quoting import LiveQuotes, Origin
from trading_bot.sources.live.reads import Reads
from trading_bot.sources.sessions import MILLI, nanoseconds

TIMEFRAMES: Final = {Timeframe.MINUTE_15: "15", Timeframe.DAY: "D"}
_PATIENCE = 15.0
"""Seconds of silence after which the stream counts as mute: Bybit repeats the best bid and ask every three."""
_FEEDS = {"linear": Feed.CONSOLIDATED, "spot": Feed.SINGLE_VENUE}
_PAGE = 1000
_TIMEOUT = 10
_MANY = 10
"""So many contracts are looked up one by one; more, and the whole list is read."""


class BybitSource:
    """A `MarketSource` over Bybit. `instruments` says what the configuration makes of a symbol; `open` starts the stream."""

    name = "bybit"

    def __init__(
        self,
        settings: BybitSettings,
        instruments: Callable[[Symbol], Instrument],
        calendars: Callable[[str], Calendar],
        pulse: Pulse,
    ) -> None:
        self._settings, self._pulse, self._instruments = settings, pulse, instruments
        # Demo accounts trade at the prices of the real market, which is where their market data comes from.
        self._http = HTTP(testnet=settings.environment is BybitEnvironment.TESTNET, timeout=_TIMEOUT, max_retries=1, retry_codes={0})
        if settings.url is not None:
            self._http.endpoint = settings.url
        budget = RequestBudget(settings.requests_per_second * 2, settings.requests_per_second, pulse.steady)
        self._reads = Reads(budget, bybit_wire.explain, pulse.draw, pulse.pause)
        self._notes: dict[str, None] = {}
        self._known: dict[Symbol, Instrument] = {}
        self._listed: dict[str, Wire] = {}
        manner = Manner(calendars("24/7"), _FEEDS[settings.category], f"bybit-{settings.category}", batch=1)
        self._history = History(manner, self._bars, pulse.now, self._note)
        watch = Watch(pulse.steady, _PATIENCE)
        self._quotes = LiveQuotes(Origin(manner.source, manner.feed), watch, self._poll, pulse.now, pulse.draw)
        self._contracts = LiveContracts(self._quotes)
        self._stream = BybitStream(settings, watch, pulse, Ears(self._quotes.heard, self._contracts.heard, self._complain))
        self._expected = 0

    def expect(self, symbols: Sequence[Symbol]) -> None:
        """Say how many will be asked for one by one, so that many are looked up at once."""
        self._expected = len(symbols)

    def open(self, symbols: Sequence[Symbol]) -> None:
        """Look the symbols up and stream their quotes. NoDataError names one that does not trade; call it once."""
        self._look_up(symbols)
        self._stream.start(symbols)

    def close(self) -> None:
        """End the stream and connections; who waits for a read wakes."""
        self._pulse.closing.set()
        self._stream.close()
        self._http.client.close()

    def instrument(self, symbol: Symbol) -> Instrument:
        """What the configuration says, on Bybit's grid and within its limits. NoDataError if Bybit does not trade it."""
        if symbol not in self._known:
            self._look_up([symbol])
        return self._known[symbol]

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """15 minutes and a day."""
        self.instrument(symbol)
        return tuple(TIMEFRAMES)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """Closed bars of the last two years (days) or month, extended as new ones close."""
        self.instrument(symbol)
        if timeframe not in TIMEFRAMES:
            msg = f"{symbol}: no {timeframe} bars are read from Bybit, only {', '.join(TIMEFRAMES)}"
            raise NoDataError(msg)
        return self._history.series(symbol, timeframe)

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """None: contracts and coins do not split. Funding is the broker's to tell."""
        self.instrument(symbol)
        return ()

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote published at or before `at`: streamed, or polled if there is no young one."""
        self.instrument(symbol)
        return self._quotes.at(symbol, at)

    def contract(self, symbol: Symbol, at: datetime) -> Contract | None:
        """Newest mark price and funding of a perpetual published at or before `at`; None for a coin of the spot market."""
        perpetual = self.instrument(symbol).asset_class is AssetClass.CRYPTO_PERPETUAL
        return self._contracts.at(symbol, at) if perpetual else None

    def notes(self) -> tuple[str, ...]:
        """What was left out, and what Bybit objected to."""
        return tuple(self._notes)

    def watches(self) -> Mapping[str, Watch]:
        """The watermark of the stream."""
        return {self._settings.category: self._quotes.watch}

    def _note(self, text: str) -> None:
        self._notes[text] = None

    def _complain(self, text: str) -> None:
        self._note(f"Bybit's stream refused: {text}; quotes are polled")

    def _look_up(self, symbols: Sequence[Symbol]) -> None:
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._known]
        if max(len(new), self._expected) > _MANY and not all(symbol in self._listed for symbol in new):
            self._listed |= {entry["symbol"]: entry for entry in self._reads.ask(self._listing)}
        for symbol in new:
            self._known[symbol] = merged(self._instruments(symbol), bybit_wire.grid_of(self._contract(symbol)))
            self._quotes.tape.follow([symbol])
            self._contracts.follow(symbol)

    def _contract(self, symbol: Symbol) -> Wire:
        if symbol not in self._listed:
            try:
                self._listed |= {entry["symbol"]: entry for entry in self._reads.ask(partial(self._listing, symbol))}
            except NoDataError:
                self._listed.pop(symbol, None)
        if symbol not in self._listed:
            msg = f"{symbol}: Bybit knows no such {self._settings.category} contract; take it out of universe.symbols"
            raise NoDataError(msg)
        return self._listed[symbol]

    def _listing(self, symbol: Symbol | None = None) -> list[Wire]:
        """One contract or all, page by page."""
        found: list[Wire] = []
        page: dict[str, Any] = {"symbol": symbol} if symbol else {"limit": _PAGE}
        while True:
            result = self._http.get_instruments_info(category=self._settings.category, **page)["result"]
            found += result["list"]
            if not (symbol is None and result.get("nextPageCursor")):
                return found
            page["cursor"] = result["nextPageCursor"]

    def _bars(self, symbols: Sequence[Symbol], timeframe: Timeframe, start: datetime) -> Mapping[str, list[RawBar]]:
        """Bars from `start` to now in windows of one page each: of a longer one Bybit would give the newest bars alone."""
        milli, end = nanoseconds(start) // MILLI, nanoseconds(self._pulse.now()) // MILLI
        width = int(timeframe.duration.total_seconds()) * 1000 * _PAGE
        rows = [row for first in range(milli, end + 1, width) for row in self._page(symbols[0], timeframe, first, first + width - 1)]
        return {symbols[0]: rows}

    def _page(self, symbol: Symbol, timeframe: Timeframe, first: int, last: int) -> list[RawBar]:
        asked = {"category": self._settings.category, "symbol": symbol, "interval": TIMEFRAMES[timeframe], "limit": _PAGE}
        return self._reads.ask(
            lambda: [bybit_wire.bar(row) for row in self._http.get_kline(**asked, start=first, end=last)["result"]["list"]]
        )

    def _poll(self) -> Iterable[tuple[str, RawQuote]]:
        """All symbols in one call, which tells of contracts too."""
        return self._reads.ask(self._tickers, tries=1, queue=0.0)

    def _tickers(self) -> list[tuple[str, RawQuote]]:
        answer = cast("Wire", self._http.get_tickers(category=self._settings.category))
        for symbol, said in bybit_wire.contracts(answer):
            self._contracts.heard(symbol, said)
        return list(bybit_wire.tickers(answer))
