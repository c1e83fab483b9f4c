"""The laboratory, wired: what tools and the week's end may try, on the desk's own market as of a moment.

    one run -> the desk's own loop, on a simulated clock; a grid -> the sweep kernel, with the same fills

Promises that only shipped strategies run, and only on bars that had closed and actions that had come: research in a recorded year does
not see the rest of it. Costs are those of the paper venue. Refuses to trade: its venue lives in memory and ends with the run.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

import numpy as np

from trading_bot.backtest.asking import ask
from trading_bot.backtest.event import moments
from trading_bot.backtest.lab import Experiment, Tell, first_day, unheard
from trading_bot.backtest.lanes import prepare
from trading_bot.backtest.loading import load_strategy
from trading_bot.backtest.plan import Cell, Market, Plan, Result
from trading_bot.backtest.strategy import Strategy, Values
from trading_bot.backtest.wanted import sheet, want
from trading_bot.bootstrap.research import run_event
from trading_bot.brokers.tape import Prices
from trading_bot.config import Config
from trading_bot.domain.errors import BadBarsError, NoDataError, ResearchError, StrategyError
from trading_bot.domain.values import Symbol
from trading_bot.plugins import PRICE_ONLY
from trading_bot.ports import Calendar, MarketSource
from trading_bot.sources.clipped import ClippedSource
from trading_bot.sources.still import StillSource

_RESERVE = Decimal("0.01")
_SHARE_STEP = Decimal("0.000001")
_PRICES = ["open", "high", "low", "close"]
_CHUNK = 25
"""Cells between two words of how far it is."""


class Laboratory:
    """`backtest.lab.Lab` over a desk's source."""

    def __init__(self, config: Config, source: MarketSource, calendars: Callable[[str], Calendar]) -> None:
        paper = config.broker.model_copy(update={"name": "paper"})
        self._config = config.model_copy(update={"broker": paper})
        self._source = source
        self._calendars = calendars
        self._newest: tuple[datetime, Market] | None = None
        """Of the newest moment: one scope asks many times."""

    def run(self, experiment: Experiment, now: datetime, tell: Tell = unheard) -> Result:
        """Try it once, at a desk of its own: nothing has to be compiled for a single run."""
        strategy, market = _shipped(experiment.strategy), self._market(now)
        plan = self._plan(strategy, market, experiment, now)
        prices = Prices(market.source, market.calendars)
        sheets = [sheet(market, prices, symbol, plan.timeframe) for symbol in plan.symbols]
        first, last = moments(plan.first, plan.last)
        wanted = [want(one, ask(strategy, one.frame, plan.values), first, last) for one in sheets]
        return run_event(self._config, market, plan, wanted, tell=tell).result

    def sweep(self, experiment: Experiment, cells: Sequence[Values], now: datetime, tell: Tell = unheard) -> tuple[Cell, ...]:
        """Try it once for each of `cells`, by the kernel; what that does not know is run one by one."""
        strategy, market = _shipped(experiment.strategy), self._market(now)
        combos = [strategy.values({**experiment.values, **cell}) for cell in cells]
        try:
            ready = prepare(market, self._plan(strategy, market, experiment, now))
        except StrategyError:
            return self._one_by_one(experiment, combos, now, tell)
        from trading_bot.backtest.vector import sweep_cells  # noqa: PLC0415 - numba costs a second, which no desk pays at its start

        found: list[Cell] = []
        for begin in range(0, len(combos), _CHUNK):
            found += sweep_cells(ready, strategy, combos[begin : begin + _CHUNK], threads=1)
            tell(len(found), len(combos))
        return tuple(found)

    def _one_by_one(self, experiment: Experiment, combos: Sequence[Values], now: datetime, tell: Tell) -> tuple[Cell, ...]:
        found = []
        for values in combos:
            found.append(_cell(self.run(replace(experiment, values=values), now)))
            tell(len(found), len(combos))
        return tuple(found)

    def _market(self, now: datetime) -> Market:
        if self._newest is None or self._newest[0] != now:
            spread = self._config.source.spread_bps
            source = StillSource(ClippedSource(self._source, now), spread)
            self._newest = (now, Market(source, self._calendars, self._config.broker, spread))
        return self._newest[1]

    def _plan(self, strategy: Strategy, market: Market, experiment: Experiment, now: datetime) -> Plan:
        first, last = _period(market, experiment, now)
        made: dict[str, Any] = {
            "strategy": strategy.name,
            "values": strategy.values(experiment.values),
            "symbols": experiment.symbols,
            "first": first,
            "last": last,
            "share": (1 / Decimal(len(experiment.symbols))).quantize(_SHARE_STEP, ROUND_DOWN),
            "reserve": _RESERVE,
            "seed": self._config.seed,
        }
        return Plan.model_validate(made)


def _shipped(name: str) -> Strategy:
    if name not in PRICE_ONLY:
        raise StrategyError(f"only shipped strategies that read prices alone can be tried here: {', '.join(PRICE_ONLY)}")
    return load_strategy(name).strategy


def _period(market: Market, experiment: Experiment, now: datetime) -> tuple[date, date]:
    """The days of a plan, inside what the data have. NoDataError and ResearchError say what there is."""
    today = now.date()
    if experiment.last is not None and experiment.last > today:
        raise ResearchError(f"{experiment.last} has not come: it is {today}")
    spans = {symbol: _span(market, symbol, now) for symbol in experiment.symbols}
    begin, end = min(s[0] for s in spans.values()), max(s[1] for s in spans.values())
    last = min(experiment.last or end, end)
    first = max(experiment.first or first_day(last, experiment.period), begin)
    if last < first:
        have = "; ".join(f"{symbol} from {span[0]} to {span[1]}" for symbol, span in spans.items())
        raise NoDataError(f"there are no closed bars in that period; the data have {have}")
    return first, last


def _span(market: Market, symbol: Symbol, now: datetime) -> tuple[date, date]:
    has = market.source.timeframes(symbol)
    if not has:
        raise NoDataError(f"{symbol} has no bar that had closed by {now:%Y-%m-%d %H:%M} UTC: ask for another symbol")
    frames = [market.source.bars(symbol, timeframe).frame for timeframe in has]
    broken = next((frame for frame in frames if not np.isfinite(frame[_PRICES].to_numpy()).all()), None)
    if broken is not None:
        first = broken.index[~np.isfinite(broken[_PRICES].to_numpy()).all(axis=1)][0]
        raise BadBarsError(f"{symbol}: the bar of {first} is not finite; let the source repair or drop it, or ask for another symbol")
    indexes = [frame.index for frame in frames]
    return min(index[0].date() for index in indexes), max(index[-1].date() for index in indexes)


def _cell(result: Result) -> Cell:
    figures = result.performance
    return Cell(
        values=result.plan.values,
        total_return=figures.total_return or 0.0,
        sharpe=figures.sharpe,
        max_drawdown=figures.max_drawdown or 0.0,
        trades=figures.trades,
        win_rate=figures.win_rate,
        profit_factor=figures.profit_factor,
        final_equity=Decimal(repr(result.equity[-1])),
    )
