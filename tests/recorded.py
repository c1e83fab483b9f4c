"""Backtests over recorded data for tests: files in, the desk's own records out; and files whose future was rewritten."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading_bot import config
from trading_bot.bootstrap.desk import Assembly, announce, build
from trading_bot.bootstrap.setting import Setting
from trading_bot.domain.mandate import Mode
from trading_bot.market.calendar import open_calendar
from trading_bot.orchestrator.backtesting import Period, check, report
from trading_bot.orchestrator.trading_orchestrator import TradingOrchestrator
from trading_bot.storage.export import export
from trading_bot.storage.home import Home

PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Run:
    """A finished backtest."""

    assembly: Assembly
    period: Period

    def lines(self) -> list[str]:
        """Its journal as `journal export` prints it."""
        return list(export(self.assembly.journal))

    def report(self) -> dict[str, Any]:
        """Its report."""
        return report(self.assembly.desk, self.period)


def backtest(
    home: Path,
    data: Sequence[Path],
    symbols: Sequence[str],
    first: date,
    last: date,
    **flags: Any,  # noqa: ANN401 - settings by name
) -> Run:
    """Run what `orchestrator --orchestrator-mode backtest` runs, in this process."""
    named = {"source.name": "files", "source.files": [{"path": str(path)} for path in data], "universe.symbols": list(symbols)}
    made = config.load(flags=named | flags)
    stop = threading.Event()
    assembly = build(made, Setting(Mode.BACKTEST, simulated=True, home=Home(home), operator=home, first=first, last=last), stop)
    period = Period(assembly.source, open_calendar, made.universe.symbols, first, last)
    check(period)
    announce(assembly, "test")
    slots = assembly.scheduler.slots_between(first, last)
    TradingOrchestrator(assembly.desk, assembly.scheduler, stop, until=slots[-1].due).run()
    return Run(assembly, period)


@dataclass(frozen=True, eq=False)
class Daily:
    """Daily bars of one symbol as traded, with the events of each day (0 for none)."""

    days: tuple[date, ...]
    bars: pd.DataFrame
    dividends: np.ndarray
    splits: np.ndarray

    @classmethod
    def read(cls, frame: pd.DataFrame) -> "Daily":
        """From a split-adjusted table with `date dividend split`."""
        splits = frame["split"].to_numpy(float)
        after = _after(splits)
        bars = frame[[*PRICES, "volume"]].astype(float).reset_index(drop=True)
        bars[PRICES] = bars[PRICES].mul(after, axis=0)
        bars["volume"] /= after
        days = tuple(pd.to_datetime(frame["date"]).dt.date)
        return cls(days, bars, frame["dividend"].to_numpy(float) * after, splits)

    def table(self) -> pd.DataFrame:
        """As a vendor would publish it after its last split: all prices divided by the splits that came later."""
        after = _after(self.splits)
        table = self.bars.copy()
        table[PRICES] = table[PRICES].div(after, axis=0)
        table["volume"] *= after
        return table.assign(date=self.days, dividend=self.dividends / after, split=self.splits)

    def publicly(self, moment: datetime) -> tuple[np.ndarray, np.ndarray]:
        """Which days had opened, and which had closed, by `moment`."""
        hours = [open_calendar("XNYS").hours(day) for day in self.days]
        return np.array([opening <= moment for opening, _ in hours]), np.array([closing <= moment for _, closing in hours])

    def with_another_future(self, moment: datetime, rng: np.random.Generator) -> "Daily":
        """The same up to `moment`, then anything: other prices, volumes, dividends and splits."""
        opened, closed = self.publicly(moment)
        bars = self.bars.to_numpy(copy=True)
        count = len(bars)
        level = bars[~opened, :4] * rng.uniform(0.3, 3.0) * rng.uniform(0.8, 1.25, ((~opened).sum(), 1))
        bars[~opened, :4] = level
        bars[~closed, 3] *= rng.uniform(0.7, 1.4, (~closed).sum())
        bars[~closed, 1] = bars[~closed][:, [0, 3]].max(axis=1) * rng.uniform(1.0, 1.2, (~closed).sum())
        bars[~closed, 2] = bars[~closed][:, [0, 3]].min(axis=1) * rng.uniform(0.8, 1.0, (~closed).sum())
        bars[~closed, 4] = np.ceil(bars[~closed, 4] * rng.uniform(0.01, 10.0, (~closed).sum()))
        chance = rng.random(count)
        splits = np.where(opened, self.splits, np.where(chance < 0.03, rng.choice([2.0, 3.0, 4.0, 1.5, 0.1, 20.0], count), 0.0))
        paid = np.where(rng.random(count) < 0.05, np.round(rng.uniform(0.01, 2.0, count), 2), 0.0)
        return replace(
            self,
            bars=pd.DataFrame(bars, columns=self.bars.columns),
            dividends=np.where(opened, self.dividends, paid),
            splits=splits,
        )

    def cut_off(self, moment: datetime) -> "Daily":
        """As if recorded at `moment`: later days are missing, and of a day that is open there is its opening price."""
        opened, closed = self.publicly(moment)
        bars = self.bars[opened].copy()
        running = ~closed[opened]
        bars.loc[running, ["high", "low", "close"]] = bars.loc[running, ["open"]].to_numpy()
        return Daily(tuple(np.array(self.days)[opened]), bars.reset_index(drop=True), self.dividends[opened], self.splits[opened])

    def after(self, days: Sequence[date]) -> np.ndarray:
        """Product of the splits after each of `days`."""
        told = [(day, ratio) for day, ratio in zip(self.days, self.splits, strict=True) if ratio]
        return np.array([np.prod([ratio for day, ratio in told if day > one]) for one in days])


def _after(splits: np.ndarray) -> np.ndarray:
    """Product of the splits after each row."""
    ratios = np.where(splits == 0, 1.0, splits)
    return np.append(np.cumprod(ratios[::-1])[::-1][1:], 1.0)


def write(folder: Path, tables: Mapping[str, pd.DataFrame]) -> Path:
    """Write a CSV for each symbol, floats to their last digit."""
    folder.mkdir(parents=True)
    for symbol, table in tables.items():
        table.to_csv(folder / f"{symbol}.csv", index=False)
    return folder


def intraday_with_another_future(table: pd.DataFrame, moment: datetime, rng: np.random.Generator) -> pd.DataFrame:
    """Five-minute bars (`ts`, prices, `volume`) that are the same up to `moment`, then anything."""
    changed = table[["ts", *PRICES, "volume"]].astype({"volume": float})
    begun = (changed["ts"] <= moment).to_numpy()
    ended = (changed["ts"] + pd.Timedelta(minutes=5) <= moment).to_numpy()
    bars = changed[[*PRICES, "volume"]].to_numpy(copy=True)
    bars[~begun, :4] *= rng.uniform(0.5, 2.0) * rng.uniform(0.9, 1.1, ((~begun).sum(), 1))
    bars[~ended, 3] *= rng.uniform(0.9, 1.1, (~ended).sum())
    bars[~ended, 1] = bars[~ended][:, [0, 3]].max(axis=1) * rng.uniform(1.0, 1.05, (~ended).sum())
    bars[~ended, 2] = bars[~ended][:, [0, 3]].min(axis=1) * rng.uniform(0.95, 1.0, (~ended).sum())
    bars[~ended, 4] = np.ceil(bars[~ended, 4] * rng.uniform(0.01, 10.0, (~ended).sum()))
    return changed.assign(**dict(zip([*PRICES, "volume"], bars.T, strict=True)))
