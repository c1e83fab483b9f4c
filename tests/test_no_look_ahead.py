"""Whatever the data say of the time after a moment, a backtest's journal and report up to that moment are the same, byte for byte.

The future is rewritten in files: other prices, volumes, dividends and splits (then the past is divided by them, as a vendor would),
or nothing at all. The moments lie between open and close, at openings, on ex-dates, half days and beside daylight saving.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recorded import Daily, Run, backtest, intraday_with_another_future, write

CORE = ("AAPL", "SPY", "QQQ", "TSLA", "NVDA")
INTRADAY = ("AAPL", "SPY")
SPLIT = ("AAPL", "AMZN", "GOOGL", "MSFT", "TSLA", "WMT", "CVX", "SPY")
"""Some of the thirty, three of which split in the summer of 2022."""
FEW_DAYS = timedelta(days=5)


def _core(shared: Path) -> dict[str, Daily]:
    return {s: Daily.read(pd.read_csv(shared / f"data/us_daily_core/{s}.csv")) for s in CORE}


def _thirty(shared: Path) -> dict[str, Daily]:
    whole = pd.read_parquet(shared / "data/us_daily_universe30/daily_2020-08_to_2025-01.parquet")
    return {s: Daily.read(whole[whole["symbol"] == s]) for s in SPLIT}


def _past(lines: list[str], moment: datetime) -> list[str]:
    """Lines of trading time up to `moment`; each begins with its time."""
    stamp = f'{{"at":"{moment.strftime("%Y-%m-%dT%H:%M:%S.%f")}~'
    return [line for line in lines if line < stamp]


def _seed(moment: datetime) -> np.random.Generator:
    return np.random.default_rng(int(moment.timestamp()))


def _told_until(run: Run, moment: datetime) -> dict[str, Any]:
    """What a report says of the time before: trades that had closed, returns of the months that were over."""
    report = run.report()
    month, stamp = f"{moment:%Y-%m}", moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "trades": [t for t in report["trades"] if t["closed_at"] <= stamp],
        "months": [m for m in report["monthly_returns"] if m["month"] < month],
        "data": report["data"],
    }


MOMENTS = {
    date(2024, 1, 2): ("2024-01-16T11:30", "2024-02-09T14:30", "2024-03-08T21:00", "2024-03-11T18:00"),
    date(2024, 5, 1): (
        *("2024-05-28T13:30", "2024-06-07T20:05", "2024-06-10T10:30", "2024-06-10T13:30", "2024-06-10T15:00"),
        *("2024-07-03T15:00", "2024-07-03T17:00"),
    ),
}
"""By the first day of the run: what lies further back than some weeks adds time, and no other way to look ahead."""


@pytest.fixture(scope="module")
def as_recorded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[date], Run]:
    """Months of 2024 as they were recorded, from their first day to beyond the last of its moments."""

    @cache
    def run(first: date) -> Run:
        last = datetime.fromisoformat(MOMENTS[first][-1]) + FEW_DAYS
        return backtest(tmp_path_factory.mktemp("home"), [shared / "data/us_daily_core"], CORE, first, last.date())

    return run


@pytest.mark.parametrize("future", ["another", "none"])
@pytest.mark.parametrize(("first", "moment"), [(first, moment) for first, moments in MOMENTS.items() for moment in moments], ids=str)
def test_no_change_of_the_future_changes_the_past_of_a_run(  # noqa: PLR0913, PLR0917 - what is varied
    shared: Path, tmp_path: Path, as_recorded: Callable[[date], Run], first: date, moment: str, future: str
) -> None:
    """AAPL's dividend (February), the week of daylight saving, NVDA's ten for one, a half day; in the session and outside."""
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    rng = _seed(now)
    known = _core(shared).items()
    changed = {s: d.with_another_future(now, rng) if future == "another" else d.cut_off(now) for s, d in known}
    folder = write(tmp_path / "data", {s: d.table() for s, d in changed.items()})
    run = backtest(tmp_path, [folder], CORE, first, (now + FEW_DAYS).date())
    undisturbed = as_recorded(first)
    expected = _past(undisturbed.lines(), now)
    assert len(expected) > 100
    assert _past(run.lines(), now) == expected
    assert _told_until(run, now) == _told_until(undisturbed, now)


@pytest.fixture(scope="module")
def summer_of_splits(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """GOOGL on July 18, TSLA on August 25, 2022."""
    folder = write(tmp_path_factory.mktemp("data") / "thirty", {s: d.table() for s, d in _thirty(shared).items()})
    return backtest(tmp_path_factory.mktemp("home"), [folder], SPLIT, date(2022, 6, 1), date(2022, 9, 9))


@pytest.mark.parametrize("moment", ["2022-06-03T20:00", "2022-07-15T20:05", "2022-07-18T13:30", "2022-08-10T17:00", "2022-08-24T21:00"])
def test_a_split_that_never_comes_changes_nothing_before_it(shared: Path, tmp_path: Path, summer_of_splits: Run, moment: str) -> None:
    """Later splits are taken out of the files or replaced by others, and the past is divided by those alone."""
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    rng = _seed(now)
    folder = write(tmp_path / "data", {s: d.with_another_future(now, rng).table() for s, d in _thirty(shared).items()})
    run = backtest(tmp_path, [folder], SPLIT, date(2022, 6, 1), (now + FEW_DAYS).date())
    assert _past(run.lines(), now) == _past(summer_of_splits.lines(), now)


@pytest.fixture(scope="module")
def spring_of_minutes(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Five-minute bars beside daily ones."""
    data = [shared / "data/us_daily_core", shared / "data/us_intraday_5m"]
    return backtest(tmp_path_factory.mktemp("home"), data, INTRADAY, date(2024, 3, 11), date(2024, 7, 12))


@pytest.mark.parametrize("moment", ["2024-03-12T13:32", "2024-04-19T14:00", "2024-05-10T13:30", "2024-05-28T15:03", "2024-07-03T17:00"])
def test_the_past_of_intraday_bars_is_the_same_whatever_comes(shared: Path, tmp_path: Path, spring_of_minutes: Run, moment: str) -> None:
    """In the middle of a bar, at its edge, on AAPL's ex-date and at an early close; both kinds of file change together."""
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    rng = _seed(now)
    daily = {s: d.with_another_future(now, rng) for s, d in _core(shared).items() if s in INTRADAY}
    folder = write(tmp_path / "data", {s: d.table() for s, d in daily.items()})
    for symbol, known in daily.items():
        table = pd.read_parquet(shared / f"data/us_intraday_5m/{symbol}_5m_2024.parquet")
        table = intraday_with_another_future(table, now, rng)
        factor = known.after(table["ts"].dt.date)
        prices = table[["open", "high", "low", "close"]].div(factor, axis=0)
        table.assign(**prices, volume=table["volume"] * factor).to_parquet(folder / f"{symbol}_5m.parquet", index=False)
    run = backtest(tmp_path, [folder], INTRADAY, date(2024, 3, 11), (now + FEW_DAYS).date())
    assert _past(run.lines(), now) == _past(spring_of_minutes.lines(), now)
