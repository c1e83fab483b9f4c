"""Studies: what a person, a tool or the weekly workflow asks of research, brought together with configuration, data and strategy.

Promises that what is left open is filled in from the data and the configuration, that a strategy's answers are checked and tried for
look-ahead before anything is reckoned with them, and that every result comes with its run card. Refuses a period without bars.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from trading_bot.backtest.asking import ask
from trading_bot.backtest.card import Inputs, make_card
from trading_bot.backtest.event import moments
from trading_bot.backtest.lab import first_day
from trading_bot.backtest.loading import Loaded, load_strategy
from trading_bot.backtest.look_ahead import demand_no_look_ahead
from trading_bot.backtest.plan import LimitsBy, Market, Plan, Result
from trading_bot.backtest.sentiment_file import read_sentiment
from trading_bot.backtest.strategy import Values
from trading_bot.backtest.wanted import Sentiment, Sheet, Wanted, sheet, want
from trading_bot.bootstrap.research import EventRun, research_market, run_event
from trading_bot.brokers.tape import Prices
from trading_bot.config import Config
from trading_bot.domain.errors import NoDataError, ResearchError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Digest, Symbol, derive_digest
from trading_bot.ports import BarSeries
from trading_bot.storage.home import Home

_RESERVE = Decimal("0.01")
_TRIED = 3
"""Symbols on which a strategy is tried for look-ahead."""
_SHARE_STEP = Decimal("0.000001")


@dataclass(frozen=True)
class Wish:
    """What is asked for. None: the data, the strategy or the configuration say it."""

    strategy: str
    values: Mapping[str, float] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None
    period: str | None = None
    """`90d`, `6m`, `1y`: so long up to `last`."""
    timeframe: Timeframe | None = None
    limits: LimitsBy = LimitsBy.RESEARCH
    share: Decimal | None = None
    risk: Decimal | None = None
    reserve: Decimal = _RESERVE
    sentiment: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Study:
    """A wish, filled in and ready to run."""

    config: Config
    market: Market
    plan: Plan
    loaded: Loaded
    sentiment_file: Path | None = None

    @property
    def sentiment(self) -> Sentiment | None:
        """What the strategy may read of sentiment."""
        return None if self.sentiment_file is None else partial(read_sentiment, self.sentiment_file)

    def sheets(self) -> list[Sheet]:
        """Each symbol as the strategy sees it."""
        prices = Prices(self.market.source, self.market.calendars)
        return [sheet(self.market, prices, symbol, self.plan.timeframe, self.sentiment) for symbol in self.plan.symbols]

    def bars(self) -> list[BarSeries]:
        """The bars in the period of the plan's timeframe, where the source has them: what a report draws trades on."""
        source, plan = self.market.source, self.plan
        has = [source.bars(s, plan.timeframe) for s in plan.symbols if plan.timeframe in source.timeframes(s)]
        return [_within(one, plan.first, plan.last) for one in has]

    def demand_honesty(self, sheets: Sequence[Sheet], values: Values | None = None) -> None:
        """Raise LookAheadError if the strategy reads the future: tried on the longest of `sheets`, for a rule is one for all symbols.

        `values`: which it is tried with, for those that were picked from many; None: the plan's.
        """
        plan = self.plan if values is None else self.plan.model_copy(update={"values": dict(values)})
        for one in sorted(sheets, key=lambda sheet: -len(sheet.frame))[:_TRIED]:
            demand_no_look_ahead(self.loaded.strategy, one.frame, plan.values, plan.seed)

    def wanted(self, sheets: list[Sheet]) -> list[Wanted]:
        """What the strategy wants in the plan's period."""
        first, last = moments(self.plan.first, self.plan.last)
        return [want(one, ask(self.loaded.strategy, one.frame, self.plan.values), first, last) for one in sheets]

    def run(self, stop: threading.Event | None = None, tell: Callable[[int, int], None] | None = None) -> EventRun:
        """Trade the strategy bar by bar at a desk of its own. `tell` hears how many moments are done, of how many."""
        sheets = self.sheets()
        self.demand_honesty(sheets)
        return run_event(self.config, self.market, self.plan, self.wanted(sheets), stop, tell)

    def inputs(self) -> Inputs:
        """What a result is made from besides plan and market."""
        file = self.sentiment_file
        extra = {} if file is None else {"sentiment": derive_digest(file.read_bytes().hex())}
        return Inputs(self.loaded.digest, config_digest(self.config), files=extra)

    def carded(self, result: Result, command: str) -> Result:
        """`result` with its run card."""
        return result.with_card(make_card(result.plan, self.market, self.inputs(), command))


