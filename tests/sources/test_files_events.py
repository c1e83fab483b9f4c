"""Split and dividend columns: prices brought back to as traded, and the events that the desk books."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from trading_bot.domain.errors import BadBarsError
from trading_bot.domain.market import Dividend, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sources.files import FileSource

Files = Callable[..., FileSource]
_ABC = Symbol("ABC")
_HEAD = "date,open,high,low,close,volume,dividend,split"


def _daily(folder: Path, *rows: str) -> Path:
    (folder / "ABC.csv").write_text("\n".join([_HEAD, *rows]) + "\n", "utf-8")
    return folder


def _opening(day: int) -> datetime:
    return datetime(2024, 1, day, 14, 30, tzinfo=UTC)


def test_prices_dividends_and_volume_are_multiplied_back_by_later_splits(tmp_path: Path, files: Files) -> None:
    """4:1 on the 4th: 25.005 before it traded at 100.02, a dividend of 0.05 was 0.20, 400 shares were 100."""
    folder = _daily(
        tmp_path,
        "2024-01-02,25,26,24,25.005,400,0,0",
        "2024-01-03,25,26,24,25,400,0.05,0",
        "2024-01-04,25,26,24,25,400,0,4",
        "2024-01-05,25,26,24,25,400,0.05,1",
    )
    source = files(folder)
    frame = source.bars(_ABC, Timeframe.DAY).frame
    assert frame["close"].tolist() == [100.02, 100, 25, 25]
    assert frame["volume"].tolist() == [100, 100, 400, 400]
    assert source.actions(_ABC) == (
        Dividend(symbol=_ABC, ex=_opening(3), amount=Decimal("0.2")),
        Split(symbol=_ABC, ex=_opening(4), ratio=Decimal(4)),
        Dividend(symbol=_ABC, ex=_opening(5), amount=Decimal("0.05")),
    )
    assert source.notes() == ()


def test_prices_below_a_dollar_keep_four_decimals(tmp_path: Path, files: Files) -> None:
    """A reverse split of 1:10: 5.126 stands for 0.5126."""
    folder = _daily(tmp_path, "2024-01-02,5.126,5.2,5,5.126,10,0,0", "2024-01-03,5,6,4,5,10,0,0.1")
    assert files(folder).bars(_ABC, Timeframe.DAY).frame["open"].tolist() == [0.5126, 5]


def test_an_event_on_a_dropped_row_is_not_lost(tmp_path: Path, files: Files) -> None:
    """The split's own row has no close, and the next event stands on a holiday: both still happen, on the next session."""
    folder = _daily(
        tmp_path,
        "2024-01-11,25,26,24,25,400,0,0",
        "2024-01-12,25,26,24,,400,0,2",
        "2024-01-15,25,26,24,25,400,0.1,0",
        "2024-01-16,25,26,24,25,400,0,0",
        "2024-01-17,25,26,24,25,400,0,0",
    )
    source = files(folder)
    assert source.actions(_ABC) == (
        Split(symbol=_ABC, ex=_opening(12), ratio=Decimal(2)),
        Dividend(symbol=_ABC, ex=_opening(16), amount=Decimal("0.1")),
    )
    assert source.bars(_ABC, Timeframe.DAY).frame["open"].tolist() == [50, 25, 25]


@pytest.mark.parametrize("event", ["-0.1,0", "0,-2", "inf,0"])
def test_an_impossible_event_is_refused(tmp_path: Path, files: Files, event: str) -> None:
    """File and line are named."""
    with pytest.raises(BadBarsError, match=r"ABC\.csv, line 2: a split or dividend is negative or infinite"):
        files(_daily(tmp_path, f"2024-01-02,25,26,24,25,400,{event}", "2024-01-03,25,26,24,25,400,0,0")).bars(_ABC, Timeframe.DAY)


@pytest.mark.parametrize(("prices", "basis", "first"), [("as_traded", "as_traded", 25), ("fully_adjusted", "not_as_traded", 25)])
def test_the_configured_basis_overrules_the_columns(tmp_path: Path, files: Files, prices: str, basis: str, first: float) -> None:
    """As traded is left alone; fully adjusted cannot be undone."""
    folder = _daily(tmp_path, "2024-01-02,25,26,24,25,400,0,0", "2024-01-03,25,26,24,25,400,0,2")
    series = files(folder, prices=prices).bars(_ABC, Timeframe.DAY)
    assert (series.basis, series.frame["open"].iloc[0]) == (PriceBasis(basis), first)


