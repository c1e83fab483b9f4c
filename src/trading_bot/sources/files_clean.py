"""Cleaning one table of bars: times, order, duplicates, impossible prices, days without session.

Promises that whatever it drops or repairs is told to `note`, and that it invents nothing: a missing session stays
missing. Refuses, with BadBarsError, what it may not repair. The rules are in `docs/data.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.market import Timeframe
from trading_bot.sources.files_read import PRICES, VALUES, Table
from trading_bot.sources.sessions import SECOND, ZONES, Sessions, SessionTable, stamps

Note = Callable[[str], None]

BAD_SHARE = 0.01
"""Greatest share of rows that may be dropped as impossible; one row always may."""
REPAIR = 0.01
"""A high or low that misses open or close by at most this share of the price is widened; else the row is dropped."""
_NAMED = 3
_MOMENT = pd.Timedelta(1, "ns")
_COMPACT = (19_000_101, 29_991_231)
"""Whole numbers in this range are dates as YYYYMMDD."""
_SCALES = ((1e17, 1), (1e14, 10**3), (1e11, 10**6), (0, 10**9))
"""Numbers from here on are times since 1970, in units of so many nanoseconds."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Clean bars of one table: `frame` by rising start (UTC, ns), `ends` (int64 ns), `days` (datetime64[D], their sessions)."""

    frame: pd.DataFrame
    ends: np.ndarray
    days: np.ndarray


def read_times(table: Table, calendar: str, note: Note) -> tuple[pd.Series, Timeframe]:
    """Times of the rows and the timeframe: naive dates for daily bars, else aware UTC; NaT where a row has none.

    BadBarsError if a text is no time, intraday times have no zone, or the bars' distance is no timeframe of ours.
    """
    times = _parsed(table, table.frame["time"])
    timeframe = _spacing(table, times)
    if timeframe is Timeframe.DAY:
        return _dates(times, calendar, ends=table.time.stamps == "end"), timeframe
    if times.dt.tz is not None:
        return _converted(times, "UTC"), timeframe
    name, zone = table.time.name, table.time.zone
    if zone is None and calendar != "24/7":
        msg = f"{table.path}: intraday times in {name!r} have no zone; name the column {name}_utc or {name}_et"
        raise BadBarsError(msg)
    if zone is None:
        note("times without zone are taken as UTC")
    aware: pd.Series = times.dt.tz_localize(zone or "UTC", ambiguous="NaT", nonexistent="NaT")
    return _converted(aware, "UTC"), timeframe


def _converted(times: pd.Series, zone: str) -> pd.Series:
    moved: pd.Series = times.dt.tz_convert(zone)
    return moved


def _dates(times: pd.Series, calendar: str, *, ends: bool) -> pd.Series:
    """Dates of daily bars: as written, but for aware times that are no midnights, where the exchange's date counts.

    The day of a market that never closes `ends` at the next day's midnight.
    """
    if ends and calendar == "24/7":
        times = times - _MOMENT
    midnights = (times.dropna() == times.dropna().dt.normalize()).all()
    local = times if times.dt.tz is None or midnights else _converted(times, ZONES[calendar])
    dates: pd.Series = local.dt.tz_localize(None).dt.normalize()
    return dates


def _parsed(table: Table, raw: pd.Series) -> pd.Series:
    if raw.isna().all():
        msg = f"{table.path}: {table.time.name!r} is empty; fetch the file again"
        raise BadBarsError(msg)
    try:
        if pd.api.types.is_numeric_dtype(raw):
            times = _from_numbers(raw)
        else:
            times = raw if pd.api.types.is_datetime64_any_dtype(raw) else _from_text(raw)
        exact: pd.Series = times.dt.as_unit("ns")
    except (ValueError, TypeError, OverflowError) as error:
        msg = f"{table.path}: {table.time.name!r} holds what is no time ({error}); write ISO 8601"
        raise BadBarsError(msg) from error
    return exact


