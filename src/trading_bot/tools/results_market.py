"""Answers of the market-data tools: every price with its time, source and feed."""

from datetime import date

from trading_bot.domain.research import Recommendation, Regime
from trading_bot.domain.values import Record, UtcTime
from trading_bot.tools.results import Number, Percent, Price, Quantity, Result, Score


class QuoteTold(Result):
    """Best bid and ask."""

    symbol: str
    in_universe: bool = True
    bid: Price
    ask: Price
    mid: Price
    spread_percent: Number
    bid_size: Quantity
    ask_size: Quantity
    time: UtcTime
    age_seconds: int
    source: str
    feed: str
    currency: str
    mark_price: Price | None = None
    """Of a perpetual, as the next two; longs pay shorts the rate at the next funding, and get it where it is below 0."""
    funding_rate_percent: Number | None = None
    next_funding_at: UtcTime | None = None


Cell = str | float | None


class HistoricalTold(Result):
    """Bars, oldest first, by their start; adjusted for the splits and dividends that have come."""

    symbol: str
    in_universe: bool = True
    timeframe: str
    source: str
    feed: str
    total: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    next_offset: int | None = None


class StatusTold(Result):
    """Whether the market trades, and when it does next."""

    calendar: str
    open: bool
    session: date | None
    closes_at: UtcTime | None
    next_session: date
    next_opens_at: UtcTime
    minutes_to_change: int


class DeskAnalysis(Record):
    """What the desk's rules say of a long entry at the last close."""

    score: Score
    recommendation: Recommendation
    signals_held: tuple[str, ...]
    signals_missed: tuple[str, ...]
    stop: Price | None
    stop_basis: str


class IndicatorsTold(Result):
    """The newest closed bar."""

    symbol: str
    in_universe: bool = True
    timeframe: str
    price: Price
    bar: UtcTime
    source: str
    feed: str
    rsi_14: Score | None
    macd_histogram: Number | None
    atr_14: Number | None
    atr_percent: Percent | None
    adx_14: Score | None
    sma_20: Price | None
    sma_50: Price | None
    bb_upper: Price | None
    bb_lower: Price | None
    relative_volume: Number | None
    support: Price | None
    resistance: Price | None
    market_regime: Regime
    analysis: DeskAnalysis | None = None


class CandidateTold(Record):
    """One of the best."""

    symbol: str
    score: Score
    volume: Score
    technical: Score
    trend: Score
    liquidity: Score
    price: Price
    reasons: tuple[str, ...]


class Out(Record):
    """One that did not pass, and the first reason."""

    symbol: str
    reason: str


class ScanTold(Result):
    """The screen of the universe without what is held."""

    regime: Regime
    source: str
    candidates: tuple[CandidateTold, ...]
    screened: int
    eliminated: dict[str, int]
    eliminated_symbols: tuple[Out, ...] | None = None
    next_offset: int | None = None


class SymbolRegime(Record):
    """One symbol's regime and what it rests on."""

    symbol: str
    in_universe: bool = True
    regime: Regime
    price: Price
    bar: UtcTime
    adx_14: Score | None
    sma_50_slope_percent: Percent | None
    volatility_percent: Percent | None
    volatility_rank: Number | None


class RegimeTold(Result):
    """The market's regime, and one symbol's."""

    market_regime: Regime
    basis: str
    above_sma_50_percent: Percent | None
    of_symbol: SymbolRegime | None = None
