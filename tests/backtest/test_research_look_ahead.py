"""Whatever the data say of the time after a moment, a strategy's run is the same up to it, in both engines: trades, equity, exposure.

The future is rewritten in files: other prices and volumes, other dividends, splits where there were none (a vendor would then divide the
past by them), or nothing at all.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recorded import Daily, write
from trading_bot.backtest.loading import load_strategy
from trading_bot.backtest.plan import Result
from trading_bot.backtest.vector import run_vector
from trading_bot.bootstrap.research import run_event
from trading_bot.bootstrap.studies import Study, Wish, study
from trading_bot.config import load
from trading_bot.storage.home import Home

SYMBOLS = ("AAPL", "AMZN", "GOOGL", "TSLA", "WMT")
"""Three of them split in the summer of 2022."""
FIRST, LAST = date(2021, 6, 1), date(2022, 9, 30)
MOMENTS = ("2022-03-15T18:00", "2022-06-06T13:30", "2022-07-15T23:00", "2022-08-25T10:00")
"""Inside a session, the opening of Amazon's split, the night before Google's split, the morning of Tesla's."""


def prepared(folder: Path, recorded: dict[str, Daily], strategy: str) -> Study:
    """A study of `strategy` on these files."""
    data = write(folder, {symbol: daily.table() for symbol, daily in recorded.items()})
    settings = {"source.name": "files", "source.files": [{"path": str(data)}], "universe.symbols": [*recorded]}
    return study(load(None, {}, settings), Home(folder), Wish(strategy, first=FIRST, last=LAST))


def both(asked: Study) -> tuple[Result, Result]:
    """The result of each engine."""
    event = run_event(asked.config, asked.market, asked.plan, asked.wanted(asked.sheets())).result
    return event, run_vector(asked.market, asked.plan, asked.loaded.strategy)


def past(result: Result, moment: datetime) -> dict[str, object]:
    """What a result says of the sessions that had closed by `moment`."""
    done = sum(day < moment.date() for day in result.sessions)
    trades = [t.model_dump(exclude={"quantity", "entry_price", "exit_price"}) for t in result.trades if t.closed_at < moment]
    return {"equity": result.equity[:done], "exposure": result.exposure[:done], "trades": trades}


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Daily]:
    """The symbols as they were recorded."""
    whole = pd.read_parquet(shared / "data/us_daily_universe30/daily_2020-08_to_2025-01.parquet")
    return {s: Daily.read(whole[whole["symbol"] == s]) for s in SYMBOLS}


@pytest.mark.parametrize("strategy", ["momentum", "sma_cross"])
def test_no_change_of_the_future_changes_the_past_of_a_strategys_run(tmp_path: Path, recorded: dict[str, Daily], strategy: str) -> None:
    """Four moments, two futures, both engines."""
    known = both(prepared(tmp_path / "known", recorded, strategy))
    assert len(known[0].trades) > 5
    for number, text in enumerate(MOMENTS):
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        rng = np.random.default_rng(number)
        others = {
            "another": {s: d.with_another_future(moment, rng) for s, d in recorded.items()},
            "none": {s: d.cut_off(moment) for s, d in recorded.items()},
        }
        for name, other in others.items():
            made = both(prepared(tmp_path / f"{name}{number}", other, strategy))
            assert [past(result, moment) for result in made] == [past(result, moment) for result in known], (text, name)


def test_this_test_would_catch_a_strategy_that_reads_the_future(tmp_path: Path, recorded: dict[str, Daily]) -> None:
    """One that buys before the highest close of its whole history: another future moves it."""
    cheat = tmp_path / "cheat.py"
    cheat.write_text(
        "from trading_bot.backtest.strategy import Signals, Strategy\n\n\n"
        "def _signals(frame):\n"
        "    low = frame.close < 0.6 * frame.close.max()\n"
        "    return Signals.of(frame, entry=low, exit=~low)\n\n\n"
        'STRATEGY = Strategy("cheat", "Knows the top.", (), _signals)\n'
    )
    moment = datetime.fromisoformat(MOMENTS[0]).replace(tzinfo=UTC)
    known = both(prepared(tmp_path / "known", recorded, str(cheat)))
    other = {s: d.with_another_future(moment, np.random.default_rng(1)) for s, d in recorded.items()}
    made = both(prepared(tmp_path / "other", other, str(cheat)))
    assert [past(result, moment) for result in made] != [past(result, moment) for result in known]
    assert load_strategy(str(cheat)).strategy.name == "cheat"
