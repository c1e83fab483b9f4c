"""From cleaned tables to bar series: which prices are adjusted by what, files of one timeframe joined into one.

Promises one rule for each question (`docs/data.md`): whether prices can be brought back to as traded, and which of two
files counts where they differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import Feed, PriceBasis, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries
from trading_bot.sources.files_actions import Events, as_traded, from_columns, from_factor_file, merged
from trading_bot.sources.files_clean import Bars, Note, clean, read_times
from trading_bot.sources.files_read import PRICES, VALUES, Table, factor_file
from trading_bot.sources.sessions import SessionTable, stamps

Basis = Literal["as_traded", "agrees", "split_adjusted", "unknown"]
"""`agrees`: as traded, by comparison with the daily file or with its own splits."""
_SUSPICIOUS = 0.4
"""A one-day move above this share, without a split, is noted."""
_HOLE = np.timedelta64(6, "D")
"""Closes that lie further apart make no one-day move."""
_TELLING = 0.2
"""Logarithm of a split that stands out from a day's noise."""
_APART = 0.01
"""Logarithm of a split by which closes of one day in two files cannot differ otherwise."""
_DAYS = 20
_NEAR = 1 / 3
"""How far from a split's ratio a move may lie and still be the split itself, as a share of the ratio's logarithm."""
_SAME = 1e-9
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Part:
    """One table, cleaned; its prices still stand as in the file."""

    table: Table
    timeframe: Timeframe
    bars: Bars
    times: pd.Series

    @cached_property
    def is_divided(self) -> bool:
        """Whether a daily table's prices and dividends are divided by the splits that it tells of."""
        stated = self.table.settings.prices
        if not self.table.has_events or stated in {"as_traded", "fully_adjusted"}:
            return False
        return stated == "split_adjusted" or not self._falls_at_splits()

    @property
    def is_raw(self) -> bool:
        """Whether a daily table's own events say that its prices are as traded."""
        return self.table.has_events and not self.is_divided and self.table.settings.prices != "fully_adjusted"

    def _falls_at_splits(self) -> bool:
        """Whether the close changes at the first telling split by about the ratio, as what traded does.

        The first alone: what comes after it may not change what the file was.
        """
        events, close = from_columns(self.table, self.times), self.bars.frame["close"].to_numpy()
        _, rows, told = np.intersect1d(self.bars.days, events.days, return_indices=True)
        moves, ratios = np.log(close[rows - 1] / close[rows]), np.log(events.ratios[told])
        first = np.flatnonzero((np.abs(ratios) > _TELLING) & (rows > 0))[:1]
        return bool((np.abs(moves - ratios) < _NEAR * np.abs(ratios))[first].any())


def part_of(table: Table, calendar: str, sessions: SessionTable, note: Note) -> Part:
    """Read and clean one table; what was done is noted under the file's name. BadBarsError."""

    def noted(text: str) -> None:
        note(f"{table.path.name}: {text}")

    times, timeframe = read_times(table, calendar, noted)
    return Part(table, timeframe, clean(table, times, timeframe, sessions, noted), times)


def events_of(symbol: Symbol, parts: Sequence[Part], sessions: SessionTable) -> Events:
    """Splits and dividends that the daily files, or the factor files beside them, tell of."""
    found = []
    for part in _oldest_first([p for p in parts if p.timeframe is Timeframe.DAY]):
        factors = factor_file(part.table.path, symbol)
        if part.table.has_events and part.table.settings.prices != "fully_adjusted":
            found.append((from_columns(part.table, part.times), part.is_divided))
        elif factors is not None:
            first, last = part.bars.days[0].item(), part.bars.days[-1].item()
            found.append((from_factor_file(factors, sessions.between(first, last).days), False))
    return merged(found)


def joined(instrument: Instrument, parts: Sequence[Part], daily: Sequence[Part], events: Events, note: Note) -> BarSeries:
    """One series of the parts of one timeframe, as traded if every part can be brought back to it."""
    ordered = _oldest_first(parts)
    bases = [_basis(part, instrument, daily, events) for part in ordered]
    frames = []
    for part, basis in zip(ordered, bases, strict=True):
        _note_basis(part, basis, note)
        frame = part.bars.frame
        if basis in {"agrees", "split_adjusted"}:
            # Both land on the tick: a later split may change which of them a file counts as, but no price before it.
            frame = as_traded(frame, events.factor(part.bars.days) if basis == "split_adjusted" else np.ones(len(frame)))
        frames.append(frame.assign(end=part.bars.ends))
    frame = _union(frames, ordered, note)
    first, timeframe = ordered[0].table.settings, ordered[0].timeframe
    default = Feed.CONSOLIDATED if timeframe is Timeframe.DAY else Feed.SINGLE_VENUE
    return BarSeries(
        symbol=instrument.symbol,
        timeframe=timeframe,
        frame=frame[list(VALUES)],
        ends=frame["end"].to_numpy().astype("datetime64[ns]"),
        feed=first.feed or default,
        basis=PriceBasis.NOT_AS_TRADED if "unknown" in bases else PriceBasis.AS_TRADED,
        source="files",
    )