def test_a_split_in_the_future_changes_no_price_that_traded(tmp_path: Path, files: Files) -> None:
    """The same past, downloaded before and after a later 2:1 split, reads the same."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    _daily(before, "2024-01-02,100.02,104,96,100.04,100,0.2,0", "2024-01-03,100,104,96,100,100,0,0")
    _daily(
        after,
        "2024-01-02,50.01,52,48,50.02,200,0.1,0",
        "2024-01-03,50,52,48,50,200,0,0",
        "2024-01-04,50,52,48,50,200,0,2",
    )
    one, other = files(before), files(after)
    assert other.bars(_ABC, Timeframe.DAY).frame.iloc[:2].equals(one.bars(_ABC, Timeframe.DAY).frame)
    assert other.actions(_ABC)[0] == one.actions(_ABC)[0]


def test_a_file_whose_prices_fall_at_its_splits_is_left_as_it_traded(tmp_path: Path, files: Files) -> None:
    """Alpha Vantage's daily-adjusted form: raw prices beside dividend and split columns."""
    folder = _daily(tmp_path, "2024-01-02,100,104,96,100,100,0.2,1", "2024-01-03,25,26,24,25.5,400,0,4", "2024-01-04,25,26,24,25,400,0,1")
    source = files(folder)
    series = source.bars(_ABC, Timeframe.DAY)
    assert (series.basis, series.frame["open"].tolist()) == (PriceBasis.AS_TRADED, [100, 25, 25])
    assert source.actions(_ABC) == (
        Dividend(symbol=_ABC, ex=_opening(2), amount=Decimal("0.2")),
        Split(symbol=_ABC, ex=_opening(3), ratio=Decimal(4)),
    )
    assert source.notes() == ("ABC: ABC.csv: prices agree with what traded: left as they are",)


def _minutes(folder: Path, price: float) -> None:
    rows = [f"2024-01-0{day} 09:3{n}:00,{price},{price},{price},{price},5" for day in (2, 3) for n in range(3)]
    (folder / "ABC_1m.csv").write_text("\n".join(["time_et,open,high,low,close,volume", *rows]) + "\n", "utf-8")


@pytest.mark.parametrize("price", [25, 50])
def test_intraday_prices_are_matched_to_the_daily_file_of_the_symbol(tmp_path: Path, files: Files, price: float) -> None:
    """Minutes at 25 are divided by the split of the 4th, minutes at 50 are not: either way 50 was traded."""
    _daily(tmp_path, "2024-01-02,25,26,24,25,400,0,0", "2024-01-03,25,26,24,25,400,0,0", "2024-01-04,25,26,24,25,400,0,2")
    _minutes(tmp_path, price)
    source = files(tmp_path)
    series = source.bars(_ABC, Timeframe.MINUTE)
    assert (series.basis, series.frame["open"].unique().tolist()) == (PriceBasis.AS_TRADED, [50])
    told = {25: "prices count as split-adjusted by the splits of the daily file", 50: "prices agree with what traded: left as they are"}
    assert source.notes() == (f"ABC: ABC_1m.csv: {told[int(price)]}",)


def test_a_dividend_of_less_than_a_millionth_is_none(tmp_path: Path, files: Files) -> None:
    """What is left of one after divisions, and could not be paid."""
    folder = _daily(tmp_path, "2024-01-02,25,26,24,25,400,0,0", "2024-01-03,25,26,24,25,400,0.0000001,0")
    assert files(folder).actions(_ABC) == ()


def test_what_later_splits_do_leaves_a_file_what_it_was(tmp_path: Path, files: Files) -> None:
    """The close does not move at the 4:1 split, so the file is split-adjusted, though it falls to a third at both 3:1 ones."""
    rows = [_row(2, 27, 400), _row(3, 27, 400, "4"), _row(4, 9, 400, "3"), _row(5, 3, 400, "3")]
    assert files(_daily(tmp_path, *rows)).bars(_ABC, Timeframe.DAY).frame["close"].tolist() == [972, 243, 27, 3]


@pytest.mark.parametrize("ratio", ["3", "7", "1.5", "0.1"])
def test_a_later_split_leaves_the_past_on_the_same_ticks(tmp_path: Path, files: Files, ratio: str) -> None:
    """Half cents and tenths of cents: once as they are, once divided by a split to come, once as traded before that split."""
    past, by = [10.125, 10.135, 10.0049, 99.995], float(ratio)
    later = _row(8, past[-1] / by, 9, ratio)
    alone = [_row(day, price, 3000) for day, price in enumerate(past, 2)]
    divided = [_row(day, price / by, 3000 * by) for day, price in enumerate(past, 2)]
    tables = {"alone": alone, "divided": [*divided, later], "traded": [*alone, later]}
    for name in tables:
        (tmp_path / name).mkdir()
    seen = {name: files(_daily(tmp_path / name, *rows)).bars(_ABC, Timeframe.DAY).frame for name, rows in tables.items()}
    assert seen["divided"].iloc[:4].equals(seen["alone"])
    assert seen["traded"].iloc[:4].equals(seen["alone"])


def _row(day: int, price: float, volume: float, split: str = "0") -> str:
    return f"2024-01-{day:02},{price},{price},{price},{price},{volume},0,{split}"
