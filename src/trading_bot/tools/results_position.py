"""Answers of the position tools: the books at their marks, and the memory."""

from trading_bot.domain.values import Record, UtcTime
from trading_bot.tools.envelope import Untrusted
from trading_bot.tools.results import Mark, Number, OfBooks, Percent, Price, Quantity, Score, Usd


class PositionTold(Record):
    """One open position."""

    symbol: str
    side: str
    quantity: Quantity
    average_price: Price
    opened_at: UtcTime
    mark: Mark
    value_usd: Usd
    profit_usd: Usd
    profit_percent: Percent | None
    stop: Price | None
    protected: bool


class PositionsTold(OfBooks):
    """What is held."""

    positions: tuple[PositionTold, ...]
    total: int
    next_offset: int | None = None


class OrderTold(Record):
    """A working order."""

    role: str
    side: str
    quantity: Quantity
    price: Price | None
    state: str


class DetailsTold(OfBooks):
    """One position, its orders and why it was opened."""

    position: PositionTold
    days_held: Score
    risk_to_stop_usd: Usd | None
    stop_distance_percent: Percent | None
    orders: tuple[OrderTold, ...]
    leverage: Number | None = None
    """Of a perpetual, as the next four."""
    mark_price: Price | None = None
    liquidation_price: Price | None = None
    liquidation_distance_percent: Percent | None = None
    funding_usd: Usd | None = None
    """Paid (below 0) or got since it was opened."""
    confidence: float | None = None
    analyst: str | None = None
    thesis: Untrusted | None = None


class SummaryTold(OfBooks):
    """The account in a few numbers."""

    equity_usd: Usd
    cash_usd: Usd
    positions: int
    gross_usd: Usd
    net_usd: Usd
    unrealized_usd: Usd
    realized_usd: Usd
    fees_usd: Usd
    income_usd: Usd
    total_return_percent: Percent | None
    today_usd: Usd | None
    drawdown_percent: Percent | None
    oldest_mark: UtcTime | None = None


class BuyingPowerTold(OfBooks):
    """What is left to spend, by the books."""

    cash_usd: Usd
    equity_usd: Usd
    buying_power_usd: Usd
    reserve_usd: Usd | None
    usable_usd: Usd | None
    reserved_by_orders_usd: Usd
    positions_left: int | None


class TradeTold(Record):
    """A closed trade."""

    symbol: str
    side: str
    quantity: Quantity
    entry_price: Price
    exit_price: Price
    opened_at: UtcTime
    closed_at: UtcTime
    profit_usd: Usd
    profit_percent: Percent
    exit: str


class DecisionTold(Record):
    """What was thought of a symbol, what the gate said, what came of it."""

    at: UtcTime
    symbol: str
    step: str
    analyst: str
    outcome: str
    recommendation: str | None = None
    score: Score | None = None
    confidence: float | None = None
    thesis: Untrusted | None = None
    note: Untrusted | None = None
    gate: str | None = None
    rules: tuple[str, ...] | None = None
    came_of_it: str | None = None
    """open, closed, not entered, pending or expired; left out where nothing was to be opened."""
    profit_usd: Usd | None = None


class HistoryTold(OfBooks):
    """Newest first."""

    trades: tuple[TradeTold, ...]
    trades_total: int
    decisions: tuple[DecisionTold, ...]
    decisions_total: int
    next_offset: int | None = None
