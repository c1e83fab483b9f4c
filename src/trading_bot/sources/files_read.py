"""Finding and reading files of bars: which files hold a symbol, and their columns under one name each.

Promises that every value column is a number or the error names file and line. Reads a file of many symbols once. Refuses
to guess: a file without open, high, low, close and a time is not bars and is left alone. Rules: `docs/data.md`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from trading_bot.domain.errors import BadBarsError, NoDataError
from trading_bot.domain.market import Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.settings import FileSettings

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
EVENTS = ("dividend", "split")
_SPELLINGS = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "dividend": ("dividend", "dividends", "div", "dividend_amount"),
    "split": ("split", "splits", "stock_splits", "split_ratio", "split_coefficient"),
    "symbol": ("symbol", "ticker"),
}
_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_TIMES = ("bar_start", "start", "open_time", "timestamp", "datetime", "date", "ts", "time", "session", "bar_end", "end", "close_time")
_ENDS = ("bar_end", "end", "close_time")
_ZONES = {"": None, "_utc": "UTC", "_et": "America/New_York"}
_FACTORS = "_factor_file"
FUNDING = "_funding"
_SUFFIXES = (".csv", ".parquet")
_FRAMES = "|".join(Timeframe)


@dataclass(frozen=True)
class TimeColumn:
    """Which column holds the time, in which zone its name says, and whether it is the bar's start or end."""

    name: str
    zone: str | None
    stamps: Literal["start", "end"]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one symbol as they stand in a file: columns `time open high low close volume`, `dividend split` if given.

    The index holds line numbers (rows, for Parquet).
    """

    path: Path
    settings: FileSettings
    frame: pd.DataFrame
    time: TimeColumn

    @property
    def has_events(self) -> bool:
        """Whether the file tells of splits and dividends."""
        return all(name in self.frame for name in EVENTS)

    @property
    def named_timeframe(self) -> Timeframe | None:
        """The timeframe in the file's name."""
        found = re.search(rf"_({_FRAMES})(?:_|$)", self.path.stem)
        return Timeframe(found[1]) if found else None


