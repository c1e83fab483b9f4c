"""Splits and dividends out of files, and prices brought back to what was traded.

Promises that a price is multiplied by exactly the splits whose ex-date lies after its session, and lands on the tick that
shares print on. Dividend columns share the basis of the prices beside them (Yahoo's do: NVDA's 0.04 of March 2024 stands
as 0.004 beside prices divided by ten), so they are multiplied back too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.market import CorporateAction, Dividend, Split
from trading_bot.domain.values import Symbol
from trading_bot.sources.files_read import PRICES, Table
from trading_bot.sources.sessions import Sessions, moment_of

_PENNY = 100
"""Prices of 1 USD and more print on 0.01, below on 0.0001 (SEC Rule 612)."""
_SUBPENNY = 10_000
_DUST = 4
"""Digits of a tick that tell; what lies below is the float's."""
_LARGEST_TERM = 20
"""A split's ratio is a fraction of numbers up to this; anything else is a spin-off booked as a split."""
_CLOSE_ENOUGH = 1e-4
_PLACES = Decimal("0.000001")


@dataclass(frozen=True, eq=False)
class Events:
    """Corporate actions of one symbol: ex-dates (datetime64[D], rising) with ratio and cash per share, 1 and 0 for none.

    `cash` is as traded on its ex-date once `merged`.
    """

    days: np.ndarray
    ratios: np.ndarray
    cash: np.ndarray

    def factor(self, days: np.ndarray) -> np.ndarray:
        """Product of the splits whose ex-date lies after each of `days`."""
        after = np.concatenate([np.cumprod(self.ratios[::-1])[::-1], [1.0]])
        return np.asarray(after[np.searchsorted(self.days, days, side="right")])

    def actions(self, symbol: Symbol, sessions: Sessions) -> tuple[CorporateAction, ...]:
        """The actions by rising ex-date; `ex` is the opening of the first of `sessions` that is not before it."""
        found: list[CorporateAction] = []
        number = np.minimum(np.searchsorted(sessions.days, self.days), len(sessions.days) - 1)
        for opening, ratio, cash in zip(sessions.opens[number], self.ratios, self.cash, strict=True):
            if ratio != 1:
                found.append(Split(symbol=symbol, ex=moment_of(opening), ratio=_exact(ratio)))
            if _exact(cash) > 0:
                found.append(Dividend(symbol=symbol, ex=moment_of(opening), amount=_exact(cash)))
        return tuple(found)

    def spin_offs(self) -> tuple[tuple[date, float], ...]:
        """Ex-dates and ratios of splits that look like spin-offs: no fraction of small numbers."""
        odd = [not _is_simple(float(ratio)) for ratio in self.ratios]
        return tuple((day.item(), float(ratio)) for day, ratio, is_odd in zip(self.days, self.ratios, odd, strict=True) if is_odd)


NO_EVENTS = Events(np.array([], dtype="datetime64[D]"), np.array([]), np.array([]))


def from_columns(table: Table, times: pd.Series) -> Events:
    """Events of a daily table's `dividend` and `split` columns, as they stand there.

    BadBarsError if one is negative or infinite.
    """
    days = times.to_numpy().astype("datetime64[D]")
    columns = table.frame[["dividend", "split"]].fillna(0.0)
    values = columns.to_numpy()
    wrong = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1)
    if wrong.any():
        msg = f"{table.path}, line {columns.index[wrong][0]}: a split or dividend is negative or infinite; correct the line"
        raise BadBarsError(msg)
    told = (((values[:, 1] != 0) & (values[:, 1] != 1)) | (values[:, 0] > 0)) & ~np.isnat(days)
    days, first = np.unique(days[told], return_index=True)
    cash, ratios = values[told][first].T
    return Events(days, np.where(ratios == 0, 1.0, ratios), cash)


def merged(found: Sequence[tuple[Events, bool]]) -> Events:
    """Events of several files; of two on one day the first counts. True beside those whose cash is divided by later splits."""
    days = np.concatenate([NO_EVENTS.days, *(events.days for events, _ in found)])
    ratios = np.concatenate([NO_EVENTS.ratios, *(events.ratios for events, _ in found)])
    cash = np.concatenate([NO_EVENTS.cash, *(events.cash for events, _ in found)])
    adjusted = np.concatenate([np.array([], dtype=bool), *(np.full(len(events.days), divided) for events, divided in found)])
    days, first = np.unique(days, return_index=True)
    together = Events(days, ratios[first], cash[first])
    return replace(together, cash=np.where(adjusted[first], together.cash * together.factor(days), together.cash))


def from_factor_file(path: Path, days: np.ndarray) -> Events:
    """Events of a LEAN factor file (YYYYMMDD, price factor, split factor, reference price) within `days`.

    `days`: sessions of the bars (datetime64[D]).

    A row holds up to its date: the step to the next row takes effect at the next session. With price factors p, q of a
    row and its successor and the row's reference price r, the dividend is r * (1 - p / q).
    Source: QuantConnect LEAN, `CorporateFactorRow`. BadBarsError if the file cannot be read.
    """
    try:
        table = pd.read_csv(path, header=None, names=["day", "price", "split", "reference"])
        held = pd.to_datetime(table["day"].astype("string"), format="%Y%m%d").to_numpy().astype("datetime64[D]")
        rows = list(zip(held, *table[["price", "split", "reference"]].to_numpy(dtype=float).T, strict=True))
    except (OSError, ValueError) as error:
        msg = f"{path}: is no factor file ({error}); it needs date, price factor, split factor, reference price"
        raise BadBarsError(msg) from error
    found = []
    for (day, price, split, reference), (_, next_price, next_split, _) in pairwise(rows):
        ratio = float(Fraction(next_split / split).limit_denominator(_LARGEST_TERM))
        cash = round(reference * (1 - price / next_price), 4)
        number = np.searchsorted(days, day, side="right")
        if 0 < number < len(days) and (ratio != 1 or cash > 0):
            found.append((days[number], ratio, cash))
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return Events(np.array(columns[0], dtype="datetime64[D]"), np.array(columns[1], dtype=float), np.array(columns[2], dtype=float))


def as_traded(frame: pd.DataFrame, factor: np.ndarray) -> pd.DataFrame:
    """Bars whose prices were divided by `factor` (one per bar), as they were traded; volume the other way round."""
    prices = frame[list(PRICES)].to_numpy() * factor[:, None]
    parts = np.where(prices >= 1, _PENNY, _SUBPENNY)
    # Rounded twice: a half tick must fall the same way whatever ratio the file was divided by.
    traded = pd.DataFrame(np.maximum(np.round(np.round(prices * parts, _DUST)), 1.0) / parts, index=frame.index, columns=list(PRICES))
    return traded.assign(volume=np.round(frame["volume"].to_numpy() / factor))


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(_PLACES).normalize() + 0


def _is_simple(ratio: float) -> bool:
    return abs(float(Fraction(ratio).limit_denominator(_LARGEST_TERM)) / ratio - 1) < _CLOSE_ENOUGH
