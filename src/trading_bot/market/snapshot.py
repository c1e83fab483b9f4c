"""One symbol as it stands at the clock's time: last bar, indicators, levels. The input of every score.

Promises that what cannot be known is None. Refuses to look at a symbol with fewer than `LEAST_BARS` closed bars.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from weakref import ReferenceType, ref

from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.market import Feed, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.market.indicators import COLUMNS
from trading_bot.market.levels import LOOKBACK, find_levels
from trading_bot.ports import View

LEAST_BARS = 60
_SWINGS = slice(COLUMNS.index("swing_high"), COLUMNS.index("swing_low") + 1)


@dataclass(frozen=True)
class Snapshot:
    """Prices in the instrument's currency as traded, volumes in shares, indicators as `indicators.compute` says."""

    symbol: Symbol
    time: datetime
    """When it was taken."""
    bar: datetime
    """Start of the last closed bar."""
    price: float
    """Last close."""
    volume: float
    feed: Feed
    indicators: Mapping[str, float]
    """Those that are known."""
    support: float | None
    resistance: float | None

    def value(self, name: str) -> float | None:
        """An indicator of the last bar. ValueError if there is none of this name."""
        if name not in COLUMNS:
            msg = f"there is no indicator {name!r}; use one of {', '.join(COLUMNS)}"
            raise ValueError(msg)
        return self.indicators.get(name)

    @property
    def atr(self) -> float | None:
        """Average true range of 14 bars, in currency."""
        return self.value("atr_14")

    @property
    def atr_percent(self) -> float | None:
        """ATR in per cent of the price."""
        return None if self.atr is None else 100 * self.atr / self.price

    @property
    def average_volume(self) -> float | None:
        """Mean volume of 20 bars, in today's shares."""
        return self.value("volume_sma_20")

    @property
    def average_dollar_volume(self) -> float | None:
        """Mean of price x volume over 20 bars, in currency."""
        return self.value("dollar_volume_sma_20")

    @property
    def relative_volume(self) -> float | None:
        """Last bar's volume over the average of 20 bars."""
        return ratio(self.volume, self.average_volume)


def ratio(value: float | None, base: float | None) -> float | None:
    """`value` / `base`, None where either is unknown or the base is 0."""
    return value / base if value is not None and base else None


class _Taken:
    """Snapshots of one view at one moment: while the clock stands, every step of a workflow asks for the same ones."""

    def __init__(self) -> None:
        self._state: tuple[ReferenceType[View], datetime, dict[tuple[Symbol, Timeframe], Snapshot | None]] | None = None

    def get(self, view: View, symbol: Symbol, timeframe: Timeframe) -> Snapshot | None:
        state, moment = self._state, view.now()
        if state is None or state[0]() is not view or state[1] != moment:
            self._state = state = (ref(view), moment, {})
        snapshots = state[2]
        if (symbol, timeframe) not in snapshots:
            snapshots[symbol, timeframe] = _take(view, symbol, timeframe)
        return snapshots[symbol, timeframe]


_TAKEN = _Taken()


def take(view: View, symbol: Symbol, timeframe: Timeframe = Timeframe.DAY) -> Snapshot | None:
    """Return the snapshot of `symbol` now, None if it has fewer than `LEAST_BARS` closed bars.

    NoDataError if the source does not have the symbol, BadBarsError if its last bar or its actions cannot be used,
    SourceFailedError if the source did not answer.
    """
    return _TAKEN.get(view, symbol, timeframe)


def _take(view: View, symbol: Symbol, timeframe: Timeframe) -> Snapshot | None:
    table = view.indicators(symbol, timeframe).to_numpy()
    if len(table) < LEAST_BARS:
        return None
    last = view.bars(symbol, timeframe, 1)
    *prices, volume = last.to_numpy()[0].tolist()
    if not all(map(isfinite, (*prices, volume))) or min(prices) <= 0 or volume < 0:
        msg = f"{symbol}: the bar of {last.index[0]} is not finite and positive; let the source repair or drop it"
        raise BadBarsError(msg)
    price = prices[-1]
    values = {name: value for name, value in zip(COLUMNS, table[-1].tolist(), strict=True) if isfinite(value)}
    levels = find_levels(table[-LOOKBACK:, _SWINGS], price, values.get("atr_14", 0.0))
    return Snapshot(
        symbol=symbol,
        time=view.now(),
        bar=last.index[0].to_pydatetime(),
        price=price,
        volume=volume,
        feed=view.feed(symbol, timeframe),
        indicators=values,
        support=levels.support,
        resistance=levels.resistance,
    )
