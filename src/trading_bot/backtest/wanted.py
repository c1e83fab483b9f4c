"""What a strategy wants of one symbol, in the venue's integers and at the moments when it is acted on. Every engine starts from this.

    source's bars -> frame (in the shares of the first bar) -> signals -> ticks as traded -> the next opening

Promises that a signal is acted on at the opening of the first bar with trades, in an open session, that begins at or after the close of
the bar which gave it; that prices are told in the shares of that moment; and that a stop and a target are rounded away from the entry.
Refuses a strategy that answers in another shape than it was asked in (StrategyError).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading_bot.backtest.plan import Market
from trading_bot.backtest.strategy import SHORT, Signals
from trading_bot.brokers.tape import Prices, Tape
from trading_bot.brokers.units import stamp
from trading_bot.domain.errors import NoDataError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.adjust import daily_from, dividend_factor
from trading_bot.market.frame import IndicatorFrame
from trading_bot.ports import BarSeries

Integers = npt.NDArray[np.int64]
Sentiment = Callable[[Symbol, Integers], npt.NDArray[np.float64]]
"""From a symbol and the moments (ns) at which its bars have closed, to the sentiment (-1 to 1) known then."""
NEVER = np.int64(2**62)
_PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True, eq=False)
class Sheet:
    """One symbol's bars of the plan's timeframe as a strategy sees them. Arrays have the frame's length.

    `known`: ns at which a bar has closed. `acts`: ns of the opening at which its signal is acted on, `NEVER` if there is none.
    """

    symbol: Symbol
    instrument: Instrument
    frame: IndicatorFrame
    known: Integers
    acts: Integers
    scale_then: npt.NDArray[np.float64]
    """Factor from prices as traded at `acts` to the frame's."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """Rows that want something, by rising `at` (ns). Prices in ticks as traded at `at`; 0 where there is none.

    `entry`: 1 long, -1 short, 0 nothing; `exit`: close what is held, before any entry of the same row. `row`: in the sheet.
    """

    symbol: Symbol
    at: Integers
    row: Integers
    entry: npt.NDArray[np.int8]
    exit: npt.NDArray[np.bool_]
    stop: Integers
    target: Integers


def sheet(market: Market, prices: Prices, symbol: Symbol, timeframe: Timeframe, sentiment: Sentiment | None = None) -> Sheet:
    """The bars of `symbol` as a strategy sees them. NoDataError if the source has none of this timeframe, or finer ones for a day."""
    instrument = market.source.instrument(symbol)
    series = _series(market, instrument, timeframe)
    if not len(series.ends):
        raise NoDataError(f"{symbol} has no {timeframe} bars: ask for symbols and dates that the source has")
    actions = market.source.actions(symbol) if series.basis is PriceBasis.AS_TRADED else ()
    known = series.ends.astype("datetime64[ns]").astype(np.int64)
    starts = pd.DatetimeIndex(series.frame.index).as_unit("ns").asi8
    steps = factors(series.frame["close"].to_numpy(), starts, actions)
    scale = _scale_at(starts, steps)
    shares = _scale_at(starts, [(at, split) for (at, _), split in zip(steps, _ratios(actions), strict=True)])
    frame = series.frame[[*_PRICES, "volume"]].astype(np.float64)
    told = frame.assign(**{name: frame[name] * scale for name in _PRICES}, volume=frame["volume"] / shares)
    acts = acting(prices.tape(symbol), known, _sessions(market, instrument, known))
    said = None if sentiment is None else sentiment(symbol, known)
    return Sheet(symbol, instrument, IndicatorFrame(told, scale, said, timeframe), known, acts, _scale_at(acts, steps))


def want(sheet: Sheet, signals: Signals, first: int, last: int) -> Wanted:
    """What `signals` want between `first` and `last` (ns, both included, of the acting moment)."""
    asked = (signals.entry != 0) | signals.exit
    rows = np.flatnonzero(asked & (sheet.acts >= first) & (sheet.acts <= last))
    # Where several bars close before one opening, the newest of them counts.
    newest = np.append(sheet.acts[rows][1:] != sheet.acts[rows][:-1], True)[: len(rows)] if len(rows) else np.zeros(0, dtype=bool)
    rows = rows[newest]
    entry = signals.entry[rows]
    tick = float(sheet.instrument.tick_size)
    down = entry != SHORT
    return Wanted(
        symbol=sheet.symbol,
        at=sheet.acts[rows],
        row=rows.astype(np.int64),
        entry=entry,
        exit=signals.exit[rows],
        stop=ticks_of(signals.stop[rows] / sheet.scale_then[rows], tick, down=down),
        target=ticks_of(signals.target[rows] / sheet.scale_then[rows], tick, down=~down),
    )


def ticks_of(prices: npt.NDArray[np.float64], tick: float, *, down: npt.NDArray[np.bool_]) -> Integers:
    """`prices` in whole ticks, rounded down where `down`, else up, a millionth of a tick forgiven; 0 for NaN and what is not above 0."""
    counts = prices / tick
    rounded = np.where(down, np.floor(counts + 1e-6), np.ceil(counts - 1e-6))
    return np.where(np.isfinite(rounded) & (rounded > 0), rounded, 0).astype(np.int64)


def acting(tape: Tape, known: Integers, hours: Sequence[tuple[int, int]]) -> Integers:
    """For each moment of `known`, the start of the first bar with trades at or after it, inside one of `hours`; `NEVER` without any."""
    starts = tape.starts[tape.volumes > 0]
    opens, closes = (np.array([pair[n] for pair in hours], dtype=np.int64) for n in (0, 1))
    session = np.searchsorted(opens, starts, side="right") - 1
    inside = (session >= 0) & (starts < np.append(closes, NEVER)[session])
    usable = np.append(starts[inside], NEVER)
    found: Integers = usable[np.searchsorted(usable, known, side="left")]
    return found


def factors(closes: npt.NDArray[np.float64], starts: Integers, actions: Sequence[CorporateAction]) -> list[tuple[int, float]]:
    """For each action: its ex-date (ns), and the factor that tells prices from then on in the shares and dividends before it."""
    found = []
    for action in actions:
        at = stamp(action.ex)
        before = int(np.searchsorted(starts, at, side="left"))
        if isinstance(action, Split):
            found.append((at, float(action.ratio)))
        else:
            found.append((at, 1.0 if before == 0 else 1 / dividend_factor(action, float(closes[before - 1]), actions)))
    return found


def _ratios(actions: Sequence[CorporateAction]) -> list[float]:
    return [float(Fraction(action.ratio)) if isinstance(action, Split) else 1.0 for action in actions]


def _scale_at(moments: Integers, steps: Sequence[tuple[int, float]]) -> npt.NDArray[np.float64]:
    scale = np.ones(len(moments))
    for at, factor in steps:
        scale[moments >= at] *= factor
    return scale


def _series(market: Market, instrument: Instrument, timeframe: Timeframe) -> BarSeries:
    has = market.source.timeframes(instrument.symbol)
    if timeframe in has:
        return market.source.bars(instrument.symbol, timeframe)
    if timeframe is Timeframe.DAY and has:
        return daily_from(market.source.bars(instrument.symbol, has[-1]), market.calendars(instrument.calendar))
    have = ", ".join(has) or "none"
    raise NoDataError(f"{instrument.symbol} has no {timeframe} bars; it has {have}: ask for one of these with --timeframe")


def _sessions(market: Market, instrument: Instrument, known: Integers) -> list[tuple[int, int]]:
    calendar = market.calendars(instrument.calendar)
    days = calendar.sessions(_day(int(known[0])) - timedelta(days=1), _day(int(known[-1])) + timedelta(days=14))
    return [(stamp(opening), stamp(closing)) for opening, closing in map(calendar.hours, days)]


def _day(nanos: int) -> date:
    return datetime.fromtimestamp(nanos / 1e9, UTC).date()
