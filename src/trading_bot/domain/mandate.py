"""The mandate: what the operator allows, in numbers. The only home of a limit.

Every limit is set or is the word `none`; there is no default and `0` never means "unlimited".
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from trading_bot.domain.values import Amount, Digest, Fraction, NonNegative, Positive, Record, Symbol, UtcTime

NoLimit = Literal["none"]
Share = Annotated[Fraction | NoLimit, Field(union_mode="left_to_right")]
Multiple = Annotated[Positive | NoLimit, Field(union_mode="left_to_right")]
Count = Annotated[Annotated[int, Field(ge=1, strict=True)] | NoLimit, Field(union_mode="left_to_right")]


class Mode(StrEnum):
    """Whose money. Live needs its own explicit word."""

    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


class Autonomy(StrEnum):
    """How far the desk may go alone."""

    OBSERVE = "observe"
    """Proposals are judged and recorded; nothing is sent."""
    CONFIRM = "confirm"
    """Every new risk needs a person's approval."""
    AUTO = "auto"
    """The gate decides."""


class Limits(Record):
    """Shares are of equity unless said otherwise."""

    risk_per_trade: Share
    position: Share
    approval_above: Share
    """A position above this share needs an approver; without one the size is cut to it."""
    tainted_position: Share
    """A position that goes back to texts from outside stays below this share, unless a person approves it."""
    sector: Share
    open_risk: Share
    """Sum over positions and working entries of what is lost if every stop is hit."""
    gross_exposure: Multiple
    leverage: Multiple
    margin_per_trade: Share
    """Greatest share of the available balance that may become the margin of one trade; of coins carried with leverage."""
    least_margin: Share
    """A trade whose margin would be a smaller share of the available balance is not worth its costs, and is not done."""
    liquidation_buffer: Share
    """Of the price: liquidation has to lie at least so far beyond the stop, and what comes nearer to it than that is closed."""
    buying_power_reserve: Annotated[Amount, Field(ge=0, lt=1)]
    """Share of the venue's buying power that stays unused."""
    margin_reserve: NonNegative
    """Equity must exceed maintenance margin by this share of it after the trade."""
    daily_loss: Share
    """Of the equity at the last session's close; reached: no new risk until the next session."""
    drawdown: Share
    """From the highest equity; reached: reduce-only until a person resumes."""
    open_positions: Count
    trades_per_day: Count
    orders_per_minute: Count
    price_collar: Share
    """Greatest distance of an order's price from the middle of a fresh quote."""
    max_spread: Share
    """Of the middle."""
    quote_age_seconds: Count
    short_selling: bool


class Discipline(Record):
    """Brakes on behaviour (row F3)."""

    cooldown_losses: Count
    """After this many losses in a row the desk takes no new risk for `cooldown_minutes`."""
    cooldown_minutes: Annotated[int, Field(ge=1, strict=True)]
    reentry_minutes: Annotated[int, Field(ge=1, strict=True)] | NoLimit
    """No new entry into a symbol for so long after a loss in it."""
    streak_losses: Count
    """From this many losses in a row on, sizes are multiplied by `streak_factor`."""
    streak_factor: Fraction
    suspend_losses: Count
    """A strategy with this many losses in a row is suspended."""
    suspend_days: Count
    """For so many days, or with `none` until a person resumes; its losses are counted anew afterwards."""


class Cure(StrEnum):
    """How far the guardian may go."""

    CURE = "cure"
    """Give naked positions a stop, or close what can have none."""
    FLATTEN = "flatten"
    """Cancel entries and close everything."""


class GuardianOrders(Record):
    """What the guardian may do without anybody."""

    dead_desk: Cure
    """When the desk is dead or hangs while something is held."""
    daily_loss: Cure
    """When the day's loss, as the venue tells it, passes `Limits.daily_loss`."""


class Mandate(Record):
    """What the operator signed."""

    version: Literal[1] = 1
    account: str
    mode: Mode
    universe: tuple[Symbol, ...]
    autonomy: Autonomy
    limits: Limits
    discipline: Discipline
    guardian: GuardianOrders
    config_digest: Digest
    """Of the configuration's risk, broker and universe sections, secrets excluded."""
    issued_at: UtcTime
    expires_at: UtcTime
    """Wall time."""
