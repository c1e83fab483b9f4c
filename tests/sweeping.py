"""Studies over invented daily bars for tests of sweeps, searches and walk-forward; strategies of a user's own, by path."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from results import candles
from trading_bot import config
from trading_bot.bootstrap.studies import Study, Wish, study
from trading_bot.market.calendar import open_calendar
from trading_bot.storage.home import Home

OWN = '''"""Buys after a fall of some bars, and holds for some."""

import numpy as np

from trading_bot.backtest.strategy import Parameter, Signals, Strategy


def _signals(frame, falls, hold):
    fell = np.convolve(np.diff(frame.close, prepend=frame.close[0]) < 0, np.ones(falls), "full")[: len(frame)] >= falls
    held = np.zeros(len(frame), dtype=bool)
    held[hold:] = fell[:-hold]
    return Signals.of(frame, entry=fell & ~held, exit=held)


STRATEGY = Strategy("own_dips", "Buy dips.", (Parameter("falls", 2, 1, 9), Parameter("hold", 5, 1, 20)), _signals)
'''


def own_strategy(folder: Path, text: str = OWN) -> Path:
    """A user's file."""
    path = folder / "own_dips.py"
    path.write_text(text, "utf-8")
    return path


def market(count: int = 700, seed: int = 3) -> pd.DataFrame:
    """Invented bars of the exchange's sessions from 2021-01-04 on."""
    sessions = open_calendar("XNYS").sessions(date(2021, 1, 4), date(2024, 12, 31))[:count]
    return candles(count, seed).set_index(pd.DatetimeIndex(sessions))


def bars_file(folder: Path, bars: pd.DataFrame, symbol: str = "AAPL") -> Path:
    """Daily bars as a CSV file."""
    path = folder / f"{symbol}.csv"
    told = bars.round(2).assign(date=[f"{moment:%Y-%m-%d}" for moment in bars.index])
    told[["date", "open", "high", "low", "close", "volume"]].to_csv(path, index=False)
    return path


def study_of(folder: Path, strategy: str = "sma_cross", bars: pd.DataFrame | None = None, **wish: Any) -> Study:  # noqa: ANN401 - fields of a wish
    """A study of `strategy` on 700 invented bars of AAPL, or on these; `others`: symbols whose files are in the folder already."""
    file, others = bars_file(folder, market() if bars is None else bars), wish.pop("others", ())
    files = [{"path": str(one)} for one in (file, *(folder / f"{symbol}.csv" for symbol in others))]
    flags = {"source.name": "files", "source.files": files, "universe.symbols": ["AAPL", *others]}
    return study(config.load(flags=flags), Home(folder / "home"), Wish(strategy, **wish))


def changed_after(bars: pd.DataFrame, count: int, seed: int = 9) -> pd.DataFrame:
    """The same bars up to row `count`, and from there on another market, 40 % lower."""
    other = market(len(bars), seed)
    factor = float(bars["close"].iloc[count - 1] / other["close"].iloc[count - 1]) * 0.6
    told = other.assign(**{name: other[name] * factor for name in ("open", "high", "low", "close")})
    return pd.concat([bars.iloc[:count], told.iloc[count:]])