def _basis(part: Part, instrument: Instrument, daily: Sequence[Part], events: Events) -> Basis:
    stated = part.table.settings.prices
    adjusted = [d for d in daily if d.is_divided]
    raw = any(d.is_raw or factor_file(d.table.path, instrument.symbol) is not None for d in daily)
    if stated == "fully_adjusted":
        return "unknown"
    if stated == "as_traded" or instrument.calendar == "24/7":
        return "as_traded"
    if part.timeframe is Timeframe.DAY and part.is_raw:
        return "agrees"
    if adjusted and (stated == "split_adjusted" or part.table.has_events):
        return "split_adjusted"
    if adjusted and part.timeframe is not Timeframe.DAY:
        return "agrees" if _agrees(part, _oldest_first(adjusted)[0], events) else "split_adjusted"
    return "agrees" if raw and stated is None else "unknown"


def _agrees(part: Part, daily: Part, events: Events) -> bool:
    """Whether intraday closes before a split are nearer to what traded than to the daily file's adjusted closes.

    By the first days that tell: what comes later may not change what the file was.
    """
    last = np.flatnonzero(np.append(part.bars.days[1:] != part.bars.days[:-1], True))
    days, mine, theirs = np.intersect1d(part.bars.days[last], daily.bars.days, return_indices=True)
    factor = events.factor(days)
    told = np.flatnonzero(np.abs(np.log(factor)) > _APART)[:_DAYS]
    if not len(told):
        return False
    ratio = part.bars.frame["close"].to_numpy()[last][mine] / daily.bars.frame["close"].to_numpy()[theirs]
    distance = np.log(ratio[told])
    return bool(np.median(np.abs(distance - np.log(factor[told]))) < np.median(np.abs(distance)))


def _note_basis(part: Part, basis: Basis, note: Note) -> None:
    name = part.table.path.name
    if basis == "unknown":
        note(f"{name}: prices are not as traded (adjusted, or not said to be otherwise); source.files.prices can say")
    if basis == "agrees":
        note(f"{name}: prices agree with what traded: left as they are")
    if basis == "split_adjusted" and not part.table.has_events and part.table.settings.prices is None:
        note(f"{name}: prices count as split-adjusted by the splits of the daily file")


def _oldest_first(parts: Sequence[Part]) -> list[Part]:
    """By their first bar, which no later data can change; those that begin together in the order given."""
    return sorted(parts, key=lambda part: part.bars.frame.index[0])


def _union(frames: Sequence[pd.DataFrame], parts: Sequence[Part], note: Note) -> pd.DataFrame:
    """All rows; of two at one time the file's that begins earlier."""
    whole = frames[0]
    for frame, part in zip(frames[1:], parts[1:], strict=True):
        both = frame.index.intersection(whole.index)
        ours, theirs = whole.loc[both, list(PRICES)].to_numpy(), frame.loc[both, list(PRICES)].to_numpy()
        differ = ~np.isclose(ours, theirs, rtol=_SAME, atol=0).all(axis=1)
        if differ.any():
            days = ", ".join(str(moment) for moment in both[differ][:_NAMED])
            note(f"{part.table.path.name}: {int(differ.sum())} bars differ from {parts[0].table.path.name}, which counts ({days})")
        whole = pd.concat([whole, frame.loc[frame.index.difference(whole.index)]]).sort_index()
    return whole


def note_moves(series: BarSeries, events: Events, note: Note) -> None:
    """Note one-day moves above 40 % that no split explains."""
    days = stamps(series.frame.index).astype("datetime64[ns]").astype("datetime64[D]")
    factor = events.factor(days) if series.basis is PriceBasis.AS_TRADED else np.ones(len(days))
    close = series.frame["close"].to_numpy() / factor
    moves = close[1:] / close[:-1] - 1
    for number in np.flatnonzero((np.abs(moves) > _SUSPICIOUS) & (np.diff(days) < _HOLE)):
        note(f"the close moved {moves[number]:+.1%} on {days[number + 1]} without a split: suspicious")
