"""The bar store keeps what it was given, whole or not at all."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading_bot.domain.errors import NoDataError, StorageError
from trading_bot.domain.market import Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries
from trading_bot.storage.bars import BarStore

_OPENINGS = ("2024-01-02T14:30", "2024-01-03T14:30", "2024-01-04T14:30")


def _series(closes: list[float], first: int = 0, symbol: str = "AAPL", feed: Feed = Feed.CONSOLIDATED) -> BarSeries:
    index = pd.DatetimeIndex(_OPENINGS[first : first + len(closes)], tz="UTC", name="start").as_unit("ns")
    frame = pd.DataFrame({"open": 9.0, "high": 12.0, "low": 8.0, "close": closes, "volume": 100.0}, index=index)
    ends = (index + pd.Timedelta(hours=6, minutes=30)).tz_localize(None).to_numpy().astype("datetime64[ns]")
    return BarSeries(Symbol(symbol), Timeframe.DAY, frame, ends, feed, PriceBasis.AS_TRADED, "test")


def _same(one: BarSeries, other: BarSeries) -> None:
    pd.testing.assert_frame_equal(one.frame, other.frame, check_freq=False)
    np.testing.assert_array_equal(one.ends, other.ends)
    assert (one.symbol, one.timeframe, one.feed, one.basis, one.source) == (
        other.symbol,
        other.timeframe,
        other.feed,
        other.basis,
        other.source,
    )


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.B", "BTC/USD", "^GSPC"])
def test_bars_come_back_as_they_were_written(tmp_path: Path, symbol: str) -> None:
    """Values, times, ends, feed, basis and source survive."""
    written = _series([10.0, 11.0], symbol=symbol)
    BarStore(tmp_path).write(written)
    _same(BarStore(tmp_path).read(Symbol(symbol), Timeframe.DAY), written)


def test_writing_again_adds_new_bars_and_replaces_known_ones(tmp_path: Path) -> None:
    """Days 1 and 2, then days 2 and 3: the second day is the later one's."""
    store = BarStore(tmp_path)
    store.write(_series([10.0, 11.0]))
    store.write(_series([11.5, 12.0], first=1))
    _same(store.read(Symbol("AAPL"), Timeframe.DAY), _series([10.0, 11.5, 12.0]))


def test_earlier_bars_written_later_come_first(tmp_path: Path) -> None:
    """The store keeps the order of time, not of writing."""
    store = BarStore(tmp_path)
    store.write(_series([12.0], first=2))
    store.write(_series([10.0, 11.0]))
    _same(store.read(Symbol("AAPL"), Timeframe.DAY), _series([10.0, 11.0, 12.0]))


def test_bars_of_another_feed_are_not_mixed_in(tmp_path: Path) -> None:
    """One file holds one feed; the known bars stay."""
    store = BarStore(tmp_path)
    store.write(_series([10.0]))
    with pytest.raises(StorageError, match="remove the file"):
        store.write(_series([10.0], feed=Feed.SINGLE_VENUE))
    _same(store.read(Symbol("AAPL"), Timeframe.DAY), _series([10.0]))


def test_bars_that_were_never_stored_are_missing_not_empty(tmp_path: Path) -> None:
    """Missing is an error of its own."""
    with pytest.raises(NoDataError, match="AAPL: no 1d bars"):
        BarStore(tmp_path).read(Symbol("AAPL"), Timeframe.DAY)


@pytest.mark.parametrize("keep", [0, 4, 300])
def test_a_cut_off_file_says_what_to_do(tmp_path: Path, keep: int) -> None:
    """A damaged file raises and names itself."""
    store = BarStore(tmp_path)
    store.write(_series([10.0, 11.0]))
    (path,) = tmp_path.rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StorageError, match=r"AAPL\.parquet.*damaged.*remove the file"):
        store.read(Symbol("AAPL"), Timeframe.DAY)


def test_a_parquet_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Without our metadata nobody knows whose trades these are."""
    (tmp_path / "1d").mkdir()
    _series([10.0]).frame.to_parquet(tmp_path / "1d" / "AAPL.parquet")
    with pytest.raises(StorageError, match="damaged"):
        BarStore(tmp_path).read(Symbol("AAPL"), Timeframe.DAY)


@pytest.mark.parametrize("symbol", ["../AAPL", "/etc/passwd", "a/b/c", "..", "", "A\\B", "A B", "%2e"])
def test_a_symbol_spelled_as_a_path_is_refused(tmp_path: Path, symbol: str) -> None:
    """Nothing is written or read outside the root."""
    with pytest.raises(StorageError, match="cannot name a file"):
        BarStore(tmp_path).write(_series([10.0], symbol=symbol))
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """A file where the folder should be: an error that says so."""
    root = tmp_path / "bars"
    root.write_text("no folder")
    with pytest.raises(StorageError, match="not stored"):
        BarStore(root).write(_series([10.0]))


def test_no_temporary_file_stays(tmp_path: Path) -> None:
    """After two writes there is one file."""
    for _ in range(2):
        BarStore(tmp_path).write(_series([10.0]))
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["AAPL.parquet"]


def test_splits_and_dividends_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Exact amounts and times; a symbol without any has none."""
    store = BarStore(tmp_path)
    ex = datetime(2024, 6, 10, 13, 30, tzinfo=UTC)
    kept = (Split(symbol=Symbol("NVDA"), ex=ex, ratio=Decimal(10)), Dividend(symbol=Symbol("NVDA"), ex=ex, amount=Decimal("0.01")))
    store.write_actions(Symbol("NVDA"), kept)
    assert store.actions(Symbol("NVDA")) == kept
    assert store.actions(Symbol("AAPL")) == ()


def test_damaged_splits_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Missing is not empty: a file that cannot be read is not "no splits"."""
    store = BarStore(tmp_path)
    store.write_actions(Symbol("NVDA"), ())
    (tmp_path / "actions" / "NVDA.json").write_text("[{")
    with pytest.raises(StorageError, match="import the bars again"):
        store.actions(Symbol("NVDA"))
