"""Files of recorded data: every folder loads, and prices are those that traded."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading_bot.domain.market import Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sources.files import FileSource

Files = Callable[..., FileSource]
_AAPL, _NVDA, _SPY = Symbol("AAPL"), Symbol("NVDA"), Symbol("SPY")
_BTC = Symbol("BTCUSDT")


def _by_date(source: FileSource, symbol: Symbol) -> pd.DataFrame:
    frame = source.bars(symbol, Timeframe.DAY).frame
    return frame.set_index(pd.DatetimeIndex(frame.index).tz_localize(None).normalize())


def test_prices_before_a_split_are_those_that_traded(shared: Path, files: Files) -> None:
    """NVDA before and after 2024-06-10 equals another vendor's raw prices to half a cent on all 399 days."""
    folder = shared / "data/us_daily_core"
    raw = pd.read_csv(folder / "NVDA_raw_unadjusted.csv", parse_dates=["date"]).set_index("date")
    ours = _by_date(files(folder), _NVDA).loc[raw.index]
    for column in ("open", "high", "low", "close"):
        assert float((ours[column] - raw[column]).abs().max()) < 0.0051, column
    assert ours["close"].loc["2024-06-07"] == 1208.88
    assert ours["close"].loc["2024-06-10"] == 121.79
    assert abs(ours["volume"] / raw["volume"] - 1).median() < 0.001


def test_dividends_are_per_share_as_traded(shared: Path, files: Files) -> None:
    """NVDA paid 0.04 until its 10:1 split and 0.01 after; the file says 0.004 before."""
    actions = files(shared / "data/us_daily_core").actions(_NVDA)
    year = [a for a in actions if a.ex >= datetime(2024, 1, 1, tzinfo=UTC)]
    assert year == [
        Dividend(symbol=_NVDA, ex=datetime(2024, 3, 5, 14, 30, tzinfo=UTC), amount=Decimal("0.04")),
        Split(symbol=_NVDA, ex=datetime(2024, 6, 10, 13, 30, tzinfo=UTC), ratio=Decimal(10)),
        Dividend(symbol=_NVDA, ex=datetime(2024, 6, 11, 13, 30, tzinfo=UTC), amount=Decimal("0.01")),
        Dividend(symbol=_NVDA, ex=datetime(2024, 9, 12, 13, 30, tzinfo=UTC), amount=Decimal("0.01")),
        Dividend(symbol=_NVDA, ex=datetime(2024, 12, 5, 14, 30, tzinfo=UTC), amount=Decimal("0.01")),
    ]


def test_a_raw_file_beside_an_adjusted_one_is_ignored_and_noted(shared: Path, files: Files) -> None:
    """NVDA_raw_unadjusted.csv is not NVDA's file of bars by its name."""
    source = files(shared / "data/us_daily_core")
    source.bars(_NVDA, Timeframe.DAY)
    assert source.notes() == ("NVDA: NVDA_raw_unadjusted.csv is not a file of bars and was ignored",)


