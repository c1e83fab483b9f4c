"""The bar store keeps what it was given, whole or not at all."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from postgres import shell
from trading_bot.domain.errors import NoDataError, StorageError
from trading_bot.domain.market import Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.records import Send, SendOutcome
from trading_bot.domain.values import ClientOrderId, Symbol
from trading_bot.ports import BarSeries
from trading_bot.storage.bars import BarStore
from trading_bot.storage.database import Address, Database
from trading_bot.storage.journal import SqlJournal
from trading_bot.storage.server_bars import ServerBars

_OPENINGS = ("2024-01-02T14:30", "2024-01-03T14:30", "2024-01-04T14:30")


def _series(closes: list[float], first: int = 0, symbol: str = "AAPL", feed: Feed = Feed.CONSOLIDATED) -> BarSeries:
    index = pd.DatetimeIndex(_OPENINGS[first : first + len(closes)], tz="UTC", name="start").as_unit("ns")
    frame = pd.DataFrame({"open": 9.0, "high": 12.0, "low": 8.0, "close": closes, "volume": 100.0}, index=index)
    ends = (index + pd.Timedelta(hours=6, minutes=30)).tz_localize(None).to_numpy().astype("datetime64[ns]")
    return BarSeries(Symbol(symbol), Timeframe.DAY, frame, ends, feed, PriceBasis.AS_TRADED, "test")


Store = BarStore | ServerBars


@pytest.fixture
def store(place: Callable[[str], Address], tmp_path: Path) -> Store:
    """An empty bar store: files, or tables of a server."""
    address = place("bars")
    return ServerBars(address) if isinstance(address, str) else BarStore(tmp_path)


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
def test_bars_come_back_as_they_were_written(store: Store, symbol: str) -> None:
    """Values, times, ends, feed, basis and source survive."""
    written = _series([10.0, 11.0], symbol=symbol)
    store.write(written)
    _same(store.read(Symbol(symbol), Timeframe.DAY), written)
    assert (store.symbols(), store.timeframes(Symbol(symbol))) == ((symbol,), (Timeframe.DAY,))


def test_writing_again_adds_new_bars_and_replaces_known_ones(store: Store) -> None:
    """Days 1 and 2, then days 2 and 3: the second day is the later one's."""
    store.write(_series([10.0, 11.0]))
    store.write(_series([11.5, 12.0], first=1))
    _same(store.read(Symbol("AAPL"), Timeframe.DAY), _series([10.0, 11.5, 12.0]))


def test_earlier_bars_written_later_come_first(store: Store) -> None:
    """The store keeps the order of time, not of writing."""
    store.write(_series([12.0], first=2))
    store.write(_series([10.0, 11.0]))
    _same(store.read(Symbol("AAPL"), Timeframe.DAY), _series([10.0, 11.0, 12.0]))


def test_bars_of_another_feed_are_not_mixed_in(store: Store) -> None:
    """One symbol and timeframe holds one feed; the known bars stay."""
    store.write(_series([10.0]))
    with pytest.raises(StorageError, match=r"(remove the file|delete those) to start anew"):
        store.write(_series([10.0], feed=Feed.SINGLE_VENUE))
    _same(store.read(Symbol("AAPL"), Timeframe.DAY), _series([10.0]))


def test_bars_that_were_never_stored_are_missing_not_empty(store: Store) -> None:
    """Missing is an error of its own."""
    with pytest.raises(NoDataError, match="AAPL: no 1d bars"):
        store.read(Symbol("AAPL"), Timeframe.DAY)
    assert (store.symbols(), store.timeframes(Symbol("AAPL"))) == ((), ())


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
def test_a_symbol_spelled_as_a_path_is_refused(store: Store, tmp_path: Path, symbol: str) -> None:
    """Nothing is written or read outside the root; a server's store takes what a folder's would, so that bars can move."""
    with pytest.raises(StorageError, match="cannot name a file"):
        store.write(_series([10.0], symbol=symbol))
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


def test_splits_and_dividends_come_back_as_they_were_written(store: Store) -> None:
    """Exact amounts and times; a symbol without any has none."""
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


def test_every_number_comes_back_from_a_server_bit_by_bit(database: Callable[[str], str]) -> None:
    """Also what no decimal text of 15 digits tells apart, and what is no number; times to the microsecond, on both sides of 2000."""
    index = pd.DatetimeIndex(["1999-12-31T23:59:59.999999", "2000-01-01", "2024-01-02T14:30:00.000001"], tz="UTC", name="start").as_unit(
        "ns"
    )
    values = [0.1 + 0.2, float("nan"), 5e-324]
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), values), index=index)
    written = BarSeries(
        Symbol("BTC/USD"), Timeframe.MINUTE, frame, index.tz_localize(None).to_numpy(), Feed.SINGLE_VENUE, PriceBasis.AS_TRADED, "x→y"
    )
    kept = ServerBars(database("bars"))
    kept.write(written)
    read = kept.read(Symbol("BTC/USD"), Timeframe.MINUTE)
    _same(read, written)
    assert read.frame["open"].to_numpy().tobytes() == frame["open"].to_numpy().tobytes()


def test_times_finer_than_a_servers_are_refused(database: Callable[[str], str]) -> None:
    """A nanosecond that is lost without a word would be another bar."""
    index = pd.DatetimeIndex(["2024-01-02T14:30:00.000000001"], tz="UTC", name="start")
    frame = pd.DataFrame({name: [1.0] for name in ("open", "high", "low", "close", "volume")}, index=index)
    fine = BarSeries(Symbol("A"), Timeframe.MINUTE, frame, index.tz_localize(None).to_numpy(), Feed.SINGLE_VENUE, PriceBasis.AS_TRADED, "x")
    with pytest.raises(StorageError, match="finer than a microsecond"):
        ServerBars(database("bars")).write(fine)


def test_damaged_splits_on_a_server_say_what_to_do(database: Callable[[str], str]) -> None:
    """Missing is not empty there either."""
    kept = ServerBars(database("bars"))
    kept.write_actions(Symbol("NVDA"), ())
    shell(database("bars"), "UPDATE actions SET body = '[{'")
    with pytest.raises(StorageError, match="import its bars again"):
        kept.actions(Symbol("NVDA"))


def test_a_journal_is_written_while_bars_are_loaded(database: Callable[[str], str]) -> None:
    """An import of years of minutes must not stop the desk: each has a lock of its own."""
    with closing(Database.open(database("bars"))) as loading, loading.writing("bars"), SqlJournal.open(database("bars")) as journal:
        journal.append(Send(at=datetime(2024, 1, 2, tzinfo=UTC), client_order_id=ClientOrderId("a"), outcome=SendOutcome.ACKNOWLEDGED))
        assert journal.count(Send) == 1
