"""The shelf keeps runs whole, names them by their cards, and says what it has."""

from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import results
from trading_bot.backtest.plan import Cell, Engine
from trading_bot.backtest.shelf import LAST, Shelf
from trading_bot.domain.errors import ResearchError, StorageError
from trading_bot.domain.market import Feed, PriceBasis, Timeframe
from trading_bot.ports import BarSeries

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty shelf whose folder is not there yet."""
    return Shelf(tmp_path / "backtests")


def _keep(folder: Path, seed: int) -> None:
    Shelf(folder).save(results.result(results.walk(30, seed), command=f"run {seed}"), AT)


def test_what_was_kept_is_read_back_equal(shelf: Shelf) -> None:
    """Floats, amounts, trades, notes and card survive the file."""
    made = results.result(results.walk(40, 1), trades=[results.trade(results.FIRST, "12.34")], notes=["prices are <not> as traded"])
    run = shelf.save(made, AT)
    assert shelf.load(run) == made


def test_the_same_card_gives_the_same_run(shelf: Shelf) -> None:
    """A run that was made twice is kept once; another command, data or plan is another run."""
    equity = results.walk(30, 1)
    first, again = (shelf.save(results.result(equity), AT) for _ in range(2))
    changed = (results.result(equity, command="other"), results.result(equity, data="other"), results.result(equity, strategy="other"))
    assert first == again
    assert len({first, *(shelf.save(one, AT) for one in changed)}) == 4
    assert len(shelf.list()) == 4


def test_two_engines_keep_their_results_of_one_card_apart(shelf: Shelf) -> None:
    """They reckon the same in two ways: order ids differ."""
    vector = results.result([101.0])
    event = vector.model_copy(update={"engine": Engine.EVENT})
    runs = [shelf.save(one, AT) for one in (vector, event)]
    assert [shelf.load(run) for run in runs] == [vector, event]


def test_another_result_under_the_same_card_is_refused_and_the_kept_one_stays(shelf: Shelf) -> None:
    """It would prove that the run is not deterministic."""
    kept = results.result([101.0, 102.0])
    run = shelf.save(kept, AT)
    with pytest.raises(ResearchError, match=f"run {run} is kept with another result under the same card: the run is not deterministic"):
        shelf.save(results.result([101.0, 102.00000000000001]), AT)
    assert shelf.load(run) == kept


def test_runs_are_listed_in_the_order_in_which_they_were_kept(shelf: Shelf) -> None:
    """By a counter: the machine's time may stand still or go back. One that is made again is the last one."""
    made = [results.result([100.0 + n], command=f"run {n}") for n in range(3)]
    first, second, third = (shelf.save(one, AT.replace(hour=12 - n)) for n, one in enumerate(made))
    assert [entry.run for entry in shelf.list()] == [first, second, third]
    assert shelf.find(LAST) == third
    shelf.save(made[0], AT)
    assert [entry.run for entry in shelf.list()] == [second, third, first]


def test_a_run_is_found_by_the_beginning_of_its_name(shelf: Shelf) -> None:
    """As much of it as tells it from the others; else the answer is what there is."""
    runs = [shelf.save(results.result([100.0 + n], command=f"run {n}"), AT) for n in range(40)]
    assert [shelf.find(run) for run in runs] == runs
    letters = [run[0] for run in runs]
    twice = next(letter for letter in letters if letters.count(letter) > 1)
    with pytest.raises(ResearchError, match=f"'{twice}' is the beginning of {letters.count(twice)} runs; use one of: {twice}"):
        shelf.find(twice)
    with pytest.raises(ResearchError, match=r"there is no run '111'; use one of: .*sma_cross 2024-01-02 to 2024-01-02.* and 28 older"):
        shelf.load("111")


def test_an_empty_shelf_says_how_to_make_a_run(shelf: Shelf) -> None:
    """Nothing is listed, and nothing is last."""
    assert shelf.list() == ()
    with pytest.raises(ResearchError, match=r"no run is kept in .*: make one with `backtest run`"):
        shelf.load(LAST)


def test_a_result_without_a_card_is_refused(shelf: Shelf) -> None:
    """Nobody could tell what it was made from."""
    bare = results.result([101.0]).model_copy(update={"card": None})
    with pytest.raises(ResearchError, match="without a run card"):
        shelf.save(bare, AT)


def test_a_damaged_result_is_named_with_its_fix(shelf: Shelf, tmp_path: Path) -> None:
    """A file cut short is an error, not an empty result."""
    run = shelf.save(results.result([101.0]), AT)
    path = tmp_path / "backtests" / run / "result.json"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StorageError, match=f"{run}/result.json cannot be read .*; remove the folder .* and run the backtest again"):
        shelf.load(run)


def test_folders_of_others_are_left_alone(shelf: Shelf, tmp_path: Path) -> None:
    """The desk's own backtests keep their journals in the same folder."""
    other = tmp_path / "backtests" / "2024" / "journal.db"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"journal")
    run = shelf.save(results.result([101.0]), AT)
    assert [entry.run for entry in shelf.list()] == [run]
    assert other.read_bytes() == b"journal"


def test_a_folder_that_cannot_be_written_is_an_error_with_its_fix(unprivileged: Path) -> None:
    """Nothing of the run is there then."""
    unprivileged.chmod(0o500)
    with pytest.raises(StorageError, match="make the folder writable"):
        Shelf(unprivileged / "backtests").save(results.result([101.0]), AT)
    unprivileged.chmod(0o700)


def test_cells_and_bars_come_back_with_their_run(shelf: Shelf) -> None:
    """What a report draws besides the result."""
    figures = {"total_return": 0.1, "sharpe": None, "max_drawdown": 0.2, "trades": 0, "win_rate": None, "profit_factor": None}
    cells = [Cell.model_validate({"values": {"fast": 5.0}, "final_equity": "110", **figures})]
    frame = results.candles(20)
    ends = pd.DatetimeIndex(frame.index).tz_localize(None).to_numpy("datetime64[ns]") + np.timedelta64(390, "m")
    series = BarSeries(results.AAPL, Timeframe.DAY, frame, ends, Feed.CONSOLIDATED, PriceBasis.AS_TRADED, "test")
    run = shelf.save(results.result([101.0]), AT, cells, [series])
    assert shelf.cells(run) == tuple(cells)
    assert shelf.bars(run)[results.AAPL]["close"].tolist() == frame["close"].tolist()
    bare = shelf.save(results.result([101.0], command="bare"), AT)
    assert (shelf.cells(bare), shelf.bars(bare)) == ((), {})


def test_runs_that_are_kept_at_the_same_time_are_all_there(tmp_path: Path) -> None:
    """Four processes, one shelf: each has a place of its own in the order."""
    fork = get_context("fork")
    processes = [fork.Process(target=_keep, args=(tmp_path, seed)) for seed in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [entry.number for entry in Shelf(tmp_path).list()] == [1, 2, 3, 4]
    cards = [Shelf(tmp_path).load(entry.run).card for entry in Shelf(tmp_path).list()]
    assert {card.command for card in cards if card is not None} == {f"run {seed}" for seed in range(4)}
