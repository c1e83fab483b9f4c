"""A source as of a moment: nothing that came later can be reached through it.

Promises that whatever the source behind it says of the time after `now` changes no answer: bars are there once they have closed, splits
and dividends once their ex-date has come. Refuses notes: they may speak of later bars.
"""

from dataclasses import replace
from datetime import datetime

import numpy as np

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Funding, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries, Funded, MarketSource


class ClippedSource:
    """A `MarketSource` over one that may know the future. `now`: aware."""

    def __init__(self, source: MarketSource, now: datetime) -> None:
        self._source = source
        self._now = now
        self._end = np.datetime64(now.replace(tzinfo=None), "ns")
        self.name = source.name

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""
        return self._source.instrument(symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes that have a closed bar, finest first."""
        return tuple(t for t in self._source.timeframes(symbol) if len(self.bars(symbol, t).ends))

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """The bars that have closed."""
        series = self._source.bars(symbol, timeframe)
        closed = int(np.searchsorted(series.ends, self._end, side="right"))
        return replace(series, frame=series.frame.iloc[:closed], ends=series.ends[:closed])

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends whose ex-date has come."""
        return tuple(action for action in self._source.actions(symbol) if action.ex <= self._now)

    def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:
        """Rates at which positions were funded by now."""
        known = self._source.fundings(symbol) if isinstance(self._source, Funded) else ()
        return tuple(funding for funding in known if funding.at <= self._now)

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote published at or before `at`, and not after `now`."""
        return self._source.quote(symbol, min(at, self._now))

    def notes(self) -> tuple[str, ...]:
        """None."""
        return ()
