"""Coins that trade round the clock: which are worth a look, and the one trade to open now, long or short. Pure, from two snapshots.

Promises published numbers (`docs/scoring.md`), all of them relative to the price or to the coin's own past, and that a falling market is
judged as the mirror of a rising one. Refuses what it cannot know: a coin with too short a history, old bars, no quote or no funding rate is
no candidate. The numbers are round ones, set beforehand and fitted to no record.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import inf

from trading_bot.domain.errors import BadBarsError, NoDataError
from trading_bot.domain.instrument import Instrument, Rounding
from trading_bot.domain.market import Quote, Timeframe
from trading_bot.domain.orders import Side
from trading_bot.domain.perpetual import is_leveraged
from trading_bot.domain.proposals import NOISE_SPREADS, EntryStyle, Target
from trading_bot.domain.research import Check, EntryPlan, Regime, TradeIdea
from trading_bot.domain.values import ONE, ZERO, Symbol
from trading_bot.market.analysis import NOISE_ATR, SIGNAL_POINTS, Signal, above
from trading_bot.market.entry import EXTENDED_ATR, TARGETS
from trading_bot.market.regime import THRESHOLDS, classify
from trading_bot.market.snapshot import Snapshot, ratio, take
from trading_bot.ports import View

TIMING, TREND = Timeframe.MINUTE_15, Timeframe.HOUR
STALE_BARS = 2
"""A newest bar that closed so many of its lengths ago is old."""
STALE_FUNDING = timedelta(hours=8)
VOLATILE = 0.005
"""Volatility of a 15-minute bar from which on a high rank of it counts: about 94 % a year."""
LOOK_SCORE = 80.0
"""Of the better side, at least: below it a coin is not worth a look."""
LEAST_SCORE = {Regime.TREND_UP: 80.0, Regime.TREND_DOWN: 80.0, Regime.HIGH_VOLATILITY: 100.0}
"""What the side of the trend needs in each regime to be opened; in one that is not here nothing is."""
STOP_ATR, LEAST_STOP_ATR, MOST_STOP_ATR = Decimal(2), Decimal("1.5"), Decimal(3)
BEYOND_SWING_ATR = Decimal("0.5")
SCORE_EXPOSURE = ((100.0, ONE), (0.0, Decimal("0.6")))
"""Least score, factor."""
REGIME_EXPOSURE = {Regime.HIGH_VOLATILITY: Decimal("0.5")}
"""Factor; 1 in a regime that is not here."""
CONFIDENCE = float(1 / (1 + TARGETS[0][0]))
"""That the first target comes before the stop in a fair game: the rules claim no more."""


@dataclass(frozen=True)
class Look:
    """A coin as it stands now."""

    instrument: Instrument
    quote: Quote
    funding: float | None
    """What longs pay shorts at a funding, as a share; None where it cannot be known, 0 of what is no perpetual."""
    timing: Snapshot
    trend: Snapshot

    @property
    def symbol(self) -> Symbol:
        """The coin."""
        return self.instrument.symbol

    @property
    def noise(self) -> Decimal:
        """Distance from the price within which a stop says nothing, on the tick."""
        return self.instrument.round_price(max(NOISE_ATR * (self.trend.atr or 0.0), float(self.instrument.tick_size)), Rounding.UP)

    @cached_property
    def regime(self) -> Regime:
        """By its own bars: of high volatility by quarters of an hour, else by the hours' ADX and slope."""
        rank, volatility = self.timing.value("volatility_rank"), self.timing.value("volatility_20")
        if rank is None or volatility is None:
            return Regime.UNKNOWN
        if rank >= THRESHOLDS.high_volatility_rank and volatility >= VOLATILE:
            return Regime.HIGH_VOLATILITY
        return classify(self.trend)

    @property
    def chances(self) -> "tuple[Chance, ...]":
        """Long and, where it can be sold short, short."""
        return tuple(Chance(self, side) for side in Side if side is Side.BUY or self.instrument.shortable)


