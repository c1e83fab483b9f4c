"""What analysts answer: screenings, analyses, entry plans, reviews. The same records whoever answers.

Scores are analytics (floats, 0-100); prices that may become orders are exact and on the tick.
"""

from datetime import date
from enum import StrEnum

from trading_bot.domain.orders import Side
from trading_bot.domain.proposals import EntryStyle, Target
from trading_bot.domain.values import Finite, Fraction, NonNegative, Positive, Ratio, Record, Symbol


class Regime(StrEnum):
    """State of the market as a whole or of one symbol."""

    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE = "range"
    HIGH_VOLATILITY = "high_volatility"
    UNKNOWN = "unknown"


class Check(Record):
    """One filter or signal: what it wanted, what it saw, whether it held. `actual` is None where it cannot be known."""

    name: str
    passed: bool
    wanted: str
    actual: Finite | None


class Candidate(Record):
    """A symbol that passed the screen, with its sub-scores (volume 30, technical 40, trend 20, liquidity 10)."""

    symbol: Symbol
    score: Finite
    volume: Finite
    technical: Finite
    trend: Finite
    liquidity: Finite
    price: Finite
    reasons: tuple[str, ...]


class Elimination(Record):
    """A symbol that did not pass, and the first reason."""

    symbol: Symbol
    reason: str


class Screening(Record):
    """Answer of `screen`: candidates by falling score, and why the others are out."""

    regime: Regime
    candidates: tuple[Candidate, ...]
    eliminated: tuple[Elimination, ...]


class Recommendation(StrEnum):
    """What an analysis comes to."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    HOLD = "HOLD"
    AVOID = "AVOID"


class Analysis(Record):
    """Answer of `analyze` for one symbol."""

    symbol: Symbol
    recommendation: Recommendation
    score: Finite
    """0-100 after multipliers."""
    confidence: Ratio
    signals: tuple[Check, ...]
    multipliers: tuple[str, ...]
    price: Finite
    stop: Finite | None
    """None if no stop lies outside the noise: then there is no trade."""
    stop_basis: str
    support: Finite | None
    resistance: Finite | None
    thesis: str
    strategy: str = "momentum"
    """By which rules it was scored; trades are counted by it."""


class EntryPlan(Record):
    """Answer of `optimize` for one symbol: how to get in, where to get out."""

    symbol: Symbol
    side: Side
    style: EntryStyle
    entry: Positive
    stop_loss: Positive
    targets: tuple[Target, ...]
    noise: NonNegative
    """Distance from the entry within which a stop says nothing."""
    exposure: Fraction
    reason: str


class TradeIdea(Record):
    """Answer of `open_trade`: the one trade to open now, or none."""

    plan: EntryPlan | None
    """None: nothing is worth a trade now."""
    confidence: Ratio
    """Probability of target before stop."""
    thesis: str
    strategy: str = "coins"
    """By which rules; trades are counted by it."""


class Grade(StrEnum):
    """Grade of a period."""

    EXCELLENT = "EXCELLENT"
    GOOD = "GOOD"
    ACCEPTABLE = "ACCEPTABLE"
    NEEDS_IMPROVEMENT = "NEEDS_IMPROVEMENT"


class Review(Record):
    """Answer of `review`: a grade, its reasons, what stood out, what to look at next."""

    grade: Grade
    summary: str
    observations: tuple[str, ...]
    recommendations: tuple[str, ...]


class Trust(StrEnum):
    """How far a backtest can be trusted."""

    VALIDATED = "VALIDATED"
    """It passed every check, as the best of all that were tried."""
    NOT_VALIDATED = "NOT_VALIDATED"
    TOO_LITTLE = "TOO_LITTLE"
    """Too few trades for any statistic: neither yes nor no."""


class Tried(Record):
    """A strategy that was tried, in the desk's own figures; None where one is not defined."""

    strategy: str
    total_return: Finite | None
    sharpe: Finite | None
    max_drawdown: Finite | None
    trades: int
    win_rate: Finite | None


class Backtested(Record):
    """Answer of `backtest`: what came of the alternatives, and how far to trust the best of them."""

    symbols: tuple[Symbol, ...]
    first: date
    last: date
    verdict: Trust
    summary: str
    observations: tuple[str, ...]
    recommendations: tuple[str, ...]
    tried: tuple[Tried, ...]
    """Best first."""
    risk_score: Finite
    """Of the best, 0 to 100."""
    risk_class: str


class Judgement(StrEnum):
    """What a second judge says to a proposal."""

    APPROVE = "approve"
    """It may be as large as the mandate allows with approval."""
    VETO = "veto"
    """It shall not be done."""
    NONE = "none"


class Opinion(Record):
    """Answer of an approver to one proposal."""

    judgement: Judgement
    reason: str
