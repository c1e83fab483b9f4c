"""Answers of the risk tools: plans, exposure, verdicts, sizes, figures."""

from datetime import date

from trading_bot.domain.values import Record, UtcTime
from trading_bot.tools.results import Mark, Number, OfBooks, Percent, Price, Quantity, Result, Score, Usd


class TargetTold(Record):
    """A take profit: the share of the position that leaves there, and its reward in multiples of the risk."""

    price: Price
    fraction: Number
    reward_multiple: Number


class PositionRiskTold(Result):
    """A plan, or these prices held to the same measures."""

    symbol: str
    in_universe: bool = True
    trade: bool
    """Whether the rules find a trade in it."""
    why: tuple[str, ...]
    side: str = "buy"
    score: Score
    quote: Mark
    style: str | None = None
    entry: Price | None = None
    stop_loss: Price | None = None
    targets: tuple[TargetTold, ...] | None = None
    exposure: Number | None = None
    noise: Price | None = None
    risk_per_share: Price | None = None
    risk_percent: Percent | None = None
    risk_in_atr: Number | None = None
    liquidation_price: Price | None = None
    """Of a perpetual: where its venue would end the trade."""


class ShareTold(Record):
    """A value and its share of equity."""

    name: str
    value_usd: Usd
    equity_percent: Percent | None


class ExposureTold(OfBooks):
    """How much is at stake, and in what."""

    equity_usd: Usd
    gross_usd: Usd
    gross_percent: Percent | None
    net_usd: Usd
    open_risk_usd: Usd
    open_risk_percent: Percent | None
    entering_usd: Usd
    symbols: tuple[ShareTold, ...]
    sectors: tuple[ShareTold, ...]
    next_offset: int | None = None


class FindingTold(Record):
    """One rule that spoke."""

    rule: str
    effect: str
    limit: str
    actual: str


class RulesTold(OfBooks):
    """What the gate would say now."""

    symbol: str
    in_universe: bool = True
    outcome: str
    findings: tuple[FindingTold, ...]
    quantity: Quantity
    price: Price
    value_usd: Usd
    risk_usd: Usd
    quote: Mark | None


class CapTold(Record):
    """The most that one rule allows."""

    rule: str
    limit: str
    quantity: Quantity


class SizeTold(OfBooks):
    """How much the mandate allows."""

    symbol: str
    in_universe: bool = True
    entry: Price
    stop: Price
    quantity: Quantity
    """Allowed now; 0 if a rule forbids it now."""
    quantity_when_allowed: Quantity
    """By the caps alone, were nothing forbidden."""
    caps: tuple[CapTold, ...]
    """The three tightest."""
    forbidden_by: tuple[FindingTold, ...]


class MetricsTold(OfBooks):
    """A period in numbers, and how the rules grade it."""

    first: date
    last: date
    sessions: int
    start_equity_usd: Usd
    end_equity_usd: Usd
    profit_usd: Usd
    return_percent: Percent | None
    max_drawdown_percent: Percent | None
    drawdown_percent: Percent | None
    volatility_percent: Percent | None
    sharpe: Number | None
    sortino: Number | None
    trades: int
    wins: int
    losses: int
    win_percent: Percent | None
    profit_factor: Number | None
    expectancy_usd: Usd | None
    largest_loss_usd: Usd
    fees_usd: Usd
    open_risk_usd: Usd
    open_risk_percent: Percent | None
    unprotected: tuple[str, ...]
    autonomy: str | None
    limits: dict[str, bool | int | float | str] | None
    """Shares of equity unless their name says otherwise."""
    grade: str
    observations: tuple[str, ...]
    recommendations: tuple[str, ...]


class ProposalTold(OfBooks):
    """A proposal that lies in the desk's inbox."""

    proposal: str
    expires_at: UtcTime
    status: str
