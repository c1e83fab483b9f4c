"""The bar store: one Parquet file per symbol and timeframe under a root, with feed, basis and source in its metadata.

Splits and dividends of a symbol lie beside its bars.

Promises that a reader sees the old file or the new one, never half of one, and that what `write` returned from is
durable. Refuses symbols spelled as paths, to mix what differs in feed, basis or source, and files that do not say what they hold.
"""

import errno
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from pydantic import TypeAdapter

from trading_bot.domain.errors import DiskFullError, NoDataError, StorageError
from trading_bot.domain.market import CorporateAction, Dividend, Feed, PriceBasis, Split, Timeframe
from trading_bot.domain.values import Symbol
from trading_bot.ports import BarSeries

_KEY = b"trading_bot.bars"
_NAME = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.=^+-]*(/[A-Za-z0-9.]+)?")
"""Symbols as exchanges write them, one slash for pairs (`BTC/USD`)."""
_ACTIONS = "actions"
_ACTION_LIST: TypeAdapter[list[Split | Dividend]] = TypeAdapter(list[Split | Dividend])
_COLUMNS = ("open", "high", "low", "close", "volume")


class BarStore:
    """Bars under `root`; the folder is made when first written to."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, series: BarSeries) -> None:
        """Keep `series`: bars of times that are known are replaced, others added.

        StorageError if the known bars are of another feed, basis or source, or the folder cannot be written; DiskFullError.
        """
        path = self._path(series.symbol, series.timeframe)
        if path.exists():
            series = _together(self.read(series.symbol, series.timeframe), series, path)
        table = pa.table({"start": series.frame.index, **{c: series.frame[c] for c in _COLUMNS}, "end": series.ends})
        said = {"symbol": series.symbol, "timeframe": series.timeframe, "feed": series.feed, "basis": series.basis, "source": series.source}
        marked = table.replace_schema_metadata({_KEY: json.dumps(said, sort_keys=True).encode()})
        _replace(path, lambda file: parquet.write_table(marked, file, compression="zstd"))

    def read(self, symbol: Symbol, timeframe: Timeframe) -> BarSeries:
        """All bars. NoDataError if there are none, StorageError if the file is damaged."""
        path = self._path(symbol, timeframe)
        if not path.is_file():
            msg = f"{symbol}: no {timeframe} bars in the bar store {self._root}"
            raise NoDataError(msg)
        try:
            table = parquet.read_table(path)
            said = json.loads((table.schema.metadata or {})[_KEY])
            index = pd.DatetimeIndex(table["start"].to_pandas()).as_unit("ns")
            return BarSeries(
                symbol=Symbol(said["symbol"]),
                timeframe=Timeframe(said["timeframe"]),
                frame=pd.DataFrame({c: table[c].to_numpy() for c in _COLUMNS}, index=index.rename("start")),
                ends=table["end"].to_numpy().astype("datetime64[ns]"),
                feed=Feed(said["feed"]),
                basis=PriceBasis(said["basis"]),
                source=said["source"],
            )
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            msg = f"{path}: the stored bars are damaged ({error}); remove the file and fetch the bars again"
            raise StorageError(msg) from error

    def write_actions(self, symbol: Symbol, actions: Sequence[CorporateAction]) -> None:
        """Keep the splits and dividends of `symbol` in place of those that are known. StorageError, DiskFullError."""
        path = self._path(symbol, _ACTIONS).with_suffix(".json")
        text = _ACTION_LIST.dump_json(list(actions), indent=1)
        _replace(path, lambda file: file.write(text))

    def actions(self, symbol: Symbol) -> tuple[CorporateAction, ...]:
        """Splits and dividends by rising ex-date, none if none were kept. StorageError if the file is damaged."""
        path = self._path(symbol, _ACTIONS).with_suffix(".json")
        if not path.is_file():
            return ()
        try:
            return tuple(_ACTION_LIST.validate_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            msg = f"{path}: the stored splits and dividends are damaged ({error}); remove the file and import the bars again"
            raise StorageError(msg) from error

    def symbols(self) -> tuple[Symbol, ...]:
        """Symbols with bars, in order."""
        files = (file for timeframe in Timeframe for file in (self._root / timeframe).glob("*.parquet"))
        return tuple(sorted({Symbol(file.stem.replace("%2F", "/")) for file in files}))

    def timeframes(self, symbol: Symbol) -> tuple[Timeframe, ...]:
        """Timeframes of `symbol`, finest first; empty if there are none."""
        return tuple(timeframe for timeframe in Timeframe if self._path(symbol, timeframe).is_file())

    def _path(self, symbol: Symbol, timeframe: str) -> Path:
        refuse_name(symbol)
        return self._root / timeframe / f"{symbol.replace('/', '%2F')}.parquet"


def refuse_name(symbol: Symbol) -> None:
    """Raise StorageError if `symbol` is not spelled as exchanges do."""
    if not _NAME.fullmatch(symbol) or ".." in symbol:
        msg = f"{symbol!r} cannot name a file of bars; symbols are letters, digits and .=^+- with one / for pairs"
        raise StorageError(msg)


def _together(known: BarSeries, fresh: BarSeries, path: Path) -> BarSeries:
    ours, theirs = (known.feed, known.basis, known.source), (fresh.feed, fresh.basis, fresh.source)
    if ours != theirs:
        msg = f"{path}: holds {', '.join(ours)} bars, these are {', '.join(theirs)}; remove the file to start anew"
        raise StorageError(msg)
    kept = ~known.frame.index.isin(fresh.frame.index)
    frame = pd.concat([known.frame[kept], fresh.frame])
    order = frame.index.argsort()
    ends = np.concatenate([known.ends[kept], fresh.ends])[order]
    return BarSeries(fresh.symbol, fresh.timeframe, frame.iloc[order], ends, fresh.feed, fresh.basis, fresh.source)


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Put what `write` writes in the place of the file at `path`: temporary file, fsync, rename, fsync of the folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                write(file)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:  # edge: undone, then raised again
                Path(file.name).unlink(missing_ok=True)
                raise
        _sync(path.parent)
    except OSError as error:
        kind = DiskFullError if error.errno in {errno.ENOSPC, errno.EDQUOT} else StorageError
        msg = f"{path}: the bars were not stored ({error}); the file is as before. Make room, or make the folder writable"
        raise kind(msg) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
