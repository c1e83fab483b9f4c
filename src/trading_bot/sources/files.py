"""Bars from CSV and Parquet files: daily and intraday, one symbol a file or many, prices brought back to as traded.

Promises that bars are as traded wherever the files tell of their splits, that what was repaired, dropped or assumed is in
`notes()`, and that a symbol is read once, when it is first asked for. Refuses to invent: no bar without a row, no basis
without evidence (`not_as_traded` otherwise). Every rule stands in `docs/data.md`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading_bot.domain.errors import BadBarsError, DataError, NoDataError
from trading_bot.domain.instrument import AssetClass, Instrument
from trading_bot.domain.market import CorporateAction, Funding, Quote, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries, Calendar
from trading_bot.settings import FileSettings
from trading_bot.sources.bar_quotes import BarQuotes
from trading_bot.sources.files_actions import Events
from trading_bot.sources.files_clean import Note
from trading_bot.sources.files_funding import read_funding
from trading_bot.sources.files_join import Part, events_of, joined, note_moves, part_of
from trading_bot.sources.files_read import Library, funding_file
from trading_bot.sources.sessions import SessionTable

_LONGEST_BREAK = timedelta(days=10)
"""No exchange of ours stays closed longer: within it a session follows any date."""
_NAMED = 20


@dataclass(frozen=True, eq=False)
class _Loaded:
    """All that the files hold of one symbol."""

    series: dict[Timeframe, BarSeries]
    actions: tuple[CorporateAction, ...]
    fundings: tuple[Funding, ...]
    quotes: BarQuotes


class FileSource:
    """A `MarketSource` over files and folders."""

    name = "files"

    def __init__(
        self,
        settings: Sequence[FileSettings],
        instruments: Callable[[Symbol], Instrument],
        calendars: Callable[[str], Calendar],
        spread_bps: Decimal,
    ) -> None:
        self._library = Library(tuple(settings))
        self._instruments = instruments
        self._calendars = calendars
        self._spread_bps = spread_bps
        self._sessions: dict[str, SessionTable] = {}
        self._loaded: dict[Symbol, _Loaded] = {}
        self._notes: dict[Symbol, list[str]] = {}

    def instrument(self, symbol: Symbol) -> Instrument:
        """What the configuration says of `symbol`."""
        return self._instruments(symbol)

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes of the files of `symbol`, finest first. NoDataError if there is none."""
        return tuple(self._load(symbol).series)

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars. NoDataError names what there is instead; BadBarsError says which file breaks which rule."""
        loaded = self._load(symbol)
        if timeframe not in loaded.series:
            msg = f"{symbol}: no {timeframe} bars in the files, only {', '.join(loaded.series)}"
            raise NoDataError(msg)
        return loaded.series[timeframe]

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date, cash as traded on the ex-date."""
        return self._load(symbol).actions

    def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:
        """Rates at which a perpetual was funded, from `SYMBOL_funding.csv` beside its bars; none for anything else."""
        return self._load(symbol).fundings

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote that the bars published at or before `at`."""
        return self._load(symbol).quotes.at(at)

    def notes(self) -> tuple[str, ...]:
        """What was repaired, dropped or assumed in the symbols read so far, by symbol."""
        return tuple(f"{symbol}: {note}" for symbol in sorted(self._notes) for note in dict.fromkeys(self._notes[symbol]))

    def _load(self, symbol: Symbol) -> _Loaded:
        if symbol not in self._loaded:
            self._notes[symbol] = []
            self._loaded[symbol] = self._read(symbol, self._notes[symbol].append)
        return self._loaded[symbol]

    def _read(self, symbol: Symbol, note: Note) -> _Loaded:
        instrument = self._instruments(symbol)
        if instrument.calendar not in self._sessions:
            self._sessions[instrument.calendar] = SessionTable(self._calendars(instrument.calendar))
        sessions = self._sessions[instrument.calendar]
        parts = [part_of(table, instrument.calendar, sessions, note) for table in self._library.tables(symbol)]
        if not parts:
            raise self._nothing_of(symbol)
        for name in self._library.unreadable():
            note(f"{name} cannot be read and was ignored")
        for name in self._library.ignored(symbol):
            note(f"{name} is not a file of bars and was ignored")
        events = events_of(symbol, parts, sessions)
        for day, ratio in events.spin_offs():
            note(f"the split of {ratio:g} on {day} looks like a spin-off booked as a split; it is kept as a split")
        series = _series(instrument, parts, events, note)
        actions = _actions(symbol, events, sessions)
        return _Loaded(series, actions, _fundings(instrument, parts), BarQuotes(tuple(series.values()), instrument, self._spread_bps))

    def _nothing_of(self, symbol: Symbol) -> DataError:
        damaged, known = self._library.unreadable(), self._library.symbols()
        if damaged:
            return BadBarsError(f"{symbol}: no bars in the files, and {', '.join(damaged)} cannot be read; fetch it again or remove it")
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        return NoDataError(f"{symbol}: no bars in the files; they hold {', '.join(known[:_NAMED]) or 'none'}{more}")


def _series(instrument: Instrument, parts: Sequence[Part], events: Events, note: Note) -> dict[Timeframe, BarSeries]:
    """A series per timeframe, finest first."""
    of = {timeframe: [part for part in parts if part.timeframe is timeframe] for timeframe in Timeframe}
    series = {t: joined(instrument, mine, of[Timeframe.DAY], events, note) for t, mine in of.items() if mine}
    if Timeframe.DAY in series:
        note_moves(series[Timeframe.DAY], events, note)
    return series


def _fundings(instrument: Instrument, parts: Sequence[Part]) -> tuple[Funding, ...]:
    """Of a perpetual, from the first file beside one of its own: the same coin held outright pays none."""
    if instrument.asset_class is not AssetClass.CRYPTO_PERPETUAL:
        return ()
    beside = (funding_file(part.table.path, instrument.symbol) for part in parts)
    return next((read_funding(path, instrument.symbol) for path in beside if path is not None), ())


def _actions(symbol: Symbol, events: Events, sessions: SessionTable) -> tuple[CorporateAction, ...]:
    if not len(events.days):
        return ()
    first, last = events.days[0].item(), events.days[-1].item() + _LONGEST_BREAK
    return events.actions(symbol, sessions.between(first, last))
