"""The shipped strategies do what they say, on hand-made bars and on recorded ones."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frames import random_bars, random_frame
from trading_bot.backtest.asking import ask
from trading_bot.backtest.loading import load_strategy
from trading_bot.backtest.plan import Market
from trading_bot.backtest.strategies.momentum import judge
from trading_bot.backtest.strategy import Signals
from trading_bot.backtest.wanted import sheet
from trading_bot.bootstrap.sources import instrument_of
from trading_bot.brokers.tape import Prices
from trading_bot.config import load
from trading_bot.domain.errors import StrategyError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.research import Regime
from trading_bot.domain.values import Symbol
from trading_bot.market.analysis import analyze
from trading_bot.market.calendar import open_calendar
from trading_bot.market.frame import IndicatorFrame
from trading_bot.market.snapshot import take
from trading_bot.market.view import AsOfView
from trading_bot.settings import FileSettings
from trading_bot.sources.files import FileSource


def of_closes(closes: Sequence[float], sentiment: Sequence[float] | None = None) -> IndicatorFrame:
    """A frame whose bars reach 1 around their close."""
    close = np.array(closes, dtype=float)
    bars = random_bars(len(close)).assign(open=close, high=close + 1, low=close - 1, close=close)
    return IndicatorFrame(bars, sentiment=None if sentiment is None else np.array(sentiment))


def signals(name: str, frame: IndicatorFrame, **values: float) -> Signals:
    """What the shipped strategy says."""
    return ask(load_strategy(name).strategy, frame, values)


def rows(column: np.ndarray) -> list[int]:
    """Where it holds."""
    return np.flatnonzero(column).tolist()


def test_an_sma_cross_enters_and_leaves_on_the_bar_that_crosses() -> None:
    """Averages of 2 and 3: rows 4 (11 above 10.67) and 6 (10.5 below 11); before row 2 the slow one is unknown, and equal is no cross."""
    said = signals("sma_cross", of_closes([10, 10, 10, 10, 12, 12, 9, 9]), fast=2, slow=3)
    assert rows(said.entry) == [4]
    assert rows(said.exit) == [6]
    assert np.isnan(said.stop).all()
    assert np.isnan(said.target).all()


def test_an_sma_cross_puts_its_stop_so_many_atr_below_the_close() -> None:
    """The true range is 2 on every flat bar, and 11 on the rise: Wilder's mean of 14 is (13 x 2 + 11) / 14."""
    said = signals("sma_cross", of_closes([100.0] * 30 + [110.0]), fast=2, slow=3, stop=2)
    assert rows(said.entry) == [30]
    assert said.stop[30] == pytest.approx(110 - 2 * (13 * 2 + 11) / 14)


def test_buy_and_hold_always_wants_in_and_never_out() -> None:
    """A run may begin at any row."""
    said = signals("buy_and_hold", random_frame(20))
    assert said.entry.tolist() == [1] * 20
    assert not said.exit.any()


def test_mean_reversion_buys_a_fall_below_the_band_and_aims_at_the_average() -> None:
    """Forty bars around 100, then a fall to 90: entry on the first bar below, stop below, target at the mean of twenty closes."""
    closes = [100.0 + (n % 2) for n in range(40)] + [90.0, 89.0, 100.0, 104.0]
    said = signals("mean_reversion", of_closes(closes), stop=2.0)
    assert rows(said.entry) == [40]
    assert said.target[40] == pytest.approx(np.mean(closes[21:41]))
    assert said.stop[40] < 90
    assert said.exit[43]
    assert not said.exit[40]


def test_sentiment_buys_good_news_in_a_rising_trend_only_and_sells_on_bad() -> None:
    """Rising closes: news of 0.5 at row 6 is bought, silence at 8 changes nothing, -0.5 at 9 is sold; falling closes are not bought."""
    said_then = [np.nan, np.nan, np.nan, 0.0, 0.0, 0.0, 0.5, 0.5, np.nan, -0.5, -0.5, 0.0]
    rising = signals("sentiment", of_closes(np.linspace(100, 120, 12).tolist(), said_then), trend=3, stop=0)
    assert rows(rising.entry) == [6]
    assert rows(rising.exit) == [9, 10]
    assert not signals("sentiment", of_closes(np.linspace(120, 100, 12).tolist(), said_then), trend=3, stop=0).entry.any()
    with pytest.raises(StrategyError, match="give a file with --sentiment"):
        signals("sentiment", of_closes([100.0] * 12))


