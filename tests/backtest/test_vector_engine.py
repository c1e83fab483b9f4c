"""The vector engine on recorded years: the event engine's trades to the cent, and sweeps that tell what single runs tell."""

import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from trading_bot import config
from trading_bot.backtest.compiled import refresh
from trading_bot.backtest.lanes import prepare
from trading_bot.backtest.plan import LimitsBy, Market, Plan
from trading_bot.backtest.quote_ticks import quote_ticks
from trading_bot.backtest.statistics import trade_statistics
from trading_bot.backtest.strategies.sma_cross import STRATEGY
from trading_bot.backtest.strategy import Signals, Strategy
from trading_bot.backtest.vector import run_vector, sweep_cells
from trading_bot.bootstrap.sources import instrument_of
from trading_bot.domain.errors import StrategyError
from trading_bot.domain.instrument import Instrument
from trading_bot.domain.values import Symbol
from trading_bot.market.calendar import open_calendar
from trading_bot.market.frame import IndicatorFrame
from trading_bot.settings import FileSettings
from trading_bot.sources.bar_quotes import spread_around
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


def test_a_sweeps_cells_tell_what_single_runs_tell(market: Market) -> None:
    """Return, drawdown, Sharpe ratio, trades, win rate, profit factor and last equity of 60 combinations, in two threads."""
    combos = [
        STRATEGY.values({"fast": fast, "slow": slow, "stop": stop}) for fast in (5, 9) for slow in range(20, 50, 2) for stop in (0, 2)
    ]
    ready = prepare(market, plan())
    cells = sweep_cells(ready, STRATEGY, combos, threads=2)
    assert [cell.values for cell in cells] == combos
    for cell, values in list(zip(cells, combos, strict=True))[::7]:
        single = run_vector(market, plan(values=values), STRATEGY)
        told, closed = single.performance, trade_statistics(single.trades)
        assert float(cell.final_equity) == single.equity[-1]
        assert (cell.trades, cell.win_rate) == (told.trades, told.win_rate)
        figures = (cell.total_return, cell.sharpe, cell.max_drawdown, cell.profit_factor)
        assert figures == pytest.approx((told.total_return, told.sharpe, told.max_drawdown, closed.profit_factor), rel=1e-9)


def test_a_combination_that_never_trades_has_no_figures_that_need_trades(market: Market) -> None:
    """Nothing moves: neither a Sharpe ratio nor a win rate is defined, and the cash is what it was."""
    never = Strategy("never", "Nothing.", (), lambda frame: Signals.of(frame, entry=frame.close < 0, exit=frame.close < 0))
    (cell,) = sweep_cells(prepare(market, plan(values={})), never, [{}])
    assert (cell.total_return, cell.sharpe, cell.max_drawdown, cell.trades, cell.win_rate, cell.profit_factor) == (
        0,
        None,
        0,
        0,
        None,
        None,
    )
    assert cell.final_equity == market.costs.cash


@pytest.mark.parametrize("spread", ["0", "0.1", "2", "35", "333.3"])
@pytest.mark.parametrize("tick", ["0.01", "0.005", "0.00001", "1"])
def test_quotes_of_whole_columns_are_the_sources_own_to_the_tick(spread: str, tick: str) -> None:
    """On the tick, half-way between two, a float's breadth beside, far below one tick and far above."""
    instrument, rng = Instrument(symbol=SPY, tick_size=Decimal(tick), lot_size=Decimal(1)), np.random.default_rng(5)
    walk = np.exp(rng.normal(3, 3, 300))
    halves = np.rint(walk / float(tick)) * float(tick) + float(tick) / 2
    prices = np.concatenate([walk, walk.round(2) + 0.01, walk.round(4) + 1e-4, halves, np.nextafter(halves, 0), [100.0, 20_000.0, 0.004]])
    bids, asks = quote_ticks(prices, instrument, Decimal(spread))
    exact = [spread_around(Decimal(repr(float(price))), instrument, Decimal(spread)) for price in prices]
    assert bids.tolist() == [int(bid / instrument.tick_size) for bid, _ in exact]
    assert asks.tolist() == [int(ask / instrument.tick_size) for _, ask in exact]


def test_what_the_kernel_does_not_know_is_refused_by_name(market: Market) -> None:
    """The desk's limits, other quotes than the bars', and costs that would overflow each have their sentence."""
    with pytest.raises(StrategyError, match="desk's limits: run the event engine"):
        prepare(market, plan(limits=LimitsBy.DESK))
    with pytest.raises(StrategyError, match="SPY: the quotes of source files are not its bars' opens"):
        prepare(replace(market, spread_bps=Decimal(50)), plan())
    with pytest.raises(StrategyError, match="share is too fine"):
        prepare(market, plan(share=Decimal("0.123456789012345678")))


def test_a_strategy_that_answers_in_another_shape_is_refused(market: Market) -> None:
    """A row too few is named with the number that was asked for."""

    def short(frame: IndicatorFrame) -> Signals:
        whole = Signals.of(frame, entry=frame.close > 0, exit=frame.close > 0)
        return replace(whole, entry=whole.entry[1:])

    with pytest.raises(StrategyError, match="crooked answers"):
        run_vector(market, plan(values={}), Strategy("crooked", "Too short.", (), short))


def test_an_account_that_outgrows_64_bits_is_told(market: Market) -> None:
    """Twenty billion dollars are refused in words."""
    rich = replace(market, costs=market.costs.model_copy(update={"cash": Decimal(20_000_000_000)}))
    with pytest.raises(StrategyError, match="grew beyond what 64 bits can hold"):
        run_vector(rich, plan(), STRATEGY)


def test_what_was_compiled_of_older_sources_is_forgotten(tmp_path: Path) -> None:
    """Numba knows only the file of the function itself; a changed file that it calls makes its index go."""
    index = tmp_path / "kernel.run-87.py311.nbi"
    index.touch()
    source = tmp_path / "kernel_math.py"
    source.touch()

    def run() -> None: ...

    run.stats = SimpleNamespace(cache_path=str(tmp_path))  # type: ignore[attr-defined]  # as a numba function has
    os.utime(source, ns=(1, 1))
    refresh(run, [str(source)])
    assert index.exists()
    os.utime(source, ns=(index.stat().st_mtime_ns + 1, index.stat().st_mtime_ns + 1))
    refresh(run, [str(source)])
    assert not index.exists()
