"""Dirty files: each defect is repaired by a stated rule and noted, or refused with file and line."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_bot.domain.errors import BadBarsError, NoDataError
from trading_bot.domain.market import Feed, PriceBasis, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.sources.files import FileSource

Files = Callable[..., FileSource]
_ABC, _BTC = Symbol("ABC"), Symbol("BTCUSDT")
_HEAD = "date,open,high,low,close,volume"
_DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09")
_GOOD = tuple(f"{day},10,12,9,11,{1000 + number}" for number, day in enumerate(_DAYS))


def _file(folder: Path, rows: Sequence[str], head: str = _HEAD, name: str = "ABC.csv") -> Path:
    (folder / name).write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return folder


def _read(source: FileSource, symbol: Symbol = _ABC, timeframe: Timeframe = Timeframe.DAY) -> tuple[list[str], list[str]]:
    """Days (or starts) that were read, and notes without the one on the basis."""
    index = source.bars(symbol, timeframe).frame.index
    shown = [moment.strftime("%Y-%m-%d" if timeframe is Timeframe.DAY else "%m-%d %H:%M") for moment in index]
    return shown, [note.removeprefix(f"{symbol}: ") for note in source.notes() if "not as traded" not in note]


def test_clean_bars_are_read_without_a_note(tmp_path: Path, files: Files) -> None:
    """Six days in, six days out."""
    assert _read(files(_file(tmp_path, _GOOD))) == (list(_DAYS), [])


@pytest.mark.parametrize(
    ("rows", "days", "note"),
    [
        (_GOOD[::-1], _DAYS, "rows were not in order of time: sorted"),
        ((*_GOOD, _GOOD[5]), _DAYS, "rows that repeat another dropped"),
        ((*_GOOD[:5], "2024-01-09,10,12,9,,1"), _DAYS[:5], "1 rows without possible prices, volume or time dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,12,-9,11,1"), _DAYS[:5], "1 rows without possible prices, volume or time dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,0,12,9,11,1"), _DAYS[:5], "1 rows without possible prices, volume or time dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,inf,9,11,1"), _DAYS[:5], "1 rows without possible prices, volume or time dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,12,9,11,-5"), _DAYS[:5], "1 rows without possible prices, volume or time dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,12"), _DAYS[:5], "1 rows without possible prices, volume or time dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,9,12,11,1"), _DAYS[:5], "1 rows with high or low far off dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,11,9,11.5,1"), _DAYS[:5], "1 rows with high or low far off dropped (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,10.95,9,11,1"), _DAYS, "1 rows with high or low inside open and close widened (line 7)"),
        ((*_GOOD[:5], "2024-01-09,10,12,9,11,0"), _DAYS, "1 bars without volume kept"),
        ((*_GOOD, "2024-01-13,10,12,9,11,1"), _DAYS, "1 bars on days without session dropped (2024-01-13)"),
        ((*_GOOD, "2024-01-15,10,12,9,11,1"), _DAYS, "1 bars on days without session dropped (2024-01-15)"),
        ((*_GOOD[:2], *_GOOD[4:]), (*_DAYS[:2], *_DAYS[4:]), "2 sessions are missing (2024-01-04, 2024-01-05)"),
    ],
)
def test_a_defect_is_repaired_by_rule_and_noted(
    tmp_path: Path, files: Files, rows: tuple[str, ...], days: tuple[str, ...], note: str
) -> None:
    """Every rule of docs/data.md: what remains, and the note."""
    read, notes = _read(files(_file(tmp_path, rows)))
    assert read == list(days)
    assert len(notes) == 1
    assert note in notes[0]
    assert notes[0].startswith("ABC.csv: ")


def test_a_widened_bar_holds_its_open_and_close(tmp_path: Path, files: Files) -> None:
    """High 10.95 under a close of 11 becomes 11; the other bars stay."""
    source = files(_file(tmp_path, (*_GOOD[:5], "2024-01-09,10,10.95,9,11,1")))
    assert source.bars(_ABC, Timeframe.DAY).frame["high"].tolist() == [12, 12, 12, 12, 12, 11]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds|cannot be read"),
        (_HEAD + "\n", "holds no rows"),
        ("\n".join([_HEAD, *_GOOD, "2024-01-10,10,12,9,eleven,1"]), r"ABC\.csv, line 8: close 'eleven' is not a number"),
        ("\n".join([_HEAD, *_GOOD, "yesterday,10,12,9,11,1"]), "holds what is no time"),
        ("\n".join([_HEAD, *_GOOD, "2024-01-09,10,12,9,11.5,7"]), "rows of one time differ"),
        ("\n".join([_HEAD, *_GOOD[:4], "2024-01-08,0,1,1,1,1", "2024-01-09,0,1,1,1,1"]), "2 of 6 rows are impossible"),
        ("\n".join([_HEAD, *_GOOD[::5], "2024-01-16,10,12,9,11,1"]), "bars lie 604800 s apart"),
        ("\n".join([_HEAD.replace("date", "when"), *_GOOD]), "no time column"),
        ("\n".join([_HEAD + ",Close", *(row + ",11" for row in _GOOD)]), "two columns mean the same: close"),
        (f"{_HEAD}\n2024-01-13,10,12,9,11,1\n2024-01-14,10,12,9,11,1", "no bar lies in a session"),
    ],
)
def test_what_may_not_be_repaired_is_refused(tmp_path: Path, files: Files, text: str, message: str) -> None:
    """The message names file, line and what to do."""
    (tmp_path / "ABC.csv").write_text(text, "utf-8")
    with pytest.raises(BadBarsError, match=message):
        files(tmp_path).bars(_ABC, Timeframe.DAY)


@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_a_cut_off_parquet_file_is_refused(tmp_path: Path, files: Files, keep: int) -> None:
    """A download that broke off does not look like a symbol without data."""
    frame = pd.DataFrame({"date": _DAYS, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0})
    frame.to_parquet(tmp_path / "ABC.parquet")
    path = tmp_path / "ABC.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadBarsError, match=r"ABC\.parquet: cannot be read .* fetch it again"):
        files(tmp_path).bars(_ABC, Timeframe.DAY)


def test_a_damaged_file_of_many_symbols_is_not_mistaken_for_missing_data(tmp_path: Path, files: Files) -> None:
    """Nobody knows what it held: an error alone, a note where another file has the symbol."""
    (tmp_path / "all.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(BadBarsError, match=r"ABC: no bars in the files, and all\.parquet cannot be read"):
        files(tmp_path).bars(_ABC, Timeframe.DAY)
    assert _read(files(_file(tmp_path, _GOOD))) == (list(_DAYS), ["all.parquet cannot be read and was ignored"])


@pytest.mark.parametrize(
    ("name", "stamp", "first"),
    [
        ("ABC", "2024-01-{} 16:00:00", "2024-01-02"),
        ("BTCUSDT", "2024-01-{} 00:00:00", "2024-01-01"),
        ("BTCUSDT", "2024-01-{}T23:59:59Z", "2024-01-02"),
    ],
)
def test_a_day_may_be_stamped_with_its_end(tmp_path: Path, files: Files, name: str, stamp: str, first: str) -> None:
    """The closing bell is the same day; midnight, where the market never closes, is the day before."""
    rows = [f"{stamp.format(day)},10,12,9,11,5" for day in ("02", "03", "04")]
    source = files(_file(tmp_path, rows, "close_time,open,high,low,close,volume", f"{name}.csv"))
    days, notes = _read(source, Symbol(name))
    assert (days[0], len(days), notes) == (first, 3, [])


def test_milliseconds_with_a_gap_stay_exact(tmp_path: Path, files: Files) -> None:
    """A row without time makes the column floats; starts stay on the minute."""
    start = 1_704_205_800_000
    rows = [f"{start + n * 60_000},10,12,9,11,5" for n in range(3)]
    source = files(_file(tmp_path, [*rows, ",10,12,9,11,5"], "ts,open,high,low,close,volume", "BTCUSDT.csv"))
    assert _read(source, _BTC, Timeframe.MINUTE)[0] == ["01-02 14:30", "01-02 14:31", "01-02 14:32"]
    assert [int(moment.microsecond) for moment in source.bars(_BTC, Timeframe.MINUTE).frame.index] == [0, 0, 0]


@pytest.mark.parametrize(
    ("row", "message"), [("2024-01-02,10,12,9,,1", "1 of 1 rows are impossible"), (",10,12,9,11,1", "'date' is empty")]
)
def test_a_file_whose_only_row_is_bad_is_refused(tmp_path: Path, files: Files, row: str, message: str) -> None:
    """One bad row is forgiven only beside good ones."""
    with pytest.raises(BadBarsError, match=message):
        files(_file(tmp_path, [row])).bars(_ABC, Timeframe.DAY)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path, files: Files) -> None:
    """Said at once, not at the first symbol."""
    with pytest.raises(NoDataError, match="there is no such file or folder"):
        files(tmp_path / "nowhere")


def test_a_symbol_without_data_is_told_what_there_is(tmp_path: Path, files: Files) -> None:
    """Missing is not empty."""
    source = files(_file(_file(tmp_path, _GOOD), _GOOD, name="XYZ_1d.csv"))
    with pytest.raises(NoDataError, match="NOPE: no bars in the files; they hold ABC, XYZ"):
        source.bars(Symbol("NOPE"), Timeframe.DAY)
    with pytest.raises(NoDataError, match="ABC: no 1m bars in the files, only 1d"):
        source.bars(_ABC, Timeframe.MINUTE)


@pytest.mark.parametrize(
    ("head", "stamp"),
    [
        ("Date,Open,High,Low,Close,Volume", "{}"),
        ("DATETIME,O,H,L,C,Vol", "{} 00:00:00"),
        ("timestamp,open,high,low,close,volume", "{}T00:00:00-05:00"),
        ("session,open,high,low,close,Volume", "{}"),
        ("ts,open,high,low,close,volume", "{}T05:00:00Z"),
        ("time,open,high,low,close,volume", "{} 16:00:00"),
        (" Date , Open , High , Low , Close , Volume ", "{}"),
    ],
)
def test_columns_and_days_may_be_spelled_in_many_ways(tmp_path: Path, files: Files, head: str, stamp: str) -> None:
    """Capitals, short names, midnights of any zone."""
    rows = [row.replace(row[:10], stamp.format(row[:10])) for row in _GOOD]
    assert _read(files(_file(tmp_path, rows, head))) == (list(_DAYS), [])


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9, None])
def test_days_may_be_numbers(tmp_path: Path, files: Files, scale: int | None) -> None:
    """Seconds, milliseconds, microseconds, nanoseconds since 1970, or YYYYMMDD."""
    since = [(date.fromisoformat(day) - date(1970, 1, 1)).days * 86_400 for day in _DAYS]
    days = [int(day.replace("-", "")) if scale is None else second * scale for day, second in zip(_DAYS, since, strict=True)]
    rows = [f"{day}{row[10:]}" for day, row in zip(days, _GOOD, strict=True)]
    assert _read(files(_file(tmp_path, rows))) == (list(_DAYS), [])


def test_naive_intraday_times_of_a_share_are_refused(tmp_path: Path, files: Files) -> None:
    """09:30 where? The message says how to name the column."""
    rows = [f"2024-01-02 09:3{minute}:00,10,12,9,11,5" for minute in range(5)]
    with pytest.raises(BadBarsError, match="'time' have no zone; name the column time_utc or time_et"):
        files(_file(tmp_path, rows, "time,open,high,low,close,volume")).bars(_ABC, Timeframe.MINUTE)


def test_naive_intraday_times_of_a_market_that_never_closes_are_utc(tmp_path: Path, files: Files) -> None:
    """Taken as UTC, with a note."""
    rows = [f"2024-01-02 09:3{minute}:00,10,12,9,11,5" for minute in range(3)]
    source = files(_file(tmp_path, rows, "time,open,high,low,close,volume", "BTCUSDT.csv"))
    assert _read(source, _BTC, Timeframe.MINUTE) == (
        ["01-02 09:30", "01-02 09:31", "01-02 09:32"],
        ["BTCUSDT.csv: times without zone are taken as UTC"],
    )


@pytest.mark.parametrize(
    ("head", "first"),
    [
        ("bar_start_et,open,high,low,close,volume", "09:30:00"),
        ("bar_end_et,open,high,low,close,volume", "09:31:00"),
        ("time_utc,open,high,low,close,volume", "14:30:00"),
        ("time,open,high,low,close,volume", "09:30:00-05:00"),
        ("time,open,high,low,close,volume", "15:30:00+01:00"),
    ],
)
def test_local_times_are_brought_to_utc(tmp_path: Path, files: Files, head: str, first: str) -> None:
    """The first minute of 2024-01-02 starts at 14:30 UTC, however it is written."""
    hour, minute = int(first[:2]), int(first[3:5])
    rows = [f"2024-01-02 {hour:02}:{minute + n:02}{first[5:]},10,12,9,11,5" for n in range(3)]
    source = files(_file(tmp_path, rows, head))
    assert _read(source, timeframe=Timeframe.MINUTE) == (["01-02 14:30", "01-02 14:31", "01-02 14:32"], [])


def test_the_week_of_a_daylight_saving_change_shifts_the_session(tmp_path: Path, files: Files) -> None:
    """New York's 09:30 is 14:30 UTC on Friday 2024-03-08 and 13:30 UTC on Monday 2024-03-11."""
    rows = [f"2024-03-{day} {hour}:30:00,10,12,9,11,5" for day in ("08", "11") for hour in ("09", 10, 11, 12)]
    source = files(_file(tmp_path, rows, "time_et,open,high,low,close,volume"))
    assert _read(source, timeframe=Timeframe.HOUR)[0][::4] == ["03-08 14:30", "03-11 13:30"]


