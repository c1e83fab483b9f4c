"""Sentiment from a file: what had been published about a symbol by each bar's close.

A CSV with the columns `time` (ISO 8601 with its zone; or `time_utc`, without), `symbol` and `score` (-1 to 1); others are not read.
Promises the newest score published at or before the close (of equal times the lower line), and NaN once it is older than `DAYS` days:
nothing said lately is not neutral. Refuses, by file and line, a time without a zone and a score that is none.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trading_bot.brokers.units import stamp
from trading_bot.domain.errors import DataError, NoDataError
from trading_bot.domain.values import Symbol

DAYS = 5
"""So many days of 24 hours a score counts after its publication."""


def read_sentiment(path: Path, symbol: Symbol, known: npt.NDArray[np.int64], days: float = DAYS) -> npt.NDArray[np.float64]:
    """The score at each moment of `known` (ns at which a bar has closed): -1 to 1, NaN where nothing was said within `days`.

    NoDataError if the file has nothing about `symbol`; DataError if it cannot be read, naming the line.
    """
    said = sorted(_rows(path, symbol), key=lambda row: row[0])
    if not said:
        raise NoDataError(f"{path} has no score of {symbol}; add its lines, or run without --sentiment")
    times, scores = (np.array(column) for column in zip(*said, strict=True))
    newest = np.searchsorted(times, known, side="right") - 1
    age = known - times[newest]
    fresh = (newest >= 0) & (age < timedelta(days=days) // timedelta(microseconds=1) * 1000)
    return np.where(fresh, scores[newest], np.nan)


def _rows(path: Path, symbol: Symbol) -> Iterator[tuple[int, float]]:
    """Time (ns) and score of each line about `symbol`; every line is checked."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            time = _time_column(path, lines.fieldnames or ())
            for line in lines:
                where = f"{path}, line {lines.line_num}"
                row = (_time(where, line[time], utc=time == "time_utc"), _score(where, line["score"]))
                if line["symbol"] == symbol:
                    yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}; give a UTF-8 file with the columns time, symbol, score") from error


def _time_column(path: Path, names: Sequence[str]) -> str:
    time = "time_utc" if "time_utc" in names else "time"
    missing = [name for name in (time, "symbol", "score") if name not in names]
    if missing:
        raise DataError(f"{path}, line 1: there is no column {', '.join(missing)}; the columns are time (or time_utc), symbol, score")
    return time


def _time(where: str, text: str | None, *, utc: bool) -> int:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise DataError(f"{where}: {text!r} is no ISO 8601 time; write 2024-03-05T14:30:00Z") from None
    if moment.tzinfo is None and not utc:
        raise DataError(f"{where}: {text!r} has no time zone; add one (Z for UTC), or name the column time_utc")
    return stamp(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))


def _score(where: str, text: str | None) -> float:
    try:
        score = float(text or "")
    except ValueError:
        score = np.nan
    if not -1 <= score <= 1:
        raise DataError(f"{where}: the score {text!r} is no number from -1 to 1")
    return score
