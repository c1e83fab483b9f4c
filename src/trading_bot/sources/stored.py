"""Bars that were kept in the home's bar store, as a market-data source.

Promises prices as they were stored, with their own feed and basis. Refuses to fetch what is missing.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarArchive, BarSeries
from trading_bot.sources.bar_quotes import BarQuotes


class StoredSource:
    """A `MarketSource` over an archive of bars."""

    name = "store"

    def __init__(self, archive: BarArchive, instruments: Callable[[Symbol], Instrument], spread_bps: Decimal) -> None:
        self._archive = archive
        self._instruments = instruments
        self._spread_bps = spread_bps
        self._series: dict[Symbol, dict[Timeframe, BarSeries]] = {}
        self._quotes: dict[Symbol, BarQuotes] = {}

    def instrument(self, symbol: Symbol) -> Instrument:
        """What the configuration says of `symbol`."""
        return self._instruments(symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes that were stored, finest first. NoDataError if none was."""
        return tuple(self._load(symbol))

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All stored bars. NoDataError if this timeframe was not stored."""
        loaded = self._load(symbol)
        if timeframe not in loaded:
            msg = f"{symbol}: no {timeframe} bars in the bar store, only {', '.join(loaded)}"
            raise NoDataError(msg)
        return loaded[timeframe]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends that were stored with the bars."""
        return self._archive.actions(symbol)

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote that the bars published at or before `at`."""
        if symbol not in self._quotes:
            self._quotes[symbol] = BarQuotes(tuple(self._load(symbol).values()), self._instruments(symbol), self._spread_bps)
        return self._quotes[symbol].at(at)

    def notes(self) -> tuple[str, ...]:
        """None: what was repaired was said when the bars were imported."""
        return ()

    def _load(self, symbol: Symbol) -> dict[Timeframe, BarSeries]:
        if symbol not in self._series:
            timeframes = self._archive.timeframes(symbol)
            if not timeframes:
                msg = (
                    f"{symbol}: no bars in the bar store; it holds {', '.join(self._archive.symbols()) or 'none'}. `bars import` adds some"
                )
                raise NoDataError(msg)
            self._series[symbol] = {timeframe: self._archive.read(symbol, timeframe) for timeframe in timeframes}
        return self._series[symbol]