@pytest.fixture(scope="module")
def recorded(shared: Path) -> FileSource:
    """Five shares from 2022 to 2025, with dividends and NVDA's and TSLA's splits."""
    settings = load()
    files = [FileSettings(path=shared / "data/us_daily_core" / f"{name}.csv") for name in ("AAPL", "NVDA", "QQQ", "SPY", "TSLA")]
    return FileSource(files, lambda symbol: instrument_of(settings, symbol), open_calendar, Decimal(0))


def told(source: FileSource, symbol: str) -> IndicatorFrame:
    """The frame that every engine asks about."""
    settings = load()
    market = Market(source, open_calendar, settings.broker, settings.source.spread_bps)
    return sheet(market, Prices(source, open_calendar), Symbol(symbol), Timeframe.DAY).frame


@pytest.mark.parametrize("symbol", ["AAPL", "NVDA", "QQQ", "SPY", "TSLA"])
def test_momentum_judges_as_the_desks_own_analysis_does(recorded: FileSource, symbol: str) -> None:
    """Every 17th day of three years: score and stop of `analyze` in a range market without a spread, the stop on the frame's scale.

    The desk tells history in today's dividends and the frame in the first day's: ratios agree but for rounding.
    """
    frame = told(recorded, symbol)
    chosen = np.arange(60, len(frame), 17)
    judged = judge(frame, chosen)
    series = recorded.bars(Symbol(symbol), Timeframe.DAY)
    stops = 0
    for n, row in enumerate(chosen.tolist()):
        closed = pd.Timestamp(series.ends[row]).to_pydatetime().replace(tzinfo=UTC)
        snapshot = take(AsOfView(recorded, lambda at=closed: at), Symbol(symbol))  # type: ignore[misc]  # a clock that stands
        assert snapshot is not None
        wanted = analyze(snapshot, Regime.RANGE, 0.0)
        assert judged.score[n] == pytest.approx(wanted.score), closed
        assert (wanted.stop is None) == bool(np.isnan(judged.stop[n])), closed
        if wanted.stop is not None:
            stops += 1
            assert judged.stop[n] / frame.scale[row] == pytest.approx(wanted.stop, rel=1e-9), closed
    assert stops > 10


def test_momentum_buys_what_passes_the_screen_and_leaves_when_its_reason_has_gone(recorded: FileSource) -> None:
    """On recorded shares: RSI and MACD of each entry, a target at twice the risk, an exit on each lost trend."""
    frame = told(recorded, "NVDA")
    said = signals("momentum", frame)
    entries = np.flatnonzero(said.entry)
    assert len(entries) > 20
    assert (frame.rsi(14)[entries] >= 45).all()
    assert (frame.rsi(14)[entries] <= 70).all()
    assert (frame.macd().histogram[entries] > 0).all()
    np.testing.assert_allclose(said.target[entries] - frame.close[entries], 2 * (frame.close[entries] - said.stop[entries]))
    lost = (frame.close < frame.sma(20)) & (frame.macd().histogram < 0)
    assert said.exit[lost].all()


def test_momentum_sells_after_four_weeks() -> None:
    """A climb with pauses that never loses its trend, never reaches its stop and never its target: out 28 days after the next opening."""
    base = 100 + 0.2 * np.arange(200) + np.sin(np.arange(200) / 1.5)
    frame = of_closes(base.tolist())
    said = signals("momentum", frame, target=10, days=28, score=60)
    lost = (frame.close < frame.sma(20)) & (frame.macd().histogram < 0)
    over = np.flatnonzero(said.exit & ~lost)
    first = int(np.flatnonzero(said.entry)[0])
    held = slice(first + 1, first + 29)
    assert not (lost[held] | (frame.low[held] <= said.stop[first]) | (frame.high[held] >= said.target[first])).any()
    assert over[0] == first + 1 + 28
    assert frame.time[over[0]] == datetime(2015, 1, 1, tzinfo=UTC) + pd.Timedelta(days=first + 29)
