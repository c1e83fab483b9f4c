"""Regime of one symbol, and of the market as a whole.

Promises an answer from published thresholds (`docs/scoring.md`). Refuses to guess: what cannot be known is `UNKNOWN`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from trading_bot.domain.errors import BadBarsError, NoDataError
from trading_bot.domain.research import Regime
from trading_bot.domain.values import Symbol
from trading_bot.market.snapshot import Snapshot, take
from trading_bot.ports import View

BENCHMARKS = (Symbol("SPY"), Symbol("VOO"), Symbol("IVV"))
"""What stands for the market, first found first."""


@dataclass(frozen=True)
class RegimeThresholds:
    """Where one regime ends and the next begins."""

    high_volatility_rank: float = 0.9
    """Rank of the 20-bar volatility among the last 252 values, at least."""
    high_volatility: float = 0.0126
    """And that volatility itself, per bar, at least: 20 % a year of daily bars."""
    trend_adx: float = 20.0
    """ADX of a trend, at least."""
    trend_slope: float = 0.005
    """Relative change of SMA 50 over 10 bars in a trend, at least, either way."""
    breadth_up: float = 0.6
    """Share of symbols above their SMA 50 in a rising market, at least."""
    breadth_down: float = 0.4
    """The same in a falling market, at most."""
    breadth_volatile: float = 0.5
    """Share of symbols of high volatility that make the market so, at least."""


THRESHOLDS = RegimeThresholds()


def detect(view: View, symbol: Symbol | None) -> Regime:
    """Return the regime of `symbol` from its daily bars; UNKNOWN without a symbol, its data or 60 bars."""
    return classify(_snapshot(view, symbol) if symbol is not None else None)


def classify(snapshot: Snapshot | None) -> Regime:
    """Return the regime of one snapshot: high volatility first, then trend by ADX and slope, else range."""
    if snapshot is None:
        return Regime.UNKNOWN
    if _is_volatile(snapshot):
        return Regime.HIGH_VOLATILITY
    adx, slope = snapshot.value("adx_14"), snapshot.value("sma_50_slope")
    if adx is None or slope is None:
        return Regime.UNKNOWN
    if adx < THRESHOLDS.trend_adx or abs(slope) < THRESHOLDS.trend_slope:
        return Regime.RANGE
    return Regime.TREND_UP if slope > 0 else Regime.TREND_DOWN


def market_regime(view: View, symbols: Sequence[Symbol]) -> Regime:
    """Return the regime of the first benchmark in `symbols` or, without one, that of their breadth."""
    benchmark = next((symbol for symbol in BENCHMARKS if symbol in symbols), None)
    if benchmark is not None:
        return detect(view, benchmark)
    return breadth([snapshot for snapshot in (_snapshot(view, symbol) for symbol in symbols) if snapshot is not None])


def breadth(snapshots: Sequence[Snapshot]) -> Regime:
    """Return the regime by the share of symbols that are volatile, or above their SMA 50; UNKNOWN without symbols."""
    averages = [(snapshot.price, snapshot.value("sma_50")) for snapshot in snapshots]
    above = [price > average for price, average in averages if average is not None]
    if not above:
        return Regime.UNKNOWN
    if fmean(map(_is_volatile, snapshots)) >= THRESHOLDS.breadth_volatile:
        return Regime.HIGH_VOLATILITY
    share = fmean(above)
    if share >= THRESHOLDS.breadth_up:
        return Regime.TREND_UP
    return Regime.TREND_DOWN if share <= THRESHOLDS.breadth_down else Regime.RANGE


def _is_volatile(snapshot: Snapshot) -> bool:
    rank, volatility = snapshot.value("volatility_rank"), snapshot.value("volatility_20")
    if rank is None or volatility is None:
        return False
    return rank >= THRESHOLDS.high_volatility_rank and volatility >= THRESHOLDS.high_volatility


def _snapshot(view: View, symbol: Symbol) -> Snapshot | None:
    try:
        return take(view, symbol)
    except (NoDataError, BadBarsError):
        return None
