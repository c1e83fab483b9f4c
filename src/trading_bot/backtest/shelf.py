"""The shelf of runs: each kept in a folder of its own, named by its run card.

    folder/<run>/result.json   the result with its card, canonical
    folder/<run>/entry.json    what a list shows, and the run's place in the order
    folder/<run>/cells.json    the grid of a sweep or a search, where there was one
    folder/<run>/bars/         the bars that a report draws trades on, where they were given

Promises that what `save` returned from is durable and whole, and that one card and engine name one run. Refuses a second, different
result under the same card: either something that the card does not name has changed, or the run is not deterministic.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NewType, TypeVar

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from trading_bot.backtest.plan import Cell, Engine, Plan, Result
from trading_bot.backtest.statistics import Performance
from trading_bot.domain.errors import DiskFullError, ResearchError, StorageError
from trading_bot.domain.values import Record, Symbol, UtcTime, canonical_json, derive_id
from trading_bot.ports import BarSeries
from trading_bot.storage.bars import BarStore

RunId = NewType("RunId", str)
LAST = "last"
_LENGTH = 10
_SHOWN = 12
_CELLS: TypeAdapter[tuple[Cell, ...]] = TypeAdapter(tuple[Cell, ...])
_FULL = {errno.ENOSPC, errno.EDQUOT}
_R = TypeVar("_R", bound=Record)


class Entry(Record):
    """One kept run, as a list shows it. `number` rises with each `save`; `at`: wall time of the newest one."""

    run: str
    number: int
    at: UtcTime
    engine: Engine
    plan: Plan
    performance: Performance


class Shelf:
    """Runs under `folder`, which is made when first written to. Other folders in it are left alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, result: Result, at: datetime, cells: Sequence[Cell] = (), bars: Iterable[BarSeries] = ()) -> RunId:
        """Keep `result` and return its run id, the same for the same card and engine. Saved again, a run becomes the last one.

        ResearchError if it has no card, or if another result is kept under the same card; StorageError, DiskFullError.
        """
        if result.card is None:
            raise ResearchError(
                "a result without a run card cannot be kept: nobody could tell what it was made from; add one with `make_card`"
            )
        run = RunId(derive_id(result.engine, result.card.canonical(), length=_LENGTH))
        with self._alone():
            self._refuse_another(run, result)
            place = self._folder / run
            _put(place / "result.json", result.canonical())
            if cells:
                _put(place / "cells.json", canonical_json(_CELLS.dump_python(tuple(cells), mode="json")))
            for series in bars:
                BarStore(place / "bars").write(series)
            number = max((entry.number for entry in self.list()), default=0) + 1
            entry = Entry(run=run, number=number, at=at, engine=result.engine, plan=result.plan, performance=result.performance)
            _put(place / "entry.json", entry.canonical())
        return run

    def list(self) -> tuple[Entry, ...]:
        """All runs, the newest last. StorageError if one cannot be read."""
        found = (_read(path, Entry) for path in self._folder.glob("*/entry.json"))
        return tuple(sorted(found, key=lambda entry: (entry.number, entry.run)))

    def find(self, name: str) -> RunId:
        """The run that `name` means: an id, the beginning of one, or `last`. ResearchError lists what there is."""
        entries = self.list()
        if not entries:
            raise ResearchError(f"no run is kept in {self._folder}: make one with `backtest run`")
        if name == LAST:
            return RunId(entries[-1].run)
        matching = [entry for entry in entries if name and entry.run.startswith(name)]
        if len(matching) == 1:
            return RunId(matching[0].run)
        problem = f"{name!r} is the beginning of {len(matching)} runs" if matching else f"there is no run {name!r}"
        raise ResearchError(f"{problem}; use one of: {_named(matching or entries)}, or `{LAST}`")

    def load(self, name: str) -> Result:
        """The result of the run that `name` means. ResearchError as for `find`; StorageError if its file is damaged."""
        return _read(self._folder / self.find(name) / "result.json", Result)

    def cells(self, name: str) -> tuple[Cell, ...]:
        """The grid that was kept with the run; empty if there was none."""
        path = self._folder / self.find(name) / "cells.json"
        try:
            return _CELLS.validate_json(path.read_bytes()) if path.is_file() else ()
        except (OSError, ValidationError) as error:
            raise _damaged(path, error) from error

    def bars(self, name: str) -> Mapping[Symbol, pd.DataFrame]:
        """Frames of the bars that were kept with the run, by symbol."""
        store = BarStore(self._folder / self.find(name) / "bars")
        return {symbol: store.read(symbol, store.timeframes(symbol)[0]).frame for symbol in store.symbols()}

    def _refuse_another(self, run: RunId, result: Result) -> None:
        path = self._folder / run / "result.json"
        if path.is_file() and _read(path, Result) != result:
            msg = (
                f"run {run} is kept with another result under the same card: the run is not deterministic, or something changed that "
                f"the card does not name. The kept one is as before; remove {path.parent} to keep the new one"
            )
            raise ResearchError(msg)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process writes at a time; the lock dies with its process."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritten(self._folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _named(entries: Sequence[Entry]) -> str:
    """The newest entries in a line, for an error."""
    told = [f"{entry.run} ({entry.plan.strategy} {entry.plan.first} to {entry.plan.last})" for entry in entries[-_SHOWN:]]
    return ", ".join(told) + (f" and {len(entries) - _SHOWN} older" if len(entries) > _SHOWN else "")


def _read(path: Path, kind: type[_R]) -> _R:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path} cannot be read ({type(error).__name__}); remove the folder {path.parent} and run the backtest again")


def _put(path: Path, text: str) -> None:
    """Put a file in the place of what is there: draft, fsync, rename, fsync of the folder."""
    draft = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with draft.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> StorageError:
    kind = DiskFullError if error.errno in _FULL else StorageError
    return kind(f"{path}: the run was not kept ({error}). Make room, or make the folder writable, and run it again")
