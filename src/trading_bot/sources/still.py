"""A source that stands still: what was read once is kept, for runs over recorded time whose data cannot change under them.

Promises the bars of the source behind it, which must have all of the period already, and the quotes that these bars publish, whatever
quotes that source has besides: a run over bars knows bars. Refuses to be used on a real clock: new bars would never be seen.
"""

from datetime import datetime
from decimal import Decimal

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Funding, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries, Funded, MarketSource
from trading_bot.sources.bar_quotes import BarQuotes


class StillSource:
    """A `MarketSource` over one that does not change. `spread_bps`: of the quotes that its bars publish."""

    def __init__(self, source: MarketSource, spread_bps: Decimal) -> None:
        self._source = source
        self._spread_bps = spread_bps
        self.name = source.name
        self._instruments: dict[Symbol, Instrument] = {}
        self._timeframes: dict[Symbol, tuple[Timeframe, ...]] = {}
        self._bars: dict[tuple[Symbol, Timeframe], BarSeries] = {}
        self._actions: dict[Symbol, tuple[CorporateAction, ...]] = {}
        self._fundings: dict[Symbol, tuple[Funding, ...]] = {}
        self._quotes: dict[Symbol, BarQuotes] = {}
        self._newest: dict[Symbol, tuple[datetime, Quote | None]] = {}
        """The newest answer for each symbol: a moment is asked about many times."""

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""
        if symbol not in self._instruments:
            self._instruments[symbol] = self._source.instrument(symbol)
        return self._instruments[symbol]

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes that it has for `symbol`, finest first."""
        if symbol not in self._timeframes:
            self._timeframes[symbol] = self._source.timeframes(symbol)
        return self._timeframes[symbol]

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars that it has."""
        known = self._bars.get((symbol, timeframe))
        if known is None:
            known = self._bars[symbol, timeframe] = self._source.bars(symbol, timeframe)
        return known

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date."""
        if symbol not in self._actions:
            self._actions[symbol] = self._source.actions(symbol)
        return self._actions[symbol]

    def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:
        """Rates at which positions were funded, by rising time."""
        if symbol not in self._fundings:
            self._fundings[symbol] = self._source.fundings(symbol) if isinstance(self._source, Funded) else ()
        return self._fundings[symbol]

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote published at or before `at`, None before the first."""
        known = self._newest.get(symbol)
        if known is None or known[0] != at:
            known = self._newest[symbol] = (at, self._published(symbol).at(at))
        return known[1]

    def _published(self, symbol: Symbol) -> BarQuotes:
        if symbol not in self._quotes:
            series = [self.bars(symbol, timeframe) for timeframe in self.timeframes(symbol)]
            self._quotes[symbol] = BarQuotes(series, self.instrument(symbol), self._spread_bps)
        return self._quotes[symbol]

    def notes(self) -> tuple[str, ...]:
        """What was repaired, dropped or assumed while reading."""
        return self._source.notes()
