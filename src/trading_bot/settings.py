"""Sections of the configuration: what each setting is, and what it may be. `config.py` reads them.

Promises that a value which cannot be used is refused with the reason. Refuses unknown keys. Defaults stand in `defaults.yaml`.
"""

import re
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_serializer, field_validator

from trading_bot.domain.instrument import AssetClass
from trading_bot.domain.mandate import Autonomy, Discipline, GuardianOrders, Limits, Share
from trading_bot.domain.market import Feed, Timeframe
from trading_bot.domain.values import Finite, Fraction, NonNegative, Positive, Record, Symbol

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SERVER = re.compile(r"postgres(ql)?(\+psycopg)?://(?P<rest>([^:@/?#]*(:[^:@/?#]*)?@)?[^@/?#]*/[^@/?#]+(\?[^#]*)?)")


def without_password(url: str) -> str:
    """`url` as it may be shown and remembered."""
    return re.sub(r"(?<=://)([^:@/?]*):[^?]*@", r"\1@", url)


class InstrumentSettings(Record):
    """What a user says of an instrument; what is left out comes from the source or the default."""

    asset_class: AssetClass | None = None
    venue: str | None = None
    currency: str | None = None
    tick_size: Positive | None = None
    lot_size: Positive | None = None
    minimum_notional: NonNegative | None = None
    sector: str | None = None
    calendar: Literal["XNYS", "24/7"] | None = None
    shortable: bool | None = None
    leverage_cap: Positive | None = None
    maintenance_rate: Fraction | None = None


class UniverseSettings(Record):
    """What may be traded."""

    symbols: tuple[Symbol, ...] = Field(min_length=1)
    sectors: dict[str, tuple[Symbol, ...]]
    coins: InstrumentSettings
    """What is taken for granted of every coin."""
    instruments: dict[Symbol, InstrumentSettings]

    @field_validator("symbols")
    @classmethod
    def _once_each(cls, symbols: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
        twice = next((s for s in symbols if symbols.count(s) > 1), None)
        if twice is not None:
            msg = f"must name each symbol once; {twice} is there twice"
            raise ValueError(msg)
        return symbols


class FileSettings(Record):
    """One file or folder of bars."""

    path: Path
    feed: Feed | None = None
    """Default: daily bars are consolidated, intraday ones of one venue."""
    prices: Literal["as_traded", "split_adjusted", "fully_adjusted"] | None = None
    """Default: what the columns show (`docs/data.md`)."""


class SyntheticSettings(Record):
    """The invented market."""

    start: date
    timeframe: Timeframe
    annual_volatility: Finite = Field(gt=0, le=5)


class SourceSettings(Record):
    """Where market data comes from."""

    name: str
    spread_bps: NonNegative
    files: tuple[FileSettings, ...]
    synthetic: SyntheticSettings


class BrokerSettings(Record):
    """The venue; costs and rules of the paper one."""

    name: str
    account: Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value), Field(min_length=1)]
    cash: Positive
    slippage_bps: NonNegative
    participation: Fraction
    fees: Literal["us_equity", "none"]
    borrow_bps_per_year: NonNegative


class RiskSettings(Record):
    """What a mandate is made from."""

    autonomy: Autonomy
    mandate_days: int = Field(ge=1, le=366)
    guardian: GuardianOrders
    limits: Limits
    discipline: Discipline


class TaskSettings(Record):
    """One row of the schedule."""

    enabled: bool
    grace_minutes: int = Field(ge=0)


class BudgetSettings(Record):
    """What models may cost, by wall time in every mode."""

    claude_usd_per_day: NonNegative
    claude_news_usd_per_day: NonNegative
    """Of Claude's money, what reading news may use up."""
    claude_usd_per_trade: NonNegative
    """What all calls about one trade of the round-the-clock desk may cost, from the one that opened it on."""
    deepseek_usd_per_day: NonNegative
    calls_per_hour: int = Field(ge=0)
    """Of Claude."""
    breaker_failures: int = Field(ge=1)
    """So many failed calls of one tier in a row, and it is not called for `breaker_minutes`."""
    breaker_minutes: int = Field(ge=1)


class ClaudeSettings(Record):
    """How the claude binary is run."""

    binary: str = Field(min_length=1)
    """A name on the PATH, or a path."""
    billing: Literal["subscription", "api", "bedrock", "vertex"]
    """Who pays; decides which variables of the environment the process gets."""
    model: str = Field(min_length=1)
    models: dict[str, str]
    """Another model for single workflows (screen, analyze, optimize, review, approve)."""
    usd_per_call: Positive
    max_turns: int = Field(ge=1, le=50)
    max_output_tokens: int = Field(ge=256, le=64000)
    thinking_tokens: int = Field(ge=0, le=63000)
    first_byte_seconds: float = Field(gt=0)
    """Without a word for so long after its start, a call is given up."""
    idle_seconds: float = Field(gt=0)
    """The same between two words."""
    total_seconds: float = Field(gt=0)
    approver: Literal["none", "claude"]
    """`claude`: a second, separate call approves or vetoes each new position, within the mandate."""