def test_the_last_bar_of_a_session_ends_with_it(tmp_path: Path, files: Files) -> None:
    """An hour that starts at 15:30 ends at 16:00; on the half day 2024-07-03 at 13:00."""
    rows = [f"2024-07-0{day} {hour:02}:30:00,10,12,9,11,5" for day, last in ((2, 15), (3, 13)) for hour in range(9, last + 1)]
    source = files(_file(tmp_path, rows, "time_et,open,high,low,close,volume"))
    ends = source.bars(_ABC, Timeframe.HOUR).ends
    assert [str(end)[5:16] for end in (ends[6], ends[-1])] == ["07-02T20:00", "07-03T17:00"]
    assert any("1 bars outside the session dropped" in note for note in source.notes())


def test_a_missing_volume_column_is_noted(tmp_path: Path, files: Files) -> None:
    """Volume is 0, not invented."""
    _, notes = _read(files(_file(tmp_path, [row.rsplit(",", 1)[0] for row in _GOOD], "date,open,high,low,close")))
    assert notes == ["ABC.csv: has no volume column: volume is 0", "ABC.csv: 6 bars without volume kept"]


def test_a_great_move_without_a_split_is_suspicious(tmp_path: Path, files: Files) -> None:
    """From 11 to 5.5 in a day."""
    _, notes = _read(files(_file(tmp_path, (*_GOOD[:5], "2024-01-09,5.5,6,5,5.5,1"))))
    assert notes == ["the close moved -50.0% on 2024-01-09 without a split: suspicious"]