def _from_numbers(raw: pd.Series) -> pd.Series:
    first = float(raw.dropna().iloc[0])
    if _COMPACT[0] <= first <= _COMPACT[1]:
        return pd.to_datetime(raw.astype("Int64").astype("string"), format="%Y%m%d")
    scale = next(scale for least, scale in _SCALES if first >= least)
    return pd.to_datetime(raw.round().astype("Int64") * scale, utc=True)


def _from_text(raw: pd.Series) -> pd.Series:
    """Parsed text. Days of one zone with changing offsets (daylight saving) keep their own date."""
    text = raw.astype("string").str.strip()
    offset = text.str.extract(r"\d[T ]?\d\d:\d\d.*?(Z|[+-]\d\d:?\d\d)$", expand=False)
    if not offset.notna().any():
        return pd.to_datetime(text, format="ISO8601")
    if offset[text.notna()].isna().any():
        msg = f"line {offset[text.notna() & offset.isna()].index[0]} has no zone and others do"
        raise ValueError(msg)
    wall = pd.to_datetime(text.str.replace(r"\s*(Z|[+-]\d\d:?\d\d)$", "", regex=True), format="ISO8601")
    if (wall.dropna() == wall.dropna().dt.normalize()).all():
        return wall
    return pd.to_datetime(text, format="ISO8601", utc=True)