class Library:
    """The files of all configured paths, listed once."""

    def __init__(self, settings: tuple[FileSettings, ...]) -> None:
        self._files = [(path, one) for one in settings for path in _files(one.path)]
        self._columns: dict[Path, tuple[str, ...]] = {}
        self._shared: dict[Path, tuple[pd.DataFrame, dict[str, np.ndarray]]] = {}
        self._given = {one.path for one in settings}

    def tables(self, symbol: Symbol) -> Iterator[Table]:
        """Every table of bars of `symbol`. BadBarsError if a file of its cannot be read."""
        for path, one in self._files:
            if self._names(path, symbol) and self._is_bars(path) and "symbol" not in self._roles(path):
                yield _table(path, one, _read(path))
            elif self._may_hold_many(path) and self._is_bars(path) and "symbol" in self._roles(path):
                frame, rows = self._many(path)
                if symbol in rows:
                    yield _table(path, one, frame.iloc[rows[symbol]])

    def ignored(self, symbol: Symbol) -> tuple[str, ...]:
        """Names of files that begin with the symbol and are not its bars."""
        mine = [path for path, _ in self._files if path.stem.upper().startswith(f"{_plain(symbol)}_")]
        return tuple(p.name for p in mine if not (_is_beside(p) or (self._names(p, symbol) and self._is_bars(p))))

    def unreadable(self) -> tuple[str, ...]:
        """Names of files without a header that can be read: damaged, or no tables."""
        return tuple(path.name for path, _ in self._files if not self._roles(path))

    def symbols(self) -> tuple[str, ...]:
        """Symbols that the files hold, as far as names and symbol columns tell."""
        found: set[str] = set()
        for path, _ in self._files:
            if self._may_hold_many(path) and self._is_bars(path) and "symbol" in self._roles(path):
                found.update(self._many(path)[1])
            else:
                stem = path.stem.split("_")[0]
                found.update([stem] if self._names(path, Symbol(stem)) and self._is_bars(path) else [])
        return tuple(sorted(found))

    def _names(self, path: Path, symbol: Symbol) -> bool:
        """Whether the name says `symbol`: `SYMBOL`, `SYMBOL_1d...`; a file given by its own path may name it in any part."""
        stem, plain = path.stem.upper(), _plain(symbol)
        if path in self._given:
            return plain in {stem, *stem.split("_")}
        return re.fullmatch(rf"{re.escape(plain)}(_({_FRAMES})(_.*)?)?", stem, re.IGNORECASE) is not None

    def _may_hold_many(self, path: Path) -> bool:
        return path.suffix.lower() in _SUFFIXES and not _is_beside(path)

    def _is_bars(self, path: Path) -> bool:
        """An unreadable or empty file counts as bars, so that reading it tells what is wrong."""
        columns = self._roles(path)
        return not columns or all(name in columns for name in PRICES)

    def _roles(self, path: Path) -> tuple[str, ...]:
        if path not in self._columns:
            self._columns[path] = tuple(_canonical(name) for name in _header(path))
        return self._columns[path]

    def _many(self, path: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
        """A file of many symbols, and the rows of each."""
        if path not in self._shared:
            frame = _read(path)
            groups = frame.groupby("symbol", sort=False).indices
            self._shared[path] = frame, {str(name): np.asarray(rows) for name, rows in groups.items()}
        return self._shared[path]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
    if path.is_file():
        return [path]
    msg = f"{path}: there is no such file or folder; correct source.files"
    raise NoDataError(msg)


def factor_file(path: Path, symbol: Symbol) -> Path | None:
    """The LEAN factor file of `symbol` beside the file at `path`."""
    beside = path.with_name(f"{symbol}{_FACTORS}.csv")
    return beside if beside.is_file() else None


def funding_file(path: Path, symbol: Symbol) -> Path | None:
    """The file of funding rates of `symbol` beside the file at `path`."""
    beside = path.with_name(f"{_plain(symbol)}{FUNDING}.csv")
    return beside if beside.is_file() else None


def _is_beside(path: Path) -> bool:
    return path.stem.lower().endswith((_FACTORS, FUNDING))


def _plain(symbol: str) -> str:
    """A symbol as file names spell it: `BTC/USDT` is `BTCUSDT`."""
    return symbol.replace("/", "").upper()


def _canonical(column: object) -> str:
    plain = re.sub(r"\W+", "_", str(column).strip().lower().lstrip("\ufeff")).strip("_")
    return _NAMES.get(plain, plain)


def _header(path: Path) -> list[str]:
    try:
        if path.suffix.lower() == ".parquet":
            return [str(name) for name in parquet.read_schema(path).names]
        with path.open(encoding="utf-8-sig") as file:
            return file.readline().strip().split(",") if path.stat().st_size else []
    except (OSError, UnicodeDecodeError, pa.ArrowException):
        return []


def _read(path: Path) -> pd.DataFrame:
    """The whole file under canonical column names, indexed by line. BadBarsError if it is damaged or empty."""
    try:
        frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read ({error}); it is damaged or cut off, fetch it again"
        raise BadBarsError(msg) from error
    frame.columns = pd.Index([_canonical(name) for name in frame.columns])
    if frame.empty:
        msg = f"{path}: holds no rows; fetch it again or remove it"
        raise BadBarsError(msg)
    if not frame.columns.is_unique:
        msg = f"{path}: two columns mean the same: {', '.join(frame.columns[frame.columns.duplicated()])}; remove one"
        raise BadBarsError(msg)
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, encoding="utf-8-sig", low_memory=False, skip_blank_lines=False)
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame.dropna(how="all")


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def _table(path: Path, settings: FileSettings, frame: pd.DataFrame) -> Table:
    time = _time_column(path, frame)
    columns = {"time": frame[time.name]}
    for name in (*VALUES, *EVENTS):
        if name in frame:
            columns[name] = _numeric(path, name, frame[name])
    return Table(path, settings, pd.DataFrame(columns), time)


def _time_column(path: Path, frame: pd.DataFrame) -> TimeColumn:
    for base in _TIMES:
        for suffix, zone in _ZONES.items():
            if base + suffix in frame:
                return TimeColumn(base + suffix, zone, "end" if base in _ENDS else "start")
    msg = f"{path}: has no time column; name one of {', '.join(_TIMES)} (with _utc or _et for its zone)"
    raise BadBarsError(msg)


def _numeric(path: Path, name: str, values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype("float64")
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    wrong = values[numbers.isna() & values.notna()]
    if len(wrong):
        msg = f"{path}, line {wrong.index[0]}: {name} {wrong.iloc[0]!r} is not a number; correct or remove the line"
        raise BadBarsError(msg)
    return numbers
