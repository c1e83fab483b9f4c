"""What a research run is asked for, what it runs on, and what came of it. Every engine takes the first two and gives the third.

Promises that a result is a plain record: written as JSON and read back it is equal, and every report, comparison and validation
works from it alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from trading_bot.backtest.statistics import Curve, Performance, performance
from trading_bot.domain.market import Timeframe
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import Amount, Digest, Finite, Fraction, NonNegative, Positive, Record, Symbol
from trading_bot.ports import Calendar, MarketSource
from trading_bot.settings import BrokerSettings


class Engine(StrEnum):
    """Who reckoned a result."""

    EVENT = "event"
    """The desk's own session loop, gate, engine and paper broker."""
    VECTOR = "vector"
    """The sweep kernel: the same fill rules, without a desk."""
    DESK = "desk"
    """An analyst's decisions, by the orchestrator's backtest mode."""


class LimitsBy(StrEnum):
    """Under whose limits entries are judged."""

    RESEARCH = "research"
    """Only the plan's own: `share`, `risk`, `reserve`. What a strategy earns by itself."""
    DESK = "desk"
    """The configuration's, as the desk would trade it. Only the event engine knows them."""


class Plan(Record):
    """What to run. The same plan on the same data gives the same result."""

    strategy: str
    """A shipped name, a path, or an entry point's name."""
    values: dict[str, Finite]
    """Every parameter."""
    symbols: tuple[Symbol, ...] = Field(min_length=1)
    first: date
    last: date
    timeframe: Timeframe = Timeframe.DAY
    """Of the bars that signals are made from. Fills use the finest bars that there are."""
    limits: LimitsBy = LimitsBy.RESEARCH
    share: Fraction
    """Of equity that one position may take."""
    risk: Fraction | None = None
    """Of equity that may be lost at an entry's stop; None for no such limit."""
    reserve: NonNegative = Field(lt=1)
    """Share of buying power that stays unused: room for slippage and fees between quote and fill."""
    seed: int = 0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            msg = f"the last day {self.last} is before the first, {self.first}"
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Market:
    """What a run trades on. `costs`: the paper venue's cash, slippage, participation, fees and borrow."""

    source: MarketSource
    calendars: Callable[[str], Calendar]
    costs: BrokerSettings
    spread_bps: NonNegative
    """Of the quotes that bars publish."""


class Card(Record):
    """The run card: what a result was made from. Two equal cards have equal results."""

    plan: Plan
    data: dict[str, Digest]
    """Of the bars and corporate actions of each symbol, by `symbol timeframe`."""
    code: Digest
    """Of the package's source and of the strategy's file."""
    config: Digest
    prompts: Digest | None = None
    """Of the prompts, where an analyst decided."""
    models: tuple[str, ...] = ()
    versions: dict[str, str]
    """Of Python and of the libraries that reckon."""
    command: str


class Result(Record):
    """What came of a run."""

    engine: Engine
    plan: Plan
    start: Amount
    """Cash at the beginning."""
    sessions: tuple[date, ...]
    equity: tuple[Finite, ...]
    """At each session's close."""
    exposure: tuple[Finite, ...]
    """Sum of absolute market values at each session's close."""
    benchmark: tuple[Finite, ...] = ()
    """Buy and hold of the same symbols with the same cash, at each session's close."""
    periods_per_year: int = 252
    """Sessions in a year, of the calendar that the account was marked by."""
    trades: tuple[RoundTrip, ...]
    """Closed ones, in order of their ends."""
    performance: Performance
    notes: tuple[str, ...] = ()
    """What a reader has to know: prices that are not as traded, refused signals, missing sessions."""
    card: Card | None = None

    @property
    def curve(self) -> Curve:
        """The account over time."""
        return Curve(self.sessions, np.array(self.equity), np.array(self.exposure), float(self.start))

    @property
    def held(self) -> Performance | None:
        """Figures of buy and hold; None where it is not known."""
        if not self.benchmark:
            return None
        worth = np.array(self.benchmark)
        return performance(Curve(self.sessions, worth, worth, float(self.start)), periods_per_year=self.periods_per_year)

    def with_card(self, card: Card) -> Self:
        """The same result with its card."""
        return self.model_copy(update={"card": card})


class Cell(Record):
    """One combination of a sweep."""

    values: dict[str, Finite]
    total_return: Finite
    sharpe: Finite | None
    max_drawdown: Finite
    trades: int
    win_rate: Finite | None
    profit_factor: Finite | None
    final_equity: Positive | Amount
