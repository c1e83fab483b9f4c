"""Regimes of a symbol and of the market."""

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import pytest

from trading_bot.domain.research import Regime
from trading_bot.domain.values import Symbol
from trading_bot.market.regime import breadth, classify, detect, market_regime
from trading_bot.market.snapshot import Snapshot
from trading_bot.market.view import AsOfView
from trading_bot.ports import BarSeries, MarketSource

Snapshots = Callable[..., Snapshot]
CALM = {"adx_14": 25.0, "sma_50_slope": 0.01, "volatility_rank": 0.5, "volatility_20": 0.01}


@pytest.mark.parametrize(
    ("change", "regime"),
    [
        ({}, Regime.TREND_UP),
        ({"sma_50_slope": -0.01}, Regime.TREND_DOWN),
        ({"adx_14": 19.9}, Regime.RANGE),
        ({"sma_50_slope": -0.0049}, Regime.RANGE),
        ({"volatility_rank": 0.9, "volatility_20": 0.0126}, Regime.HIGH_VOLATILITY),
        ({"volatility_rank": 0.9, "volatility_20": 0.0125}, Regime.TREND_UP),
        ({"volatility_rank": None}, Regime.TREND_UP),
        ({"adx_14": None}, Regime.UNKNOWN),
    ],
)
def test_a_symbol_is_classified_by_volatility_then_trend(snapshot: Snapshots, change: dict[str, float], regime: Regime) -> None:
    """Each threshold on its bound."""
    assert classify(snapshot(**{**CALM, **change})) is regime


@pytest.mark.parametrize(("above", "regime"), [(10, Regime.TREND_UP), (6, Regime.TREND_UP), (5, Regime.RANGE), (4, Regime.TREND_DOWN)])
def test_without_a_benchmark_the_market_is_what_most_symbols_are(snapshot: Snapshots, above: int, regime: Regime) -> None:
    """Of ten symbols so many close above their SMA 50."""
    assert breadth([snapshot(sma_50=90.0 if number < above else 110.0) for number in range(10)]) is regime


def test_if_half_the_symbols_are_volatile_so_is_the_market(snapshot: Snapshots) -> None:
    """One of two."""
    wild = snapshot(volatility_rank=0.95, volatility_20=0.03)
    assert breadth([wild, snapshot()]) is Regime.HIGH_VOLATILITY


def test_what_nobody_knows_is_unknown(random_bars: Callable[..., BarSeries], shelve: Callable[..., MarketSource]) -> None:
    """No symbol, no data, no symbols at all."""
    view = AsOfView(shelve(random_bars(100)), lambda: datetime(2024, 1, 2, tzinfo=UTC))
    assert detect(view, None) is Regime.UNKNOWN
    assert detect(view, Symbol("ZZZ")) is Regime.UNKNOWN
    assert market_regime(view, []) is Regime.UNKNOWN


def test_the_benchmark_speaks_for_the_market(random_bars: Callable[..., BarSeries], shelve: Callable[..., MarketSource]) -> None:
    """SPY, if it is in the universe."""
    series = [random_bars(300, seed=number, symbol=Symbol(name)) for number, name in enumerate(["AAA", "SPY"])]
    view = AsOfView(shelve(*series), lambda: pd.Timestamp(series[0].ends[-1]).to_pydatetime().replace(tzinfo=UTC))
    assert market_regime(view, [Symbol("AAA"), Symbol("SPY")]) is detect(view, Symbol("SPY"))