def test_of_two_files_the_one_that_begins_earlier_counts_where_they_differ(tmp_path: Path, files: Files) -> None:
    """However long they are: which one counts may not depend on what they hold later."""
    _file(tmp_path, _GOOD[:4])
    _file(tmp_path, ("2024-01-05,10,12,9,11.5,1003", *_GOOD[4:]), name="ABC_1d_more.csv")
    source = files(tmp_path)
    days, notes = _read(source)
    assert days == list(_DAYS)
    assert source.bars(_ABC, Timeframe.DAY).frame["close"].tolist() == [11] * 6
    assert len(notes) == 1
    assert "ABC_1d_more.csv: 1 bars differ from ABC.csv, which counts" in notes[0]


def test_a_file_that_grows_longer_does_not_overrule_the_one_that_begins_earlier(tmp_path: Path, files: Files) -> None:
    """Two rows from the 2nd on count against three from the 3rd on."""
    _file(tmp_path, _GOOD[:2])
    _file(tmp_path, (_GOOD[1].replace(",11,", ",11.5,"), *_GOOD[2:]), name="ABC_1d_more.csv")
    assert files(tmp_path).bars(_ABC, Timeframe.DAY).frame["close"].tolist() == [11] * 6


def test_a_file_of_many_symbols_gives_each_its_own_rows(tmp_path: Path, files: Files) -> None:
    """By the `symbol` column, in CSV as in Parquet."""
    rows = [f"{name},{row}" for row in _GOOD for name in ("ABC", "XYZ")]
    source = files(_file(tmp_path, rows, f"Ticker,{_HEAD}", "all.csv"))
    assert _read(source) == (list(_DAYS), [])
    with pytest.raises(NoDataError, match="hold ABC, XYZ"):
        source.bars(Symbol("NOPE"), Timeframe.DAY)


