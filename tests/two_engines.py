"""The same plan through the event engine and through the kernel, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from trading_bot import config
from trading_bot.backtest.event import moments
from trading_bot.backtest.lanes import prepare
from trading_bot.backtest.plan import Market, Plan, Result
from trading_bot.backtest.strategy import Strategy
from trading_bot.backtest.vector import run_prepared
from trading_bot.backtest.wanted import sheet, want
from trading_bot.bootstrap.research import run_event
from trading_bot.brokers.tape import Prices
from trading_bot.domain.trades import RoundTrip
from trading_bot.domain.values import ClientOrderId


@dataclass(frozen=True)
class Both:
    """One plan's two results."""

    event: Result
    vector: Result


def run_both(market: Market, plan: Plan, strategy: Strategy) -> Both:
    """Run `plan` through both engines."""
    prices = Prices(market.source, market.calendars)
    first, last = moments(plan.first, plan.last)
    sheets = [sheet(market, prices, symbol, plan.timeframe) for symbol in plan.symbols]
    wanted = [want(one, strategy.signals(one.frame, **plan.values), first, last) for one in sheets]
    event = run_event(config.load(), market, plan, wanted).result
    return Both(event, run_prepared(prepare(market, plan), strategy))


def unnamed(trades: Sequence[RoundTrip]) -> list[RoundTrip]:
    """Trades without the ids of their entries, which each engine gives in its own way."""
    return [trade.model_copy(update={"entry_order": ClientOrderId("entry")}) for trade in trades]


def assert_equal(both: Both) -> None:
    """Every trade, every close and every figure is the same."""
    assert unnamed(both.vector.trades) == unnamed(both.event.trades)
    told = {"engine", "trades"}
    assert both.vector.model_dump(exclude=told) == both.event.model_dump(exclude=told)
