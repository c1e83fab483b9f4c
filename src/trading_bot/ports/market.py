"""Time and market data: clocks, calendars, sources of prices, and the view of them as of a clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime, tzinfo

    import numpy as np
    import pandas as pd

    from trading_bot.domain.instrument import Instrument
    from trading_bot.domain.market import Contract, CorporateAction, Feed, Funding, PriceBasis, Quote, Timeframe
    from trading_bot.domain.values import Symbol


class Clock(Protocol):
    """Trading time. Nothing else below `bootstrap` asks what time it is."""

    @property
    def simulated(self) -> bool:
        """Whether time moves only by `sleep_until`."""

    def now(self) -> datetime:
        """Current trading time, aware, UTC; it never goes backwards."""

    def sleep_until(self, moment: datetime) -> None:
        """Return at `moment`, at once if it has passed, or earlier if the desk was asked to stop or a venue rang."""


class WallClock(Protocol):
    """Real time, for money spent, heartbeats and a mandate's expiry, in every mode."""

    def now(self) -> datetime:
        """Current real time, aware, UTC."""


class Calendar(Protocol):
    """Sessions of one market. All times are UTC; a half day's close is its early close."""

    name: str
    zone: tzinfo
    """In which a session's date and the times of day of a schedule are told."""

    def is_session(self, day: date) -> bool:
        """Whether the market opens on `day`."""

    def sessions(self, first: date, last: date) -> tuple[date, ...]:
        """Sessions from `first` to `last`, both included."""

    def hours(self, session: date) -> tuple[datetime, datetime]:
        """Opening and closing time of a session. NoDataError if `session` is none or lies outside the calendar."""

    def session_at(self, moment: datetime) -> date | None:
        """The session that is open at `moment` (opening included, closing excluded)."""

    def next_session(self, day: date) -> date:
        """First session after `day`."""

    def previous_session(self, day: date) -> date:
        """Last session before `day`."""


@dataclass(frozen=True, eq=False)
class BarSeries:
    """Bars of one symbol and timeframe, oldest first, prices as `basis` says.

    `frame` has float64 columns `open high low close volume` over a unique, rising UTC index of bar **starts**; `ends`
    (datetime64[ns], UTC without zone) holds each bar's close: the moment from which the bar may be seen.
    """

    symbol: Symbol
    timeframe: Timeframe
    frame: pd.DataFrame
    ends: np.ndarray
    feed: Feed
    basis: PriceBasis
    source: str


class MarketSource(Protocol):
    """Market data. It may know the future (a file does): only a clock-bound view may be shown to analysts.

    A source that failed raises SourceFailedError; a symbol that it does not have raises NoDataError; an empty answer means there is none.
    """

    name: str

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes that it has for `symbol`, finest first."""

    def bars(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars that it has."""

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date; `ex` is the opening of the ex-date's session."""

    def quote(self, symbol: Symbol, at: datetime) -> Quote | None:
        """Newest quote published at or before `at`, None before the first.

        Bar sources publish each bar's open at its start (source `bar-open`) and its close at its end (`bar-close`), with a
        modelled spread, from their finest bars.
        """

    def notes(self) -> tuple[str, ...]:
        """What was repaired, dropped or assumed while reading, a sentence each, for reports."""


@runtime_checkable
class Funded(Protocol):
    """What a source of perpetuals has besides: the rates at which positions were funded."""

    def fundings(self, symbol: Symbol) -> tuple[Funding, ...]:
        """By rising time; empty if there were none, or none are known."""


@runtime_checkable
class Contracted(Protocol):
    """What a source of perpetuals has besides, if its venue tells: mark price and funding of the moment."""

    def contract(self, symbol: Symbol, at: datetime) -> Contract | None:
        """Newest word of the venue published at or before `at`; None before the first."""


@runtime_checkable
class Streaming(Protocol):
    """What a source has besides that speaks up by itself: streams, which are opened once and closed once."""

    def open(self, symbols: Sequence[Symbol]) -> None:
        """Look the symbols up and stream their quotes; returns at once. NoDataError names one that the source does not have.

        A source that was never opened answers too, by asking.
        """

    def close(self) -> None:
        """End streams, connections and whoever waits for an answer."""


class BarArchive(Protocol):
    """Bars and corporate actions that were kept. NoDataError for what is not there, StorageError for what is damaged."""

    def symbols(self) -> tuple[Symbol, ...]:
        """Symbols with bars, in order."""

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes of `symbol`, finest first; empty if there are none."""

    def read(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars."""

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date."""


class View(Protocol):
    """Market data as of the clock: nothing that was not public at `now()` can be seen through it."""

    def now(self) -> datetime:
        """Time at which it looks."""

    def instrument(self, symbol: Symbol) -> Instrument:
        """Grid and limits of `symbol`."""

    def quote(self, symbol: Symbol) -> Quote | None:
        """Newest quote, however old; who needs a fresh one looks at its time."""

    def bars(self, symbol: Symbol, timeframe: Timeframe, count: int) -> pd.DataFrame:
        """Last `count` closed bars, fewer if there are fewer.

        Adjusted by the splits and dividends whose ex-date has come, so that the newest bar is as traded.
        """

    def indicators(self, symbol: Symbol, timeframe: Timeframe) -> pd.DataFrame:
        """Indicator frame up to the last closed bar, on the same prices as `bars`; NaN where it cannot be known."""

    def feed(self, symbol: Symbol, timeframe: Timeframe) -> Feed:
        """Whose trades the bars hold."""

    def contract(self, symbol: Symbol) -> Contract | None:
        """Mark price and funding of a perpetual, however old; None for what is no perpetual, or where nothing was published yet.

        Where the venue does not say, the mark is the middle of the newest quote and the rate that of the last funding.
        """
