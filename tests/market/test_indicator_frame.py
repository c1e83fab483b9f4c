"""The indicator frame: no row knows a later one, bad bars spoil only what needs them, nobody writes into it."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import random_bars, random_frame
from trading_bot.domain.errors import StrategyError
from trading_bot.domain.market import Timeframe
from trading_bot.market.frame import IndicatorFrame
from trading_bot.market.indicators import COLUMNS, compute
from trading_bot.market.levels import LOOKBACK, find_levels, supports

Reads = Callable[[IndicatorFrame], Any]
READS: dict[str, Reads] = {
    "sma": lambda f: f.sma(20),
    "ema": lambda f: f.ema(12),
    "rsi": lambda f: f.rsi(14),
    "atr": lambda f: f.atr(14),
    "adx": lambda f: f.adx(14),
    "highest": lambda f: f.highest(20),
    "lowest": lambda f: f.lowest(9),
    "deviation": lambda f: f.deviation(20),
    "volume_sma": lambda f: f.volume_sma(20),
    "band": lambda f: f.bands(20, 2.5).upper,
    "macd": lambda f: f.macd(12, 26, 9).histogram,
    "swings": lambda f: f.swings().high,
    "kept": lambda f: f.keep("mine", 3, lambda: pd.Series(f.close).rolling(3).median().to_numpy()),
    "hours": lambda f: f.higher("1h", lambda h: h.sma(3)),
    "days": lambda f: f.higher(Timeframe.DAY, lambda d: d.close > d.open),
    "weeks": lambda f: f.higher("1w", lambda w: w.sentiment),
    "scale": lambda f: f.scale,
    "sentiment": lambda f: f.sentiment,
    **{name: itemgetter(name) for name in COLUMNS},
}
WHOLE = random_frame(900, 3, Timeframe.MINUTE)


@pytest.mark.parametrize("name", READS)
@given(count=st.integers(0, 900))
def test_a_row_is_the_same_whether_or_not_later_bars_are_known(name: str, count: int) -> None:
    """To the last bit: TA-Lib's sums run forward."""
    read = READS[name]
    np.testing.assert_array_equal(read(WHOLE.until(count)), read(WHOLE)[:count])


@pytest.mark.parametrize("name", [n for n in READS if n not in {"kept", "hours", "days", "weeks", "scale", "sentiment", "volume_sma"}])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_one_bad_bar_spoils_only_the_rows_that_need_it(name: str, bad: float) -> None:
    """A bare TA-Lib answers an RSI of 0.0 for ever; here all starts again behind the bar."""
    bars = random_bars(800)
    bars.iloc[150, :4] = bad
    got = READS[name](IndicatorFrame(bars))
    if name.startswith("volume_sma"):
        assert not np.isnan(got[150:]).any()
    else:
        np.testing.assert_array_equal(got[151:], READS[name](IndicatorFrame(bars.iloc[151:])))
        assert np.isnan(got[150])


def test_the_methods_agree_with_the_standard_columns() -> None:
    """Bit for bit, bad bars and flat ones included."""
    bars = random_bars(600)
    bars.iloc[200, 3] = np.nan
    bars.iloc[300:340, :4] = 50.0
    frame, table = IndicatorFrame(bars), compute(bars)
    bands, macd, swings = frame.bands(20), frame.macd(), frame.swings()
    told = {
        "sma_20": frame.sma(20),
        "ema_12": frame.ema(12),
        "rsi_14": frame.rsi(14),
        "atr_14": frame.atr(14),
        "adx_14": frame.adx(14),
        "volume_sma_5": frame.volume_sma(5),
        "bb_upper": bands.upper,
        "bb_lower": bands.lower,
        "macd": macd.line,
        "macd_signal": macd.signal,
        "macd_histogram": macd.histogram,
        "swing_high": swings.high,
        "swing_low": swings.low,
        "stoch_k": frame["stoch_k"],
    }
    for name, values in told.items():
        np.testing.assert_array_equal(values, table[name], err_msg=name)
    assert np.isnan(frame.rsi(14)[330])
    assert np.isnan(frame.adx(14)[330])


def test_bands_lie_so_many_deviations_around_their_average() -> None:
    """Of population deviations, as `deviation` tells them."""
    frame = random_frame(100)
    upper, middle, lower = frame.bands(10, 1.5)
    np.testing.assert_allclose(upper - middle, 1.5 * frame.deviation(10), atol=1e-9)
    np.testing.assert_allclose(middle - lower, 1.5 * frame.deviation(10), atol=1e-9)
    np.testing.assert_allclose(middle, pd.Series(frame.close).rolling(10).mean(), atol=1e-9)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_too_few_bars_give_unknown_values(count: int) -> None:
    """No error, and an array of the frame's length."""
    frame = random_frame(count, timeframe=Timeframe.MINUTE)
    for name in ("sma", "rsi", "adx", "macd", "band", "swings", "hours"):
        got = READS[name](frame)
        assert got.shape == (count,)
        assert np.isnan(got).all()


@pytest.mark.parametrize("length", [1, 0, -3, 2.5, float("nan"), 10**6])
def test_a_length_that_makes_no_sense_is_refused_by_name(length: float) -> None:
    """TA-Lib would say `Bad Parameter`."""
    with pytest.raises(StrategyError, match=r"rsi is asked for .* bars; it takes a whole number from 2 to 100000"):
        random_frame(50).rsi(length)