def _spacing(table: Table, times: pd.Series) -> Timeframe:
    """The timeframe by the most frequent distance of neighbouring bars. BadBarsError if it is none of ours."""
    gaps, counts = np.unique(np.diff(np.unique(stamps(times.dropna()) // SECOND)), return_counts=True)
    if not len(gaps):
        midnights = bool((times.dropna() == times.dropna().dt.normalize()).all())
        named = table.named_timeframe or (Timeframe.DAY if midnights else None)
        if named is not None:
            return named
        msg = f"{table.path}: one bar does not tell its timeframe; name the file SYMBOL_1m or the like"
        raise BadBarsError(msg)
    seconds = int(gaps[counts.argmax()])
    for timeframe in Timeframe:
        if timeframe.duration.total_seconds() == seconds:
            return timeframe
    msg = f"{table.path}: bars lie {seconds} s apart; only {', '.join(Timeframe)} can be read"
    raise BadBarsError(msg)


def clean(table: Table, times: pd.Series, timeframe: Timeframe, sessions: SessionTable, note: Note) -> Bars:
    """The bars of `table` by the rules. BadBarsError if more is wrong than may be repaired."""
    frame = table.frame.reindex(columns=list(VALUES)).assign(time=times)
    if "volume" not in table.frame:
        note("has no volume column: volume is 0")
        frame["volume"] = 0.0
    if table.time.stamps == "end" and timeframe is not Timeframe.DAY:
        frame["time"] -= timeframe.duration
    frame = _without_bad_rows(table, frame, note)
    frame = _in_order(table, frame, note)
    zero = int((frame["volume"] == 0).sum())
    if zero:
        note(f"{zero} bars without volume kept")
    span = sessions.between(_day(frame["time"].iloc[0], -1), _day(frame["time"].iloc[-1], 1))
    bars = _daily(frame, span, note) if timeframe is Timeframe.DAY else _intraday(frame, timeframe, span, note)
    if bars.frame.empty:
        msg = f"{table.path}: no bar lies in a session of the instrument's calendar; check calendar and time zone"
        raise BadBarsError(msg)
    return bars


def _day(moment: pd.Timestamp, shift: int) -> date:
    return (moment + pd.Timedelta(days=shift)).date()


def _without_bad_rows(table: Table, frame: pd.DataFrame, note: Note) -> pd.DataFrame:
    values = frame[list(VALUES)].to_numpy()
    prices = values[:, :4]
    with np.errstate(invalid="ignore"):
        impossible = ~np.isfinite(values).all(axis=1) | (prices <= 0).any(axis=1) | (values[:, 4] < 0)
        impossible |= frame["time"].isna().to_numpy()
        body_high, body_low = prices[:, [0, 3]].max(axis=1), prices[:, [0, 3]].min(axis=1)
        short = np.maximum(body_high - prices[:, 1], prices[:, 2] - body_low)
        repairable = ~impossible & (short > 0) & (short <= REPAIR * body_low)
        torn = ~impossible & (short > REPAIR * body_low)
    bad = impossible | torn
    for rows, what in ((impossible, "without possible prices, volume or time dropped"), (torn, "with high or low far off dropped")):
        if rows.any():
            note(f"{int(rows.sum())} rows {what} (line {_some(frame.index[rows])})")
    if bad.all() or bad.sum() > max(1, BAD_SHARE * len(frame)):
        msg = f"{table.path}: {int(bad.sum())} of {len(frame)} rows are impossible (line {_some(frame.index[bad])}); fetch it again"
        raise BadBarsError(msg)
    if repairable.any():
        note(f"{int(repairable.sum())} rows with high or low inside open and close widened (line {_some(frame.index[repairable])})")
        frame = _widened(frame, repairable)
    kept: pd.DataFrame = frame.loc[~bad]
    return kept


def _widened(frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    prices = frame[list(PRICES)]
    high, low = prices.max(axis=1), prices.min(axis=1)
    return frame.assign(high=frame["high"].where(~rows, high), low=frame["low"].where(~rows, low))


def _in_order(table: Table, frame: pd.DataFrame, note: Note) -> pd.DataFrame:
    if not frame["time"].is_monotonic_increasing:
        note("rows were not in order of time: sorted")
        frame = frame.sort_values("time", kind="stable")
    repeated = frame.duplicated(["time", *VALUES])
    if repeated.any():
        note(f"{int(repeated.sum())} rows that repeat another dropped (line {_some(frame.index[repeated])})")
        frame = frame[~repeated]
    conflict = frame["time"].duplicated(keep=False)
    if conflict.any():
        msg = f"{table.path}: rows of one time differ (line {_some(frame.index[conflict])}); keep the right one"
        raise BadBarsError(msg)
    return frame


def _daily(frame: pd.DataFrame, span: Sessions, note: Note) -> Bars:
    days = frame["time"].to_numpy().astype("datetime64[D]")
    open_day = np.isin(days, span.days)
    if not open_day.all():
        note(f"{int((~open_day).sum())} bars on days without session dropped ({_some(days[~open_day])})")
    frame, days = frame[open_day], days[open_day]
    number = np.searchsorted(span.days, days)
    if len(number):
        expected = span.days[number[0] : number[-1] + 1]
        missing = expected[~np.isin(expected, days)]
        if len(missing):
            note(f"{len(missing)} sessions are missing ({_some(missing)})")
    return _bars(frame, span.opens[number], span.closes[number], days)


def _intraday(frame: pd.DataFrame, timeframe: Timeframe, span: Sessions, note: Note) -> Bars:
    starts = stamps(frame["time"])
    number = span.number_at(starts)
    inside = number >= 0
    if not inside.all():
        note(f"{int((~inside).sum())} bars outside the session dropped")
    frame, starts, number = frame[inside], starts[inside], number[inside]
    ends = np.minimum(starts + int(timeframe.duration.total_seconds()) * SECOND, span.closes[number])
    if len(number):
        expected = span.days[number[0] : number[-1] + 1]
        missing = expected[~np.isin(np.arange(number[0], number[-1] + 1), number)]
        if len(missing):
            note(f"{len(missing)} sessions are missing ({_some(missing)})")
    return _bars(frame, starts, ends, span.days[number])


def _bars(frame: pd.DataFrame, starts: np.ndarray, ends: np.ndarray, days: np.ndarray) -> Bars:
    values = frame[list(VALUES)].astype("float64")
    values.index = pd.DatetimeIndex(starts.astype("datetime64[ns]"), tz="UTC", name="start")
    return Bars(values, ends, days)


def _some(items: object) -> str:
    """The first few of `items`, for a message."""
    listed = [str(item) for item in np.asarray(items)]
    return ", ".join(listed[:_NAMED]) + (", ..." if len(listed) > _NAMED else "")
