"""Small studies for tests: bars written by hand, a strategy that says what it is told, both engines' way in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading_bot.backtest.loading import Loaded
from trading_bot.backtest.strategy import Signals, Strategy
from trading_bot.bootstrap.studies import Study, Wish, study
from trading_bot.config import load
from trading_bot.domain.values import Digest
from trading_bot.market.calendar import open_calendar
from trading_bot.market.frame import IndicatorFrame
from trading_bot.storage.home import Home

FIRST = date(2024, 1, 2)
FREE = {"source.spread_bps": "0", "broker.slippage_bps": "0", "broker.fees": "none", "broker.participation": "1", "broker.cash": "10000"}
"""No costs at all, and ten thousand to begin with."""


@dataclass(frozen=True)
class Said:
    """What is wanted at one row's close."""

    entry: int = 0
    exit: bool = False
    stop: float = np.nan
    target: float = np.nan


def scripted(said: Mapping[int, Said]) -> Strategy:
    """A strategy that wants `said`, by row, of every symbol."""

    def signals(frame: IndicatorFrame) -> Signals:
        rows = [said.get(n, Said()) for n in range(len(frame))]
        return Signals(
            np.array([r.entry for r in rows], dtype=np.int8),
            np.array([r.exit for r in rows], dtype=bool),
            np.array([r.stop for r in rows], dtype=np.float64),
            np.array([r.target for r in rows], dtype=np.float64),
        )

    return Strategy("scripted", "Wants what it is told.", (), signals)


def daily_file(folder: Path, symbol: str, bars: Sequence[tuple[float, float, float, float]], volume: float = 1_000_000) -> Path:
    """Write `bars` (open, high, low, close) of `symbol`, one for each session from `FIRST` on; return the folder."""
    days = open_calendar("XNYS").sessions(FIRST, date(2024, 12, 31))[: len(bars)]
    table = pd.DataFrame(bars, columns=["open", "high", "low", "close"], index=pd.Index(days, name="date")).assign(volume=volume)
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / f"{symbol}.csv")
    return folder


def study_on(data: Path, symbols: Sequence[str], strategy: Strategy, **wish: Any) -> Study:  # noqa: ANN401 - fields of a wish, settings
    """A study of `strategy` on files, free of costs unless `settings` say otherwise."""
    settings = {"source.name": "files", "source.files": [{"path": str(data)}], "universe.symbols": list(symbols), **FREE}
    config = load(None, {}, {**settings, **wish.pop("settings", {})})
    made = study(config, Home(data / "home"), Wish("buy_and_hold", **{"reserve": Decimal(0), **wish}))
    plan = made.plan.model_copy(update={"strategy": strategy.name, "values": strategy.values({})})
    return Study(made.config, made.market, plan, Loaded(strategy, "test", Digest("0" * 64)))