def test_nobody_writes_into_a_frame() -> None:
    """Its arrays are read-only, its table is a copy, and what it was made from may change."""
    scale = np.ones(50)
    bars = random_bars(50)
    frame = IndicatorFrame(bars, scale, np.zeros(50))
    first = float(frame.close[0])
    mine = frame.keep("mine", 1, lambda: np.arange(50.0))
    for array in (frame.close, frame.volume, frame.scale, frame.sentiment, frame.sma(5), frame["rsi_14"], frame.bands(5).lower, mine):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    table = frame.bars
    table["close"] = 0.0
    table.iloc[0, 0] = 0.0
    scale[0] = 9.0
    assert (frame.close[0], frame.scale[0]) == (first, 1.0)
    assert frame.bars["close"].iloc[0] == first
    assert frame.open[0] > 0


def test_each_row_sees_the_last_coarse_bar_that_has_closed() -> None:
    """Minutes from 00:00 on: minute 58 closes at 00:59 and sees no hour, minute 59 sees that of 00:00, minute 119 that of 01:00."""
    frame = random_frame(130, timeframe=Timeframe.MINUTE)
    closes = frame.higher("1h", lambda hours: hours.close)
    assert np.isnan(closes[:59]).all()
    assert (closes[59:119] == frame.close[59]).all()
    assert (closes[119:] == frame.close[119]).all()
    highs = frame.higher("1h", lambda hours: hours.high)
    assert highs[119] == frame.high[60:120].max()
    assert frame.higher("1h", lambda hours: hours.volume)[59] == pytest.approx(frame.volume[:60].sum())
    assert frame.higher("1h", lambda hours: hours.open)[119] == frame.open[60]
    assert frame.higher("1h", lambda hours: hours.low)[119] == frame.low[60:120].min()
    assert frame.higher("1h", lambda hours: hours.close > 0).tolist() == [False] * 59 + [True] * 71


def test_a_sessions_day_is_known_from_the_next_session_on_and_a_gap_ends_an_hour() -> None:
    """New York's minutes of two days; an hour whose last minutes have no trades is known from the next bar on."""
    stamps = ["2024-03-05 20:57", "2024-03-05 20:59", "2024-03-06 14:30", "2024-03-06 14:45", "2024-03-06 15:10", "2024-03-06 15:11"]
    bars = random_bars(6).set_axis(pd.DatetimeIndex(stamps, tz="UTC"))
    frame = IndicatorFrame(bars, timeframe=Timeframe.MINUTE)
    close = frame.close
    np.testing.assert_array_equal(frame.higher("1d", lambda d: d.close), [np.nan, np.nan, *[close[1]] * 4])
    np.testing.assert_array_equal(frame.higher("1h", lambda h: h.close), [np.nan, close[1], close[1], close[1], close[3], close[3]])


def test_a_week_of_days_begins_on_monday() -> None:
    """2015-01-01 was a Thursday: the week is known with Sunday's close, as the bar runs up to Monday's midnight."""
    frame = random_frame(12)
    weekly = frame.higher("1w", lambda w: w.close)
    assert np.isnan(weekly[:3]).all()
    assert weekly[3:10].tolist() == [frame.close[3]] * 7
    assert weekly[10:].tolist() == [frame.close[10]] * 2


@pytest.mark.parametrize(("own", "wanted"), [(Timeframe.DAY, "1h"), (Timeframe.DAY, "1d"), (Timeframe.HOUR, "2h"), (None, "1d")])
def test_a_timeframe_that_is_not_coarser_is_refused(own: Timeframe | None, wanted: str) -> None:
    """And what would be is listed."""
    frame = IndicatorFrame(random_bars(50), timeframe=own)
    with pytest.raises(StrategyError, match=r"no higher timeframe .*coarser are .*1w"):
        frame.higher(wanted, lambda h: h.close)


def test_an_answer_of_another_length_is_refused() -> None:
    """The function is told bars of the coarse timeframe, not rows of the fine one."""
    frame = random_frame(130, timeframe=Timeframe.MINUTE)
    with pytest.raises(StrategyError, match="has shape \\(130,\\); it needs a value for each of 2 bars"):
        frame.higher("1h", lambda _: frame.close)


def test_what_is_not_there_is_refused_by_name() -> None:
    """An indicator, and sentiment that nobody gave."""
    frame = IndicatorFrame(random_bars(50))
    with pytest.raises(StrategyError, match="no indicator 'rsi_99'; use one of sma_20"):
        frame["rsi_99"]
    with pytest.raises(StrategyError, match="give a file with --sentiment"):
        _ = frame.sentiment
    assert not frame.has_sentiment


def test_supports_of_many_rows_are_those_of_each() -> None:
    """Bit for bit what `find_levels` says."""
    frame = random_frame(900, 8)
    swings, atr = np.stack(frame.swings(), axis=1), np.nan_to_num(frame.atr(14))
    rows = np.arange(0, 900, 3)
    got = supports(swings, rows, frame.close[rows], atr[rows])
    for row, support in zip(rows.tolist(), got.tolist(), strict=True):
        levels = find_levels(swings[max(0, row + 1 - LOOKBACK) : row + 1], float(frame.close[row]), float(atr[row]))
        assert levels.support == (None if np.isnan(support) else support)
    assert np.isnan(got).any()
    assert (~np.isnan(got)).sum() > 200
    assert supports(swings[:5], np.array([], dtype=int), np.array([]), np.array([])).shape == (0,)
