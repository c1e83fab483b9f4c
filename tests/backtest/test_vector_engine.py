"""The vector engine on recorded years: the event engine's trades to the cent, and sweeps that tell what single runs tell."""

from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from trading_bot import config
from trading_bot.backtest.plan import Market, Plan
from trading_bot.backtest.strategies.sma_cross import STRATEGY
from trading_bot.bootstrap.sources import instrument_of
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource
from trading_bot.sources.still import StillSource
from two_engines import assert_equal, run_both

SPREAD = Decimal(2)
SPY = Symbol("SPY")


@pytest.fixture(scope="module")
def market(shared: Path) -> Market:
    """SPY's recorded days with the default costs."""
    settings = config.load()
    path = shared / "data" / "lean_daily" / "SPY.csv"
    source = FileSource([FileSettings(path=path)], partial(instrument_of, settings), open_calendar, SPREAD)
    return Market(StillSource(source, SPREAD), open_calendar, settings.broker, SPREAD)


def plan(**changed: object) -> Plan:
    """Ten years of an SMA cross with half of equity."""
    fields = {
        "strategy": "sma_cross",
        "values": STRATEGY.values({"fast": 10, "slow": 30, "stop": 2.0}),
        "symbols": (SPY,),
        "first": date(2011, 4, 1),
        "last": date(2021, 3, 31),
        "share": Decimal("0.5"),
        "reserve": Decimal("0.02"),
    }
    return Plan.model_validate({**fields, **changed})


def test_ten_recorded_years_give_the_same_result_in_both_engines(market: Market) -> None:
    """Forty trades with stops, fees, slippage and spread: trades, closes, exposure, figures and notes."""
    both = run_both(market, plan(), STRATEGY)
    assert len(both.event.trades) == 40
    assert_equal(both)
