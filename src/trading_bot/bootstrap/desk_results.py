"""What came of a desk's own run over recorded time, as a result like any other: to be kept, drawn, compared and validated.

Promises the figures of the desk's journal, and a run card of what it was made from.
"""

from datetime import date

from trading_bot.backtest.card import Inputs, make_card
from trading_bot.backtest.event import result_of
from trading_bot.backtest.plan import Card, Engine, LimitsBy, Market, Plan, Result
from trading_bot.bootstrap.desk import Assembly
from trading_bot.config import Config
from trading_bot.domain.values import ONE, derive_digest
from trading_bot.market.calendar import open_calendar


def desk_market(assembly: Assembly) -> Market:
    """What the desk traded on."""
    config = assembly.config
    return Market(assembly.source, open_calendar, config.broker, config.source.spread_bps)


def desk_plan(config: Config, strategy: str, first: date, last: date) -> Plan:
    """What the desk was asked for: its own limits, and whoever it calls `strategy`."""
    limits = config.risk.limits
    return Plan(
        strategy=strategy,
        values={},
        symbols=config.universe.symbols,
        first=first,
        last=last,
        limits=LimitsBy.DESK,
        share=ONE if limits.position == "none" else limits.position,
        risk=None if limits.risk_per_trade == "none" else limits.risk_per_trade,
        reserve=limits.buying_power_reserve,
        seed=config.seed,
    )


def desk_result(assembly: Assembly, plan: Plan) -> Result:
    """The result of a run that has ended, without a card."""
    plain = result_of(desk_market(assembly), plan, assembly.desk.engine, assembly.journal)
    return plain.model_copy(update={"engine": Engine.DESK})


def desk_card(assembly: Assembly, plan: Plan, command: str) -> Card:
    """The run card of a desk whose analyst is named by the plan's strategy, and needs no records."""
    inputs = Inputs(derive_digest(plan.strategy), assembly.config.trading_digest())
    return make_card(plan, desk_market(assembly), inputs, command)
