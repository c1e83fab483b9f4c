"""The invented market behind the `MarketSource` port: any symbol, any timeframe, for trying out and for tests.

Promises that the same seed gives the same market, that a later horizon or other symbols change no earlier bar, and that a
daily bar is the exact sum of its minutes. Refuses days before `settings.start` and after the horizon.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import SESSIONS_PER_YEAR, AssetClass, Instrument
from trading_bot.domain.market import CorporateAction, Feed, Funding, PriceBasis, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries, Calendar
from trading_bot.settings import SyntheticSettings
from trading_bot.sources.bar_quotes import BarQuotes
from trading_bot.sources.files_actions import Events
from trading_bot.sources.sessions import MINUTE, Sessions, SessionTable, nanoseconds
from trading_bot.sources.synthetic_funding import fundings
from trading_bot.sources.synthetic_minutes import Minutes, minutes
from trading_bot.sources.synthetic_walk import Market, Subject, Walk, market_moves, walk

_REMEMBERED = 64
"""Sessions whose quotes are kept."""


@dataclass(frozen=True, eq=False)
class _History:
    """All sessions of one symbol up to a horizon."""

    horizon: date
    sessions: Sessions
    walk: Walk

    def pick(self, rows: np.ndarray) -> "_History":
        """The sessions with these numbers."""
        s, w = self.sessions, self.walk
        columns = (w.opens, w.highs, w.lows, w.closes, w.volumes, w.ratios, w.dividends)
        return _History(self.horizon, Sessions(s.days[rows], s.opens[rows], s.closes[rows]), Walk(*(c[rows] for c in columns)))


class SyntheticSource:
    """A `MarketSource` that invents its market."""

    name = "synthetic"

    def __init__(  # noqa: PLR0913, PLR0917 - the composition root names each part
        self,
        seed: int,
        settings: SyntheticSettings,
        instruments: Callable[[Symbol], Instrument],
        calendars: Callable[[str], Calendar],
        spread_bps: Decimal,
        horizon: Callable[[], date],
    ) -> None:
        self._seed = seed
        self._settings = settings
        self._instruments = instruments
        self._calendars = calendars
        self._spread_bps = spread_bps
        self._horizon = horizon
        self._tables: dict[str, SessionTable] = {}
        self._histories: dict[Symbol, _History] = {}
        self._series: dict[tuple[Symbol, Timeframe], tuple[date, BarSeries]] = {}
        self._actions: dict[Symbol, tuple[date, tuple[CorporateAction, ...]]] = {}
        self._fundings: dict[Symbol, tuple[date, tuple[Funding, ...]]] = {}
        self._quotes: OrderedDict[tuple[Symbol, date], BarQuotes] = OrderedDict()
        self._drawn: tuple[_History | None, dict[int, Minutes]] = (None, {})
        """Minutes of the history that was read last, by length of session: timeframes of one symbol are often read in a row."""

    def instrument(self, symbol: Symbol) -> Instrument:
        """What the configuration says of `symbol`; any symbol exists."""
        return self._instruments(symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:  # noqa: ARG002 - every symbol has the same
        """The configured timeframe and all longer ones, finest first."""
        every = tuple(Timeframe)
        return every[every.index(self._settings.timeframe) :]

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars from `settings.start` to the horizon. NoDataError for a timeframe finer than the configured one."""
        if timeframe not in self.timeframes(symbol):
            msg = f"{symbol}: no {timeframe} bars, the synthetic market begins at {self._settings.timeframe} (source.synthetic.timeframe)"
            raise NoDataError(msg)
        history = self._history(symbol)
        known = self._series.get((symbol, timeframe))
        if known is None or known[0] != history.horizon:
            known = self._series[symbol, timeframe] = (history.horizon, self._bars(symbol, timeframe, history))
        return known[1]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date; a 24/7 market has none."""
        history = self._history(symbol)
        known = self._actions.get(symbol)
        if known is None or known[0] != history.horizon:
            known = self._actions[symbol] = (history.horizon, _actions(symbol, history))
        return known[1]

    def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:
        """Invented rates of a perpetual up to the horizon; none of anything else."""
        if self._instruments(symbol).asset_class is not AssetClass.CRYPTO_PERPETUAL:
            return ()
        horizon, known = self._horizon(), self._fundings.get(symbol)
        if known is None or known[0] != horizon:
            known = self._fundings[symbol] = (horizon, fundings(self._seed, symbol, self._settings.start, horizon))
        return known[1]

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote at or before `at`; only the session in question and the one before it are worked out."""
        history = self._history(symbol)
        number = int(np.searchsorted(history.sessions.opens, nanoseconds(at), side="right")) - 1
        if number < 0:
            return None
        key = symbol, history.sessions.days[number].item()
        if key not in self._quotes:
            near = self._bars(symbol, self._settings.timeframe, history.pick(np.arange(max(number - 1, 0), number + 1)))
            self._quotes[key] = BarQuotes([near], self._instruments(symbol), self._spread_bps)
            if len(self._quotes) > _REMEMBERED:
                self._quotes.popitem(last=False)
        return self._quotes[key].at(at)

    def notes(self) -> tuple[str, ...]:
        """That the market is invented, and from which seed."""
        return (f"the market is invented (synthetic, seed {self._seed}); results on it say nothing about real ones",)

    def _history(self, symbol: Symbol) -> _History:
        horizon, known = self._horizon(), self._histories.get(symbol)
        if known is None or known.horizon != horizon:
            known = self._histories[symbol] = self._invented(symbol, horizon)
        return known

    def _invented(self, symbol: Symbol, horizon: date) -> _History:
        name = self._instruments(symbol).calendar
        if name not in self._tables:
            self._tables[name] = SessionTable(self._calendars(name))
        sessions = self._tables[name].between(self._settings.start, max(horizon, self._settings.start))
        if not len(sessions.days):
            msg = f"{symbol}: no session between {self._settings.start} and {horizon}; set source.synthetic.start earlier"
            raise NoDataError(msg)
        drift, moves = market_moves(self._seed, name, len(sessions.days))
        market = Market(drift, moves, self._settings.annual_volatility, float(SESSIONS_PER_YEAR[name]), pays=name == "XNYS")
        return _History(horizon, sessions, walk(self._subject(symbol), market))

    def _subject(self, symbol: Symbol) -> Subject:
        instrument = self._instruments(symbol)
        return Subject(self._seed, symbol, instrument.sector, float(instrument.tick_size))

    def _bars(self, symbol: Symbol, timeframe: Timeframe, history: _History) -> BarSeries:
        if timeframe is Timeframe.DAY:
            invented, sessions = history.walk, history.sessions
            columns = (invented.opens, invented.highs, invented.lows, invented.closes, invented.volumes)
            return _series(symbol, timeframe, np.stack(columns, axis=1), sessions.opens, sessions.closes)
        lengths = (history.sessions.closes - history.sessions.opens) // MINUTE
        blocks = [self._block(symbol, timeframe, history, np.flatnonzero(lengths == length)) for length in np.unique(lengths)]
        values, starts, ends = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        order = np.argsort(starts)
        return _series(symbol, timeframe, values[order], starts[order], ends[order])

    def _block(self, symbol: Symbol, timeframe: Timeframe, history: _History, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Bars of sessions of one length: values (bars, 5), starts and ends (ns)."""
        part = history.pick(rows)
        length, size = int(part.sessions.closes[0] - part.sessions.opens[0]) // MINUTE, int(timeframe.duration.total_seconds()) // 60
        bars = self._minutes(symbol, history, part, length).every(size)
        starts = part.sessions.opens[:, None] + np.arange(0, length, size) * MINUTE
        ends = np.minimum(starts + size * MINUTE, part.sessions.closes[:, None])
        values = np.stack([c.ravel() for c in (bars.opens, bars.highs, bars.lows, bars.closes, bars.volumes)], axis=1)
        return values, starts.ravel(), ends.ravel()

    def _minutes(self, symbol: Symbol, history: _History, part: _History, length: int) -> Minutes:
        """Minutes of all sessions of `history` that have this length, which are `part`."""
        if self._drawn[0] is not history:
            self._drawn = (history, {})
        drawn = self._drawn[1]
        if length not in drawn:
            drawn[length] = minutes(self._subject(symbol), [str(day) for day in part.sessions.days], part.walk, length)
        return drawn[length]


def _actions(symbol: Symbol, history: _History) -> tuple[CorporateAction, ...]:
    told = (history.walk.ratios != 1) | (history.walk.dividends > 0)
    events = Events(history.sessions.days[told], history.walk.ratios[told], history.walk.dividends[told])
    return events.actions(symbol, history.sessions)


def _series(symbol: Symbol, timeframe: Timeframe, values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> BarSeries:
    index = pd.DatetimeIndex(starts.astype("datetime64[ns]"), tz="UTC", name="start")
    return BarSeries(
        symbol=symbol,
        timeframe=timeframe,
        frame=pd.DataFrame(values, index=index, columns=["open", "high", "low", "close", "volume"]),
        ends=ends.astype("datetime64[ns]"),
        feed=Feed.CONSOLIDATED,
        basis=PriceBasis.AS_TRADED,
        source="synthetic",
    )
