"""Alpaca's market data: US stocks and coins, history by REST, quotes by stream, and by poll where the stream is mute.

Promises prices as traded (`adjustment=raw`) beside the splits and dividends that Alpaca announces, closed bars only, quotes with
Alpaca's own time, and a feed that is what it is: IEX is one venue, SIP all of them, coins Alpaca's own book. Symbols are
Alpaca's; one with a slash (`BTC/USD`) is a coin. Refuses unknown, inactive and untradable symbols by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Feed, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.network.budget import RequestBudget
from trading_bot.network.keys import Keys
from trading_bot.network.watch import Watch
from trading_bot.ports import BarSeries, Calendar
from trading_bot.settings import AlpacaSettings
from trading_bot.sources import alpaca_stream, alpaca_wire
from trading_bot.sources.alpaca_client import DAYS_LATE, TIMEFRAMES, AlpacaReads, Wire
from trading_bot.sources.alpaca_stream import AlpacaStream
from trading_bot.sources.live.announced import Announced
from trading_bot.sources.live.grid import merged
from trading_bot.sources.live.history import REACH, Fetch, History, Manner, RawBar
from trading_bot.sources.live.pulse import Pulse
from trading_bot.sources.live.quote_tape import RawQuote
from trading_bot.sources.live.quoting import LiveQuotes, Origin
from trading_bot.sources.live.reads import Reads

_PATIENCE = 15.0
"""Seconds of silence after which a stream counts as mute."""
_BATCH = 100
"""Symbols in one request for bars."""
_MANY = 10
"""So many assets are looked up one by one; more, and the whole list is read."""
_AHEAD = timedelta(days=120)
"""Alpaca finds actions by the day on which it books them, which for a dividend is weeks after the ex-date."""
_UNKNOWN = "Alpaca knows no such symbol; take it out of universe.symbols"
_FEEDS = {"iex": Feed.SINGLE_VENUE, "sip": Feed.CONSOLIDATED}
_QUOTES_AT_ONCE = 500

Latest = Callable[[Sequence[Symbol]], Mapping[str, RawQuote]]


class _Market:
    """Stocks, or coins: their bars, quotes and stream."""

    def __init__(self, manner: Manner, fetch: Fetch, latest: Latest, pulse: Pulse, note: Callable[[str], None]) -> None:
        self.symbols: list[Symbol] = []
        self.history = History(manner, fetch, pulse.now, note)
        watch = Watch(pulse.steady, _PATIENCE)
        self._latest = latest
        self.quotes = LiveQuotes(Origin(manner.source, manner.feed), watch, self._poll, pulse.now, pulse.draw)
        self.stream: AlpacaStream | None = None

    def follow(self, symbols: Iterable[Symbol]) -> None:
        self.symbols = list(dict.fromkeys([*self.symbols, *symbols]))
        self.history.follow(self.symbols)
        self.quotes.tape.follow(self.symbols)

    def hear(self, message: Wire) -> None:
        """Take a quote from the stream."""
        self.quotes.heard(message["S"], alpaca_wire.streamed(message))

    def _poll(self) -> Iterable[tuple[str, RawQuote]]:
        for first in range(0, len(self.symbols), _QUOTES_AT_ONCE):
            yield from self._latest(self.symbols[first : first + _QUOTES_AT_ONCE]).items()


class AlpacaSource:
    """A `MarketSource` over Alpaca. `instruments` says what the configuration makes of a symbol; `open` starts the streams."""

    name = "alpaca"

    def __init__(
        self,
        settings: AlpacaSettings,
        keys: Keys,
        instruments: Callable[[Symbol], Instrument],
        calendars: Callable[[str], Calendar],
        pulse: Pulse,
    ) -> None:
        self._settings, self._keys, self._pulse = settings, keys, pulse
        self._instruments = instruments
        self._client = AlpacaReads(settings, keys, pulse.now)
        budget = RequestBudget(settings.requests_per_minute / 4, settings.requests_per_minute / 60, pulse.steady)
        self._reads = Reads(budget, partial(alpaca_wire.explain, keys), pulse.draw, pulse.pause)
        self._notes: dict[str, None] = {}
        self._known: dict[Symbol, Instrument] = {}
        self._listed: dict[str, Wire] = {}
        xnys = calendars("XNYS")
        settles = Manner.day_settles if settings.feed == "sip" else DAYS_LATE + Manner.day_settles
        stocks = Manner(xnys, _FEEDS[settings.feed], f"alpaca-{settings.feed}", _BATCH, day_feed=Feed.CONSOLIDATED, day_settles=settles)
        coins = Manner(calendars("24/7"), Feed.SINGLE_VENUE, "alpaca-crypto", _BATCH)
        self._stocks = _Market(stocks, self._bars(self._client.stock_bars), self._latest(self._client.stock_quotes), pulse, self._note)
        self._coins = _Market(coins, self._bars(self._client.coin_bars), self._latest(self._client.coin_quotes), pulse, self._note)
        self._announced = Announced(xnys, self._read_actions, pulse.now)
        self._calendar = xnys
        self._expected = 0

    def expect(self, symbols: Sequence[Symbol]) -> None:
        """Say how many will be asked for one by one, so that many are looked up at once."""
        self._expected = len(symbols)

    def open(self, symbols: Sequence[Symbol]) -> None:
        """Look the symbols up and stream their quotes. NoDataError names one that Alpaca does not trade; call it once."""
        self._look_up(symbols)
        pairs = (
            (self._stocks, alpaca_stream.stocks, [s for s in symbols if not alpaca_wire.is_coin(s)]),
            (self._coins, alpaca_stream.coins, [s for s in symbols if alpaca_wire.is_coin(s)]),
        )
        for market, make, mine in pairs:
            if mine:
                complain = partial(self._complain, market.quotes)
                market.stream = AlpacaStream(make(self._settings, self._keys), market.quotes.watch, market.hear, complain)
                market.stream.start(mine)

    def close(self) -> None:
        """End streams and connections; who waits for a read wakes."""
        self._pulse.closing.set()
        for market in (self._stocks, self._coins):
            if market.stream is not None:
                market.stream.close()
        self._client.close()

    def instrument(self, symbol: Symbol) -> Instrument:
        """What the configuration says, on Alpaca's grid and with its permissions. NoDataError if Alpaca does not trade it."""
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
            msg = f"{symbol}: no {timeframe} bars are read from Alpaca, only {', '.join(TIMEFRAMES)}"
            raise NoDataError(msg)
        return self._market(symbol).history.series(symbol, timeframe)

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends that Alpaca announced, those that come too."""
        self.instrument(symbol)
        return () if alpaca_wire.is_coin(symbol) else self._announced.of(symbol)

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote published at or before `at`: streamed, or polled if there is no young one."""
        self.instrument(symbol)
        return self._market(symbol).quotes.at(symbol, at)

    def notes(self) -> tuple[str, ...]:
        """What was left out, what Alpaca objected to, what it announced that nothing follows from."""
        return tuple(self._notes)

    def watches(self) -> Mapping[str, Watch]:
        """The watermark of each stream that was opened, by the name of its market."""
        markets = {"stocks": self._stocks, "coins": self._coins}
        return {name: market.quotes.watch for name, market in markets.items() if market.stream is not None}

    def _market(self, symbol: Symbol) -> _Market:
        return self._coins if alpaca_wire.is_coin(symbol) else self._stocks

    def _note(self, text: str) -> None:
        self._notes[text] = None

    def _complain(self, quotes: LiveQuotes, text: str) -> None:
        quotes.watch.lost()
        self._note(f"Alpaca's stream refused: {self._keys.hide(text)}; quotes are polled")

    def _look_up(self, symbols: Sequence[Symbol]) -> None:
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._known]
        for symbol in new:
            ours = self._instruments(symbol)
            self._known[symbol] = merged(ours, alpaca_wire.grid_of(self._asset(symbol, max(len(new), self._expected)), ours))
        for market, coin in ((self._stocks, False), (self._coins, True)):
            market.follow(symbol for symbol in new if alpaca_wire.is_coin(symbol) is coin)
        self._announced.follow(symbol for symbol in new if not alpaca_wire.is_coin(symbol))

    def _asset(self, symbol: Symbol, wanted: int) -> Wire:
        """Alpaca's word on `symbol`; `wanted`: how many are being looked up."""
        coin = alpaca_wire.is_coin(symbol)
        if symbol not in self._listed:
            if not coin and wanted <= _MANY:
                self._listed[symbol] = self._one(symbol)
            else:
                listed = self._reads.ask(partial(self._client.assets, "crypto" if coin else "us_equity"))
                self._listed |= {asset["symbol"]: asset for asset in listed}
        if symbol not in self._listed:
            raise NoDataError(f"{symbol}: {_UNKNOWN}")
        return self._listed[symbol]

    def _one(self, symbol: Symbol) -> Wire:
        try:
            return self._reads.ask(partial(self._client.asset, symbol))
        except NoDataError as error:
            raise NoDataError(f"{symbol}: {_UNKNOWN}") from error

    def _bars(self, call: Callable[[Sequence[Symbol], Timeframe, datetime], Mapping[str, list[Wire]]]) -> Fetch:
        def fetch(symbols: Sequence[Symbol], timeframe: Timeframe, start: datetime) -> Mapping[str, list[RawBar]]:
            return self._reads.ask(lambda: dict(alpaca_wire.by_symbol(call(symbols, timeframe, start))))

        return fetch

    def _latest(self, call: Callable[[Sequence[Symbol]], Mapping[str, Wire]]) -> Latest:
        def latest(symbols: Sequence[Symbol]) -> Mapping[str, RawQuote]:
            return self._reads.ask(lambda: {s: alpaca_wire.polled(body) for s, body in call(symbols).items()}, tries=1, queue=0.0)

        return latest

    def _read_actions(self, symbols: Sequence[Symbol], now: datetime) -> Mapping[Symbol, tuple[CorporateAction, ...]]:
        first, last = (now - REACH[Timeframe.DAY]).date(), (now + _AHEAD).date()
        return self._reads.ask(lambda: alpaca_wire.actions_of(self._client.actions(symbols, first, last), self._calendar, self._note))