def test_settings_overrule_what_the_columns_show(tmp_path: Path, files: Files) -> None:
    """Feed and basis as the user says."""
    series = files(_file(tmp_path, _GOOD), feed="single_venue", prices="as_traded").bars(_ABC, Timeframe.DAY)
    assert (series.feed, series.basis) == (Feed.SINGLE_VENUE, PriceBasis.AS_TRADED)


def test_a_symbol_is_read_once(tmp_path: Path, files: Files) -> None:
    """A file that changes under a running desk changes nothing."""
    source = files(_file(tmp_path, _GOOD))
    before = source.bars(_ABC, Timeframe.DAY)
    _file(tmp_path, _GOOD[:2])
    assert source.bars(_ABC, Timeframe.DAY) is before


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(6)), twice=st.lists(st.integers(0, 5), max_size=6))
def test_order_and_repetition_of_rows_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, files: Files, order: list[int], twice: list[int]
) -> None:
    """Any order of the same rows, some of them again, gives the same bars."""
    folder = tmp_path_factory.mktemp("rows")
    frame = files(_file(folder, [_GOOD[number] for number in [*order, *twice]])).bars(_ABC, Timeframe.DAY).frame
    assert [moment.date() for moment in frame.index] == [date.fromisoformat(day) for day in _DAYS]
    assert frame["volume"].tolist() == [1000, 1001, 1002, 1003, 1004, 1005]
    assert frame.index[0] - pd.Timestamp("2024-01-02", tz="UTC") == timedelta(hours=14, minutes=30)