def config_digest(config: Config) -> Digest:
    """Of all settings that decide a run over recorded time."""
    return config.trading_digest()


def study(config: Config, home: Home, wish: Wish) -> Study:
    """Fill in what `wish` leaves open. ConfigError, NoDataError, StrategyError or ResearchError say what cannot be done."""
    loaded = load_strategy(wish.strategy)
    market = research_market(config, home, wish.last)
    symbols = config.universe.symbols
    first, last = _period(wish, market, symbols)
    made: dict[str, Any] = {
        "strategy": wish.strategy,
        "values": loaded.strategy.values(wish.values),
        "symbols": symbols,
        "first": first,
        "last": last,
        "timeframe": wish.timeframe or market.source.timeframes(symbols[0])[-1],
        "limits": wish.limits,
        "share": wish.share if wish.share is not None else (1 / Decimal(len(symbols))).quantize(_SHARE_STEP, ROUND_DOWN),
        "risk": wish.risk,
        "reserve": wish.reserve,
        "seed": wish.seed,
    }
    return Study(config, market, _plan(made), loaded, wish.sentiment)


def _plan(made: Mapping[str, Any]) -> Plan:
    try:
        return Plan.model_validate(made)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))} is {one['input']}: {one['msg'].lower()}" for one in error.errors())
        raise ResearchError(f"this cannot be run: {wrong}") from error


def _period(wish: Wish, market: Market, symbols: tuple[Symbol, ...]) -> tuple[date, date]:
    spans = {symbol: _span(market, symbol) for symbol in symbols}
    begin, end = min(span[0] for span in spans.values()), max(span[1] for span in spans.values())
    last = min(wish.last or end, end)  # beyond the data lie no sessions to be idle in
    first = wish.first or (begin if wish.period is None else max(begin, first_day(last, wish.period)))
    if wish.first is not None and wish.period is not None:
        raise ResearchError(f"both a first day, {wish.first}, and a period, {wish.period}, are asked for: leave --start or --period out")
    if wish.last is not None and last < first <= end:
        raise ResearchError(f"the last day {last} is before the first, {first}: turn --start and --end round")
    if first > end or last < begin:
        have = "; ".join(f"{symbol} from {span[0]} to {span[1]}" for symbol, span in spans.items())
        raise NoDataError(f"there are no bars from {first} to {last}; the data have {have}")
    return first, last


def _span(market: Market, symbol: Symbol) -> tuple[date, date]:
    indexes = [market.source.bars(symbol, timeframe).frame.index for timeframe in market.source.timeframes(symbol)]
    days = [(index[0].date(), index[-1].date()) for index in indexes if len(index)]
    if not days:
        raise NoDataError(f"{market.source.name} has no bars of {symbol}; check the symbol, or name its file with --data")
    return min(d[0] for d in days), max(d[1] for d in days)


def _within(series: BarSeries, first: date, last: date) -> BarSeries:
    index = pd.DatetimeIndex(series.frame.index)
    begin, end = index.searchsorted([pd.Timestamp(first, tz=UTC), pd.Timestamp(last + timedelta(days=1), tz=UTC)])
    return replace(series, frame=series.frame.iloc[begin:end], ends=series.ends[begin:end])