class SimulationSettings(Record):
    """The simulated clock."""

    first_session: date


class AlpacaEnvironment(StrEnum):
    """Whose money an Alpaca account holds."""

    PAPER = "paper"
    LIVE = "live"


class BybitEnvironment(StrEnum):
    """Which of Bybit's worlds."""

    TESTNET = "testnet"
    DEMO = "demo"
    LIVE = "live"


class EmulatorUrl(Record):
    """Where a vendor's emulator answers instead of the vendor."""

    url: str | None

    @field_validator("url")
    @classmethod
    def _only_loopback(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme != "http" or urlsplit(url).hostname not in _LOOPBACK):
            msg = "may only name an emulator on this machine (http://127.0.0.1:8101); the vendor's own address follows from `environment`"
            raise ValueError(msg)
        return None if url is None else url.rstrip("/")


class AlpacaSettings(EmulatorUrl):
    """The connection to Alpaca. Keys come from ALPACA_API_KEY and ALPACA_SECRET_KEY."""

    environment: AlpacaEnvironment
    feed: Literal["iex", "sip"]
    """`iex`, which is free, is one venue's."""
    requests_per_minute: int = Field(ge=10, le=10_000)


class BybitSettings(EmulatorUrl):
    """The connection to Bybit. Keys come from BYBIT_API_KEY and BYBIT_API_SECRET."""

    environment: BybitEnvironment
    category: Literal["linear", "spot"]
    leverage: Positive
    """Set at the venue for each symbol before its first order, and verified."""
    receive_window_ms: int = Field(ge=1000, le=60_000)
    requests_per_second: int = Field(ge=1, le=100)


class AnomalySettings(Record):
    """What wakes a round-the-clock desk between its looks, while it is in a trade."""

    volatility: Finite = Field(gt=0, le=100)
    """A move within one bar of the finest timeframe, as a multiple of that timeframe's average true range."""
    spread: Share
    """Of the middle."""
    funding: Share
    """What one funding would take from the position, as a share of its value; a sign that turned against it wakes too."""
    news: Finite = Field(gt=0, le=100)
    """Deviations of the coin's sentiment from its own mean."""
    liquidation: Share
    """Distance of the mark price from liquidation, as a share of the price."""
    pause_minutes: int = Field(ge=1, le=1440)
    """The same kind of anomaly in the same coin wakes nobody again for so long."""


class TraderSettings(Record):
    """How a round-the-clock desk (`desk: coins`) goes round."""

    interval_minutes: int = Field(ge=1, le=1440)
    """Between two looks, counted from midnight UTC."""
    lookout_seconds: int = Field(ge=5, le=3600)
    """Between two looks of the engine at anomalies and margin, which cost nothing."""
    failures: int = Field(ge=1, le=100)
    """So many failed cycles in a row, and the desk takes no new risk until a person resumes it."""
    session_tokens: int = Field(ge=1000, le=150_000)
    """A conversation about a trade that has grown beyond so many tokens is given up for a fresh one, briefed from the journal."""
    anomalies: AnomalySettings


class NotifySettings(Record):
    """Whom to tell what a person should know."""

    urls: tuple[str, ...]
    """Addresses in the words of apprise, such as `mailto://...` or `tgram://...`; secrets by ${NAME}."""


class GuardianSettings(Record):
    """How the guardian looks."""

    interval_seconds: float = Field(gt=0, le=60)
    heartbeat_seconds: float = Field(ge=5, le=3600)
    """A desk whose heartbeat is older is taken for dead or hanging."""
    naked_seconds: float = Field(ge=2, le=600)
    """A position may lack its stop for so long before the guardian acts."""


class ResearchSettings(Record):
    """What the desk tries by itself."""

    weekly_backtests: Literal["never", "desk", "always"] = "desk"
    """Alternatives for what lost in the week. `desk`: not while a recorded year is run, where 52 weeks of them would take minutes."""


class StorageSettings(Record):
    """Where the desk keeps journal, inbox, spending and bars."""

    url: str | None = Field(default=None, repr=False)
    """A database of PostgreSQL, as SQLAlchemy names it; None: files in the home."""

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, url: str | None) -> str | None:
        if url is None:
            return None
        found = _SERVER.fullmatch(url.strip())
        if found is None:
            raise ValueError("must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with : @ / ? # in a password as %3A %40 %2F %3F %23")
        if "password" in found["rest"].partition("?")[2].lower():
            raise ValueError("may carry a password before the @ alone, where it is hidden from whoever looks")
        return f"postgresql+psycopg://{found['rest']}"

    @field_serializer("url")
    def _shown(self, url: str | None) -> str | None:
        return None if url is None else without_password(url)
