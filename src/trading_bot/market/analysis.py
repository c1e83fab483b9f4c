"""The analysis of one symbol: signals, multipliers, recommendation, stop.

Promises published numbers (`docs/scoring.md`). Refuses a trade whose stop lies inside the noise: it has no stop, and is
recommended no better than HOLD.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, prod
from typing import Generic, TypeVar

from trading_bot.domain.proposals import NOISE_SPREADS
from trading_bot.domain.research import Analysis, Check, Recommendation, Regime
from trading_bot.market.snapshot import Snapshot, ratio

T = TypeVar("T")

SIGNAL_POINTS = 20.0
RECOMMENDATIONS = (
    (80.0, Recommendation.STRONG_BUY),
    (60.0, Recommendation.BUY),
    (40.0, Recommendation.HOLD),
    (0.0, Recommendation.AVOID),
)
"""Least score of each."""
STOP_ATR = 2.0
STOP_SHARE = 0.03
STRONG_ADX = 25.0
SURGE = 1.5
"""Last volume over the average of 20."""
NEAR_ATR = 1.5
"""Distance of a near support."""
NOISE_ATR = 0.5


@dataclass(frozen=True)
class Signal(Generic[T]):
    """A good sign: it holds if its measure is known and lies from `least` to `most`."""

    name: str
    measure: Callable[[T], float | None]
    least: float
    most: float = inf
    unit: str = ""

    @property
    def wanted(self) -> str:
        """The bounds, in words."""
        if self.least == -inf:
            return f"at most {self.most:g}{self.unit}"
        return f"{self.least:g}{self.unit} {'or more' if self.most == inf else f'to {self.most:g}{self.unit}'}"

    def check(self, seen: T) -> Check:
        """Whether it holds."""
        actual = self.measure(seen)
        return Check(name=self.name, passed=actual is not None and self.least <= actual <= self.most, wanted=self.wanted, actual=actual)


@dataclass(frozen=True)
class Multiplier:
    """A factor on the score of the signals, where it applies."""

    name: str
    factor: float
    applies: Callable[[Snapshot, Regime], bool]


def above(snapshot: Snapshot, value: float | None, base: str) -> float | None:
    """By how many per cent `value` lies above the indicator `base`; None where either is unknown."""
    share = ratio(value, snapshot.value(base))
    return None if share is None else 100 * (share - 1)


SIGNALS: tuple[Signal[Snapshot], ...] = (
    Signal("price above SMA 50", lambda s: above(s, s.price, "sma_50"), 0.0, unit=" %"),
    Signal("SMA 20 above SMA 50", lambda s: above(s, s.value("sma_20"), "sma_50"), 0.0, unit=" %"),
    Signal("RSI", lambda s: s.value("rsi_14"), 50.0, 70.0),
    Signal("MACD less signal", lambda s: s.value("macd_histogram"), 0.0),
    Signal("last volume / average of 20", lambda s: s.relative_volume, 1.0),
)


def _at_least(value: float | None, least: float) -> bool:
    return value is not None and value >= least


def _near_support(snapshot: Snapshot) -> bool:
    if snapshot.support is None or snapshot.atr is None:
        return False
    return snapshot.price - snapshot.support <= NEAR_ATR * snapshot.atr


MULTIPLIERS = (
    Multiplier(f"strong trend: ADX {STRONG_ADX:g} or more", 1.10, lambda s, _: _at_least(s.value("adx_14"), STRONG_ADX)),
    Multiplier(f"volume surge: {SURGE:g} x average or more", 1.10, lambda s, _: _at_least(s.relative_volume, SURGE)),
    Multiplier(f"support within {NEAR_ATR:g} ATR", 1.05, lambda s, _: _near_support(s)),
    Multiplier("rising market", 1.05, lambda _, regime: regime is Regime.TREND_UP),
    Multiplier("falling market", 0.85, lambda _, regime: regime is Regime.TREND_DOWN),
    Multiplier("high volatility", 0.90, lambda _, regime: regime is Regime.HIGH_VOLATILITY),
)


@dataclass(frozen=True)
class Stop:
    """Where a long position is given up, or None with the reason why there is no such price."""

    price: float | None
    basis: str


def place_stop(entry: float, support: float | None, atr: float | None, spread: float) -> Stop:
    """Return the candidate nearest to a long `entry`: support, 2 ATR or 3 % below; none if it lies inside the noise.

    Noise is the larger of half an ATR and three spreads. All in currency. ValueError for a spread that is not 0 or more.
    """
    if not 0 <= spread < float("inf"):
        msg = f"the spread is {spread}; pass ask less bid of a fresh quote"
        raise ValueError(msg)
    if atr is None:
        return Stop(None, "no trade: the ATR is unknown")
    candidates = [(entry - STOP_ATR * atr, f"{STOP_ATR:g} ATR"), (entry * (1 - STOP_SHARE), f"{STOP_SHARE * 100:g} %")]
    if support is not None and support < entry:
        candidates.append((support, "support"))
    price, basis = max(candidates)
    noise = max(NOISE_ATR * atr, NOISE_SPREADS * spread)
    if entry - price < noise:
        return Stop(None, f"no trade: {basis} at {price:.2f} lies inside the noise of {noise:.2f} around {entry:.2f}")
    return Stop(price, basis)


def analyze(snapshot: Snapshot, regime: Regime, spread: float) -> Analysis:
    """Return the analysis of a long entry at the last close. `spread`: ask less bid, in currency."""
    signals = tuple(signal.check(snapshot) for signal in SIGNALS)
    applied = [multiplier for multiplier in MULTIPLIERS if multiplier.applies(snapshot, regime)]
    held = [check.name for check in signals if check.passed]
    score = min(100.0, SIGNAL_POINTS * len(held) * prod(multiplier.factor for multiplier in applied))
    stop = place_stop(snapshot.price, snapshot.support, snapshot.atr, spread)
    recommendation = recommend(score, stop)
    return Analysis(
        symbol=snapshot.symbol,
        recommendation=recommendation,
        score=score,
        confidence=score / 100,
        signals=signals,
        multipliers=tuple(f"{multiplier.name} x {multiplier.factor:.2f}" for multiplier in applied),
        price=snapshot.price,
        stop=stop.price,
        stop_basis=stop.basis,
        support=snapshot.support,
        resistance=snapshot.resistance,
        thesis=f"{recommendation} at {score:.0f}: {', '.join(held) or 'no signal'} in {regime}; stop by {stop.basis}",
    )


def recommend(score: float, stop: Stop) -> Recommendation:
    """Return the recommendation for a score from 0 to 100; without a stop no better than HOLD."""
    found = next(recommendation for least, recommendation in RECOMMENDATIONS if score >= least)
    if stop.price is None and found in {Recommendation.STRONG_BUY, Recommendation.BUY}:
        return Recommendation.HOLD
    return found
