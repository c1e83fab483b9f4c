"""The entry: now or on a pullback, stop, targets, exposure. Prices only; `risk` sizes.

Promises prices on the tick, rounded against us: stop away from the entry, targets towards it. Refuses a plan where the
analysis found no trade.
"""

from decimal import Decimal
from math import prod

from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Target
from trading_bot.domain.research import Analysis, EntryPlan, Recommendation, Regime
from trading_bot.market.analysis import NOISE_ATR
from trading_bot.market.screen import extension
from trading_bot.market.snapshot import Snapshot

EXTENDED_ATR = 2.0
"""A price further above SMA 20 waits for a pullback."""
TARGETS = ((Decimal("1.5"), Decimal("0.5")), (Decimal("2.5"), Decimal("0.5")))
"""Multiples of the risk, and the share of the position that leaves there."""
REGIME_EXPOSURE = {
    Regime.TREND_UP: Decimal(1),
    Regime.RANGE: Decimal("0.75"),
    Regime.UNKNOWN: Decimal("0.5"),
    Regime.TREND_DOWN: Decimal("0.5"),
    Regime.HIGH_VOLATILITY: Decimal("0.5"),
}
SCORE_EXPOSURE = ((80.0, Decimal(1)), (0.0, Decimal("0.75")))
"""Least score, factor."""
VOLATILITY_EXPOSURE = ((4.0, Decimal("0.5")), (2.5, Decimal("0.75")), (0.0, Decimal(1)))
"""Least ATR in per cent of the price, factor."""


def plan_entry(analysis: Analysis, snapshot: Snapshot, instrument: Instrument, regime: Regime) -> EntryPlan | None:
    """Return how to get in and out, None where the analysis recommends no purchase or found no stop.

    A pullback keeps the distance to the stop that the analysis held against ATR and spread. None also where the tick is too
    coarse for a stop below the entry.
    """
    if analysis.stop is None or analysis.recommendation not in {Recommendation.STRONG_BUY, Recommendation.BUY}:
        return None
    style, wanted, why = _where(snapshot)
    stop_wanted = wanted - (analysis.price - analysis.stop)
    if stop_wanted < float(instrument.tick_size):
        return None
    entry = instrument.round_price(wanted, Rounding.UP if style is EntryStyle.NOW else Rounding.DOWN)
    stop = instrument.round_price(stop_wanted, Rounding.DOWN)
    if stop >= entry:
        return None
    targets = tuple(
        Target(price=instrument.round_price(entry + multiple * (entry - stop), Rounding.DOWN), fraction=share)
        for multiple, share in TARGETS
    )
    return EntryPlan(
        symbol=analysis.symbol,
        side=Side.BUY,
        style=style,
        entry=entry,
        stop_loss=stop,
        targets=targets,
        noise=instrument.round_price(max(NOISE_ATR * (snapshot.atr or 0.0), float(instrument.tick_size)), Rounding.UP),
        exposure=exposure(analysis.score, snapshot, regime),
        reason=why,
    )


def _where(snapshot: Snapshot) -> tuple[EntryStyle, float, str]:
    """Style, price and reason of the entry: the nearest of SMA 20 and support if the price ran ahead, else the price."""
    ahead, average = extension(snapshot), snapshot.value("sma_20")
    if ahead is None or average is None or ahead <= EXTENDED_ATR:
        return EntryStyle.NOW, snapshot.price, f"within {EXTENDED_ATR:g} ATR of SMA 20"
    levels = [(average, "SMA 20")]
    if snapshot.support is not None:
        levels.append((snapshot.support, "support"))
    price, name = max(levels)
    return EntryStyle.PULLBACK, price, f"{ahead:.1f} ATR above SMA 20: wait for {name}"


def exposure(score: float, snapshot: Snapshot, regime: Regime) -> Decimal:
    """Return the share of the allowed size to take, at most 1: regime x score x volatility."""
    return prod(
        (
            REGIME_EXPOSURE[regime],
            _step(SCORE_EXPOSURE, score),
            _step(VOLATILITY_EXPOSURE, snapshot.atr_percent or 0.0),
        ),
        start=Decimal(1),
    )


def _step(table: tuple[tuple[float, Decimal], ...], value: float) -> Decimal:
    return next(factor for least, factor in table if value >= least)
