"""Bars brought to today's shares, and days put together from intraday bars. Pure.

Promises that the actions given change only bars that closed before their ex-date. Refuses a dividend that is not
smaller than the close before it: such an action is wrong, and adjusting by it would turn prices negative.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import prod

import numpy as np
import pandas as pd

from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.market import CorporateAction, Dividend, Quote, Split, Timeframe
from trading_bot.ports import BarSeries, Calendar

_PRICES = ("open", "high", "low", "close")
_COLUMNS = [*_PRICES, "volume"]
_NEVER = np.datetime64("NaT", "ns")


def adjusted(series: BarSeries, actions: Sequence[CorporateAction]) -> pd.DataFrame:
    """Return the series' bars, those before each action's ex-date adjusted by it (all of `actions` have come).

    Split: prices divided by its ratio, volume multiplied. Dividend: prices multiplied by 1 - amount / close before the
    ex-date, that close as traded (in new shares if a split has the same ex-date), the usual CRSP-like back-adjustment.
    """
    table = series.frame[_COLUMNS].to_numpy(dtype=np.float64, copy=True)
    closes = series.frame["close"].to_numpy(dtype=np.float64)
    for action in actions:
        before = int(np.searchsorted(series.ends, np.datetime64(action.ex.replace(tzinfo=None), "ns"), side="right"))
        if before == 0:
            continue
        if isinstance(action, Split):
            table[:before, :4] /= float(action.ratio)
            table[:before, 4] *= float(action.ratio)
        else:
            table[:before, :4] *= dividend_factor(action, float(closes[before - 1]), actions)
    return pd.DataFrame(table, index=series.frame.index, columns=_COLUMNS)


def dividend_factor(dividend: Dividend, close: float, actions: Sequence[CorporateAction]) -> float:
    """Factor on the prices before `dividend`: 1 - amount / `close` before it. BadBarsError if that is not between 0 and 1.

    `actions`: of the symbol; a split on the same day comes first.
    """
    for other in actions:
        if isinstance(other, Split) and other.ex == dividend.ex:
            close /= float(other.ratio)
    factor = 1 - float(dividend.amount) / close
    if not 0 < factor < 1:
        paid = f"{dividend.symbol}: dividend {dividend.amount} of {dividend.ex.date()}"
        msg = f"{paid} does not fit the close before it, {close:g}; correct the source's actions"
        raise BadBarsError(msg)
    return factor


def carried(quote: Quote, actions: Sequence[CorporateAction], instrument: Instrument, now: datetime) -> Quote:
    """Return `quote` in the shares of `now`: prices divided, sizes multiplied by the splits that came since it was published."""
    if quote.time >= now:
        return quote
    ratio = prod((action.ratio for action in actions if isinstance(action, Split) and quote.time < action.ex <= now), start=Decimal(1))
    if ratio == 1:
        return quote
    price, size = instrument.round_price, instrument.round_quantity
    return quote.model_copy(
        update={
            "bid": price(max(quote.bid / ratio, instrument.tick_size)),
            "ask": price(max(quote.ask / ratio, instrument.tick_size)),
            "bid_size": size(quote.bid_size * ratio),
            "ask_size": size(quote.ask_size * ratio),
        }
    )


def daily_from(series: BarSeries, calendar: Calendar) -> BarSeries:
    """Return one bar per session from the bars that start inside it; bars outside the trading hours are left out.

    A day is seen from the session's close on, or from the end of its last bar where that is later.
    """
    if not len(series.ends):
        return replace(series, timeframe=Timeframe.DAY)
    index = pd.DatetimeIndex(series.frame.index)
    hours = [calendar.hours(day) for day in calendar.sessions(index[0].date(), index[-1].date())]
    opens, closes = _stamps([opening for opening, _ in hours]), _stamps([closing for _, closing in hours])
    starts = index.tz_convert(None).to_numpy("datetime64[ns]")
    number = np.searchsorted(opens, starts, side="right") - 1
    inside = starts < np.append(closes, _NEVER)[number]  # number -1, before the first opening, reads the NEVER
    grouped = series.frame[inside].groupby(number[inside])
    frame = grouped.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    last_ends = pd.Series(series.ends[inside]).groupby(number[inside]).max().to_numpy("datetime64[ns]")
    ends = np.maximum(closes[frame.index], last_ends)
    frame.index = pd.DatetimeIndex(opens[frame.index], tz="UTC")
    return replace(series, timeframe=Timeframe.DAY, frame=frame[_COLUMNS], ends=ends)


def _stamps(moments: Sequence[datetime]) -> np.ndarray:
    return np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in moments], dtype="datetime64[ns]")