@dataclass(frozen=True)
class Chance:
    """A coin looked at from one side."""

    look: Look
    side: Side

    @property
    def entry(self) -> Decimal:
        """What it costs to get in now."""
        return self.look.quote.ask if self.side is Side.BUY else self.look.quote.bid

    @cached_property
    def filters(self) -> tuple[Check, ...]:
        """Every filter, in order; one whose value is unknown does not pass."""
        return tuple(one.check(self) for one in FILTERS)

    @cached_property
    def signals(self) -> tuple[Check, ...]:
        """Every signal, in order."""
        return tuple(one.check(self) for one in SIGNALS)

    @property
    def score(self) -> float:
        """0 to 100."""
        return SIGNAL_POINTS * sum(check.passed for check in self.signals)

    @property
    def why_not(self) -> str:
        """Why it is not worth a look, empty if it is."""
        failed = next((check for check in self.filters if not check.passed), None)
        if failed is not None:
            return f"{failed.name}: wanted {failed.wanted}, is {'unknown' if failed.actual is None else f'{failed.actual:.3g}'}"
        if self.look.regime is Regime.UNKNOWN:
            return "its regime is unknown"
        return "" if self.score >= LOOK_SCORE else f"a score of {self.score:g} is below {LOOK_SCORE:g}"

    @property
    def why_no_trade(self) -> str:
        """Why the rules do not open it, empty if they do: it is not worth a look, against the trend, or too weak for its regime."""
        if self.why_not:
            return self.why_not
        slope, least = self.look.trend.value("sma_50_slope"), LEAST_SCORE.get(self.look.regime)
        if least is None:
            return f"nothing is opened in {self.look.regime}"
        if slope is None or slope * self.side.sign <= 0:
            return "it is against the trend"
        return "" if self.score >= least else f"a score of {self.score:g} is below {least:g} in {self.look.regime}"


def _beyond(chance: Chance, value: float | None, base: str) -> float | None:
    """By how many per cent `value` lies above the hours' indicator `base` for a long, below it for a short."""
    percent = above(chance.look.trend, value, base)
    return None if percent is None else chance.side.sign * percent


def _signed(chance: Chance, value: float | None, middle: float = 0.0) -> float | None:
    return None if value is None else chance.side.sign * (value - middle)


def _ran_ahead(chance: Chance) -> float | None:
    average = chance.look.trend.value("sma_20")
    return None if average is None else ratio(_signed(chance, chance.look.timing.price, average), chance.look.trend.atr)


def _paid(chance: Chance) -> float | None:
    return _signed(chance, None if chance.look.funding is None else 100 * chance.look.funding)


FILTERS: tuple[Signal[Chance], ...] = (
    Signal("ATR of an hour", lambda c: c.look.trend.atr_percent, 0.25, 2.0, " %"),
    Signal("spread", lambda c: float(100 * c.look.quote.spread / c.look.quote.mid), -inf, 0.05, " %"),
    Signal("funding that the side pays", _paid, -inf, 0.05, " %"),
    Signal("price beyond SMA 20 of hours, in ATR", _ran_ahead, 0.0, EXTENDED_ATR),
)
SIGNALS: tuple[Signal[Chance], ...] = (
    Signal("price beyond SMA 50 of hours", lambda c: _beyond(c, c.look.timing.price, "sma_50"), 0.0, unit=" %"),
    Signal("SMA 20 beyond SMA 50 of hours", lambda c: _beyond(c, c.look.trend.value("sma_20"), "sma_50"), 0.0, unit=" %"),
    Signal("MACD beyond its signal", lambda c: _signed(c, c.look.timing.value("macd_histogram")), 0.0),
    Signal("RSI beyond 50", lambda c: _signed(c, c.look.timing.value("rsi_14"), 50.0), 0.0, 20.0),
    Signal("average volume of 5 / of 20", lambda c: ratio(c.look.timing.value("volume_sma_5"), c.look.timing.average_volume), 1.0),
)


def look(view: View, symbol: Symbol) -> Look | None:
    """Return the coin as it stands, None where bars are too few, bad or old, or there is no quote. SourceFailedError passes through."""
    try:
        timing, trend = take(view, symbol, TIMING), take(view, symbol, TREND)
    except (NoDataError, BadBarsError):
        return None
    quote, now = view.quote(symbol), view.now()
    if timing is None or trend is None or quote is None or _is_old(timing, TIMING, now) or _is_old(trend, TREND, now):
        return None
    instrument = view.instrument(symbol)
    return Look(instrument, quote, _funding(view, instrument, now), timing, trend)


