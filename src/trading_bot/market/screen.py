"""The screen: filters that a symbol must pass, and a score from 0 to 100 that ranks those which do.

Promises one answer per symbol, a candidate or an elimination with its first reason, by published numbers (`docs/scoring.md`).
Refuses to judge volume by the trades of a single venue, and bars older than the last closed session. A source that failed
raises; it is not the same as a symbol without data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10

from trading_bot.domain.errors import BadBarsError, NoDataError
from trading_bot.domain.market import Feed
from trading_bot.domain.research import Candidate, Check, Elimination, Screening
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import last_closed, open_calendar
from trading_bot.market.regime import market_regime
from trading_bot.market.snapshot import LEAST_BARS, Snapshot, ratio, take
from trading_bot.ports import View

Measure = Callable[[Snapshot], float | None]


@dataclass(frozen=True)
class ScreenRules:
    """Thresholds of the filters. None switches a filter off."""

    rsi_least: float
    rsi_most: float
    atr_least: float | None
    """In currency."""
    atr_percent_least: float | None
    """In per cent of the price."""
    volume_above: float | None
    """Mean of 20 bars, in shares, from a consolidated feed."""


MOMENTUM = ScreenRules(rsi_least=45.0, rsi_most=70.0, atr_least=0.5, atr_percent_least=None, volume_above=1_000_000.0)


@dataclass(frozen=True)
class Term:
    """A part of the score: its points rise linearly from 0 at `worst` to all at `best`; unknown earns 0."""

    group: str
    name: str
    points: float
    worst: float
    best: float
    measure: Measure

    def earn(self, actual: float | None) -> float:
        """Points for a measured value."""
        if actual is None:
            return 0.0
        return self.points * min(1.0, max(0.0, (actual - self.worst) / (self.best - self.worst)))


def _volume_trend(snapshot: Snapshot) -> float | None:
    return ratio(snapshot.value("volume_sma_5"), snapshot.average_volume)


def _rsi_distance(snapshot: Snapshot) -> float | None:
    rsi = snapshot.value("rsi_14")
    return None if rsi is None else abs(rsi - (MOMENTUM.rsi_least + MOMENTUM.rsi_most) / 2)


def _macd_strength(snapshot: Snapshot) -> float | None:
    return ratio(snapshot.value("macd_histogram"), snapshot.atr)


def _band_position(snapshot: Snapshot) -> float | None:
    upper, lower = snapshot.value("bb_upper"), snapshot.value("bb_lower")
    return None if upper is None or lower is None else ratio(snapshot.price - lower, upper - lower)


def extension(snapshot: Snapshot) -> float | None:
    """Distance of the price above SMA 20, in ATR."""
    average = snapshot.value("sma_20")
    return None if average is None else ratio(snapshot.price - average, snapshot.atr)


def _average_gap(snapshot: Snapshot) -> float | None:
    fast = ratio(snapshot.value("sma_20"), snapshot.value("sma_50"))
    return None if fast is None else 100 * (fast - 1)


def _money_traded(snapshot: Snapshot) -> float | None:
    money = snapshot.average_dollar_volume
    return log10(money) if money else None


TERMS = (
    Term("volume", "last volume / average of 20", 20, 0.5, 2.0, lambda snapshot: snapshot.relative_volume),
    Term("volume", "average of 5 / average of 20", 10, 0.8, 1.2, _volume_trend),
    Term("technical", "distance of RSI from 57.5", 15, 12.5, 2.5, _rsi_distance),
    Term("technical", "MACD histogram / ATR", 15, 0.0, 0.25, _macd_strength),
    Term("technical", "position in the Bollinger bands", 10, 0.3, 0.9, _band_position),
    Term("trend", "price above SMA 20, in ATR", 5, 0.0, 1.5, extension),
    Term("trend", "SMA 20 above SMA 50, in per cent", 5, 0.0, 3.0, _average_gap),
    Term("trend", "ADX", 10, 15.0, 35.0, lambda snapshot: snapshot.value("adx_14")),
    Term("liquidity", "log10 of average dollar volume", 10, 7.0, 9.0, _money_traded),
)


def screen(view: View, symbols: Sequence[Symbol], rules: ScreenRules = MOMENTUM, top: int = 5) -> Screening:
    """Return the `top` candidates by falling score (equal scores by symbol) and why every other symbol is out.

    SourceFailedError passes through.
    """
    answers = [_judge(view, symbol, rules) for symbol in symbols]
    ranked = sorted((a for a in answers if isinstance(a, Candidate)), key=lambda c: (-c.score, c.symbol))
    weaker = [Elimination(symbol=c.symbol, reason=f"score {c.score:.1f} is not among the best {top}") for c in ranked[top:]]
    out = [a for a in answers if isinstance(a, Elimination)] + weaker
    return Screening(regime=market_regime(view, symbols), candidates=tuple(ranked[:top]), eliminated=tuple(out))


def _judge(view: View, symbol: Symbol, rules: ScreenRules) -> Candidate | Elimination:
    try:
        snapshot = take(view, symbol)
        reason = f"fewer than {LEAST_BARS} daily bars" if snapshot is None else _why_stale(view, snapshot)
    except NoDataError as error:
        return Elimination(symbol=symbol, reason=f"no data: {error}")
    except BadBarsError as error:
        return Elimination(symbol=symbol, reason=f"bad data: {error}")
    if snapshot is None or reason:
        return Elimination(symbol=symbol, reason=reason)
    failed = next((check for check in filters(snapshot, rules) if not check.passed), None)
    if failed is not None:
        actual = "unknown" if failed.actual is None else f"{failed.actual:,.4g}"
        return Elimination(symbol=symbol, reason=f"{failed.name}: wanted {failed.wanted}, is {actual}")
    return score(snapshot)


def _why_stale(view: View, snapshot: Snapshot) -> str:
    expected = last_closed(open_calendar(view.instrument(snapshot.symbol).calendar), snapshot.time)
    last = snapshot.bar.date()
    return "" if last >= expected else f"stale: the last bar is of {last}, the last session was {expected}"


def filters(snapshot: Snapshot, rules: ScreenRules = MOMENTUM) -> tuple[Check, ...]:
    """Return every filter that is on, in order; one whose value is unknown does not pass."""
    rsi, histogram = snapshot.value("rsi_14"), snapshot.value("macd_histogram")
    checks = [
        _check("RSI", f"{rules.rsi_least:g} to {rules.rsi_most:g}", rsi, lambda x: rules.rsi_least <= x <= rules.rsi_most),
        _check("MACD less signal", "above 0", histogram, lambda x: x > 0),
    ]
    if (least := rules.atr_least) is not None:
        checks.append(_check("ATR", f"{least:g} or more", snapshot.atr, lambda x: x >= least))
    if (share := rules.atr_percent_least) is not None:
        checks.append(_check("ATR in per cent", f"{share:g} or more", snapshot.atr_percent, lambda x: x >= share))
    if rules.volume_above is not None:
        checks.append(_volume_check(snapshot, rules.volume_above))
    return tuple(checks)


def _check(name: str, wanted: str, actual: float | None, holds: Callable[[float], bool]) -> Check:
    return Check(name=name, passed=actual is not None and holds(actual), wanted=wanted, actual=actual)


def _volume_check(snapshot: Snapshot, above: float) -> Check:
    wanted = f"above {above:,.0f} on a consolidated feed"
    if snapshot.feed is not Feed.CONSOLIDATED:
        wanted += " (this feed sees a single venue)"
        return Check(name="volume", passed=False, wanted=wanted, actual=snapshot.average_volume)
    return _check("volume", wanted, snapshot.average_volume, lambda x: x > above)


def score(snapshot: Snapshot) -> Candidate:
    """Return the symbol with its score and sub-scores by `TERMS`, whether or not it passes the filters."""
    groups: dict[str, float] = {}
    reasons = []
    for term in TERMS:
        actual = term.measure(snapshot)
        earned = term.earn(actual)
        groups[term.group] = groups.get(term.group, 0.0) + earned
        shown = "unknown" if actual is None else f"{actual:.2f}"
        reasons.append(f"{term.name} {shown}: {earned:.1f} of {term.points:g}")
    return Candidate(symbol=snapshot.symbol, score=sum(groups.values()), price=snapshot.price, reasons=tuple(reasons), **groups)