def test_buy_and_hold_with_cash_dividends_earns_the_known_total(shared: Path, files: Files) -> None:
    """AAPL from the open of 2024-01-02 to the last close of 2024, dividends as cash: +34.34 %."""
    source = files(shared / "data/us_daily_core")
    year = _by_date(source, _AAPL).loc["2024"]
    span = datetime(2024, 1, 2, 15, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    cash = sum(float(a.amount) for a in source.actions(_AAPL) if isinstance(a, Dividend) and span[0] < a.ex < span[1])
    assert round((year["close"].iloc[-1] + cash) / year["open"].iloc[0] - 1, 4) == 0.3434


def test_total_return_with_events_equals_adjusted_closes(shared: Path, files: Files) -> None:
    """For 30 symbols: as-traded closes with splits and reinvested dividends give Yahoo's adjusted return to 0.2 %."""
    path = shared / "data/us_daily_universe30/daily_2020-08_to_2025-01.parquet"
    adjusted = pd.read_parquet(path).groupby("symbol")["adj_close"].agg(["first", "last"])
    source = files(path)
    for symbol, first, last in adjusted.itertuples():
        assert abs(_total_return(source, Symbol(symbol)) / (last / first) - 1) < 0.002, symbol


def _total_return(source: FileSource, symbol: Symbol) -> float:
    """Growth of one dollar, each dividend reinvested at the close before its ex-date."""
    frame = source.bars(symbol, Timeframe.DAY).frame
    close, days = frame["close"].tolist(), frame.index.to_list()
    growth = close[-1] / close[0]
    for action in source.actions(symbol):
        if isinstance(action, Split):
            growth *= float(action.ratio)
        elif pd.Timestamp(action.ex) > days[0]:
            growth /= 1 - float(action.amount) / close[days.index(pd.Timestamp(action.ex)) - 1]
    return float(growth)


def test_spin_offs_booked_as_splits_are_kept_and_noted(shared: Path, files: Files) -> None:
    """AT&T's WarnerMedia spin-off stands as a split of 1.324."""
    source = files(shared / "data/us_daily_universe30")
    ratios = [a.ratio for a in source.actions(Symbol("T")) if isinstance(a, Split)]
    assert ratios == [Decimal("1.324")]
    assert any("spin-off" in note for note in source.notes())


def test_daily_bars_span_their_session_even_on_a_half_day(shared: Path, files: Files) -> None:
    """2024-11-29 closes at 13:00 in New York."""
    series = files(shared / "data/us_daily_core").bars(_SPY, Timeframe.DAY)
    number = series.frame.index.get_loc(pd.Timestamp("2024-11-29 14:30", tz="UTC"))
    assert series.ends[number] == np.datetime64("2024-11-29T18:00")
    assert (series.feed, series.basis) == (Feed.CONSOLIDATED, PriceBasis.AS_TRADED)


def test_fully_adjusted_files_are_marked_not_as_traded(shared: Path, files: Files) -> None:
    """A daily file without event columns says nothing of its basis."""
    source = files(shared / "data/us_daily_wide")
    series = source.bars(Symbol("BLK"), Timeframe.DAY)
    assert (len(series.frame), series.basis, source.actions(Symbol("BLK"))) == (1761, PriceBasis.NOT_AS_TRADED, ())
    assert any("not as traded" in note for note in source.notes())


def test_factor_files_become_splits_and_dividends_beside_raw_prices(shared: Path, files: Files) -> None:
    """AAPL raw: 7:1 on 2014-06-09, 4:1 on 2020-08-31, 2.65 USD on 2012-11-07."""
    source = files(shared / "data/lean_daily")
    actions = source.actions(_AAPL)
    splits = [(a.ex.date().isoformat(), int(a.ratio)) for a in actions if isinstance(a, Split)]
    assert splits == [("2000-06-21", 2), ("2005-02-28", 2), ("2014-06-09", 7), ("2020-08-31", 4)]
    first = next(a for a in actions if isinstance(a, Dividend))
    assert first.ex == datetime(2012, 8, 9, 13, 30, tzinfo=UTC)
    assert abs(first.amount - Decimal("2.65")) < Decimal("0.001")
    assert source.bars(_AAPL, Timeframe.DAY).basis is PriceBasis.AS_TRADED


def test_intraday_bars_take_the_splits_of_the_daily_file(shared: Path, files: Files) -> None:
    """AAPL 5m beside its daily file: as traded, one venue, and the half day's last bar ends with the session."""
    source = files(shared / "data/us_daily_core", shared / "data/us_intraday_5m")
    assert source.timeframes(_AAPL) == (Timeframe.MINUTE_5, Timeframe.DAY)
    series = source.bars(_AAPL, Timeframe.MINUTE_5)
    assert (len(series.frame), series.basis, series.feed) == (15882, PriceBasis.AS_TRADED, Feed.SINGLE_VENUE)
    opened = source.quote(_AAPL, datetime(2024, 3, 11, 13, 30, tzinfo=UTC))
    assert opened is not None
    assert (opened.mid, opened.source, opened.feed) == (Decimal("172.98"), "bar-open", Feed.SINGLE_VENUE)
    before = source.quote(_AAPL, datetime(2024, 3, 11, 13, 29, tzinfo=UTC))
    assert before is not None
    assert (before.source, before.feed) == ("bar-close", Feed.CONSOLIDATED)


def test_extended_hours_are_dropped_with_a_note(shared: Path, files: Files) -> None:
    """SPY's minutes of five days: 1,950 of regular hours remain, quotes are no bars."""
    source = files(shared / "data/lean_minute")
    assert len(source.bars(_SPY, Timeframe.MINUTE).frame) == 1950
    assert any("2178 bars outside the session dropped" in note for note in source.notes())
    assert any("SPY_1m_quotes_2013-10-07_to_11.csv is not a file of bars" in note for note in source.notes())


def test_the_start_column_counts_where_start_and_end_are_given(shared: Path, files: Files) -> None:
    """The bar stamped 09:31 as its end starts at 14:30 UTC."""
    series = files(shared / "data/us_intraday_1m", prices="as_traded").bars(_AAPL, Timeframe.MINUTE)
    assert series.frame.index[0] == pd.Timestamp("2019-02-11 14:30", tz="UTC")
    assert series.ends[-1] == np.datetime64("2019-02-15T21:00")
    assert series.basis is PriceBasis.AS_TRADED


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("crypto_binance_spot_1h", ("BTCUSDT", "1h", 19600)),
        ("crypto_bybit_linear_15m", ("XRPUSDT", "15m", 8640)),
        ("crypto_bybit_linear_15m", ("DOGEUSDT", "1m", 43200)),
        ("crypto_bybit_linear_5m", ("SOLUSDT", "5m", 28512)),
        ("crypto_misc/basana_binance_btcusdt_day_2020.csv", ("BTCUSDT", "1d", 366)),
        ("crypto_misc/basana_bitstamp_btcusd_min_2020_01_01.csv", ("BTCUSD", "1m", 1440)),
        ("crypto_misc/daru_ETHUSDT_1h_jan_feb_2024.csv", ("ETHUSDT", "1h", 1033)),
        ("crypto_misc/lean_bybit_spot_BTCUSDT_1m_trades_2022-12-13.csv", ("BTCUSDT", "1m", 1440)),
    ],
)
def test_crypto_files_load_as_traded(shared: Path, files: Files, path: str, held: tuple[str, str, int]) -> None:
    """A market without corporate actions trades at what its files say."""
    symbol, timeframe, bars = held
    series = files(shared / "data" / path).bars(Symbol(symbol), Timeframe(timeframe))
    assert (len(series.frame), series.basis) == (bars, PriceBasis.AS_TRADED)


def test_real_defects_are_repaired_or_noted_never_silent(shared: Path, files: Files) -> None:
    """ANDV: a torn row goes and leaves its session missing beside the one that always was; CHD's high is widened."""
    source = files(shared / "data/us_daily_dirty")
    source.bars(Symbol("ANDV"), Timeframe.DAY)
    source.bars(Symbol("CHD"), Timeframe.DAY)
    source.bars(Symbol("CNC"), Timeframe.DAY)
    told = [note.replace(" dirty.parquet:", "") for note in source.notes() if "as traded" not in note]
    assert told == [
        "ANDV: 1 rows with high or low far off dropped (line 4438)",
        "ANDV: 1 bars without volume kept",
        "ANDV: 2 sessions are missing (2017-09-07, 2018-09-20)",
        "CHD: 1 rows with high or low inside open and close widened (line 7222)",
        "CHD: 1 bars without volume kept",
        "CNC: 1 bars without volume kept",
        "CNC: the close moved -40.4% on 2025-07-02 without a split: suspicious",
    ]