def _is_old(snapshot: Snapshot, timeframe: Timeframe, now: datetime) -> bool:
    return now - snapshot.bar > (1 + STALE_BARS) * timeframe.duration


def _funding(view: View, instrument: Instrument, now: datetime) -> float | None:
    if not is_leveraged(instrument):
        return 0.0
    told = view.contract(instrument.symbol)
    return None if told is None or now - told.time > STALE_FUNDING else float(told.funding_rate)


def candidates(view: View, symbols: Iterable[Symbol]) -> tuple[Look, ...]:
    """Return those of `symbols` that are worth a look from either side, in their order: who decides need not be asked about the rest."""
    return tuple(seen for seen in _looks(view, symbols) if not all(chance.why_not for chance in seen.chances))


def _looks(view: View, symbols: Iterable[Symbol]) -> Iterator[Look]:
    return (seen for symbol in symbols if (seen := look(view, symbol)) is not None)


def idea(view: View, symbols: Sequence[Symbol]) -> TradeIdea:
    """Return the best trade to open now, by score, then by the hours' ADX, then by name; or none, and what is missing."""
    chances = [chance for seen in _looks(view, symbols) for chance in seen.chances]
    planned = ((chance, plan(chance)) for chance in sorted(chances, key=rank) if not chance.why_no_trade)
    for chance, found in planned:
        if found is not None:
            held = ", ".join(check.name for check in chance.signals if check.passed)
            thesis = f"{chance.side} {found.symbol} at {chance.score:g} in {chance.look.regime}: {held}."
            return TradeIdea(plan=found, confidence=CONFIDENCE, thesis=thesis)
    missing = "; ".join(f"{chance.side} {chance.look.symbol}: {chance.why_no_trade or 'no sound stop'}" for chance in chances)
    return TradeIdea(plan=None, confidence=0.0, thesis=missing or "no coin has a quote and bars enough, new enough")


def rank(chance: Chance) -> tuple[float, float, Symbol]:
    """What chances are sorted by, the best first."""
    return -chance.score, -(chance.look.trend.value("adx_14") or 0.0), chance.look.symbol


def plan(chance: Chance) -> EntryPlan | None:
    """Return how to get in now and where to get out; None where no stop lies outside the noise and far from 0."""
    seen, entry, sign = chance.look, chance.entry, chance.side.sign
    instrument, (distance, basis) = seen.instrument, _stop_distance(chance)
    away, back = (Rounding.DOWN, Rounding.UP) if chance.side is Side.BUY else (Rounding.UP, Rounding.DOWN)
    if distance < max(seen.noise, NOISE_SPREADS * seen.quote.spread) or (distance + instrument.tick_size) * TARGETS[-1][0] >= entry:
        return None
    stop = instrument.round_price(entry - sign * distance, away)
    # A target is rounded towards the entry, which is the way that the stop is rounded away from it.
    reached = [(instrument.round_price(entry + multiple * (entry - stop), away), share) for multiple, share in TARGETS]
    return EntryPlan(
        symbol=seen.symbol,
        side=chance.side,
        style=EntryStyle.NOW,
        entry=instrument.round_price(entry, back),
        stop_loss=stop,
        targets=tuple(Target(price=price, fraction=share) for price, share in reached),
        noise=seen.noise,
        exposure=_step(chance.score) * REGIME_EXPOSURE.get(seen.regime, ONE),
        reason=f"Stop by {basis}.",
    )


def _stop_distance(chance: Chance) -> tuple[Decimal, str]:
    """From the entry to a little beyond the nearest swing behind it, within bounds in ATR; a multiple of it where there is no swing."""
    trend = chance.look.trend
    atr, swing = Decimal(repr(trend.atr or 0.0)), trend.support if chance.side is Side.BUY else trend.resistance
    behind = ZERO if swing is None else (chance.entry - Decimal(repr(swing))) * chance.side.sign
    if behind <= 0:
        return STOP_ATR * atr, f"{STOP_ATR} ATR"
    return min(max(behind + BEYOND_SWING_ATR * atr, LEAST_STOP_ATR * atr), MOST_STOP_ATR * atr), "the nearest swing"


def _step(score: float) -> Decimal:
    return next(factor for least, factor in SCORE_EXPOSURE if score >= least)
